// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the server knows, as JSON values. One function for each kind of thing, used by every route that shows
// one, so that a gateway looks the same wherever it appears.

#include <nlohmann/json_fwd.hpp>

#include "api/control.h"
#include "api/json.h"
#include "model/event.h"
#include "model/probe_result.h"
#include "steering/selection.h"

namespace fairway::api {

[[nodiscard]] Json describe_node(const NodeInfo& node, const Control& control);
[[nodiscard]] Json describe_service(const Control& control, const Service& service);
[[nodiscard]] Json describe_region(const Control& control, const Region& region);
/// The gateway as one line of a list.
[[nodiscard]] Json describe_gateway(const Control& control, const Gateway& gateway);
/// The gateway with its endpoints, and each of those with its monitors.
[[nodiscard]] Json describe_gateway_fully(const Control& control, const Gateway& gateway);
[[nodiscard]] Json describe_endpoint(const Control& control, const Endpoint& endpoint);
/// With what it stands for at present and whether it contradicts the probes.
[[nodiscard]] Json describe_override(const Control& control, const Override& item);
[[nodiscard]] Json describe_event(const Event& event);
[[nodiscard]] Json describe_audit(const AuditEntry& entry);
[[nodiscard]] Json describe_result(const ProbeResult& result);
[[nodiscard]] Json describe_location(const Location& location);
/// What is answered: addresses in order, TTL, scope.
[[nodiscard]] Json describe_selection(const HealthSnapshot& health, const Selection& selection);
[[nodiscard]] Json describe_diagnostics(const std::vector<config::Diagnostic>& diagnostics);

/// A service as one word: "up", "degraded" (some gateways are not usable), "down" (none is), "waiting".
[[nodiscard]] std::string_view service_state(const Control& control, const Service& service);
/// When no resolver may still hold an answer with one of these gateways that was given before `since`:
/// absent when no service answers with them.
[[nodiscard]] std::optional<WallTime> clear_of_dns(const Model& model,
                                                   const std::vector<EndpointId>& endpoints, WallTime since);

}  // namespace fairway::api
