// SPDX-License-Identifier: Apache-2.0
#pragma once
// TLS as a client speaks it, without I/O: ciphertext in, ciphertext out, plaintext in, plaintext out. It runs
// over any stream of bytes (a TCP connection, TCP inside a tunnel, a test's buffer) because OpenSSL only ever
// sees memory. It knows no sockets, no event loop and no clock: the time that certificates are judged by is
// handed in.
//
// A TlsContext is what many sessions share (authorities, client certificate, policy) and is expensive to
// make; a TlsSession is one connection. Sessions are never resumed: the point of a probe is to exercise the
// certificate and the key.

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

struct bio_st;
struct ssl_ctx_st;
struct ssl_st;
struct x509_store_st;
struct x509_store_ctx_st;

namespace fairway::net {

enum class TlsVersion : uint16_t { v1_0 = 0x0301, v1_1 = 0x0302, v1_2 = 0x0303, v1_3 = 0x0304 };

/// "1.0" to "1.3".
[[nodiscard]] Result<TlsVersion> parse_tls_version(std::string_view text);
/// "TLS 1.2".
[[nodiscard]] std::string to_string(TlsVersion version);

/// Whether a peer that cannot prove who it is ends the handshake, or is only reported.
enum class TlsVerify : uint8_t { enforce, report };

/// What sessions of one context have in common. Equal profiles share a context.
struct TlsProfile {
    TlsVerify verify = TlsVerify::enforce;
    std::string ca_file;  // PEM; empty: the system's authorities
    /// Below 1.2 the old cipher suites and peers without RFC 5746 are allowed too; certificates are not
    /// judged more leniently.
    TlsVersion min_version = TlsVersion::v1_2;
    std::vector<std::string> alpn;    // offered; the peer must choose one of them when not empty
    std::string cert_file, key_file;  // client certificate with its chain, and its key; PEM; or both empty
    /// Base64 of SHA-256 over a SubjectPublicKeyInfo (RFC 7469 section 2.4), or empty. The key of the peer's
    /// own certificate must match or, when the chain has been verified, that of any certificate in it.
    std::string pin_sha256;
    friend bool operator==(const TlsProfile&, const TlsProfile&) = default;
};

/// One SSL_CTX. Immutable, so any number of sessions may use it, but only on the thread that made it.
class TlsContext {
  public:
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;
    ~TlsContext();

    [[nodiscard]] const TlsProfile& profile() const noexcept { return profile_; }

  private:
    friend class TlsContexts;
    friend class TlsSession;
    explicit TlsContext(TlsProfile profile) : profile_(std::move(profile)) {}

    TlsProfile profile_;
    std::string alpn_wire_;  // RFC 7301 ProtocolNameList without its length
    std::optional<std::array<uint8_t, 32>> pin_;
    ssl_ctx_st* context_ = nullptr;
};

/// Makes contexts and remembers them: one a profile, and one set of authorities a file, however many profiles
/// name it. Files are read when first asked for and never again: use a new TlsContexts to read them afresh.
class TlsContexts {
  public:
    TlsContexts() = default;
    TlsContexts(const TlsContexts&) = delete;
    TlsContexts& operator=(const TlsContexts&) = delete;
    ~TlsContexts();

    /// Fails when a file cannot be read or used, or the profile makes no sense; the error names which.
    /// Blocks on the file system.
    [[nodiscard]] Result<std::shared_ptr<const TlsContext>> get(const TlsProfile& profile);

  private:
    [[nodiscard]] Result<x509_store_st*> authorities(const std::string& file);

