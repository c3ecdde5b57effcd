// SPDX-License-Identifier: Apache-2.0
#include "net/tls_server.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <new>
#include <system_error>

#include "base/text.h"
#include "net/certificate.h"
#include "net/library_error.h"

namespace fairway::net {
namespace {

// A ClientHello with all that clients put into it is a few kilobytes; after the handshake, key updates and
// warnings between two questions are a few dozen octets. A peer that sends more is playing with us.
constexpr size_t max_idle_octets = size_t{64} * 1024;
constexpr long ticket_seconds = 7200;

// Of a ticket secret: the name that the ticket shows, and the keys that seal it.
constexpr size_t name_size = 16;
constexpr size_t cipher_key_size = 32;
constexpr size_t mac_key_size = 32;
static_assert(name_size + cipher_key_size + mac_key_size == std::tuple_size_v<TlsTicketKeys::Secret>);

struct FreeOpenssl {
    void operator()(BIO* x) const noexcept { BIO_free(x); }
    void operator()(EVP_PKEY* x) const noexcept { EVP_PKEY_free(x); }
};

Result<std::unique_ptr<EVP_PKEY, FreeOpenssl>> read_key(const std::string& file) {
    const std::unique_ptr<BIO, FreeOpenssl> in(BIO_new_file(file.c_str(), "r"));
    std::unique_ptr<EVP_PKEY, FreeOpenssl> key;
    if (in != nullptr) key.reset(PEM_read_bio_PrivateKey(in.get(), nullptr, no_password, nullptr));
    if (key == nullptr) return fail("cannot use the key of " + file + ": " + take_library_error());
    return key;
}

}  // namespace

// What OpenSSL calls back. It is C: nothing may be thrown through it.
struct TlsServerContext::Callbacks {
    static TlsServerSession& session(SSL* ssl) noexcept {
        return *static_cast<TlsServerSession*>(SSL_get_app_data(ssl));
    }

    static int select_alpn(SSL*, const unsigned char** chosen, unsigned char* size,
                           const unsigned char* offered, unsigned offered_size, void* wire) noexcept {
        const auto& ours = *static_cast<const std::string*>(wire);
        unsigned char* found = nullptr;
        const int result =
            SSL_select_next_proto(&found, size, reinterpret_cast<const unsigned char*>(ours.data()),
                                  static_cast<unsigned>(ours.size()), offered, offered_size);
        *chosen = found;
        // Who wants to speak another protocol must not be taken for one of ours (RFC 7301 section 3.2).
        return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
    }

    static int ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                          EVP_MAC_CTX* mac, int is_sealing) noexcept {
        return session(ssl).ticket_key(name, iv, cipher, mac, is_sealing);
    }

    static int read(BIO* bio, char* buffer, int size) noexcept {
        ByteSpan& from = static_cast<TlsServerSession*>(BIO_get_data(bio))->incoming_;
        BIO_clear_retry_flags(bio);
        if (from.empty()) {
            BIO_set_retry_read(bio);
            return -1;
        }
        const size_t count = std::min(from.size(), static_cast<size_t>(size));
        std::copy_n(from.begin(), count, buffer);
        from = from.subspan(count);
        return static_cast<int>(count);
    }

    static int write(BIO* bio, const char* bytes, int size) noexcept {
        std::vector<uint8_t>& to = static_cast<TlsServerSession*>(BIO_get_data(bio))->output_;
        BIO_clear_retry_flags(bio);
        try {
            to.insert(to.end(), bytes, bytes + size);
        } catch (const std::bad_alloc&) {
            return -1;
        }
        return size;
    }

    static long control(BIO*, int command, long, void*) noexcept { return command == BIO_CTRL_FLUSH ? 1 : 0; }

    static int create(BIO* bio) noexcept {
        BIO_set_init(bio, 1);
        return 1;
    }
};

Result<std::shared_ptr<const TlsServerContext>> TlsServerContext::open(const TlsServerProfile& profile) {
    ERR_clear_error();
    const std::shared_ptr<TlsServerContext> made(new TlsServerContext(profile));
    // Before the content: a change that comes between makes one look too many, not one too few.
    made->signatures_ = made->signatures();
    made->context_ = SSL_CTX_new(TLS_server_method());
    made->memory_ = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "session buffers");
    if (made->context_ == nullptr || made->memory_ == nullptr ||
        BIO_meth_set_read(made->memory_, Callbacks::read) != 1 ||
        BIO_meth_set_write(made->memory_, Callbacks::write) != 1 ||
        BIO_meth_set_ctrl(made->memory_, Callbacks::control) != 1 ||
        BIO_meth_set_create(made->memory_, Callbacks::create) != 1)
        return fail("cannot make a TLS context: " + take_library_error());
    if (auto set = made->set_policy(); !set) return tl::unexpected(set.error());
    if (auto loaded = made->load(); !loaded) return tl::unexpected(loaded.error());
    return made;
}

