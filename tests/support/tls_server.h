// SPDX-License-Identifier: Apache-2.0
#pragma once
// The other end of a TLS session, in memory, for tests: OpenSSL as a server over buffers.

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string>
#include <vector>

#include "base/bytes.h"
#include "support/certificates.h"

namespace fairway::test {

struct ServerSpec {
    const Certificate* certificate = nullptr;
    std::vector<const Certificate*> intermediates;
    int min_version = TLS1_VERSION, max_version = TLS1_3_VERSION;
    std::string alpn;                               // the one protocol it accepts; empty: ignores ALPN
    const Certificate* client_authority = nullptr;  // requires a client certificate signed by it
};

class MemoryTlsServer {
  public:
    explicit MemoryTlsServer(const ServerSpec& spec) : alpn_(spec.alpn) {
        context_ = SSL_CTX_new(TLS_server_method());
        require_openssl(context_ != nullptr, "make a server");
        SSL_CTX_set_min_proto_version(context_, spec.min_version);
        SSL_CTX_set_max_proto_version(context_, spec.max_version);
        SSL_CTX_set_cipher_list(context_, "DEFAULT:@SECLEVEL=0");
        require_openssl(SSL_CTX_use_certificate(context_, spec.certificate->x509.get()) == 1 &&
                            SSL_CTX_use_PrivateKey(context_, spec.certificate->key.get()) == 1,
                        "use a server certificate");
        for (const Certificate* intermediate : spec.intermediates)
            SSL_CTX_add1_chain_cert(context_, intermediate->x509.get());
        if (spec.client_authority != nullptr) {
            X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), spec.client_authority->x509.get());
            SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                               [](int ok, X509_STORE_CTX* chain) {
                                   // The tests live in virtual time.
                                   const int error = X509_STORE_CTX_get_error(chain);
                                   return error == X509_V_ERR_CERT_HAS_EXPIRED ||
                                                  error == X509_V_ERR_CERT_NOT_YET_VALID
                                              ? 1
                                              : ok;
                               });
        }
        if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(context_, select_alpn, this);
        ssl_ = SSL_new(context_);
        in_ = BIO_new(BIO_s_mem());
        out_ = BIO_new(BIO_s_mem());
        SSL_set_bio(ssl_, in_, out_);
        SSL_set_accept_state(ssl_);
    }
    MemoryTlsServer(const MemoryTlsServer&) = delete;
    MemoryTlsServer& operator=(const MemoryTlsServer&) = delete;
    ~MemoryTlsServer() {
        SSL_free(ssl_);
        SSL_CTX_free(context_);
        ERR_clear_error();
    }

    /// Takes ciphertext, goes as far as it can, and keeps the plaintext that came.
    void feed(ByteSpan bytes) {
        if (!bytes.empty()) BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
        if (SSL_is_init_finished(ssl_) == 0) SSL_do_handshake(ssl_);
        std::array<char, 4096> buffer{};
        int count = 0;
        while (SSL_is_init_finished(ssl_) != 0 && (count = SSL_read(ssl_, buffer.data(), buffer.size())) > 0)
            received.append(buffer.data(), static_cast<size_t>(count));
        ERR_clear_error();
    }
    void write(std::string_view text) { SSL_write(ssl_, text.data(), static_cast<int>(text.size())); }
    void close() { SSL_shutdown(ssl_); }
    [[nodiscard]] std::vector<uint8_t> take_output() {
        std::vector<uint8_t> bytes(BIO_ctrl_pending(out_));
        if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
        return bytes;
    }
    [[nodiscard]] SSL* ssl() noexcept { return ssl_; }
    [[nodiscard]] bool established() const noexcept { return SSL_is_init_finished(ssl_) != 0; }
    [[nodiscard]] std::string server_name() const {
        const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
        return name == nullptr ? "" : name;
    }

    std::string received;

  private:
    static int select_alpn(SSL*, const unsigned char** chosen, unsigned char* size,
                           const unsigned char* offered, unsigned offered_size, void* self) {
        const std::string& mine = static_cast<MemoryTlsServer*>(self)->alpn_;
        for (unsigned at = 0; at < offered_size; at += 1U + offered[at]) {
            if (std::string_view(reinterpret_cast<const char*>(offered + at + 1), offered[at]) != mine)
                continue;
            *chosen = offered + at + 1;
            *size = offered[at];
            return SSL_TLSEXT_ERR_OK;
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }

    std::string alpn_;
    SSL_CTX* context_ = nullptr;
    SSL* ssl_ = nullptr;
    BIO* in_ = nullptr;
    BIO* out_ = nullptr;
};

}  // namespace fairway::test
