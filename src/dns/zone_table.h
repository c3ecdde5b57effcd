// SPDX-License-Identifier: Apache-2.0
#pragma once
// The names and static records of all zones in a few flat vectors, found by hash. Lookups allocate nothing
// and follow RFC 1034 section 4.3.2 with RFC 4592: every name above an existing one exists too (empty
// non-terminals), so that the closest encloser is the first ancestor that is in the table.
//
//     node ──► sets [first_set, +set_count) ──► records [first_record, +count) ──► bytes (rdata), text
//     (presentation)
//
// What is at and below a delegation is in the table as well (glue), with `cut` naming the node of the
// delegation. Where a child zone is served here too, the names belong to the child; the parent's NS and DS at
// the cut are in `parent_sets`.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "dns/name.h"
#include "dns/types.h"
#include "model/ids.h"

namespace fairway::dns {

inline constexpr uint32_t no_index = UINT32_MAX;

/// One record: its data, the same as presentation text, and the node that holds addresses of its target.
struct StaticRecord {
    uint32_t data = 0;  // in ZoneTable's bytes
    uint32_t text = 0;  // in ZoneTable's bytes
    uint16_t data_size = 0;
    uint32_t text_size = 0;
    /// For NS, MX, SRV: where the target's static A and AAAA are, if here; else no_index.
    uint32_t target = no_index;
};

/// One RRset. All its records have this TTL (RFC 2181 section 5.2).
struct StaticSet {
    RecordType type{};
    uint16_t count = 0;
    uint32_t ttl = 0;  // seconds
    uint32_t first_record = 0;
};

struct Node {
    uint64_t hash = 0;
    uint32_t name = 0;  // in ZoneTable's bytes: lower-cased wire form
    uint8_t name_size = 0;
    uint8_t labels = 0;
    uint16_t set_count = 0;
    uint32_t first_set = 0;
    uint32_t zone = 0;              // in Authority::zones()
    uint32_t wildcard = no_index;   // the child "*", or none
    uint32_t cut = no_index;        // the delegation at or above this name inside its zone, or none
    uint32_t first_parent_set = 0;  // only at the apex of a zone whose parent zone is served too
    uint16_t parent_set_count = 0;
    uint32_t parent_zone = no_index;  // that parent zone
    ServiceId service;                // steered name, or invalid
    ServiceId debug_of;               // "_fairway.<name>" of this service, or invalid
};

class ZoneTable {
  public:
    /// The node of a lower-cased wire name, or no_index.
    [[nodiscard]] uint32_t find(ByteSpan lowered) const noexcept;
    /// The deepest existing node at or above a lower-cased wire name with `labels` labels; no_index when not
    /// even a zone's apex is above it. `exact` tells whether it is the name itself.
    [[nodiscard]] uint32_t find_encloser(ByteSpan lowered, size_t labels, bool& exact) const noexcept;

    [[nodiscard]] const Node& node(uint32_t index) const noexcept { return nodes_[index]; }
    [[nodiscard]] std::span<const Node> nodes() const noexcept { return nodes_; }
    [[nodiscard]] ByteSpan name(const Node& node) const noexcept {
        return ByteSpan(bytes_).subspan(node.name, node.name_size);
    }
    [[nodiscard]] std::span<const StaticSet> sets(const Node& node) const noexcept {
        return std::span(sets_).subspan(node.first_set, node.set_count);
    }
    [[nodiscard]] std::span<const StaticSet> parent_sets(const Node& node) const noexcept {
        return std::span(sets_).subspan(node.first_parent_set, node.parent_set_count);
    }
    [[nodiscard]] const StaticSet& set(uint32_t index) const noexcept { return sets_[index]; }
    /// Null when the node has no set of this type.
    [[nodiscard]] const StaticSet* find_set(const Node& node, RecordType type) const noexcept;
    [[nodiscard]] std::span<const StaticRecord> records(const StaticSet& set) const noexcept {
        return std::span(records_).subspan(set.first_record, set.count);
    }
    [[nodiscard]] ByteSpan data(const StaticRecord& record) const noexcept {
        return ByteSpan(bytes_).subspan(record.data, record.data_size);
    }
    /// Presentation form of the record's data, names absolute with a trailing dot.
    [[nodiscard]] std::string_view text(const StaticRecord& record) const noexcept {
        return as_text(ByteSpan(bytes_).subspan(record.text, record.text_size));
    }

  private:
    friend class AuthorityBuilder;
    void index();

    [[nodiscard]] uint32_t find_hashed(ByteSpan lowered, uint64_t hash) const noexcept;

    std::vector<Node> nodes_;
    std::vector<StaticSet> sets_;
    std::vector<StaticRecord> records_;
    std::vector<uint8_t> bytes_;
    // Open addressing, a power of two, at most half full: node index or no_index.
    std::vector<uint32_t> slots_;
    size_t deepest_ = 0;  // labels of the longest name
};

}  // namespace fairway::dns