TlsServerContext::~TlsServerContext() {
    SSL_CTX_free(context_);
    BIO_meth_free(memory_);
}

Result<void> TlsServerContext::set_policy() {
    for (const std::string& name : profile_.alpn) {
        if (name.empty() || name.size() > 255)
            return fail("ALPN protocol \"" + escape_text(name, 60) + "\" has no usable length");
        alpn_wire_ += static_cast<char>(name.size());
        alpn_wire_ += name;
    }
    // All policy is set here, whatever the system's openssl.cnf says.
    SSL_CTX_set_options(context_, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                      SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_clear_options(context_, SSL_OP_NO_TICKET);
    // Connections idle most of their life: they keep no buffers then.
    SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(context_, SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(context_, ticket_seconds);
    SSL_CTX_set_max_cert_list(context_, 16 * 1024);
    SSL_CTX_set_default_passwd_cb(context_, no_password);
    static constexpr std::string_view scope = "fairway";
    if (SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(context_, 0) != 1 ||
        // RFC 9325 section 4.2: forward secrecy and authenticated encryption only.
        SSL_CTX_set_cipher_list(context_, "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2") != 1 ||
        SSL_CTX_set1_groups_list(context_, "X25519:P-256:P-384") != 1 ||
        SSL_CTX_set_num_tickets(context_, 1) != 1 ||
        SSL_CTX_set_session_id_context(context_, reinterpret_cast<const unsigned char*>(scope.data()),
                                       scope.size()) != 1 ||
        SSL_CTX_set_tlsext_ticket_key_evp_cb(context_, Callbacks::ticket_key) != 1)
        return fail("cannot set up a TLS context: " + take_library_error());
    if (!alpn_wire_.empty()) SSL_CTX_set_alpn_select_cb(context_, Callbacks::select_alpn, &alpn_wire_);
    return {};
}

Result<void> TlsServerContext::load() {
    if (SSL_CTX_use_certificate_chain_file(context_, profile_.cert_file.c_str()) != 1)
        return fail("cannot use the certificate of " + profile_.cert_file + ": " + take_library_error());
    auto key = read_key(profile_.key_file);
    if (!key) return tl::unexpected(key.error());
    const X509* certificate = SSL_CTX_get0_certificate(context_);
    if (X509_check_private_key(certificate, key->get()) != 1) {
        ERR_clear_error();
        return fail("the key of " + profile_.key_file + " does not belong to the certificate of " +
                    profile_.cert_file);
    }
    if (SSL_CTX_use_PrivateKey(context_, key->get()) != 1)
        return fail("cannot use the key of " + profile_.key_file + ": " + take_library_error());
    hosts_ = certificate_hosts(certificate);
    not_after_ = certificate_time(X509_get0_notAfter(certificate));
    return {};
}

std::array<std::optional<FileSignature>, 2> TlsServerContext::signatures() const {
    return {FileSignature::of(std::filesystem::path(profile_.cert_file)),
            FileSignature::of(std::filesystem::path(profile_.key_file))};
}

bool TlsServerContext::changed() const {
    return signatures() != signatures_;
}

void TlsTicketKeys::rotate(const Secret& next) {
    const std::lock_guard lock(mutex_);
    previous_ = current_;
    current_ = next;
}

Result<TlsTicketKeys::Secret> make_ticket_secret() {
    TlsTicketKeys::Secret secret{};
    if (RAND_bytes(secret.data(), static_cast<int>(secret.size())) == 1) return secret;
    return fail("the system has no random numbers: " + take_library_error());
}

TlsTicketKeys::Secret TlsTicketKeys::current() const {
    const std::lock_guard lock(mutex_);
    return current_;
}

std::optional<std::pair<TlsTicketKeys::Secret, bool>> TlsTicketKeys::find(
    std::span<const uint8_t, name_size> name) const {
    const std::lock_guard lock(mutex_);
    if (std::equal(name.begin(), name.end(), current_.begin())) return std::pair(current_, false);
    if (previous_ && std::equal(name.begin(), name.end(), previous_->begin()))
        return std::pair(*previous_, true);
    return std::nullopt;
}

TlsServerSession::TlsServerSession(std::shared_ptr<const TlsServerContext> context,
                                   const TlsTicketKeys& tickets, std::vector<uint8_t>& output)
    : context_(std::move(context)), tickets_(tickets), output_(output) {
    ERR_clear_error();
    ssl_ = SSL_new(context_->context_);
    BIO* bio = BIO_new(context_->memory_);
    if (ssl_ == nullptr || bio == nullptr) {
        BIO_free(bio);
        SSL_free(std::exchange(ssl_, nullptr));
        state_ = State::failed;
        ERR_clear_error();
        return;
    }
    BIO_set_data(bio, this);
    SSL_set_bio(ssl_, bio, bio);
    SSL_set_app_data(ssl_, this);
    SSL_set_accept_state(ssl_);
}

TlsServerSession::~TlsServerSession() {
    SSL_free(ssl_);
    ERR_clear_error();
}

bool TlsServerSession::is_resumed() const noexcept {
    return ssl_ != nullptr && SSL_session_reused(ssl_) == 1;
}

std::string TlsServerSession::alpn() const {
    if (ssl_ == nullptr) return {};
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return std::string(as_text({name, size}));
}

void TlsServerSession::feed(ByteSpan ciphertext) {
    if (state_ == State::failed || state_ == State::closed) return;
    idle_octets_ += ciphertext.size();
    incoming_ = ciphertext;
    if (state_ == State::handshaking) advance_handshake();
    if (idle_octets_ > max_idle_octets + ciphertext.size()) state_ = State::failed;
}

void TlsServerSession::advance_handshake() {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_);
    if (done == 1)
        state_ = State::established;
    else
        settle(SSL_get_error(ssl_, done));
    ERR_clear_error();
}

size_t TlsServerSession::read(std::span<uint8_t> buffer) {
    if (state_ != State::established || buffer.empty()) return 0;
    ERR_clear_error();
    size_t count = 0;
    if (SSL_read_ex(ssl_, buffer.data(), buffer.size(), &count) == 1) {
        idle_octets_ = 0;
        return count;
    }
    settle(SSL_get_error(ssl_, 0));
    ERR_clear_error();
    incoming_ = {};
    return 0;
}

void TlsServerSession::settle(int ssl_error) {
    if (ssl_error == SSL_ERROR_WANT_READ) return;
    state_ = ssl_error == SSL_ERROR_ZERO_RETURN ? State::closed : State::failed;
}

void TlsServerSession::write(ByteSpan plaintext) {
    if ((state_ != State::established && state_ != State::closed) || plaintext.empty()) return;
    ERR_clear_error();
    size_t written = 0;
    // Memory never makes a write wait, so it is whole or an error.
    if (SSL_write_ex(ssl_, plaintext.data(), plaintext.size(), &written) != 1) state_ = State::failed;
    ERR_clear_error();
}

void TlsServerSession::close() {
    if (state_ != State::established && state_ != State::closed) return;
    ERR_clear_error();
    incoming_ = {};
    SSL_shutdown(ssl_);
    ERR_clear_error();
}

int TlsServerSession::ticket_key(uint8_t* name, uint8_t* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                                 int is_sealing) const {
    TlsTicketKeys::Secret secret{};
    bool is_old = false;
    if (is_sealing != 0) {
        secret = tickets_.current();
        std::copy_n(secret.begin(), name_size, name);
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
    } else {
        const auto found = tickets_.find(std::span<const uint8_t, name_size>(name, name_size));
        if (!found) return 0;
        std::tie(secret, is_old) = *found;
    }
    uint8_t* cipher_key = secret.data() + name_size;
    uint8_t* mac_key = cipher_key + cipher_key_size;
    std::string digest = "SHA256";
    const std::array parameters{
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key, mac_key_size),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), digest.size()),
        OSSL_PARAM_construct_end()};
    const bool is_good =
        EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, cipher_key, iv, is_sealing) == 1 &&
        EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
    OPENSSL_cleanse(secret.data(), secret.size());
    if (!is_good) return -1;
    // 2: the client gets a new ticket, which in TLS 1.3 it should use only once (RFC 8446 appendix C.4).
    return is_old || SSL_version(ssl_) >= TLS1_3_VERSION ? 2 : 1;
}

}  // namespace fairway::net
