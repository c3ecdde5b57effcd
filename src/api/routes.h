// SPDX-License-Identifier: Apache-2.0
#pragma once
// The HTTP API without HTTP: a table from method and path to plain functions. A new resource is a function in
// a routes_*.cc, a line here, and a line in the table.

#include <span>
#include <string_view>
#include <variant>

#include "api/http.h"

namespace fairway {
class Control;
}

namespace fairway::api {

/// Who may use a route.
enum class Needs : uint8_t {
    nothing,   // health checks of the node itself
    reading,   // any caller that was let in
    operating  // a caller that may change things
};

struct Route {
    Method method = Method::get;
    std::string_view path;  // "{}" stands for one segment
    Needs needs = Needs::reading;
    std::string_view summary;
    /// Answers at once, or later.
    std::variant<Response (*)(const Request&, Control&), void (*)(const Request&, Control&, Reply)> handler;
};

/// Every route there is, in the order of their documentation.
[[nodiscard]] std::span<const Route> routes() noexcept;

/// Finds the route, checks that the caller may use it, and answers: exactly one reply, always. Unknown paths
/// and methods are problems too. An exception out of a route is a 500, and logged.
void dispatch(const Request& request, Control& control, Reply reply);

/// The route of a request, or null: what a transport must know before the body has come.
[[nodiscard]] const Route* find_route(Method method, const Target& target) noexcept;

// routes_state.cc
Response get_status(const Request& request, Control& control);
Response get_services(const Request& request, Control& control);
Response get_regions(const Request& request, Control& control);
Response get_gateways(const Request& request, Control& control);
Response get_gateway(const Request& request, Control& control);
Response get_endpoint(const Request& request, Control& control);
Response get_check(const Request& request, Control& control);
Response get_healthz(const Request& request, Control& control);
Response get_readyz(const Request& request, Control& control);
// routes_explain.cc
Response get_explain(const Request& request, Control& control);
// routes_overrides.cc
Response get_overrides(const Request& request, Control& control);
void post_override(const Request& request, Control& control, Reply reply);
void post_override_extend(const Request& request, Control& control, Reply reply);
void delete_override(const Request& request, Control& control, Reply reply);
// routes_challenges.cc
Response get_challenges(const Request& request, Control& control);
Response post_challenge(const Request& request, Control& control);
Response delete_challenge(const Request& request, Control& control);
// routes_events.cc
void get_events(const Request& request, Control& control, Reply reply);
void get_audit(const Request& request, Control& control, Reply reply);
// routes_admin.cc
Response get_config(const Request& request, Control& control);
void post_config_check(const Request& request, Control& control, Reply reply);
void post_reload(const Request& request, Control& control, Reply reply);
void post_probe(const Request& request, Control& control, Reply reply);
Response post_confirm(const Request& request, Control& control);
Response get_geoip_lookup(const Request& request, Control& control);
Response get_geoip_info(const Request& request, Control& control);
void post_geoip_reload(const Request& request, Control& control, Reply reply);

// routes_zones.cc
Response get_zones(const Request& request, Control& control);
Response get_zone(const Request& request, Control& control);
void post_zone_roll(const Request& request, Control& control, Reply reply);
void post_zone_ds_seen(const Request& request, Control& control, Reply reply);

// Shared by them.

/// Refuses arguments that the route does not know.
[[nodiscard]] std::optional<Response> unexpected_arguments(const Request& request,
                                                           std::initializer_list<std::string_view> known);
[[nodiscard]] Response bad_request(std::string_view detail);
[[nodiscard]] Response no_such_target(std::string_view detail);

}  // namespace fairway::api
