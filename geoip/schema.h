// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which path leads to which field: databases of different makers say the same at different places. Resolved
// once per database from a sample of its records.

#include <maxminddb.h>

#include <cstdint>
#include <span>

#include "model/location.h"

namespace fairway::geoip {

/// As MMDB_aget_value() wants it.
using FieldPath = const char* const*;

struct Schema {
    FieldPath country = nullptr;  // null: the database has no such field
    FieldPath continent = nullptr;
    FieldPath latitude = nullptr;
    FieldPath longitude = nullptr;
    FieldPath asn = nullptr;

    [[nodiscard]] bool knows_places() const noexcept {
        return country != nullptr || continent != nullptr || latitude != nullptr;
    }
    [[nodiscard]] bool knows_anything() const noexcept { return knows_places() || asn != nullptr; }

    /// For each field the first of its candidate paths at which some record of the sample has a valid value.
    static Schema detect(const MMDB_s& database, std::span<const uint32_t> sample);
    [[nodiscard]] Location read(const MMDB_s& database, uint32_t offset) const;
};

}  // namespace fairway::geoip
