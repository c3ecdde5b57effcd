// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/text.h"
#include "net/library_error.h"
#include "net/tls.h"

namespace fairway::net {

namespace {

// Where the usual systems keep all authorities in one file, which is read once. OpenSSL's own default on
// Debian is a folder that it would search during handshakes.
constexpr std::array system_bundles{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                    "/etc/ssl/cert.pem"};

std::string system_authorities() {
    if (const char* chosen = std::getenv(X509_get_default_cert_file_env()); chosen != nullptr) return chosen;
    std::error_code ignored;
    for (const char* path : system_bundles)
        if (std::filesystem::exists(path, ignored)) return path;
    return X509_get_default_cert_file();
}

Result<std::optional<std::array<uint8_t, 32>>> decode_pin(const std::string& text) {
    if (text.empty()) return std::nullopt;
    // 32 octets are 44 characters, the last of them padding; the decoder counts the padding as an octet.
    std::array<uint8_t, 33> decoded{};
    if (text.size() != 44 || text[43] != '=' || text[42] == '=' ||
        EVP_DecodeBlock(decoded.data(), reinterpret_cast<const unsigned char*>(text.data()), 44) != 33) {
        ERR_clear_error();
        return fail("key pin \"" + escape_text(text, 60) + "\" is not 32 octets in base64");
    }
    std::array<uint8_t, 32> pin{};
    std::copy_n(decoded.begin(), pin.size(), pin.begin());
    return pin;
}

Result<std::string> encode_alpn(const std::vector<std::string>& protocols) {
    std::string wire;
    for (const std::string& name : protocols) {
        if (name.empty() || name.size() > 255 || wire.size() + name.size() > 4096)
            return fail("ALPN protocol \"" + escape_text(name, 60) + "\" has no usable length");
        wire += static_cast<char>(name.size());
        wire += name;
    }
    return wire;
}

Result<void> use_client_certificate(SSL_CTX* context, const TlsProfile& profile) {
    if (profile.cert_file.empty() && profile.key_file.empty()) return {};
    if (profile.cert_file.empty() || profile.key_file.empty())
        return fail("a client certificate needs both its certificate file and its key file");
    SSL_CTX_set_default_passwd_cb(context, no_password);
    if (SSL_CTX_use_certificate_chain_file(context, profile.cert_file.c_str()) != 1)
        return fail("cannot read the client certificate from " + profile.cert_file + ": " +
                    take_library_error());
    if (SSL_CTX_use_PrivateKey_file(context, profile.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
        return fail("cannot use the client key of " + profile.key_file + ": " + take_library_error());
    return {};
}

}  // namespace

Result<TlsVersion> parse_tls_version(std::string_view text) {
    if (text == "1.0") return TlsVersion::v1_0;
    if (text == "1.1") return TlsVersion::v1_1;
    if (text == "1.2") return TlsVersion::v1_2;
    if (text == "1.3") return TlsVersion::v1_3;
    return fail("\"" + escape_text(text, 20) + "\" is not a TLS version from 1.0 to 1.3");
}

std::string to_string(TlsVersion version) {
    return "TLS 1." +
           std::to_string(static_cast<uint16_t>(version) - static_cast<uint16_t>(TlsVersion::v1_0));
}

TlsContext::~TlsContext() {
    SSL_CTX_free(context_);
}

TlsContexts::~TlsContexts() {
    for (const auto& [file, store] : authorities_) X509_STORE_free(store);
}

Result<X509_STORE*> TlsContexts::authorities(const std::string& file) {
    for (const auto& [known, store] : authorities_)
        if (known == file) return store;
    const std::string path = file.empty() ? system_authorities() : file;
    const std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store(X509_STORE_new(), X509_STORE_free);
    if (store == nullptr) return fail("out of memory");
    if (X509_STORE_load_file(store.get(), path.c_str()) != 1)
        return fail("cannot read certificate authorities from " + path + ": " + take_library_error());
    authorities_.emplace_back(file, store.get());
    X509_STORE_up_ref(store.get());
    return store.get();
}

Result<std::shared_ptr<const TlsContext>> TlsContexts::get(const TlsProfile& profile) {
    for (const auto& known : contexts_)
        if (known->profile() == profile) return known;

    ERR_clear_error();
    const std::shared_ptr<TlsContext> made(new TlsContext(profile));
    auto pin = decode_pin(profile.pin_sha256);
    if (!pin) return tl::unexpected(pin.error());
    made->pin_ = *pin;
    auto alpn = encode_alpn(profile.alpn);
    if (!alpn) return tl::unexpected(alpn.error());
    made->alpn_wire_ = std::move(*alpn);

    SSL_CTX* context = made->context_ = SSL_CTX_new(TLS_client_method());
    if (context == nullptr) return fail("cannot make a TLS context: " + take_library_error());
    // All policy is set here: what the system's openssl.cnf says must not change what a monitor reports.
    const bool legacy = profile.min_version < TlsVersion::v1_2;
    SSL_CTX_clear_options(context, SSL_OP_LEGACY_SERVER_CONNECT);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
                                     (legacy ? SSL_OP_LEGACY_SERVER_CONNECT : 0));
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(context, 64 * 1024);
    if (SSL_CTX_set_min_proto_version(context, static_cast<int>(profile.min_version)) != 1 ||
        SSL_CTX_set_max_proto_version(context, 0) != 1 ||
        SSL_CTX_set_cipher_list(context, legacy ? "DEFAULT:@SECLEVEL=0" : "DEFAULT:@SECLEVEL=2") != 1)
        return fail("cannot set up a TLS context: " + take_library_error());
    // The setter of ALPN alone answers 0 for success.
    if (!made->alpn_wire_.empty() &&
        SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(made->alpn_wire_.data()),
                                static_cast<unsigned>(made->alpn_wire_.size())) != 0)
        return fail("cannot offer ALPN: " + take_library_error());
    if (auto used = use_client_certificate(context, profile); !used) return tl::unexpected(used.error());

    // Without enforcement, authorities that cannot be read only mean that every chain is reported as unknown;
    // a file that was named must be readable all the same.
    if (auto store = authorities(profile.ca_file); store) {
        SSL_CTX_set1_cert_store(context, *store);
    } else if (profile.verify == TlsVerify::enforce || !profile.ca_file.empty()) {
        return tl::unexpected(store.error());
    }
    X509_VERIFY_PARAM* param = SSL_CTX_get0_param(context);
    // The names of RFC 9525: subject alternative names only, and a wildcard is a whole label.
    X509_VERIFY_PARAM_set_hostflags(
        param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    // Whoever names a file trusts what is in it, an intermediate authority too.
    if (!profile.ca_file.empty()) X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_depth(param, 10);
    TlsSession::install_callbacks(context);
    contexts_.push_back(made);
    return made;
}

}  // namespace fairway::net
