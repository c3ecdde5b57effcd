// SPDX-License-Identifier: Apache-2.0
#include "geoip/network_table.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "geoip/centroids.h"

namespace fairway::geoip {
namespace {

template <class Number>
bool parse_number(std::string_view text, Number& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size();
}

Result<NetworkRow> parse_row(std::string_view line) {
    std::array<std::string_view, 6> fields;
    size_t count = 0;
    for (;;) {
        const size_t comma = line.find(',');
        if (count == fields.size()) return fail("more than six fields");
        fields[count++] = trim(line.substr(0, comma));
        if (comma == std::string_view::npos) break;
        line.remove_prefix(comma + 1);
    }
    NetworkRow row;
    const auto prefix = IpPrefix::parse(fields[0]);
    if (!prefix) return tl::unexpected(prefix.error());
    row.prefix = *prefix;
    row.country = fields[1];
    if (!row.country.empty() && find_country(row.country) == nullptr)
        return fail("\"" + row.country + "\" is not a country code");
    if (fields[2].empty() != fields[3].empty()) return fail("a latitude without a longitude, or the reverse");
    if (!fields[2].empty()) {
        Coordinates at;
        const bool valid = parse_number(fields[2], at.latitude) && parse_number(fields[3], at.longitude) &&
                           std::abs(at.latitude) <= 90 && std::abs(at.longitude) <= 180;
        if (!valid) return fail("the coordinates are not degrees");
        row.coordinates = at;
    }
    row.city = fields[4];
    if (!fields[5].empty() && !parse_number(fields[5], row.asn))
        return fail("\"" + std::string(fields[5]) + "\" is not an AS number");
    return row;
}

MmdbMap nested_record(const NetworkRow& row) {
    MmdbMap record;
    if (!row.city.empty()) record.push_back({"city", {MmdbMap{{"names", {MmdbMap{{"en", {row.city}}}}}}}});
    if (const Country* country = find_country(row.country)) {
        record.push_back({"continent", {MmdbMap{{"code", {std::string(country->continent)}}}}});
        record.push_back({"country", {MmdbMap{{"iso_code", {row.country}}}}});
    }
    if (row.coordinates)
        record.push_back({"location",
                          {MmdbMap{{"latitude", {row.coordinates->latitude}},
                                   {"longitude", {row.coordinates->longitude}}}}});
    if (row.asn != 0) record.push_back({"autonomous_system_number", {row.asn}});
    return record;
}

MmdbMap flat_record(const NetworkRow& row) {
    MmdbMap record;
    record.push_back({"city", {row.city}});
    record.push_back({"country_code", {row.country}});
    if (row.coordinates) {
        record.push_back({"latitude", {static_cast<float>(row.coordinates->latitude)}});
        record.push_back({"longitude", {static_cast<float>(row.coordinates->longitude)}});
    }
    if (row.asn != 0) record.push_back({"asn", {"AS" + std::to_string(row.asn)}});
    return record;
}

}  // namespace

Result<std::vector<NetworkRow>> parse_network_table(std::string_view text) {
    std::vector<NetworkRow> rows;
    for (size_t number = 1; !text.empty(); ++number) {
        const size_t end = text.find('\n');
        const std::string_view whole = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        const std::string_view line = trim(whole.substr(0, whole.find('#')));
        if (line.empty()) continue;
        auto row = parse_row(line);
        if (!row) return fail("line " + std::to_string(number) + ": " + row.error().message);
        rows.push_back(std::move(*row));
    }
    return rows;
}

MmdbMap network_record(const NetworkRow& row, MmdbSchema schema) {
    return schema == MmdbSchema::nested ? nested_record(row) : flat_record(row);
}

Result<std::vector<uint8_t>> make_mmdb(const std::vector<NetworkRow>& rows, MmdbSchema schema,
                                       MmdbOptions options) {
    MmdbWriter writer(std::move(options));
    for (const NetworkRow& row : rows) writer.insert(row.prefix, network_record(row, schema));
    return writer.finish();
}

}  // namespace fairway::geoip
