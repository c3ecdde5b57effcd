// SPDX-License-Identifier: Apache-2.0
#include "steering/block_table.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "base/random.h"

namespace fairway {

void BlockTableV4::append(const IpAddress& first, uint32_t value) {
    const uint32_t start = first.v4_host_order();
    if (ranges_ == 0) {
        assert(start == 0);
        by_sixteen_.assign(0x10000, whole);
        leaves_.assign(1, ClassHit{});
    } else {
        if (value == open_value_) return;
        assert(start > open_first_);
        add_range(open_first_, start - 1, open_value_);
    }
    open_first_ = start;
    open_value_ = value;
    ++ranges_;
}

void BlockTableV4::finish() {
    assert(ranges_ > 0);
    add_range(open_first_, UINT32_MAX, open_value_);
    close_node();
    smaller_first_.push_back(static_cast<uint32_t>(smaller_starts_.size()));
    leaf_numbers_ = {};
    nodes_.shrink_to_fit();
    runs_.shrink_to_fit();
    leaves_.shrink_to_fit();
    smaller_keys_.shrink_to_fit();
    smaller_first_.shrink_to_fit();
    smaller_starts_.shrink_to_fit();
    smaller_leaves_.shrink_to_fit();
}

// Splits it into the widest blocks.
void BlockTableV4::add_range(uint32_t first, uint32_t last, uint32_t value) {
    for (uint64_t at = first; at <= last;) {
        const uint64_t left = uint64_t{last} + 1 - at;
        const int aligned = at == 0 ? 32 : std::countr_zero(at);
        const int host_bits = std::min(aligned, static_cast<int>(std::bit_width(left)) - 1);
        const auto length = static_cast<uint8_t>(32 - host_bits);
        const uint32_t leaf = leaf_of(value, length);
        const auto start = static_cast<uint32_t>(at);
        if (length <= 16) {
            std::fill_n(by_sixteen_.begin() + (start >> 16), size_t{1} << (16 - length), whole | leaf);
        } else if (length <= 24) {
            add_run(start, leaf);
        } else {
            add_smaller(start, leaf);
        }
        at += uint64_t{1} << host_bits;
    }
}

void BlockTableV4::add_run(uint32_t first, uint32_t leaf) {
    const uint32_t sixteen = first >> 16;
    const uint32_t third = first >> 8 & 0xff;
    if (open_node_ != sixteen) {
        close_node();
        open_node_ = sixteen;
        by_sixteen_[sixteen] = static_cast<uint32_t>(nodes_.size());
        nodes_.emplace_back().first = static_cast<uint32_t>(runs_.size());
    } else if (runs_.back() == leaf) {
        return;
    }
    nodes_.back().starts[third >> 6] |= uint64_t{1} << (third & 63);
    runs_.push_back(leaf);
}

void BlockTableV4::close_node() {
    if (nodes_.empty()) return;
    Node& node = nodes_.back();
    for (size_t word = 1; word < node.starts.size(); ++word)
        node.before[word] = static_cast<uint8_t>(node.before[word - 1] + count_ones(node.starts[word - 1]));
}

void BlockTableV4::add_smaller(uint32_t first, uint32_t leaf) {
    const uint32_t key = first >> 8;
    if (smaller_keys_.empty() || smaller_keys_.back() != key) {
        add_run(first, smaller);
        smaller_keys_.push_back(key);
        smaller_first_.push_back(static_cast<uint32_t>(smaller_starts_.size()));
    } else if (smaller_leaves_.back() == leaf) {
        return;
    }
    smaller_starts_.push_back(static_cast<uint8_t>(first));
    smaller_leaves_.push_back(leaf);
}

uint32_t BlockTableV4::leaf_of(uint32_t value, uint8_t length) {
    if (2 * leaves_.size() >= leaf_numbers_.size()) {
        leaf_numbers_.assign(std::bit_ceil(4 * leaves_.size() + 64), Slot{0, smaller});
        for (size_t i = 1; i < leaves_.size(); ++i) {
            const uint64_t key = uint64_t{leaves_[i].value} << 8 | leaves_[i].scope;
            size_t slot = mix(key) & (leaf_numbers_.size() - 1);
            while (leaf_numbers_[slot].leaf != smaller) slot = (slot + 1) & (leaf_numbers_.size() - 1);
            leaf_numbers_[slot] = {key, static_cast<uint32_t>(i)};
        }
    }
    const uint64_t key = uint64_t{value} << 8 | length;
    size_t slot = mix(key) & (leaf_numbers_.size() - 1);
    for (; leaf_numbers_[slot].leaf != smaller; slot = (slot + 1) & (leaf_numbers_.size() - 1))
        if (leaf_numbers_[slot].key == key) return leaf_numbers_[slot].leaf;
    leaf_numbers_[slot] = {key, static_cast<uint32_t>(leaves_.size())};
    leaves_.push_back({value, length});
    return leaf_numbers_[slot].leaf;
}

ClassHit BlockTableV4::find_smaller(uint32_t key) const noexcept {
    const auto found = std::lower_bound(smaller_keys_.begin(), smaller_keys_.end(), key >> 8);
    const auto i = static_cast<size_t>(found - smaller_keys_.begin());
    size_t at = smaller_first_[i + 1] - 1;
    while (smaller_starts_[at] > (key & 0xff)) --at;
    return leaves_[smaller_leaves_[at]];
}

void BlockTableV4::prefetch(std::span<const uint32_t> keys) const noexcept {
    for (const uint32_t key : keys) __builtin_prefetch(&by_sixteen_[key >> 16]);
    for (const uint32_t key : keys) {
        const uint32_t at = by_sixteen_[key >> 16];
        if ((at & whole) != 0) continue;
        // It may lie across two cache lines.
        __builtin_prefetch(&nodes_[at].starts[key >> 14 & 3]);
        __builtin_prefetch(&nodes_[at].first);
    }
    for (const uint32_t key : keys) {
        const uint32_t at = by_sixteen_[key >> 16];
        if ((at & whole) == 0) runs_.prefetch(run_of(nodes_[at], key >> 8 & 0xff));
    }
}

size_t BlockTableV4::bytes() const noexcept {
    return (by_sixteen_.capacity() + smaller_keys_.capacity() + smaller_first_.capacity()) *
               sizeof(uint32_t) +
           nodes_.capacity() * sizeof(Node) + runs_.bytes() + leaves_.capacity() * sizeof(ClassHit) +
           smaller_starts_.capacity() + smaller_leaves_.bytes();
}

}  // namespace fairway
