// SPDX-License-Identifier: Apache-2.0
#include "dns/rate_limit.h"

#include <algorithm>

namespace fairway::dns {
namespace {

constexpr unsigned unit_bits = 7;  // of time: 128 ns
constexpr unsigned time_bits = 44;
constexpr uint64_t time_mask = (uint64_t{1} << time_bits) - 1;
constexpr uint64_t second = 1'000'000'000U >> unit_bits;

constexpr uint64_t time_of(uint64_t entry) noexcept {
    return entry & time_mask;
}

constexpr uint64_t entry_of(uint64_t hash, uint64_t time) noexcept {
    return (hash & ~time_mask) | (time & time_mask);
}

// How far `entry` lies ahead of `now`: what its client has used up. What lies behind, or further ahead than
// any client may get, is of long ago.
constexpr uint64_t used(uint64_t entry, uint64_t now) noexcept {
    const uint64_t ahead = (time_of(entry) - now) & time_mask;
    return ahead > 2 * second ? 0 : ahead;
}

}  // namespace

RateLimiter::RateLimiter(RateLimitSettings settings, const CookieSecret& key)
    : settings_(std::move(settings)),
      key_(key),
      cost_(std::max<uint64_t>(1, second / std::max(1U, settings_.responses))),
      table_(rows) {}

bool RateLimiter::is_exempt(const IpAddress& source) const noexcept {
    return std::any_of(settings_.exempt.begin(), settings_.exempt.end(),
                       [&source](const IpPrefix& prefix) { return prefix.contains(source); });
}

bool RateLimiter::take(uint64_t hash, uint64_t now) noexcept {
    Row& row = table_[hash & (rows - 1)];
    std::atomic<uint64_t>* calmest = nullptr;
    uint64_t calmest_entry = 0;
    for (auto& slot : row.entries) {
        uint64_t entry = slot.load(std::memory_order_relaxed);
        while ((entry & ~time_mask) == (hash & ~time_mask)) {
            const uint64_t before = used(entry, now);
            // Refused answers cost nothing: a client that asks too much gets its rate, not silence.
            if (before > second - cost_) return false;
            if (slot.compare_exchange_weak(entry, entry_of(hash, now + before + cost_),
                                           std::memory_order_relaxed))
                return true;
        }
        if (calmest == nullptr || used(entry, now) < used(calmest_entry, now)) {
            calmest = &slot;
            calmest_entry = entry;
        }
    }
    // A place that somebody else takes at this moment costs one answer's memory, nothing more.
    calmest->compare_exchange_strong(calmest_entry, entry_of(hash, now + cost_), std::memory_order_relaxed);
    return true;
}

RateLimiter::Verdict RateLimiter::judge(const IpAddress& source, ResponseKind kind, MonotonicTime now,
                                        uint32_t& turn) noexcept {
    if (is_exempt(source)) return Verdict::send;
    const IpAddress client = source.masked(source.is_v4() ? settings_.ipv4_prefix : settings_.ipv6_prefix);
    std::array<uint8_t, 17> text{};
    Writer writer(text);
    writer.u8(static_cast<uint8_t>(kind));
    writer.bytes(client.bytes());
    const auto since_start = static_cast<uint64_t>(now.time_since_epoch().count());
    if (take(siphash24(key_, writer.written()), since_start >> unit_bits)) return Verdict::send;
    if (settings_.slip == 0) return Verdict::drop;
    return ++turn % settings_.slip == 0 ? Verdict::truncate : Verdict::drop;
}

}  // namespace fairway::dns
