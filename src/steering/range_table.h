// SPDX-License-Identifier: Apache-2.0
#pragma once
// The whole address space of both families with a class for every address, and with it the ECS scope: the
// widest prefix around the address in which the class is the same. Those prefixes partition the space, so
// that no two scopes overlap.

#include <algorithm>
#include <bit>
#include <cassert>
#include <compare>
#include <cstdint>
#include <vector>

#include "base/ip.h"
#include "steering/block_table.h"

namespace fairway {

/// IPv6 as sorted ranges; equal neighbours are merged. The scope is the widest prefix around an address that
/// stays inside its range. Nearly all ranges begin at a /64 or a wider block, so lower halves are kept only
/// where they are not zero.
class RangeTableV6 {
  public:
    void append(const IpAddress& first, uint32_t value) {
        if (!values_.empty() && values_.back() == value) return;
        const Key start = key_of(first);
        assert(values_.empty() ? start == Key{} : start > at(values_.size() - 1));
        if (start.low != 0) lows_.push_back({static_cast<uint32_t>(high_.size()), start.low});
        high_.push_back(start.high);
        values_.push_back(value);
    }
    void finish() {
        high_.shrink_to_fit();
        lows_.shrink_to_fit();
        values_.shrink_to_fit();
    }
    [[nodiscard]] ClassHit find(const IpAddress& address) const noexcept {
        const Key key = key_of(address);
        size_t begin = 0;
        size_t count = high_.size();
        while (count > 1) {
            const size_t half = count / 2;
            const uint64_t high = high_[begin + half];
            if (high < key.high || (high == key.high && low_of(begin + half) <= key.low)) begin += half;
            count -= half;
        }
        int scope = 0;
        if (begin > 0) scope = common(key, before(at(begin))) + 1;
        if (begin + 1 < values_.size()) scope = std::max(scope, common(key, at(begin + 1)) + 1);
        return {values_[begin], static_cast<uint8_t>(scope)};
    }
    [[nodiscard]] size_t size() const noexcept { return values_.size(); }
    [[nodiscard]] size_t bytes() const noexcept {
        return high_.capacity() * sizeof(uint64_t) + lows_.capacity() * sizeof(Low) + values_.bytes();
    }

  private:
    struct Key {
        uint64_t high = 0;
        uint64_t low = 0;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    static Key key_of(const IpAddress& address) noexcept {
        Reader in(address.bytes());
        const uint64_t high = in.u64();
        return {high, in.u64()};
    }
    static Key before(const Key& key) noexcept {
        return {key.low == 0 ? key.high - 1 : key.high, key.low - 1};
    }
    static int common(const Key& a, const Key& b) noexcept {
        return a.high != b.high ? std::countl_zero(a.high ^ b.high) : 64 + std::countl_zero(a.low ^ b.low);
    }
    struct Low {
        uint32_t position;
        uint64_t value;
    };
    [[nodiscard]] uint64_t low_of(size_t i) const noexcept {
        const auto found = std::lower_bound(lows_.begin(), lows_.end(), i,
                                            [](const Low& low, size_t at) { return low.position < at; });
        return found != lows_.end() && found->position == i ? found->value : 0;
    }
    [[nodiscard]] Key at(size_t i) const noexcept { return {high_[i], low_of(i)}; }

    std::vector<uint64_t> high_;
    std::vector<Low> lows_;  // by position
    NumberColumn values_;
};

/// Both families.
class RangeTable {
  public:
    void append(const IpAddress& first, uint32_t value) {
        first.is_v4() ? v4_.append(first, value) : v6_.append(first, value);
    }
    void finish() {
        v4_.finish();
        v6_.finish();
    }
    [[nodiscard]] ClassHit find(const IpAddress& address) const noexcept {
        return address.is_v4() ? v4_.find(address) : v6_.find(address);
    }
    void prefetch_v4(std::span<const uint32_t> keys) const noexcept { v4_.prefetch(keys); }
    [[nodiscard]] size_t size() const noexcept { return v4_.size() + v6_.size(); }
    [[nodiscard]] size_t bytes() const noexcept { return v4_.bytes() + v6_.bytes(); }

  private:
    BlockTableV4 v4_;
    RangeTableV6 v6_;
};

}  // namespace fairway
