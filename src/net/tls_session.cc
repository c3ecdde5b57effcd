// SPDX-License-Identifier: Apache-2.0
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <cassert>
#include <climits>
#include <exception>

#include "base/ip.h"
#include "base/text.h"
#include "net/certificate.h"
#include "net/tls.h"

namespace fairway::net {

namespace {

// A handshake with the longest chain allowed is well below this, and so is any run of tickets, key updates
// and warnings between two pieces of content. A peer that sends more is playing with us.
constexpr size_t max_idle_octets = size_t{256} * 1024;
constexpr size_t shown_octets = 24;  // of what a peer says that does not speak TLS

// RFC 8446 section 6. The library's own table lacks the newer ones.
struct AlertName {
    int code;
    const char* name;
};
constexpr std::array alert_names{
    AlertName{10, "unexpected message"},
    AlertName{20, "bad record mac"},
    AlertName{22, "record overflow"},
    AlertName{40, "handshake failure"},
    AlertName{42, "bad certificate"},
    AlertName{43, "unsupported certificate"},
    AlertName{44, "certificate revoked"},
    AlertName{45, "certificate expired"},
    AlertName{46, "certificate unknown"},
    AlertName{47, "illegal parameter"},
    AlertName{48, "unknown authority"},
    AlertName{49, "access denied"},
    AlertName{50, "decode error"},
    AlertName{51, "decrypt error"},
    AlertName{70, "protocol version"},
    AlertName{71, "insufficient security"},
    AlertName{80, "internal error"},
    AlertName{86, "inappropriate fallback"},
    AlertName{90, "user canceled"},
    AlertName{109, "missing extension"},
    AlertName{110, "unsupported extension"},
    AlertName{112, "unrecognized name"},
    AlertName{115, "unknown identity"},
    AlertName{116, "certificate required"},
    AlertName{120, "no application protocol"},
};

std::string alert_name(int code) {
    const auto* found = std::find_if(alert_names.begin(), alert_names.end(),
                                     [&](const AlertName& alert) { return alert.code == code; });
    return found == alert_names.end() ? "number " + std::to_string(code) : found->name;
}

std::string refused_alpn(const std::vector<std::string>& offered) {
    std::string text = "ALPN ";
    for (size_t i = 0; i < offered.size(); ++i) text += (i > 0 ? ", " : "") + escape_text(offered[i], 40);
    return text + " not accepted";
}

std::string wanted_version(TlsVersion least) {
    return to_string(least) + (least == TlsVersion::v1_3 ? "" : " or newer");
}

constexpr uint8_t handshake_server_hello = 2;
constexpr uint8_t handshake_certificate_request = 13;

}  // namespace

// What OpenSSL calls back. It is C: nothing may be thrown through it.
struct TlsSession::Callbacks {
    static int verify(X509_STORE_CTX* chain, void*) noexcept {
        const auto* ssl =
            static_cast<SSL*>(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
        try {
            return static_cast<TlsSession*>(SSL_get_app_data(ssl))->judge_chain(chain);
        } catch (const std::exception&) {
            X509_STORE_CTX_set_error(chain, X509_V_ERR_OUT_OF_MEM);
            return 0;
        }
    }

    static void message(int is_written, int, int content, const void* data, size_t size, SSL* ssl,
                        void*) noexcept {
        if (is_written != 0 || content != SSL3_RT_HANDSHAKE || ssl == nullptr) return;
        Reader reader({static_cast<const uint8_t*>(data), size});
        auto& session = *static_cast<TlsSession*>(SSL_get_app_data(ssl));
        const uint8_t type = reader.u8();
        reader.u24();
        if (type == handshake_server_hello) session.peer_version_ = reader.u16();
        if (type == handshake_certificate_request) session.facts_.client_certificate_requested = true;
    }
};

void TlsSession::install_callbacks(SSL_CTX* context) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(context, &Callbacks::verify, nullptr);
    SSL_CTX_set_msg_callback(context, &Callbacks::message);
}

std::optional<int64_t> TlsFacts::days_left(WallTime now) const {
    if (!not_after) return std::nullopt;
    return std::chrono::floor<std::chrono::days>(*not_after - std::chrono::floor<seconds>(now)).count();
}

TlsSession::TlsSession(std::shared_ptr<const TlsContext> context, std::string_view peer, WallTime now)
    : context_(std::move(context)), peer_(peer), now_(std::chrono::floor<seconds>(now)) {
    if (peer_.ends_with('.'))
        peer_.pop_back();  // an absolute name; neither SNI nor certificates have the dot
    ERR_clear_error();
    ssl_ = SSL_new(context_->context_);
    incoming_ = BIO_new(BIO_s_mem());
    outgoing_ = BIO_new(BIO_s_mem());
    if (ssl_ == nullptr || incoming_ == nullptr || outgoing_ == nullptr) {
        BIO_free(incoming_);
        BIO_free(outgoing_);
        SSL_free(std::exchange(ssl_, nullptr));
        incoming_ = outgoing_ = nullptr;
        fail("out of memory");
        return;
    }
    SSL_set_bio(ssl_, incoming_, outgoing_);
    SSL_set_app_data(ssl_, this);
    SSL_set_connect_state(ssl_);
    X509_VERIFY_PARAM* param = SSL_get0_param(ssl_);
    X509_VERIFY_PARAM_set_time(param, now_.time_since_epoch().count());
    if (peer_.empty()) return;
    if (const auto address = IpAddress::parse(peer_); address) {
        peer_is_address_ = true;
        const ByteSpan bytes = address->bytes();
        X509_VERIFY_PARAM_set1_ip(param, bytes.data(), bytes.size());
    } else if (peer_.size() > 255 || peer_.find('\0') != std::string::npos ||
               SSL_set_tlsext_host_name(ssl_, peer_.c_str()) != 1 ||
               X509_VERIFY_PARAM_set1_host(param, peer_.data(), peer_.size()) != 1) {
        fail("\"" + escape_text(peer_, 60) + "\" cannot be a server name");
    }
    ERR_clear_error();
}

TlsSession::~TlsSession() {
    SSL_free(ssl_);
    ERR_clear_error();
}

void TlsSession::start() {
    assert(!started_);
    started_ = true;
    if (state_ == State::handshaking) advance_handshake();
}

void TlsSession::feed(ByteSpan ciphertext) {
    assert(started_ && !ended_ && ciphertext.size() <= INT_MAX);
    if (state_ == State::failed || state_ == State::closed || ciphertext.empty()) return;
    if (idle_octets_ > max_idle_octets) {
        fail(state_ == State::handshaking ? "peer sends more than 256 kB of handshake"
                                          : "peer sends more than 256 kB without content");
        return;
    }
    idle_octets_ += ciphertext.size();
    if (!looks_like_tls(ciphertext)) return;
    ERR_clear_error();
    const int size = static_cast<int>(ciphertext.size());
    if (BIO_write(incoming_, ciphertext.data(), size) != size) {
        fail("out of memory");
        return;
    }
    if (state_ == State::handshaking) advance_handshake();
}

void TlsSession::feed_end() {
    ended_ = true;
    if (state_ != State::handshaking) return;
    if (peer_version_ == 0 && idle_octets_ == 0)
        fail("connection closed by the peer without an answer to the handshake");
    else
        fail("connection closed during the handshake");
}

size_t TlsSession::read(std::span<uint8_t> buffer) {
    if (state_ != State::established || buffer.empty()) return 0;
    ERR_clear_error();
    size_t count = 0;
    if (SSL_read_ex(ssl_, buffer.data(), buffer.size(), &count) == 1) {
        idle_octets_ = 0;
        return count;
    }
    switch (const int error = SSL_get_error(ssl_, 0)) {
        case SSL_ERROR_WANT_READ:
            if (ended_) {
                state_ = State::closed;
                truncated_ = true;
            }
            break;
        case SSL_ERROR_ZERO_RETURN:
            state_ = State::closed;
            break;
        default:
            fail_from_library(error);
    }
    ERR_clear_error();
    return 0;
}

void TlsSession::write(ByteSpan plaintext) {
    assert(state_ != State::handshaking);
    if (state_ != State::established || plaintext.empty()) return;
    ERR_clear_error();
    size_t written = 0;
    // Memory never makes a write wait, so it is whole or an error.
    if (SSL_write_ex(ssl_, plaintext.data(), plaintext.size(), &written) != 1)
        fail_from_library(SSL_get_error(ssl_, 0));
    ERR_clear_error();
}

void TlsSession::close() {
    if (state_ != State::established && state_ != State::closed) return;
    ERR_clear_error();
    SSL_shutdown(ssl_);
    ERR_clear_error();
}

bool TlsSession::has_output() const noexcept {
    return outgoing_ != nullptr && BIO_ctrl_pending(outgoing_) > 0;
}

std::vector<uint8_t> TlsSession::take_output() {
    if (!has_output()) return {};
    std::vector<uint8_t> output(BIO_ctrl_pending(outgoing_));
    const int count = BIO_read(outgoing_, output.data(), static_cast<int>(output.size()));
    output.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return output;
}

void TlsSession::advance_handshake() {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_);
    if (done == 1) {
        established();
    } else if (const int error = SSL_get_error(ssl_, done); error != SSL_ERROR_WANT_READ) {
        fail_from_library(error);
    }
    ERR_clear_error();
}

