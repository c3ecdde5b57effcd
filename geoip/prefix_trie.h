// SPDX-License-Identifier: Apache-2.0
#pragma once
// Longest-prefix match over the few prefixes that people write down (own prefixes, rules), one bit a level.
// Large sets live in the databases' own trees.

#include <cstdint>
#include <vector>

#include "base/ip.h"

namespace fairway::geoip {

/// Bit `index` of an address, counted from the most significant.
[[nodiscard]] inline uint32_t bit_of(ByteSpan bytes, unsigned index) noexcept {
    return bytes[index / 8] >> (7 - index % 8) & 1U;
}

/// A place in a search tree: `node` to go on from, or none where the tree ends; `value` is what is known
/// here.
struct TreeCursor {
    static constexpr uint32_t none = UINT32_MAX;
    uint32_t node = none;
    uint32_t value = none;
};

class PrefixTrie {
  public:
    PrefixTrie() : nodes_(2) {}

    /// `value` is anything but TreeCursor::none. An equal prefix inserted before loses its value.
    void insert(const IpPrefix& prefix, uint32_t value) {
        uint32_t node = root_node(prefix.address().family());
        for (unsigned i = 0; i < prefix.length(); ++i) {
            const uint32_t bit = bit_of(prefix.address().bytes(), i);
            if (nodes_[node].child[bit] == TreeCursor::none) {
                nodes_[node].child[bit] = static_cast<uint32_t>(nodes_.size());
                nodes_.emplace_back();
            }
            node = nodes_[node].child[bit];
        }
        nodes_[node].value = value;
    }

    [[nodiscard]] TreeCursor root(IpFamily family) const noexcept {
        const uint32_t node = root_node(family);
        return at(node, nodes_[node].value);
    }
    /// One bit down; the value of the shorter prefix holds until a longer one has its own.
    [[nodiscard]] TreeCursor step(TreeCursor from, uint32_t bit) const noexcept {
        const uint32_t child = nodes_[from.node].child[bit];
        if (child == TreeCursor::none) return {TreeCursor::none, from.value};
        return at(child, nodes_[child].value == TreeCursor::none ? from.value : nodes_[child].value);
    }

  private:
    struct Node {
        uint32_t child[2] = {TreeCursor::none, TreeCursor::none};
        uint32_t value = TreeCursor::none;
    };
    static constexpr uint32_t root_node(IpFamily family) noexcept { return family == IpFamily::v4 ? 0 : 1; }
    [[nodiscard]] TreeCursor at(uint32_t node, uint32_t value) const noexcept {
        const bool leaf =
            nodes_[node].child[0] == TreeCursor::none && nodes_[node].child[1] == TreeCursor::none;
        return {leaf ? TreeCursor::none : node, value};
    }

    std::vector<Node> nodes_;
};

}  // namespace fairway::geoip
