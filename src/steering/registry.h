// SPDX-License-Identifier: Apache-2.0
#pragma once
// The policy filters there are. A filter is a file filter_NAME.cc, a declaration here and a line of the table
// in registry.cc.

#include <memory>
#include <string_view>

#include "steering/chain.h"

namespace fairway {

[[nodiscard]] std::unique_ptr<const Filter> make_all(const FilterSource& source);
[[nodiscard]] std::unique_ptr<const Filter> make_failover(const FilterSource& source);
[[nodiscard]] std::unique_ptr<const Filter> make_first(const FilterSource& source);
[[nodiscard]] std::unique_ptr<const Filter> make_healthy(const FilterSource& source);
[[nodiscard]] std::unique_ptr<const Filter> make_latency(const FilterSource& source);
[[nodiscard]] std::unique_ptr<const Filter> make_nearest(const FilterSource& source);
[[nodiscard]] std::unique_ptr<const Filter> make_region(const FilterSource& source);
[[nodiscard]] std::unique_ptr<const Filter> make_rule(const FilterSource& source);
[[nodiscard]] std::unique_ptr<const Filter> make_sticky(const FilterSource& source);
[[nodiscard]] std::unique_ptr<const Filter> make_weighted(const FilterSource& source);

struct FilterEntry {
    /// When nothing was healthy and everything is answered, some filters would stand in the way.
    enum class LastResort : uint8_t { applies, skipped };

    std::string_view name;
    std::unique_ptr<const Filter> (*make)(const FilterSource& source);
    LastResort last_resort;
};

/// Null for a name that has no filter.
[[nodiscard]] const FilterEntry* find_filter(std::string_view name) noexcept;

}  // namespace fairway
