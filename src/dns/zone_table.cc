// SPDX-License-Identifier: Apache-2.0
#include "dns/zone_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace fairway::dns {

uint32_t ZoneTable::find_hashed(ByteSpan lowered, uint64_t hash) const noexcept {
    if (slots_.empty()) return no_index;
    const size_t mask = slots_.size() - 1;
    for (size_t slot = hash & mask; slots_[slot] != no_index; slot = (slot + 1) & mask) {
        const Node& candidate = nodes_[slots_[slot]];
        if (candidate.hash == hash && candidate.name_size == lowered.size() &&
            std::memcmp(bytes_.data() + candidate.name, lowered.data(), lowered.size()) == 0)
            return slots_[slot];
    }
    return no_index;
}

uint32_t ZoneTable::find(ByteSpan lowered) const noexcept {
    return find_hashed(lowered, hash_wire(lowered));
}

uint32_t ZoneTable::find_encloser(ByteSpan lowered, size_t labels, bool& exact) const noexcept {
    exact = false;
    size_t at = 0;
    // Names longer than any of ours cannot be here: a hostile name of 127 labels costs no more than a short
    // one.
    size_t left = labels;
    for (; left > deepest_; --left) at += lowered[at] + 1U;
    while (true) {
        const uint32_t found = find(lowered.subspan(at));
        if (found != no_index) {
            exact = left == labels;
            return found;
        }
        if (left-- == 0) return no_index;
        at += lowered[at] + 1U;
    }
}

const StaticSet* ZoneTable::find_set(const Node& node, RecordType type) const noexcept {
    for (const StaticSet& candidate : sets(node))
        if (candidate.type == type) return &candidate;
    return nullptr;
}

void ZoneTable::index() {
    slots_.assign(std::bit_ceil(nodes_.size() * 2 + 1), no_index);
    deepest_ = 0;
    for (size_t i = 0; i < nodes_.size(); ++i) {
        size_t slot = nodes_[i].hash & (slots_.size() - 1);
        while (slots_[slot] != no_index) slot = (slot + 1) & (slots_.size() - 1);
        slots_[slot] = static_cast<uint32_t>(i);
        deepest_ = std::max(deepest_, size_t{nodes_[i].labels});
    }
}

}  // namespace fairway::dns
