// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a country code alone tells: its continent, and the middle of its largest piece of land.

#include <optional>
#include <string_view>

#include "model/location.h"

namespace fairway::geoip {

struct Country {
    std::string_view code;       // ISO 3166-1 alpha-2
    std::string_view continent;  // AF AN AS EU NA OC SA
    Coordinates centroid;
};

/// The country of an upper-case code; nothing for codes that ISO does not assign (and XK, Kosovo, is known).
[[nodiscard]] const Country* find_country(std::string_view code) noexcept;

/// Whether anything about the place is known: a country, a continent or coordinates.
[[nodiscard]] inline bool knows_place(const Location& location) noexcept {
    return !location.country.empty() || !location.continent.empty() || location.coordinates.has_value();
}

/// Fills in, from the country, the continent and the coordinates that are missing. Returns whether the
/// coordinates were.
bool complete_from_country(Location& location);

}  // namespace fairway::geoip
