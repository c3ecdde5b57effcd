// SPDX-License-Identifier: Apache-2.0
#pragma once
// TLS as a server speaks it, without I/O: ciphertext in, plaintext out, and the other way round. OpenSSL only
// ever sees memory, so it runs over any stream of bytes. Clients are not asked for certificates. Versions
// before 1.2, renegotiation, compression and early data are off: what an early question asks could be
// replayed, and its answer is one round trip away.
//
// A TlsServerContext is a certificate with its key and the policy; a TlsServerSession is one connection and
// keeps its context, so that a new certificate does not disturb connections. A session is resumed by a ticket
// that the client keeps (RFC 8446 section 2.2): no thread needs to know another's sessions, only the keys.

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file_signature.h"
#include "base/published.h"
#include "base/result.h"

struct bio_method_st;
struct bio_st;
struct evp_cipher_ctx_st;
struct evp_mac_ctx_st;
struct ssl_ctx_st;
struct ssl_st;

namespace fairway::net {

struct TlsServerProfile {
    std::string cert_file, key_file;  // PEM; the certificate with its chain, and its key
    /// Spoken here (RFC 7301), best first. A client that offers protocols must offer one of them; one that
    /// offers none is welcome.
    std::vector<std::string> alpn;
    friend bool operator==(const TlsServerProfile&, const TlsServerProfile&) = default;
};

/// One SSL_CTX. Immutable; any number of sessions on any threads may use it.
class TlsServerContext {
  public:
    /// Reads the files. The error names the file, and says so when certificate and key do not belong
    /// together. Blocks on the file system.
    [[nodiscard]] static Result<std::shared_ptr<const TlsServerContext>> open(
        const TlsServerProfile& profile);
    ~TlsServerContext();
    TlsServerContext(const TlsServerContext&) = delete;
    TlsServerContext& operator=(const TlsServerContext&) = delete;

    [[nodiscard]] const TlsServerProfile& profile() const noexcept { return profile_; }
    /// Whom the certificate is for, "dns.example and 2 more"; may be empty.
    [[nodiscard]] const std::string& hosts() const noexcept { return hosts_; }
    [[nodiscard]] std::optional<std::chrono::sys_seconds> not_after() const noexcept { return not_after_; }
    /// Whether a file is another one than the one that was read, or is gone. Blocking.
    [[nodiscard]] bool changed() const;

  private:
    friend class TlsServerSession;
    struct Callbacks;
    explicit TlsServerContext(TlsServerProfile profile) : profile_(std::move(profile)) {}
    [[nodiscard]] Result<void> load();
    [[nodiscard]] Result<void> set_policy();
    [[nodiscard]] std::array<std::optional<FileSignature>, 2> signatures() const;

    TlsServerProfile profile_;
    std::string alpn_wire_;  // RFC 7301 ProtocolNameList without its length
    std::string hosts_;
    std::optional<std::chrono::sys_seconds> not_after_;
    std::array<std::optional<FileSignature>, 2> signatures_;
    ssl_ctx_st* context_ = nullptr;
    bio_method_st* memory_ = nullptr;  // how the library reads and writes a session's buffers
};

/// What tickets are sealed with (RFC 5077 section 4): a new key now and then, so that who steals one learns
/// little; the one before still opens tickets. Any thread.
class TlsTicketKeys {
  public:
    /// Must come from a cryptographic generator.
    using Secret = std::array<uint8_t, 80>;

    explicit TlsTicketKeys(const Secret& first) : current_(first) {}
    /// Tickets of two rotations ago are good no longer: their clients do a full handshake.
    void rotate(const Secret& next);

  private:
    friend class TlsServerSession;
    [[nodiscard]] Secret current() const;
    /// The key of this name, and whether it is an old one.
    [[nodiscard]] std::optional<std::pair<Secret, bool>> find(std::span<const uint8_t, 16> name) const;

    mutable std::mutex mutex_;
    Secret current_;
    std::optional<Secret> previous_;
};

/// From OpenSSL's generator; fails when the system has no random numbers.
[[nodiscard]] Result<TlsTicketKeys::Secret> make_ticket_secret();

/// What new sessions begin with, shared by all threads and replaced while they run.
struct TlsServerSupply {
    explicit TlsServerSupply(const TlsTicketKeys::Secret& first_key) : tickets(first_key) {}
    Published<TlsServerContext> context{nullptr};  // null: no session can begin
    TlsTicketKeys tickets;
};

/// One connection. Not thread-safe; does not move.
class TlsServerSession {
  public:
    enum class State : uint8_t {
        handshaking,
        established,
        closed,  // the peer has said goodbye, in order; it may still be written to
        failed,  // nothing more can be read or written; the alert is in the output
    };

    /// Ciphertext for the peer is appended to `output`, also after a failure; it and `tickets` must outlive
    /// the session.
    TlsServerSession(std::shared_ptr<const TlsServerContext> context, const TlsTicketKeys& tickets,
                     std::vector<uint8_t>& output);
    ~TlsServerSession();
    TlsServerSession(const TlsServerSession&) = delete;
    TlsServerSession& operator=(const TlsServerSession&) = delete;

    [[nodiscard]] State state() const noexcept { return state_; }
    /// Whether the handshake was one of a ticket; once established.
    [[nodiscard]] bool is_resumed() const noexcept;
    /// As chosen in the handshake, or empty.
    [[nodiscard]] std::string alpn() const;

    /// Ciphertext from the peer, which must stay where it is until read() has returned 0: call that next. A
    /// whole ClientHello costs a private key's operation.
    void feed(ByteSpan ciphertext);
    /// Plaintext; 0 when there is none for now or ever: see state().
    [[nodiscard]] size_t read(std::span<uint8_t> buffer);
    /// Encrypts all of `plaintext`. Only when established or closed.
    void write(ByteSpan plaintext);
    /// Says goodbye (close_notify), if there was a handshake.
    void close();

  private:
    friend class TlsServerContext;
    friend struct TlsServerContext::Callbacks;
    void advance_handshake();
    void settle(int ssl_error);
    [[nodiscard]] int ticket_key(uint8_t* name, uint8_t* iv, evp_cipher_ctx_st* cipher, evp_mac_ctx_st* mac,
                                 int is_sealing) const;

    std::shared_ptr<const TlsServerContext> context_;
    const TlsTicketKeys& tickets_;
    std::vector<uint8_t>& output_;
    ByteSpan incoming_;
    ssl_st* ssl_ = nullptr;
    State state_ = State::handshaking;
    size_t idle_octets_ = 0;  // fed since the last octet of plaintext
};

}  // namespace fairway::net
