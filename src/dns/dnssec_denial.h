// SPDX-License-Identifier: Apache-2.0
#pragma once
// Compact denial of existence (RFC 9824): the data of an NSEC made for one question. It says what the name
// that was asked for has, and that nothing is between the name and its immediate successor. Pure.

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "dns/types.h"

namespace fairway::dns {

/// The types of an NSEC's bitmap.
class TypeSet {
  public:
    void clear() { types_.clear(); }
    void add(RecordType type);
    void remove(RecordType type);
    [[nodiscard]] bool has(RecordType type) const;
    /// RFC 4034 section 4.1.2.
    void append_bitmap(std::vector<uint8_t>& out) const;

  private:
    std::vector<uint16_t> types_;  // sorted
};

/// Appends the next possible name after `name` in canonical order within the same zone (RFC 4471
/// section 3.1.2):
/// `\000.name` where that is short enough. `name` is in lower case and uncompressed.
void append_successor(ByteSpan name, std::vector<uint8_t>& out);

/// The data of the NSEC at `name`.
[[nodiscard]] inline ByteSpan nsec_data(ByteSpan name, const TypeSet& types, std::vector<uint8_t>& out) {
    out.clear();
    append_successor(name, out);
    types.append_bitmap(out);
    return out;
}

}  // namespace fairway::dns