    std::vector<std::shared_ptr<const TlsContext>> contexts_;
    std::vector<std::pair<std::string, x509_store_st*>> authorities_;
};

/// What the handshake showed, whatever the verdict; complete once the session is established, and as far as
/// it got when it failed. All text is escaped and bounded.
struct TlsFacts {
    std::string version;  // "TLSv1.3"
    std::string cipher;   // "TLS_AES_256_GCM_SHA384"
    std::string alpn;     // chosen by the peer, or empty
    /// Of the peer's own certificate; absent while none has been seen.
    std::optional<std::chrono::sys_seconds> not_before, not_after;
    /// What is wrong with the peer's certificate, also where TlsVerify::report lets the session go on.
    std::string certificate_problem;
    /// The peer asked for a client certificate. In TLS 1.3 it judges ours only after the handshake.
    bool client_certificate_requested = false;

    /// Whole days until not_after, negative once it has passed.
    [[nodiscard]] std::optional<int64_t> days_left(WallTime now) const;
};

/// One client connection. The caller moves the bytes: after start() and after every feed(), read(), write()
/// and close() it sends what take_output() returns. Not thread-safe; does not move.
class TlsSession {
  public:
    enum class State : uint8_t {
        handshaking,
        established,
        closed,  // the peer ended the stream, after the handshake; see truncated()
        failed   // see failure()
    };

    /// `peer` is the host name or the address (textual, no brackets) that the peer's certificate must be for,
    /// and for a host name also the SNI; empty: no SNI and any name. `now` is the time that certificates are
    /// judged by.
    TlsSession(std::shared_ptr<const TlsContext> context, std::string_view peer, WallTime now);
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;
    ~TlsSession();

    [[nodiscard]] State state() const noexcept { return state_; }
    /// For people, layered, lower case, no full stop: "certificate expired 3 days ago". Empty unless failed.
    [[nodiscard]] const std::string& failure() const noexcept { return failure_; }
    /// Closed without the close_notify alert that tells a complete stream from a cut one.
    [[nodiscard]] bool truncated() const noexcept { return truncated_; }
    [[nodiscard]] const TlsFacts& facts() const noexcept { return facts_; }

    /// Makes the ClientHello. Once, first.
    void start();
    /// Ciphertext from the peer. Completes the handshake, or fails, or makes plaintext ready: read() until it
    /// returns 0 before the next feed(), so that nothing piles up.
    void feed(ByteSpan ciphertext);
    /// The peer closed its side of the stream beneath. Afterwards the session is closed or failed, once
    /// read() has returned 0.
    void feed_end();
    /// Plaintext, at most buffer.size() octets of it; 0 when there is none (now, or ever: see state()).
    [[nodiscard]] size_t read(std::span<uint8_t> buffer);
    /// Encrypts all of `plaintext`. Only when established.
    void write(ByteSpan plaintext);
    /// Says goodbye (close_notify). Nothing can be written afterwards; reading goes on.
    void close();
    /// Ciphertext for the peer; empty when there is none. There may be some after a failure too: the alert.
    [[nodiscard]] std::vector<uint8_t> take_output();
    [[nodiscard]] bool has_output() const noexcept;

  private:
    friend class TlsContexts;
    struct Callbacks;

    static void install_callbacks(ssl_ctx_st* context);
    void advance_handshake();
    void established();
    void fail(std::string reason);
    void fail_from_library(int ssl_error);
    [[nodiscard]] bool looks_like_tls(ByteSpan ciphertext);
    [[nodiscard]] int judge_chain(x509_store_ctx_st* chain);

    std::shared_ptr<const TlsContext> context_;
    std::string peer_;
    bool peer_is_address_ = false;
    std::chrono::sys_seconds now_;
    ssl_st* ssl_ = nullptr;
    bio_st* incoming_ = nullptr;  // owned by ssl_
    bio_st* outgoing_ = nullptr;  // owned by ssl_
    State state_ = State::handshaking;
    bool started_ = false;
    bool ended_ = false;  // no more ciphertext will come
    bool truncated_ = false;
    uint16_t peer_version_ = 0;  // of the ServerHello
    size_t idle_octets_ = 0;     // fed since the last octet of plaintext
    std::string first_octets_;   // until it is certain that they are TLS
    std::string failure_;
    TlsFacts facts_;
};

}  // namespace fairway::net
