// SPDX-License-Identifier: Apache-2.0
#pragma once
// Everything an answer is made from, as one immutable value that the control plane replaces and every DNS
// thread and the PowerDNS backend read (base/published.h).

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dns/cookie.h"
#include "dns/tsig.h"

namespace fairway {
struct HealthSnapshot;
class Steering;
}  // namespace fairway

namespace fairway::dns {

class Authority;
class RateLimiter;
class ZoneOverlay;
struct ZoneSigning;

/// How this server answers, apart from what.
struct AnswerSettings {
    std::string nsid;                      // NSID (RFC 5001) and CHAOS id.server; empty: neither is told
    std::optional<CookieSecrets> cookies;  // absent: no cookies
    /// Absent: no limit. Shared by all workers, and by settings that follow with the same limits.
    std::shared_ptr<RateLimiter> limiter;
    std::vector<TsigKey> keys;  // whose signatures are known (RFC 8945)
    uint16_t udp_limit = 1232;  // octets of a UDP answer at most, whatever the client offers; >= 512
    friend bool operator==(const AnswerSettings&, const AnswerSettings&) = default;
};

/// The first four are always set; the first three, and those after the
/// fourth, belong to the same Model. Destroying it frees
/// the old tables: leave that to the publisher's thread.
struct Serving {
    std::shared_ptr<const Authority> authority;
    std::shared_ptr<const Steering> steering;
    std::shared_ptr<const HealthSnapshot> health;
    std::shared_ptr<const AnswerSettings> settings;
    std::shared_ptr<const ZoneSigning> signing = nullptr;  // absent: no zone is signed
    std::shared_ptr<const ZoneOverlay> overlay = nullptr;  // absent: the tables of authority say it all
};

}  // namespace fairway::dns
