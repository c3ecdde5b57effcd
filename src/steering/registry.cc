// SPDX-License-Identifier: Apache-2.0
#include "steering/registry.h"

#include <algorithm>
#include <array>

#include "steering/steering.h"

namespace fairway {
namespace {

using LastResort = FilterEntry::LastResort;

constexpr std::array<FilterEntry, 10> registry{{
    {"all", make_all, LastResort::applies},
    {"failover", make_failover, LastResort::applies},
    {"first", make_first, LastResort::skipped},
    {"healthy", make_healthy, LastResort::skipped},
    {"latency", make_latency, LastResort::applies},
    {"nearest", make_nearest, LastResort::applies},
    {"region", make_region, LastResort::applies},
    {"rule", make_rule, LastResort::applies},
    {"sticky", make_sticky, LastResort::applies},
    {"weighted", make_weighted, LastResort::applies},
}};

constexpr auto names = [] {
    std::array<std::string_view, registry.size()> all;
    for (size_t i = 0; i < all.size(); ++i) all[i] = registry[i].name;
    return all;
}();
static_assert(std::is_sorted(names.begin(), names.end()));

}  // namespace

std::span<const std::string_view> steering_filter_names() noexcept {
    return names;
}

const FilterEntry* find_filter(std::string_view name) noexcept {
    const auto found = std::find_if(registry.begin(), registry.end(),
                                    [name](const FilterEntry& entry) { return entry.name == name; });
    return found == registry.end() ? nullptr : &*found;
}

}  // namespace fairway
