// SPDX-License-Identifier: Apache-2.0
#pragma once
// Proves that a file is a MaxMind DB that can be used without a second thought: the metadata is sane, the
// search tree is a tree whose depth fits the addresses, and every value that can be reached from it is whole.
// Linear in the size of the file, whatever the file holds. What passes here cannot crash, hang or exhaust the
// reading library, and is not the torn half of a file that someone was still writing.

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace fairway::geoip {

struct MmdbFacts {
    uint32_t node_count = 0;
    uint8_t record_size = 0;  // bits: 24, 28 or 32
    uint8_t ip_version = 0;   // 4 or 6
    std::string type;         // printable ASCII
    std::string description;  // the English one, printable ASCII
    uint64_t build_epoch = 0;
    /// Offsets in the data section of some hundreds of records spread evenly over the tree, for finding out
    /// which fields the database has. Empty: the database has no networks.
    std::vector<uint32_t> sample;
};

/// The error says what is wrong, without the file's name.
[[nodiscard]] Result<MmdbFacts> check_mmdb(ByteSpan file);

}  // namespace fairway::geoip
