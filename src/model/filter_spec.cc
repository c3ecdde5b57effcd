// SPDX-License-Identifier: Apache-2.0
#include "model/filter_spec.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/ip.h"
#include "base/text.h"

namespace fairway {
namespace {

enum class Takes : uint8_t { nothing, number, names, rules };

struct Shape {
    std::string_view name;
    Takes takes;
    std::string_view example;
};

constexpr std::array<Shape, 11> shapes{
    {{"all", Takes::nothing, "all"},
     {"failover", Takes::nothing, "failover"},
     {"first", Takes::number, "first 2"},
     {"healthy", Takes::nothing, "healthy"},
     {"latency", Takes::nothing, "latency"},
     {"nearest", Takes::nothing, "nearest"},
     {"region", Takes::names, "region(eu-central, eu-west)"},
     {"rule", Takes::rules, "rule(country DE|AT -> fra1, continent NA -> iad1)"},
     {"shed", Takes::nothing, "shed"},
     {"sticky", Takes::nothing, "sticky"},
     {"weighted", Takes::nothing, "weighted"}}};

const Shape* find_shape(std::string_view name) {
    const auto found =
        std::find_if(shapes.begin(), shapes.end(), [&](const Shape& s) { return s.name == name; });
    return found == shapes.end() ? nullptr : &*found;
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    for (;;) {
        const size_t at = text.find(separator);
        parts.emplace_back(trim(text.substr(0, at)));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
    std::string text;
    for (const std::string& part : parts) {
        if (!text.empty()) text += separator;
        text += part;
    }
    return text;
}

constexpr std::array<std::string_view, 4> kinds{"country", "continent", "asn", "prefix"};
constexpr std::array<std::string_view, 7> continents{"AF", "AN", "AS", "EU", "NA", "OC", "SA"};

/// Brings one value of a rule into its canonical form, or says what is wrong with it.
Result<std::string> rule_value(RuleClause::Kind kind, std::string_view value) {
    switch (kind) {
        case RuleClause::Kind::country:
        case RuleClause::Kind::continent: {
            std::string upper(value);
            for (char& c : upper) {
                if (c >= 'a' && c <= 'z') c = static_cast<char>(c - ('a' - 'A'));
            }
            const bool letters = upper.size() == 2 && std::all_of(upper.begin(), upper.end(), [](char c) {
                                     return c >= 'A' && c <= 'Z';
                                 });
            if (kind == RuleClause::Kind::continent &&
                std::find(continents.begin(), continents.end(), upper) == continents.end())
                return fail("\"" + std::string(value) + "\" is not a continent (AF AN AS EU NA OC SA)");
            if (!letters) return fail("\"" + std::string(value) + "\" is not a two-letter country code");
            return upper;
        }
        case RuleClause::Kind::asn: {
            std::string_view digits = value;
            if (digits.size() > 2 && ascii_lower(digits.substr(0, 2)) == "as") digits.remove_prefix(2);
            uint32_t number = 0;
            const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
            if (error != std::errc{} || end != digits.data() + digits.size() || number == 0)
                return fail("\"" + std::string(value) + "\" is not an AS number");
            return std::to_string(number);
        }
        case RuleClause::Kind::prefix: {
            const auto prefix = IpPrefix::parse(value);
            if (!prefix) return tl::unexpected(prefix.error());
            return prefix->to_string();
        }
    }
    return fail("unknown kind of rule");
}

Result<RuleClause> parse_clause(std::string_view text) {
    const size_t arrow = text.find("->");
    const std::string_view left = trim(text.substr(0, arrow));
    const size_t blank = left.find_first_of(" \t");
    if (arrow == std::string_view::npos || blank == std::string_view::npos)
        return fail("a rule reads \"country DE|AT -> fra1\", not \"" + std::string(trim(text)) + "\"");
    const std::string_view kind = left.substr(0, blank);
    const auto found = std::find(kinds.begin(), kinds.end(), kind);
    if (found == kinds.end()) {
        const std::string near = nearest_name(kind, {kinds.begin(), kinds.end()});
        return fail("a rule is about country, continent, asn or prefix, not \"" + std::string(kind) + "\"" +
                    (near.empty() ? "" : " (did you mean \"" + near + "\"?)"));
    }
    RuleClause clause;
    clause.kind = static_cast<RuleClause::Kind>(found - kinds.begin());
    for (const std::string& value : split(left.substr(blank), '|')) {
        auto canonical = rule_value(clause.kind, value);
        if (!canonical) return tl::unexpected(canonical.error());
        clause.values.push_back(std::move(*canonical));
    }
    clause.gateways = split(text.substr(arrow + 2), '|');
    if (std::find(clause.gateways.begin(), clause.gateways.end(), "") != clause.gateways.end())
        return fail("a gateway is missing after \"->\"");
    return clause;
}

}  // namespace

const std::vector<std::string>& filter_names() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all;
        for (const Shape& shape : shapes) all.emplace_back(shape.name);
        return all;
    }();
    return names;
}

Result<FilterSpec> FilterSpec::parse(std::string_view text) {
    const std::string_view whole = trim(text);
    const size_t name_end = std::min(whole.find_first_of(" \t("), whole.size());
    FilterSpec spec;
    spec.name = whole.substr(0, name_end);
    const std::string_view rest = trim(whole.substr(name_end));
    const Shape* shape = find_shape(spec.name);
    if (shape == nullptr) {
        const std::string near = nearest_name(spec.name, filter_names());
        return fail("unknown policy filter \"" + spec.name + "\"" +
                    (near.empty() ? "; known are " + join(filter_names(), ", ")
                                  : " (did you mean \"" + near + "\"?)"));
    }
    const auto bad = [&](const std::string& why) {
        return fail("policy filter \"" + std::string(whole) + "\": " + why + "; write it as \"" +
                    std::string(shape->example) + "\"");
    };
    if (shape->takes == Takes::nothing) {
        if (!rest.empty()) return bad("it takes no argument");
        return spec;
    }
    if (shape->takes == Takes::number) {
        std::string_view digits = rest;
        if (digits.size() > 2 && digits.front() == '(' && digits.back() == ')')
            digits = trim(digits.substr(1, digits.size() - 2));
        uint32_t number = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (error != std::errc{} || end != digits.data() + digits.size() || number == 0 || number > 99)
            return bad("it needs a number from 1 to 99");
        spec.number = number;
        return spec;
    }
    if (rest.size() < 2 || rest.front() != '(' || rest.back() != ')')
        return bad("it needs arguments in parentheses");
    const std::vector<std::string> items = split(rest.substr(1, rest.size() - 2), ',');
    if (std::find(items.begin(), items.end(), "") != items.end()) return bad("an argument is empty");
    if (shape->takes == Takes::names) {
        spec.arguments = items;
        return spec;
    }
    for (const std::string& item : items) {
        auto clause = parse_clause(item);
        if (!clause) return bad(clause.error().message);
        spec.rules.push_back(std::move(*clause));
    }
    return spec;
}

std::string FilterSpec::to_string() const {
    std::string text = name;
    if (number) text += " " + std::to_string(*number);
    if (!arguments.empty()) text += "(" + join(arguments, ", ") + ")";
    if (rules.empty()) return text;
    std::vector<std::string> clauses;
    for (const RuleClause& rule : rules)
        clauses.push_back(std::string(kinds.at(static_cast<size_t>(rule.kind))) + " " +
                          join(rule.values, "|") + " -> " + join(rule.gateways, "|"));
    return text + "(" + join(clauses, ", ") + ")";
}

}  // namespace fairway