void TlsSession::established() {
    facts_.version = SSL_get_version(ssl_);
    facts_.cipher = SSL_get_cipher_name(ssl_);
    const unsigned char* alpn = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &alpn, &size);
    facts_.alpn = escape_text(as_text({alpn, size}), 40);
    if (size == 0 && !context_->profile_.alpn.empty()) {
        fail(refused_alpn(context_->profile_.alpn));
        return;
    }
    state_ = State::established;
}

// TLS records begin with their type (20 to 23) and major version 3 (RFC 8446 section 5.1). Anything else is
// another protocol, whose first words tell the operator more than any error of the library could.
bool TlsSession::looks_like_tls(ByteSpan ciphertext) {
    if (first_octets_.size() >= 2) return true;
    first_octets_ += as_text(ciphertext.first(std::min(ciphertext.size(), shown_octets + 1)));
    const auto octet = [&](size_t at) { return static_cast<uint8_t>(first_octets_[at]); };
    if (octet(0) >= 20 && octet(0) <= 23 && (first_octets_.size() < 2 || octet(1) == 3)) return true;
    fail("not TLS: the peer sent \"" + escape_text(first_octets_, shown_octets) + "\"");
    return false;
}

int TlsSession::judge_chain(X509_STORE_CTX* chain) {
    // Weak keys and signatures stay unacceptable where old protocol versions are allowed.
    X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(chain), 2);
    const X509* leaf = X509_STORE_CTX_get0_cert(chain);
    facts_.not_before = certificate_time(X509_get0_notBefore(leaf));
    facts_.not_after = certificate_time(X509_get0_notAfter(leaf));

    const bool verified = X509_verify_cert(chain) == 1;
    if (!verified) facts_.certificate_problem = describe_verification_failure(chain, peer_, now_);

    bool pinned = true;
    if (context_->pin_) {
        pinned = public_key_hash(leaf) == context_->pin_;
        const STACK_OF(X509)* certificates = verified ? X509_STORE_CTX_get0_chain(chain) : nullptr;
        for (int i = 1; !pinned && certificates != nullptr && i < sk_X509_num(certificates); ++i)
            pinned = public_key_hash(sk_X509_value(certificates, i)) == context_->pin_;
    }
    if (!pinned && verified) {
        X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
        facts_.certificate_problem = "key pin does not match";
    }
    // A pin is asked for by name, so it holds where the rest is only reported.
    const bool accepted = pinned && (verified || context_->profile_.verify == TlsVerify::report);
    if (!accepted && !verified && context_->profile_.verify == TlsVerify::report)
        facts_.certificate_problem = "key pin does not match";
    return accepted ? 1 : 0;
}

