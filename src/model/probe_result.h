// SPDX-License-Identifier: Apache-2.0
#pragma once
// What one attempt to use an endpoint found. Probes report facts; src/health judges.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace fairway {

enum class Verdict : uint8_t { pass, degraded, fail };

/// The layer that decided, from the bottom up.
enum class ProbeLayer : uint8_t {
    none,
    resolve,
    network,
    transport,
    tls,
    http,
    ike,
    tunnel,
    application,
    internal
};

[[nodiscard]] std::string_view to_string(Verdict verdict) noexcept;
[[nodiscard]] std::string_view to_string(ProbeLayer layer) noexcept;

struct ProbeResult {
    Verdict verdict = Verdict::fail;
    ProbeLayer layer = ProbeLayer::none;
    /// The peer itself said no (RST, ICMP unreachable): the next attempt need not wait for the interval.
    bool explicit_refusal = false;
    /// For people, lower case, no full stop: "connect refused", "certificate expired 3 days ago",
    /// "NO_PROPOSAL_CHOSEN". Empty for a plain pass. Text from the network is escaped and bounded.
    std::string reason;
    /// From the kernel where it knows (TCP_INFO), else request to answer; absent where nothing came back.
    std::optional<microseconds> rtt;
    /// How late the event loop noticed: subtract it before blaming the network.
    microseconds loop_lag{0};
    /// Certificate days, HTTP status, IKE answer ...: "status 503", "certificate 87 days". May be empty.
    std::string detail;

    [[nodiscard]] bool usable() const noexcept { return verdict != Verdict::fail; }
};

/// When to ask again: the answer that whoever judges a result gives to whoever probes.
enum class Pace : uint8_t {
    interval,  // nothing is in doubt
    recheck,   // in doubt: the monitor's recheck interval
    at_once    // the peer has just refused explicitly: ask again now, subject to the rate caps
};

/// "TLS: certificate expired 3 days ago", "transport: connect refused"; "ok" for a plain pass.
[[nodiscard]] std::string describe(const ProbeResult& result);

}  // namespace fairway
