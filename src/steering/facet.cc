// SPDX-License-Identifier: Apache-2.0
#include "steering/facet.h"

#include <algorithm>
#include <utility>

#include "steering/great_circle.h"

namespace fairway {
namespace {

bool matches(const RuleClause& clause, const Location& location) {
    const auto any = [&clause](const std::string& value) {
        return std::find(clause.values.begin(), clause.values.end(), value) != clause.values.end();
    };
    switch (clause.kind) {
        case RuleClause::Kind::country:
            return !location.country.empty() && any(location.country);
        case RuleClause::Kind::continent:
            return !location.continent.empty() && any(location.continent);
        case RuleClause::Kind::asn:
            return location.asn != 0 && any(std::to_string(location.asn));
        case RuleClause::Kind::prefix:
            return false;
    }
    return false;
}

std::vector<uint16_t> rank(const Model& model, const std::vector<RegionId>& regions,
                           const std::optional<Coordinates>& client) {
    std::vector<uint16_t> ranks(model.regions.size(), client ? Facet::unranked : uint16_t{0});
    if (!client) return ranks;
    std::vector<std::pair<double, RegionId>> by_distance;
    for (const RegionId id : regions) {
        if (model[id].location) by_distance.emplace_back(great_circle_km(*client, *model[id].location), id);
    }
    std::sort(by_distance.begin(), by_distance.end());
    uint16_t next = 0;
    for (size_t i = 0; i < by_distance.size(); ++i) {
        if (i > 0 && by_distance[i].first > by_distance[i - 1].first) ++next;
        ranks[by_distance[i].second.index()] = next;
    }
    return ranks;
}

/// The values of a prefix clause; the grammar has let only prefixes through.
std::vector<IpPrefix> prefixes_of(const RuleClause& clause) {
    std::vector<IpPrefix> prefixes;
    if (clause.kind != RuleClause::Kind::prefix) return prefixes;
    for (const std::string& value : clause.values) {
        if (const auto prefix = IpPrefix::parse(value)) prefixes.push_back(*prefix);
    }
    return prefixes;
}

}  // namespace

std::vector<IpPrefix> Facet::prefixes() const {
    std::vector<IpPrefix> all;
    for (const RuleClause& clause : clauses) {
        const auto some = prefixes_of(clause);
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

std::vector<uint16_t> Facet::outcome(const Model& model, const Location& location) const {
    if (is_ranking()) return rank(model, regions, location.coordinates);
    std::vector<uint16_t> matching;
    for (size_t i = 0; i < clauses.size(); ++i) {
        if (matches(clauses[i], location)) matching.push_back(static_cast<uint16_t>(i));
    }
    return matching;
}

std::vector<uint16_t> Facet::prefix_matches(const IpPrefix& network) const {
    std::vector<uint16_t> matching;
    for (size_t i = 0; i < clauses.size(); ++i) {
        const auto prefixes = prefixes_of(clauses[i]);
        const bool inside = std::any_of(prefixes.begin(), prefixes.end(), [&](const IpPrefix& prefix) {
            return prefix.length() <= network.length() && prefix.contains(network.address());
        });
        if (inside) matching.push_back(static_cast<uint16_t>(i));
    }
    return matching;
}

}  // namespace fairway
