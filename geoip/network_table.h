// SPDX-License-Identifier: Apache-2.0
#pragma once
// A text table of networks and where they are, and the databases made from it. One network a line, `#` starts
// a comment, an empty field is unknown:
//
//     # prefix, country, latitude, longitude, city, asn
//     192.0.2.0/24, DE, 52.52, 13.405, Berlin, 64496

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "geoip/mmdb_writer.h"
#include "model/location.h"

namespace fairway::geoip {

struct NetworkRow {
    IpPrefix prefix;
    std::string country;
    std::optional<Coordinates> coordinates;
    std::string city;
    uint32_t asn = 0;
};

/// The layout of the records: MaxMind's GeoIP2, or the flat one of other makers (coordinates as float).
enum class MmdbSchema : uint8_t { nested, flat };

/// The error names the line.
[[nodiscard]] Result<std::vector<NetworkRow>> parse_network_table(std::string_view text);
/// The record of one row.
[[nodiscard]] MmdbMap network_record(const NetworkRow& row, MmdbSchema schema);
/// A whole database file.
[[nodiscard]] Result<std::vector<uint8_t>> make_mmdb(const std::vector<NetworkRow>& rows, MmdbSchema schema,
                                                     MmdbOptions options);

}  // namespace fairway::geoip
