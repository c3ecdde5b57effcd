// SPDX-License-Identifier: Apache-2.0
#pragma once
// The grammar of a policy chain's items, without their meaning (which is src/steering's):
//
//     "healthy"   "region(eu-central, us-*)"   "first 2"   "nearest"
//     "rule(country DE|AT -> fra*, continent NA -> iad1, prefix 10.0.0.0/8 -> fra1)"
//
//     filter  := name [ number | "(" argument { "," argument } ")" ]

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fairway {

/// One clause of `rule`: clients that match go to these gateways (names or globs), in this order.
struct RuleClause {
    enum class Kind : uint8_t { country, continent, asn, prefix };
    Kind kind = Kind::country;
    std::vector<std::string> values;    // "DE", "EU", "64500", "10.0.0.0/8"
    std::vector<std::string> gateways;  // names or globs
    friend bool operator==(const RuleClause&, const RuleClause&) = default;
};

struct FilterSpec {
    std::string name;                    // "nearest"
    std::optional<uint32_t> number;      // first 2
    std::vector<std::string> arguments;  // region(a, b): names or globs
    std::vector<RuleClause> rules;       // rule(...)
    friend bool operator==(const FilterSpec&, const FilterSpec&) = default;

    /// Syntax, and that the name is one of filter_names() with the arguments it takes. Values of rules are
    /// validated (two letters, a number, a prefix); references to regions and gateways are the caller's to
    /// check.
    static Result<FilterSpec> parse(std::string_view text);
    /// As parse() reads it.
    [[nodiscard]] std::string to_string() const;
};

/// Every filter that the grammar knows, in alphabetical order.
[[nodiscard]] const std::vector<std::string>& filter_names();

}  // namespace fairway
