// SPDX-License-Identifier: Apache-2.0
#include "ipsec/gateway_certificates.h"

#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/unique_fd.h"

namespace fairway::ipsec {

void X509Free::operator()(x509_st* certificate) const noexcept {
    X509_free(certificate);
}
void PrivateKeyFree::operator()(evp_pkey_st* key) const noexcept {
    EVP_PKEY_free(key);
}
void SslContextFree::operator()(ssl_ctx_st* context) const noexcept {
    SSL_CTX_free(context);
}

namespace {

constexpr long day = 24L * 60 * 60;

struct FileClose {
    void operator()(FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<FILE, FileClose>;

std::string library_error() {
    std::array<char, 256> text{};
    const unsigned long code = ERR_get_error();
    ERR_error_string_n(code, text.data(), text.size());
    ERR_clear_error();
    return code == 0 ? "unknown error" : text.data();
}

void name_subject(X509* certificate, const std::string& name) {
    X509_NAME* subject = X509_get_subject_name(certificate);
    // RFC 5280 bounds a common name to 64 characters; the names that count are in the extension.
    const std::string common = name.substr(0, 64);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common.data()),
                               static_cast<int>(common.size()), -1, 0);
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_nconf_nid(nullptr, &context, nid, value.c_str());
    if (extension == nullptr) return false;
    const bool added = X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

/// A certificate without extensions, not yet signed.
Certificate blank(evp_pkey_st* key, long valid_from, long valid_to) {
    Certificate certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    std::array<unsigned char, 16> serial{};
    if (RAND_bytes(serial.data(), static_cast<int>(serial.size())) != 1) return nullptr;
    serial[0] &= 0x7f;
    BIGNUM* number = BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate.get()));
    BN_free(number);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), valid_from);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), valid_to);
    X509_set_pubkey(certificate.get(), key);
    return certificate;
}

/// In OpenSSL's notation, which has no escapes: hosts are checked to be host names (is_host_name()).
std::string alternative_names(const CertificateSubject& subject) {
    std::string text;
    for (const std::string& host : subject.hosts) text += (text.empty() ? "DNS:" : ",DNS:") + host;
    for (const IpAddress& address : subject.addresses) {
        text += (text.empty() ? "IP:" : ",IP:") + address.to_string();
    }
    return text;
}

bool write_file(const std::filesystem::path& path, mode_t mode, const auto& write) {
    // Written aside and renamed, so that a reader never sees half of it.
    const std::filesystem::path aside = path.string() + ".new";
    UniqueFd fd(::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!fd || ::fchmod(fd.get(), mode) != 0) return false;
    File file(::fdopen(fd.get(), "w"));
    if (file == nullptr) return false;
    (void)fd.release();
    if (!write(file.get()) || std::fflush(file.get()) != 0) return false;
    file.reset();
    return std::rename(aside.c_str(), path.c_str()) == 0;
}

bool is_usable(X509* certificate, evp_pkey_st* key) {
    return X509_check_private_key(certificate, key) == 1 && X509_check_ca(certificate) == 1 &&
           X509_cmp_time(X509_get0_notAfter(certificate), nullptr) > 0;
}

}  // namespace

Result<Authority> Authority::open(const std::filesystem::path& path) {
    Authority authority;
    authority.leaf_key_.reset(EVP_EC_gen("P-256"));
    const std::filesystem::path key_path = path.string() + ".key";
    if (!path.empty()) {
        const File certificate(std::fopen(path.c_str(), "re"));
        const File key(std::fopen(key_path.c_str(), "re"));
        if (certificate != nullptr && key != nullptr) {
            authority.certificate_.reset(PEM_read_X509(certificate.get(), nullptr, nullptr, nullptr));
            authority.key_.reset(PEM_read_PrivateKey(key.get(), nullptr, nullptr, nullptr));
            ERR_clear_error();
            if (authority.certificate_ != nullptr && authority.key_ != nullptr &&
                is_usable(authority.certificate_.get(), authority.key_.get())) {
                return authority;
            }
        }
    }
    authority.key_.reset(EVP_EC_gen("P-256"));
    authority.certificate_ = blank(authority.key_.get(), -day, 3650 * day);
    X509* certificate = authority.certificate_.get();
    if (authority.leaf_key_ == nullptr || certificate == nullptr) {
        return fail("cannot make a key: " + library_error());
    }
    name_subject(certificate, "fairway-gateway test authority");
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    if (!add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(certificate, certificate, NID_subject_key_identifier, "hash") ||
        X509_sign(certificate, authority.key_.get(), EVP_sha256()) == 0) {
        return fail("cannot make an authority: " + library_error());
    }
    if (path.empty()) return authority;
    const bool written =
        write_file(key_path, 0600,
                   [&](FILE* file) {
                       return PEM_write_PrivateKey(file, authority.key_.get(), nullptr, nullptr, 0, nullptr,
                                                   nullptr) == 1;
                   }) &&
        write_file(path, 0644, [&](FILE* file) { return PEM_write_X509(file, certificate) == 1; });
    if (!written) return fail("cannot write " + path.string() + ": " + std::strerror(errno));
    return authority;
}

Result<Certificate> Authority::issue(const CertificateSubject& subject,
                                     std::optional<CertificateFlaw> flaw) const {
    const bool expired = flaw == CertificateFlaw::expired;
    const bool self_signed = flaw == CertificateFlaw::self_signed;
    Certificate certificate =
        blank(leaf_key_.get(), expired ? -33 * day : -day, expired ? -3 * day : 90 * day);
    if (certificate == nullptr) return fail("cannot make a certificate: " + library_error());
    CertificateSubject whom = subject;
    if (flaw == CertificateFlaw::wrong_host) whom = {"elsewhere.invalid", {"elsewhere.invalid"}, {}};
    name_subject(certificate.get(), whom.name);
    X509* issuer = self_signed ? certificate.get() : certificate_.get();
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
    if (!add_extension(certificate.get(), issuer, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(certificate.get(), issuer, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(certificate.get(), issuer, NID_ext_key_usage, "serverAuth") ||
        !add_extension(certificate.get(), issuer, NID_subject_alt_name, alternative_names(whom)) ||
        X509_sign(certificate.get(), self_signed ? leaf_key_.get() : key_.get(), EVP_sha256()) == 0) {
        return fail("cannot issue a certificate for " + whom.name + ": " + library_error());
    }
    return certificate;
}

Result<SslContext> make_server_context() {
    SslContext context(SSL_CTX_new(TLS_server_method()));
    if (context == nullptr) return fail("cannot make a TLS context: " + library_error());
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    // Tickets would only cost: no client of ours comes back to the same session.
    SSL_CTX_set_num_tickets(context.get(), 0);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    return context;
}

Result<SslContext> make_server_context(const std::filesystem::path& cert, const std::filesystem::path& key) {
    auto context = make_server_context();
    if (!context) return context;
    if (SSL_CTX_use_certificate_chain_file(context->get(), cert.c_str()) != 1) {
        return fail("cannot use certificate " + cert.string() + ": " + library_error());
    }
    if (SSL_CTX_use_PrivateKey_file(context->get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
        return fail("cannot use key " + key.string() + ": " + library_error());
    }
    return context;
}

}  // namespace fairway::ipsec
