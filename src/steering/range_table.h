// SPDX-License-Identifier: Apache-2.0
#pragma once
// The whole address space of a family as sorted ranges, each with a class; equal neighbours are merged. A few
// bytes a range, one short binary search a lookup, and the ECS scope comes with it: the widest prefix around
// an address that stays inside its range. Those prefixes partition the space, so that no two scopes overlap.

#include <algorithm>
#include <bit>
#include <cassert>
#include <compare>
#include <cstdint>
#include <vector>

#include "base/ip.h"

namespace fairway {

/// A class and the length of the prefix for which it holds.
struct ClassHit {
    uint32_t value = 0;
    uint8_t scope = 0;
};

/// Classes by position: two bytes each while they are few, four once there are more than that.
class ClassColumn {
  public:
    void push_back(uint32_t value) {
        if (wide_.empty() && value <= UINT16_MAX) {
            narrow_.push_back(static_cast<uint16_t>(value));
            return;
        }
        if (wide_.empty()) {
            wide_.assign(narrow_.begin(), narrow_.end());
            narrow_ = {};
        }
        wide_.push_back(value);
    }
    void shrink_to_fit() {
        narrow_.shrink_to_fit();
        wide_.shrink_to_fit();
    }
    [[nodiscard]] uint32_t operator[](size_t i) const noexcept {
        return wide_.empty() ? narrow_[i] : wide_[i];
    }
    [[nodiscard]] uint32_t back() const noexcept { return (*this)[size() - 1]; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] size_t size() const noexcept { return narrow_.size() + wide_.size(); }
    [[nodiscard]] size_t bytes() const noexcept {
        return narrow_.capacity() * sizeof(uint16_t) + wide_.capacity() * sizeof(uint32_t);
    }

  private:
    std::vector<uint16_t> narrow_;  // one of the two is empty
    std::vector<uint32_t> wide_;
};

/// IPv4 addresses in host order. An index by the first 16 bits leaves few ranges to search.
class RangeTableV4 {
  public:
    /// In order of addresses, the first at 0.0.0.0.
    void append(const IpAddress& first, uint32_t value) {
        const uint32_t start = first.v4_host_order();
        if (!values_.empty() && values_.back() == value) return;
        assert(starts_.empty() ? start == 0 : start > starts_.back());
        starts_.push_back(start);
        values_.push_back(value);
    }
    /// After the last append(), before the first find().
    void finish() {
        starts_.shrink_to_fit();
        values_.shrink_to_fit();
        first_of_.assign(0x10001, 0);
        size_t at = 0;
        for (uint32_t high = 0; high <= 0xffff; ++high) {
            // The last range that begins at or before the first address of the block.
            while (at + 1 < starts_.size() && starts_[at + 1] <= high << 16) ++at;
            first_of_[high] = static_cast<uint32_t>(at);
        }
        first_of_[0x10000] = static_cast<uint32_t>(starts_.size() - 1);
    }
    [[nodiscard]] ClassHit find(const IpAddress& address) const noexcept {
        const uint32_t key = address.v4_host_order();
        // The range of the block's last address is at most that of the next block's first.
        const uint32_t* low = starts_.data() + first_of_[key >> 16];
        const uint32_t* high = starts_.data() + first_of_[(key >> 16) + 1] + 1;
        const auto at = static_cast<size_t>(std::upper_bound(low, high, key) - starts_.data()) - 1;
        int scope = 0;
        if (at > 0) scope = std::countl_zero(key ^ (starts_[at] - 1)) + 1;
        if (at + 1 < starts_.size()) scope = std::max(scope, std::countl_zero(key ^ starts_[at + 1]) + 1);
        return {values_[at], static_cast<uint8_t>(scope)};
    }
    [[nodiscard]] size_t size() const noexcept { return starts_.size(); }
    [[nodiscard]] size_t bytes() const noexcept {
        return (starts_.capacity() + first_of_.capacity()) * sizeof(uint32_t) + values_.bytes();
    }

  private:
    std::vector<uint32_t> starts_;
    ClassColumn values_;
    std::vector<uint32_t> first_of_;  // by the first 16 bits; one more at the end
};

/// The same for IPv6. Nearly all ranges begin at a /64 or a wider block, so lower halves are kept only where
/// they are not zero.
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
    ClassColumn values_;
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
    [[nodiscard]] size_t size() const noexcept { return v4_.size() + v6_.size(); }
    [[nodiscard]] size_t bytes() const noexcept { return v4_.bytes() + v6_.bytes(); }

  private:
    RangeTableV4 v4_;
    RangeTableV6 v6_;
};

}  // namespace fairway
