// SPDX-License-Identifier: Apache-2.0
#pragma once
// The responder's side of IKE_SA_INIT (RFC 7296 1.2, 2.6, 2.7) for one gateway: selects a proposal, does the
// key exchange for real, defends its table of half-open SAs with cookies and limits. Messages and time in,
// messages out; no sockets, no marker (nat.h), one thread. Where IKE_AUTH begins, this file ends.

#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "ipsec/cookie.h"
#include "ipsec/dh.h"
#include "ipsec/message.h"
#include "ipsec/suite.h"

namespace fairway::ipsec {

/// The two ends of a datagram as the responder sees them.
struct Path {
    SocketAddress local;
    SocketAddress peer;
    friend bool operator==(const Path&, const Path&) = default;
};

/// When half-open SAs make the responder careful. Counts are reached, not exceeded.
struct HalfOpenLimits {
    size_t cookie_total = 1'000;       // ask everyone for a cookie
    size_t cookie_per_source = 1'000;  // ask this address
    size_t block_per_source = 2'000;   // do not answer this address at all
    size_t table = 10'000;             // do not answer anyone new
    nanoseconds timeout = seconds{30};

    /// strongSwan's defaults: what a prober meets in the field.
    static HalfOpenLimits like_strongswan() noexcept { return {30, 3, 5, 10'000, seconds{30}}; }
};

/// What the responder does instead of its work, for drills and tests.
enum class ResponderMode : uint8_t {
    normal,
    always_cookie,  // asks everyone for a cookie; who returns it is served
    no_proposal,    // NO_PROPOSAL_CHOSEN whatever is offered
    garbage,        // answers with noise, with and without a valid header
    redirect        // REDIRECT to settings.redirect_to
};

struct ResponderSettings {
    std::vector<Proposal> policy = default_policy();  // in order of preference
    HalfOpenLimits limits;
    std::string redirect_to = "gateway.invalid";
};

/// An SA after IKE_SA_INIT: everything that IKE_AUTH needs.
struct HalfOpenSa {
    Path path;
    uint64_t spi_initiator = 0;
    uint64_t spi_responder = 0;
    IkeSuite suite;
    SecretBytes shared_secret;  // g^ir
    std::vector<uint8_t> nonce_initiator;
    std::vector<uint8_t> nonce_responder;
    std::vector<uint8_t> request;   // RealMessage1, RFC 7296 2.15
    std::vector<uint8_t> response;  // RealMessage2
    MonotonicTime expires{};
};

struct ResponderStats {
    uint64_t requests = 0;
    uint64_t accepted = 0;
    uint64_t retransmitted = 0;
    uint64_t refused = 0;  // answered with an error notification
    uint64_t cookies = 0;
    uint64_t dropped = 0;  // not answered
    size_t half_open = 0;
};

class Ikev2Responder {
  public:
    /// `entropy` must outlive the responder.
    Ikev2Responder(ResponderSettings settings, Entropy& entropy);

    /// The answer to a message (without marker), or empty for none; valid until the next call.
    [[nodiscard]] ByteSpan on_message(ByteSpan message, const Path& path, MonotonicTime now);
    /// Forgets half-open SAs whose time has come.
    void expire(MonotonicTime now);
    /// When expire() is next worth calling.
    [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;

    void set_mode(ResponderMode mode) noexcept { mode_ = mode; }
    [[nodiscard]] ResponderStats stats() const noexcept;
    /// For the exchange that follows; null when there is none.
    [[nodiscard]] const HalfOpenSa* find(const SocketAddress& peer, uint64_t spi_initiator) const;

  private:
    struct Key {
        SocketAddress peer;
        uint64_t spi_initiator = 0;
        friend bool operator==(const Key&, const Key&) = default;
    };
    struct KeyHash {
        size_t operator()(const Key& key) const noexcept;
    };
    struct Request {
        const Header& header;
        const Path& path;
        MonotonicTime now;
        ByteSpan message;
        ByteSpan nonce;
        KePayload ke;
        std::vector<Proposal> proposals;
        ByteSpan cookie;
        bool nat_detection = false;
    };

    ByteSpan on_init_request(const Header& header, ByteSpan message, const Path& path, MonotonicTime now);
    ByteSpan on_valid_request(const Request& request);
    ByteSpan accept(const Request& request, const Selection& selection);
    ByteSpan notify(const Header& request, NotifyType type, ByteSpan data);
    ByteSpan redirect(const Request& request);
    ByteSpan garbage(const Header& request);
    ByteSpan drop() noexcept;
    [[nodiscard]] size_t half_open_of(const IpAddress& source) const;

    ResponderSettings settings_;
    Entropy& entropy_;
    CookieJar cookies_;
    ResponderMode mode_ = ResponderMode::normal;
    ResponderStats stats_;
    std::unordered_map<Key, HalfOpenSa, KeyHash> half_open_;
    std::deque<Key> by_age_;  // all live equally long: oldest first
    std::unordered_map<IpAddress, size_t> per_source_;
    std::array<uint8_t, 2048> buffer_;
};

}  // namespace fairway::ipsec
