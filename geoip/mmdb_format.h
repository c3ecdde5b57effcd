// SPDX-License-Identifier: Apache-2.0
#pragma once
// The MaxMind DB file format 2.0: what its checker and its writer have in common.
//
//     search tree       node_count nodes of two records of record_size bits each
//     16 zero bytes
//     data section      values; what tree records and pointers point into
//     metadata marker   "\xab\xcd\xefMaxMind.com", the last one in the last 128 KiB of the file
//     metadata          one map
//
//     record < node_count             the next node
//     record = node_count             nothing is known about this network
//     record > node_count             the value at (record - node_count - 16) in the data section
//
//     value = control byte: type in 3 bits (0: 7 + the next byte), size in 5 bits
//             (29: 29 + 1 byte, 30: 285 + 2 bytes, 31: 65821 + 3 bytes), then the payload

#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace fairway::geoip {

enum class MmdbType : uint8_t {
    pointer = 1,
    text = 2,
    float64 = 3,
    bytes = 4,
    uint16 = 5,
    uint32 = 6,
    map = 7,
    int32 = 8,
    uint64 = 9,
    uint128 = 10,
    array = 11,
    boolean = 14,
    float32 = 15
};

inline constexpr std::string_view mmdb_metadata_marker = "\xab\xcd\xefMaxMind.com";
inline constexpr size_t mmdb_metadata_reach = 128 * 1024;
inline constexpr size_t mmdb_separator = 16;

/// The search tree of a file that check_mmdb() has accepted; does not own the bytes.
struct MmdbTree {
    const uint8_t* nodes = nullptr;
    uint32_t node_count = 0;
    uint8_t record_size = 0;

    [[nodiscard]] size_t node_bytes() const noexcept { return record_size / 4U; }
    [[nodiscard]] uint64_t size() const noexcept { return uint64_t{node_count} * node_bytes(); }
    /// The record for bit 0 or 1 of a node below node_count.
    [[nodiscard]] uint32_t record(uint32_t node, uint32_t bit) const noexcept {
        const uint8_t* at = nodes + node * node_bytes();
        switch (record_size) {
            case 24:
                at += bit * 3;
                return uint32_t{at[0]} << 16 | uint32_t{at[1]} << 8 | at[2];
            case 28: {
                // The middle byte holds the highest four bits of both, the left one's first.
                const uint32_t high = bit == 0 ? at[3] >> 4U : at[3] & 0x0fU;
                at += bit * 4;
                return high << 24 | uint32_t{at[0]} << 16 | uint32_t{at[1]} << 8 | at[2];
            }
            default:
                at += bit * 4;
                return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3];
        }
    }
};

}  // namespace fairway::geoip
