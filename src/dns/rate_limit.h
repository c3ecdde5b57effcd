// SPDX-License-Identifier: Apache-2.0
#pragma once
// Response rate limiting: how many answers of one kind a client prefix gets per second over UDP, so that this
// server is no use in a flood against somebody whose address was forged. One table for all workers, because a
// flood from random ports reaches all of them, in memory of fixed size, without a lock or an allocation. Not
// here: what is sent instead (udp.cc).

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "dns/cookie.h"

namespace fairway::dns {

struct RateLimitSettings {
    uint32_t responses = 200;  // a second and at once; at least 1
    uint32_t slip = 2;         // of those beyond, each so many-th is sent truncated; 0: none
    uint8_t ipv4_prefix = 24;  // bits that make one client
    uint8_t ipv6_prefix = 56;
    std::vector<IpPrefix> exempt{};
    friend bool operator==(const RateLimitSettings&, const RateLimitSettings&) = default;
};

/// Counted apart, so that a flood of one kind does not cost a client the others.
enum class ResponseKind : uint8_t { data, nodata, nxdomain, referral, error };

class RateLimiter {
  public:
    enum class Verdict : uint8_t { send, drop, truncate };

    /// `key` keeps strangers from choosing addresses that share a place in the table.
    RateLimiter(RateLimitSettings settings, const CookieSecret& key);
    RateLimiter(const RateLimiter&) = delete;
    RateLimiter& operator=(const RateLimiter&) = delete;

    /// Whether this answer may be sent. Any thread. `turn` is the caller's own and counts what was limited;
    /// `now` may differ between callers by what threads differ.
    [[nodiscard]] Verdict judge(const IpAddress& source, ResponseKind kind, MonotonicTime now,
                                uint32_t& turn) noexcept;

    [[nodiscard]] const RateLimitSettings& settings() const noexcept { return settings_; }

    static constexpr size_t ways = 8;        // entries where one prefix and kind may be
    static constexpr size_t rows = 1 << 14;  // 1 MiB: floods from more places than that forget the calm ones

  private:
    // An entry is 20 bits that tell whose it is and 44 bits of time: when the client will have used up
    // nothing of what it may have (GCRA's theoretical arrival time), in units of 128 ns, modulo 26 days.
    struct alignas(64) Row {
        std::array<std::atomic<uint64_t>, ways> entries{};
    };

    [[nodiscard]] bool take(uint64_t hash, uint64_t now) noexcept;
    [[nodiscard]] bool is_exempt(const IpAddress& source) const noexcept;

    RateLimitSettings settings_;
    CookieSecret key_;
    uint64_t cost_;  // of one answer, in units of time
    std::vector<Row> table_;
};

}  // namespace fairway::dns
