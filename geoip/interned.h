// SPDX-License-Identifier: Apache-2.0
#pragma once
// Numbers distinct tuples of 32-bit values from 0 in order of first appearance. One flat table without an
// allocation per tuple: it holds hundreds of thousands of them while a geo database is walked.

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/random.h"

namespace fairway::geoip {

class Interned {
  public:
    /// Every tuple has `width` values.
    explicit Interned(size_t width) : width_(width), slots_(64, empty) {}

    [[nodiscard]] size_t size() const noexcept { return count_; }
    [[nodiscard]] std::span<const uint32_t> operator[](size_t number) const noexcept {
        return {values_.data() + number * width_, width_};
    }
    /// The number of the tuple, and whether it is new.
    std::pair<uint32_t, bool> number(std::span<const uint32_t> tuple) {
        assert(tuple.size() == width_);
        size_t slot = find_slot(tuple);
        if (slots_[slot] != empty) return {slots_[slot], false};
        if (2 * (count_ + 1) > slots_.size()) {
            grow();
            slot = find_slot(tuple);
        }
        const auto number = static_cast<uint32_t>(count_++);
        values_.insert(values_.end(), tuple.begin(), tuple.end());
        slots_[slot] = number;
        return {number, true};
    }

  private:
    static constexpr uint32_t empty = UINT32_MAX;

    [[nodiscard]] size_t find_slot(std::span<const uint32_t> tuple) const noexcept {
        uint64_t hash = 0;
        for (const uint32_t value : tuple) hash = mix(hash ^ value);
        const size_t mask = slots_.size() - 1;
        size_t slot = hash & mask;
        while (slots_[slot] != empty && !std::ranges::equal((*this)[slots_[slot]], tuple))
            slot = (slot + 1) & mask;
        return slot;
    }
    void grow() {
        slots_.assign(slots_.size() * 2, empty);
        for (size_t number = 0; number < count_; ++number)
            slots_[find_slot((*this)[number])] = static_cast<uint32_t>(number);
    }

    size_t width_;
    size_t count_ = 0;
    std::vector<uint32_t> values_;  // the tuples, one after the other
    std::vector<uint32_t> slots_;   // open addressing; a power of two
};

}  // namespace fairway::geoip
