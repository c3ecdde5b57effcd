// SPDX-License-Identifier: Apache-2.0
#pragma once
// Zone files (RFC 1035 section 5) as records. Syntax only: what may stand beside what in a zone is judged
// where the zone is built.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dns/name.h"
#include "dns/types.h"

namespace fairway::dns {

struct FileRecord {
    Name owner;
    RecordType type{};
    uint32_t ttl = 0;           // seconds
    std::vector<uint8_t> data;  // wire form, uncompressed, checked where this server looks into it
    std::string text;           // presentation form of the data
    uint32_t line = 0;          // from 1
};

struct ZoneFileError {
    uint32_t line = 0;  // from 1
    std::string message;
};

struct ZoneFile {
    std::vector<FileRecord> records;    // in order
    std::vector<ZoneFileError> errors;  // all of them: one bad line does not hide the next
};

/// $ORIGIN and $TTL are understood; $INCLUDE is an error. Records without a TTL get that of $TTL, or
/// `default_ttl` seconds. `origin` is what relative names are completed with until the file says otherwise.
[[nodiscard]] ZoneFile parse_zone_file(std::string_view text, const Name& origin, uint32_t default_ttl);

/// The presentation form of a record's data, names absolute with a trailing dot; empty when it cannot be
/// told.
[[nodiscard]] std::string presentation_of(RecordType type, ByteSpan data);

/// Whether `data` is what records of this type must be, for the types whose data this server reads: addresses
/// and names. Any data of other types is good.
[[nodiscard]] bool is_valid_data(RecordType type, ByteSpan data) noexcept;

}  // namespace fairway::dns