void TlsSession::fail(std::string reason) {
    state_ = State::failed;
    failure_ = std::move(reason);
}

void TlsSession::fail_from_library(int ssl_error) {
    // The first error of the queue is the cause; later ones are its echo in the callers.
    const unsigned long code = ERR_peek_error();
    const int reason = ERR_GET_REASON(code);
    const TlsProfile& profile = context_->profile_;
    const bool handshaking = state_ == State::handshaking;
    if (code == 0 || ssl_error == SSL_ERROR_SYSCALL) {
        fail(handshaking ? "connection closed during the handshake" : "connection broken");
        return;
    }
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET) {
        const int alert = reason - SSL_AD_REASON_OFFSET;
        const std::string text = alert_name(alert) + " alert";
        if (alert == 70 && handshaking) {
            fail("peer does not speak " + wanted_version(profile.min_version) + " (" + text + ")");
        } else if (alert == 120 && !profile.alpn.empty()) {
            fail(refused_alpn(profile.alpn));
        } else if (alert == 112 && !peer_.empty()) {
            fail("peer does not know the name " + escape_text(peer_, 80) + " (" + text + ")");
        } else if (facts_.client_certificate_requested && alert >= 40 && (alert <= 49 || alert == 116)) {
            fail((profile.cert_file.empty() ? "peer requires a client certificate ("
                                            : "peer refuses the client certificate (") +
                 text + ")");
        } else {
            fail(text + (handshaking ? " from the peer" : " from the peer after the handshake"));
        }
        return;
    }
    switch (ERR_GET_LIB(code) == ERR_LIB_SSL ? reason : 0) {
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            fail(facts_.certificate_problem.empty() ? "certificate could not be checked"
                                                    : facts_.certificate_problem);
            break;
        case SSL_R_UNSUPPORTED_PROTOCOL:
        case SSL_R_WRONG_VERSION_NUMBER:
        case SSL_R_WRONG_SSL_VERSION:
        case SSL_R_VERSION_TOO_LOW:
            if (peer_version_ >= static_cast<uint16_t>(TlsVersion::v1_0) &&
                peer_version_ < static_cast<uint16_t>(profile.min_version))
                fail("peer speaks " + to_string(static_cast<TlsVersion>(peer_version_)) + ", at least " +
                     to_string(profile.min_version).substr(4) + " is required");
            else
                fail("peer does not speak " + wanted_version(profile.min_version));
            break;
        case SSL_R_EXCESSIVE_MESSAGE_SIZE:
            fail("peer sends a handshake message that is too large");
            break;
        case SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED:
            fail("peer lacks secure renegotiation (RFC 5746)");
            break;
        case SSL_R_DH_KEY_TOO_SMALL:
            fail("peer's Diffie-Hellman key is too small");
            break;
        default: {
            const char* text = ERR_reason_error_string(code);
            fail((handshaking ? "handshake failed: " : "protocol error: ") +
                 (text == nullptr ? "error " + std::to_string(reason) : ascii_lower(text)));
        }
    }
}

}  // namespace fairway::net
