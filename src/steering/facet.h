// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a location-dependent filter wants to know about a client. Two clients whose facets all come out the
// same are of one class and get the same answer; nothing else about where they are matters.
//
// An outcome is a row of small numbers:
//   ranking    by RegionId: 0 for the nearest, equal for equally near; `unranked` for regions that the facet
//              does not ask about or that have no coordinates. All 0 when the client's place is not known.
//   clauses    the positions of the clauses that match the client, ascending

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/ip.h"
#include "model/filter_spec.h"
#include "model/location.h"
#include "model/model.h"

namespace fairway {

struct Facet {
    static constexpr uint16_t unranked = UINT16_MAX;

    std::vector<RegionId> regions;    // sorted, of a ranking; else empty
    std::vector<RuleClause> clauses;  // of clauses; else empty

    [[nodiscard]] bool is_ranking() const noexcept { return clauses.empty(); }
    friend bool operator==(const Facet&, const Facet&) = default;

    /// Every prefix that a clause names.
    [[nodiscard]] std::vector<IpPrefix> prefixes() const;
    /// Without the clauses about prefixes, which do not depend on the location.
    [[nodiscard]] std::vector<uint16_t> outcome(const Model& model, const Location& location) const;
    /// The clauses that match by a prefix all clients inside `network`, of which prefixes() cut nothing.
    [[nodiscard]] std::vector<uint16_t> prefix_matches(const IpPrefix& network) const;
};

}  // namespace fairway
