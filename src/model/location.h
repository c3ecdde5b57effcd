// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace fairway {

/// Degrees; latitude -90 to 90 (north positive), longitude -180 to 180 (east positive).
struct Coordinates {
    double latitude = 0;
    double longitude = 0;
    friend bool operator==(const Coordinates&, const Coordinates&) = default;
};

/// Where a client is, as far as the geo databases and the operator's own prefixes tell.
struct Location {
    std::string country;    // ISO 3166-1 alpha-2 in upper case, or empty
    std::string continent;  // AF AN AS EU NA OC SA, or empty
    uint32_t asn = 0;       // 0 is unknown
    std::optional<Coordinates> coordinates;
    friend bool operator==(const Location&, const Location&) = default;
};

}  // namespace fairway
