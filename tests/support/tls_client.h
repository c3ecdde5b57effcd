// SPDX-License-Identifier: Apache-2.0
#pragma once
// The other end of a TLS server's session, in memory, for tests: OpenSSL as a client over buffers. It
// verifies nothing.

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "support/certificates.h"

namespace fairway::test {

struct FreeSession {
    void operator()(SSL_SESSION* session) const noexcept { SSL_SESSION_free(session); }
};
using SessionPtr = std::unique_ptr<SSL_SESSION, FreeSession>;

struct ClientSpec {
    int min_version = TLS1_2_VERSION, max_version = TLS1_3_VERSION;
    std::vector<std::string> alpn;
    SSL_SESSION* session = nullptr;  // to resume
};

class MemoryTlsClient {
  public:
    explicit MemoryTlsClient(const ClientSpec& spec = {}) {
        context_ = SSL_CTX_new(TLS_client_method());
        require_openssl(context_ != nullptr, "make a client");
        SSL_CTX_set_min_proto_version(context_, spec.min_version);
        SSL_CTX_set_max_proto_version(context_, spec.max_version);
        SSL_CTX_set_cipher_list(context_, "DEFAULT:@SECLEVEL=0");
        SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_sess_set_new_cb(context_, [](SSL* ssl, SSL_SESSION* session) {
            static_cast<MemoryTlsClient*>(SSL_get_app_data(ssl))->tickets.emplace_back(session);
            return 1;
        });
        std::string wire;
        for (const std::string& name : spec.alpn) wire += static_cast<char>(name.size()) + name;
        if (!wire.empty())
            SSL_CTX_set_alpn_protos(context_, reinterpret_cast<const unsigned char*>(wire.data()),
                                    static_cast<unsigned>(wire.size()));
        ssl_ = SSL_new(context_);
        in_ = BIO_new(BIO_s_mem());
        out_ = BIO_new(BIO_s_mem());
        SSL_set_bio(ssl_, in_, out_);
        SSL_set_app_data(ssl_, this);
        SSL_set_connect_state(ssl_);
        // A copy: the library marks sessions that did not work out.
        if (spec.session != nullptr) SSL_set_session(ssl_, SessionPtr(SSL_SESSION_dup(spec.session)).get());
        SSL_do_handshake(ssl_);
        ERR_clear_error();
    }
    MemoryTlsClient(const MemoryTlsClient&) = delete;
    MemoryTlsClient& operator=(const MemoryTlsClient&) = delete;
    ~MemoryTlsClient() {
        // Or the library would take its end for a crash, and never resume the session again.
        SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(ssl_);
        SSL_CTX_free(context_);
        ERR_clear_error();
    }

    /// Takes ciphertext, goes as far as it can, and keeps the plaintext that came.
    void feed(ByteSpan bytes) {
        if (!bytes.empty()) BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
        if (SSL_is_init_finished(ssl_) == 0) note(SSL_do_handshake(ssl_));
        std::array<uint8_t, 4096> buffer{};
        int count = 0;
        while (established() && (count = SSL_read(ssl_, buffer.data(), buffer.size())) > 0)
            received.insert(received.end(), buffer.begin(), buffer.begin() + count);
        if (established()) note(count);
        ERR_clear_error();
    }
    void write(ByteSpan plaintext) {
        if (!plaintext.empty()) SSL_write(ssl_, plaintext.data(), static_cast<int>(plaintext.size()));
        ERR_clear_error();
    }
    void close() { SSL_shutdown(ssl_); }
    [[nodiscard]] std::vector<uint8_t> take_output() {
        std::vector<uint8_t> bytes(BIO_ctrl_pending(out_));
        if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
        return bytes;
    }
    [[nodiscard]] SSL* ssl() noexcept { return ssl_; }
    [[nodiscard]] bool established() const noexcept { return SSL_is_init_finished(ssl_) != 0; }
    [[nodiscard]] bool resumed() const noexcept { return SSL_session_reused(ssl_) == 1; }
    /// The server has said goodbye.
    [[nodiscard]] bool closed() const noexcept {
        return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0;
    }
    [[nodiscard]] std::string alpn() const {
        const unsigned char* name = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(ssl_, &name, &size);
        return {reinterpret_cast<const char*>(name), size};
    }

    std::vector<uint8_t> received;
    std::vector<SessionPtr> tickets;
    int failure = 0;  // the library's reason, alerts included

  private:
    void note(int result) {
        const int error = SSL_get_error(ssl_, result);
        if (result <= 0 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_ZERO_RETURN && failure == 0)
            failure = ERR_GET_REASON(ERR_peek_error());
    }

    SSL_CTX* context_ = nullptr;
    SSL* ssl_ = nullptr;
    BIO* in_ = nullptr;
    BIO* out_ = nullptr;
};

}  // namespace fairway::test
