// SPDX-License-Identifier: Apache-2.0
#include "api/routes.h"

#include <algorithm>
#include <array>
#include <exception>
#include <memory>

#include "base/log.h"
#include "base/text.h"

namespace fairway::api {
namespace {

constexpr std::array table{
    Route{Method::get, "/healthz", Needs::nothing, "The process serves", get_healthz},
    Route{Method::get, "/readyz", Needs::nothing, "The first probe round is over and DNS is answered",
          get_readyz},
    Route{Method::get, "/api/v1/status", Needs::reading, "Everything on one page", get_status},
    Route{Method::get, "/api/v1/services", Needs::reading, "Steered names", get_services},
    Route{Method::get, "/api/v1/regions", Needs::reading, "Regions", get_regions},
    Route{Method::get, "/api/v1/gateways", Needs::reading, "Gateways", get_gateways},
    Route{Method::get, "/api/v1/gateways/{}", Needs::reading, "One gateway with its endpoints", get_gateway},
    Route{Method::post, "/api/v1/gateways/{}/probe", Needs::operating, "Probe now", post_probe},
    Route{Method::get, "/api/v1/endpoints/{}/{}", Needs::reading, "One endpoint: gateway, endpoint",
          get_endpoint},
    Route{Method::get, "/api/v1/check", Needs::reading, "A target's state for monitoring systems", get_check},
    Route{Method::get, "/api/v1/explain", Needs::reading, "What a client gets, and why", get_explain},
    Route{Method::get, "/api/v1/overrides", Needs::reading, "Overrides in force", get_overrides},
    Route{Method::post, "/api/v1/overrides", Needs::operating, "Set overrides", post_override},
    Route{Method::post, "/api/v1/overrides/{}/extend", Needs::operating, "Change an override's end",
          post_override_extend},
    Route{Method::delete_, "/api/v1/overrides/{}", Needs::operating, "Clear an override", delete_override},
    Route{Method::post, "/api/v1/services/{}/confirm", Needs::operating, "Let a waiting failover happen",
          post_confirm},
    Route{Method::get, "/api/v1/challenges", Needs::reading, "ACME challenges that stand", get_challenges},
    Route{Method::post, "/api/v1/challenges", Needs::operating, "Set an ACME challenge", post_challenge},
    Route{Method::delete_, "/api/v1/challenges", Needs::operating, "Clear ACME challenges", delete_challenge},
    Route{Method::get, "/api/v1/zones", Needs::reading, "Zones and their keys", get_zones},
    Route{Method::get, "/api/v1/zones/{}", Needs::reading, "One zone with its keys and DS records", get_zone},
    Route{Method::post, "/api/v1/zones/{}/roll", Needs::operating, "Start a key rollover", post_zone_roll},
    Route{Method::post, "/api/v1/zones/{}/ds-seen", Needs::operating, "The parent has the new DS",
          post_zone_ds_seen},
    Route{Method::get, "/api/v1/events", Needs::reading, "What happened; a stream on request", get_events},
    Route{Method::get, "/api/v1/audit", Needs::reading, "Who changed what", get_audit},
    Route{Method::get, "/api/v1/config", Needs::reading, "The configuration in force", get_config},
    Route{Method::post, "/api/v1/config/check", Needs::operating, "What a reload would do",
          post_config_check},
    Route{Method::post, "/api/v1/reload", Needs::operating, "Read the configuration again", post_reload},
    Route{Method::get, "/api/v1/geoip/lookup", Needs::reading, "Where an address is", get_geoip_lookup},
    Route{Method::get, "/api/v1/geoip/info", Needs::reading, "The geo databases", get_geoip_info},
    Route{Method::post, "/api/v1/geoip/reload", Needs::operating, "Open the geo databases again",
          post_geoip_reload},
};

bool matches(std::string_view path, const std::vector<std::string>& segments) {
    for (const std::string& segment : segments) {
        if (path.empty()) return false;
        path.remove_prefix(1);
        const std::string_view part = path.substr(0, path.find('/'));
        if (part != "{}" && part != segment) return false;
        path.remove_prefix(part.size());
    }
    return path.empty() && !segments.empty();
}

Response no_route(const Target& target) {
    std::string allowed;
    for (const Route& route : table)
        if (matches(route.path, target.segments))
            allowed += (allowed.empty() ? "" : ", ") + std::string(to_string(route.method));
    if (allowed.empty()) return problem(404, "no-such-path", "there is nothing here");
    Response response = problem(405, "method-not-allowed", "this takes " + allowed);
    response.headers.emplace_back("allow", allowed);
    return response;
}

}  // namespace

std::span<const Route> routes() noexcept {
    return table;
}

const Route* find_route(Method method, const Target& target) noexcept {
    const auto at = std::find_if(table.begin(), table.end(), [&](const Route& route) {
        return route.method == method && matches(route.path, target.segments);
    });
    return at == table.end() ? nullptr : &*at;
}

void dispatch(const Request& request, Control& control, Reply reply) {
    const Route* route = find_route(request.method, request.target);
    if (route == nullptr) return reply(no_route(request.target));
    if (route->needs == Needs::operating && !request.caller.operates)
        return reply(problem(403, "not-permitted", "this connection may only read"));
    if (request.body.size() > Request::max_body)
        return reply(problem(413, "too-large", "a body has at most 1 MiB"));
    // A route may fail after it has handed the reply on; then there is nothing more to say to the caller.
    auto once = std::make_shared<Reply>(std::move(reply));
    const auto reply_once = [once](Response response) {
        if (const auto function = std::exchange(*once, nullptr)) function(std::move(response));
    };
    try {
        if (const auto* now = std::get_if<0>(&route->handler))
            reply_once((*now)(request, control));
        else
            std::get<1>(route->handler)(request, control, reply_once);
    } catch (const std::exception& error) {
        log::error("API: " + std::string(to_string(request.method)) + " " + std::string(route->path) + ": " +
                   error.what());
        reply_once(problem(500, "internal", "the request failed; the server's log says why"));
    }
}

std::optional<Response> unexpected_arguments(const Request& request,
                                             std::initializer_list<std::string_view> known) {
    for (const auto& [key, value] : request.target.query) {
        if (std::find(known.begin(), known.end(), key) != known.end()) continue;
        const std::string near = nearest_name(key, {known.begin(), known.end()});
        return bad_request("unknown argument \"" + key + "\"" +
                           (near.empty() ? "" : " (did you mean \"" + near + "\"?)"));
    }
    return std::nullopt;
}

Response bad_request(std::string_view detail) {
    return problem(400, "bad-request", detail);
}

Response no_such_target(std::string_view detail) {
    return problem(404, "no-such-target", detail);
}

}  // namespace fairway::api
