// SPDX-License-Identifier: Apache-2.0
#include "geoip/schema.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace fairway::geoip {
namespace {

// Candidate paths per field. MaxMind's GeoIP2 layout, which several makers follow, is nested; others are flat
// and disagree about names. "country" alone is a code in some databases and a name in others: only two
// capital letters count.
constexpr const char* country_nested[] = {"country", "iso_code", nullptr};
constexpr const char* country_code[] = {"country_code", nullptr};
constexpr const char* country_plain[] = {"country", nullptr};
constexpr const char* country_registered[] = {"registered_country", "iso_code", nullptr};
constexpr const char* continent_nested[] = {"continent", "code", nullptr};
constexpr const char* continent_code[] = {"continent_code", nullptr};
constexpr const char* continent_plain[] = {"continent", nullptr};
constexpr const char* latitude_nested[] = {"location", "latitude", nullptr};
constexpr const char* latitude_flat[] = {"latitude", nullptr};
constexpr const char* latitude_short[] = {"lat", nullptr};
constexpr const char* longitude_nested[] = {"location", "longitude", nullptr};
constexpr const char* longitude_flat[] = {"longitude", nullptr};
constexpr const char* longitude_lng[] = {"lng", nullptr};
constexpr const char* longitude_lon[] = {"lon", nullptr};
constexpr const char* asn_long[] = {"autonomous_system_number", nullptr};
constexpr const char* asn_short[] = {"asn", nullptr};
constexpr const char* asn_traits[] = {"traits", "autonomous_system_number", nullptr};
constexpr const char* asn_as[] = {"as_number", nullptr};

constexpr std::array<std::string_view, 7> continents{"AF", "AN", "AS", "EU", "NA", "OC", "SA"};

std::optional<MMDB_entry_data_s> value_at(const MMDB_s& database, uint32_t offset, FieldPath path) {
    MMDB_entry_s entry{&database, offset};
    MMDB_entry_data_s data{};
    if (MMDB_aget_value(&entry, &data, path) != MMDB_SUCCESS || !data.has_data) return std::nullopt;
    return data;
}

std::string_view text_of(const MMDB_entry_data_s& data) {
    if (data.type != MMDB_DATA_TYPE_UTF8_STRING) return {};
    return {data.utf8_string, data.data_size};
}

/// A code of two capital letters, or nothing.
std::string_view code_at(const MMDB_s& database, uint32_t offset, FieldPath path) {
    const auto data = value_at(database, offset, path);
    const std::string_view text = data ? text_of(*data) : std::string_view{};
    const bool code = text.size() == 2 &&
                      std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    return code ? text : std::string_view{};
}

std::string_view continent_at(const MMDB_s& database, uint32_t offset, FieldPath path) {
    const std::string_view code = code_at(database, offset, path);
    return std::find(continents.begin(), continents.end(), code) != continents.end() ? code
                                                                                     : std::string_view{};
}

/// Some databases write numbers as text; an empty one is absent.
std::optional<double> degrees_at(const MMDB_s& database, uint32_t offset, FieldPath path, double limit) {
    const auto data = value_at(database, offset, path);
    if (!data) return std::nullopt;
    double value = 0;
    switch (data->type) {
        case MMDB_DATA_TYPE_DOUBLE:
            value = data->double_value;
            break;
        case MMDB_DATA_TYPE_FLOAT:
            value = static_cast<double>(data->float_value);
            break;
        case MMDB_DATA_TYPE_INT32:
            value = data->int32;
            break;
        case MMDB_DATA_TYPE_UINT16:
            value = data->uint16;
            break;
        case MMDB_DATA_TYPE_UTF8_STRING: {
            const std::string_view text = text_of(*data);
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
            break;
        }
        default:
            return std::nullopt;
    }
    if (!std::isfinite(value) || std::abs(value) > limit) return std::nullopt;
    return value;
}

/// A number, or text such as "AS15169".
uint32_t asn_at(const MMDB_s& database, uint32_t offset, FieldPath path) {
    const auto data = value_at(database, offset, path);
    if (!data) return 0;
    if (data->type == MMDB_DATA_TYPE_UINT32) return data->uint32;
    if (data->type == MMDB_DATA_TYPE_UINT16) return data->uint16;
    std::string_view text = text_of(*data);
    if (text.starts_with("AS")) text.remove_prefix(2);
    uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? number : 0;
}

template <class Valid>
FieldPath first_of(std::initializer_list<FieldPath> candidates, std::span<const uint32_t> sample,
                   Valid valid) {
    for (const FieldPath path : candidates) {
        if (std::any_of(sample.begin(), sample.end(), [&](uint32_t offset) { return valid(offset, path); }))
            return path;
    }
    return nullptr;
}

}  // namespace

Schema Schema::detect(const MMDB_s& database, std::span<const uint32_t> sample) {
    Schema schema;
    schema.country =
        first_of({country_nested, country_code, country_plain, country_registered}, sample,
                 [&](uint32_t at, FieldPath path) { return !code_at(database, at, path).empty(); });
    schema.continent =
        first_of({continent_nested, continent_code, continent_plain}, sample,
                 [&](uint32_t at, FieldPath path) { return !continent_at(database, at, path).empty(); });
    schema.latitude =
        first_of({latitude_nested, latitude_flat, latitude_short}, sample,
                 [&](uint32_t at, FieldPath path) { return degrees_at(database, at, path, 90).has_value(); });
    schema.longitude = first_of(
        {longitude_nested, longitude_flat, longitude_lng, longitude_lon}, sample,
        [&](uint32_t at, FieldPath path) { return degrees_at(database, at, path, 180).has_value(); });
    if (schema.latitude == nullptr || schema.longitude == nullptr)
        schema.latitude = schema.longitude = nullptr;
    schema.asn = first_of({asn_long, asn_short, asn_traits, asn_as}, sample,
                          [&](uint32_t at, FieldPath path) { return asn_at(database, at, path) != 0; });
    return schema;
}

Location Schema::read(const MMDB_s& database, uint32_t offset) const {
    Location location;
    if (country != nullptr) location.country = code_at(database, offset, country);
    if (continent != nullptr) location.continent = continent_at(database, offset, continent);
    if (latitude != nullptr) {
        const auto north = degrees_at(database, offset, latitude, 90);
        const auto east = north ? degrees_at(database, offset, longitude, 180) : std::nullopt;
        // 0,0 lies in the sea off Ghana: databases that have it mean "unknown".
        if (north && east && (*north != 0 || *east != 0)) location.coordinates = Coordinates{*north, *east};
    }
    if (asn != nullptr) location.asn = asn_at(database, offset, asn);
    return location;
}

}  // namespace fairway::geoip
