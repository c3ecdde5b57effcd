// SPDX-License-Identifier: Apache-2.0
#pragma once
// TARGET of the command line and of overrides: `fra1`, `fra1/203.0.113.10`, `region:eu-central`,
// `zone:fra1-az1`, `label:provider=azure`, or a glob over gateway names or over endpoint paths.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/model.h"

namespace fairway {

/// What a TARGET stands for: whole gateways, or single endpoints. Exactly one of the two is filled.
struct ResolvedTarget {
    std::vector<GatewayId> gateways;
    std::vector<EndpointId> endpoints;
};

/// The error says what is unknown and what was near: `no gateway "fra" (did you mean "fra1"?)`.
[[nodiscard]] Result<ResolvedTarget> resolve_target(const Model& model, std::string_view target);
/// Every endpoint under it.
[[nodiscard]] std::vector<EndpointId> endpoints_of(const Model& model, const ResolvedTarget& target);

}  // namespace fairway
