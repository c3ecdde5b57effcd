// SPDX-License-Identifier: Apache-2.0
#include "geoip/centroids.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace fairway::geoip {
namespace {

struct Row {
    char code[3];
    char continent[3];
    double latitude;
    double longitude;
};

constexpr Row rows[] = {
#include "geoip/centroids.inc"
};

constexpr auto countries = [] {
    std::array<Country, std::size(rows)> all{};
    for (size_t i = 0; i < all.size(); ++i)
        all[i] = {rows[i].code, rows[i].continent, {rows[i].latitude, rows[i].longitude}};
    return all;
}();

static_assert(std::is_sorted(countries.begin(), countries.end(),
                             [](const Country& a, const Country& b) { return a.code < b.code; }));

}  // namespace

const Country* find_country(std::string_view code) noexcept {
    const auto found =
        std::lower_bound(countries.begin(), countries.end(), code,
                         [](const Country& country, std::string_view key) { return country.code < key; });
    return found != countries.end() && found->code == code ? &*found : nullptr;
}

bool complete_from_country(Location& location) {
    const Country* country = location.country.empty() ? nullptr : find_country(location.country);
    if (country == nullptr) return false;
    if (location.continent.empty()) location.continent = country->continent;
    if (location.coordinates) return false;
    location.coordinates = country->centroid;
    return true;
}

}  // namespace fairway::geoip
