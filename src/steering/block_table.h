// SPDX-License-Identifier: Apache-2.0
#pragma once
// The whole IPv4 address space as blocks with a class each, for the shortest lookup that little memory
// allows: two dependent loads for all but the few blocks that are smaller than a /24. A block is the widest
// prefix around an address inside which the class is the same, and its length is the ECS scope; blocks
// partition the space, so that no two scopes overlap.
//
//     by the first 16 bits   a leaf for the whole /16, or a node
//     node                   256 bits, one for each /24 whose leaf differs from that of the one before, and
//                            where its leaves are: the count of the bits up to a /24 finds its own
//     /24 in smaller blocks  leaf 0: the blocks are in a list beside, found by binary search

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/ip.h"

namespace fairway {

/// A class and the length of the prefix for which it holds.
struct ClassHit {
    uint32_t value = 0;
    uint8_t scope = 0;
    friend bool operator==(const ClassHit&, const ClassHit&) = default;
};

/// Numbers by position: two bytes each while they are small, four once one is not.
class NumberColumn {
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
    void prefetch(size_t i) const noexcept {
        __builtin_prefetch(wide_.empty() ? static_cast<const void*>(&narrow_[i]) : &wide_[i]);
    }
    [[nodiscard]] size_t bytes() const noexcept {
        return narrow_.capacity() * sizeof(uint16_t) + wide_.capacity() * sizeof(uint32_t);
    }

  private:
    std::vector<uint16_t> narrow_;  // one of the two is empty
    std::vector<uint32_t> wide_;
};

class BlockTableV4 {
  public:
    /// Ranges in order of addresses, the first at 0.0.0.0; each ends where the next begins.
    void append(const IpAddress& first, uint32_t value);
    /// After the last append(), before the first find().
    void finish();

    [[nodiscard]] ClassHit find(const IpAddress& address) const noexcept {
        const uint32_t key = address.v4_host_order();
        const uint32_t at = by_sixteen_[key >> 16];
        if ((at & whole) != 0) return leaves_[at & ~whole];
        const uint32_t leaf = runs_[run_of(nodes_[at], key >> 8 & 0xff)];
        return leaf == smaller ? find_smaller(key) : leaves_[leaf];
    }

    /// Starts to bring what find() will load for all of these addresses, in host order, into the cache: the
    /// loads of each wait for each other, those of different addresses do not.
    void prefetch(std::span<const uint32_t> keys) const noexcept;

    /// Ranges of different classes.
    [[nodiscard]] size_t size() const noexcept { return ranges_; }
    [[nodiscard]] size_t bytes() const noexcept;

  private:
    static constexpr uint32_t whole = 0x80000000;  // in by_sixteen_: a leaf, not a node
    static constexpr uint32_t smaller = 0;         // the leaf that is none

    struct Node {
        std::array<uint64_t, 4> starts{};  // a bit for each /24 at which a run of one leaf begins
        uint32_t first = 0;                // of its runs, in runs_
        std::array<uint8_t, 4> before{};   // runs that begin in the words before
    };
    struct Slot {
        uint64_t key;  // class and length
        uint32_t leaf;
    };

    // Where the leaf of a /24 is in runs_.
    [[nodiscard]] static size_t run_of(const Node& node, uint32_t third) noexcept {
        const uint64_t up_to = node.starts[third >> 6] & (~uint64_t{0} >> (63 - (third & 63)));
        return size_t{node.first} + node.before[third >> 6] + count_ones(up_to) - 1;
    }
    // Without an instruction that not every processor has, this is a dozen simple ones.
    static constexpr uint32_t count_ones(uint64_t x) noexcept {
        x -= x >> 1 & 0x5555555555555555;
        x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
        x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
        return static_cast<uint32_t>(x * 0x0101010101010101 >> 56);
    }

    [[nodiscard]] ClassHit find_smaller(uint32_t key) const noexcept;
    void add_range(uint32_t first, uint32_t last, uint32_t value);
    void add_run(uint32_t first, uint32_t leaf);
    void add_smaller(uint32_t first, uint32_t leaf);
    [[nodiscard]] uint32_t leaf_of(uint32_t value, uint8_t length);
    void close_node();

    std::vector<uint32_t> by_sixteen_;
    std::vector<Node> nodes_;
    NumberColumn runs_;  // leaves
    std::vector<ClassHit> leaves_;

    // The /24s in smaller blocks, ascending; the blocks of each are [its first, the next one's first).
    std::vector<uint32_t> smaller_keys_;  // the first 24 bits
    std::vector<uint32_t> smaller_first_;
    std::vector<uint8_t> smaller_starts_;  // the last 8 bits
    NumberColumn smaller_leaves_;

    size_t ranges_ = 0;
    // Only while it is being filled.
    uint32_t open_first_ = 0;  // of the range whose end is not known yet
    uint32_t open_value_ = 0;
    uint32_t open_node_ = whole;      // the /16 of the last node
    std::vector<Slot> leaf_numbers_;  // open addressing, a power of two
};

}  // namespace fairway
