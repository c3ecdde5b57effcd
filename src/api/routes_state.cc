// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/control.h"
#include "api/describe.h"
#include "api/routes.h"
#include "base/duration.h"
#include "base/text.h"
#include "health/engine.h"
#include "model/target.h"

namespace fairway::api {
namespace {

Json services_of(const Control& control) {
    Json list = Json::array();
    for (const Service& service : control.model()->services)
        list.push_back(describe_service(control, service));
    return list;
}

Json regions_of(const Control& control) {
    Json list = Json::array();
    for (const Region& region : control.model()->regions) list.push_back(describe_region(control, region));
    return list;
}

Json gateways_of(const Control& control) {
    Json list = Json::array();
    for (const Gateway& gateway : control.model()->gateways)
        list.push_back(describe_gateway(control, gateway));
    return list;
}

/// What an operator should see before anything else.
Json problems_of(Control& control) {
    Json problems = Json::array();
    const NodeInfo node = control.node();
    if (!node.ready) problems.push_back("not ready: the first probe round is not over");
    if (control.health().isolated())
        problems.push_back("this node suspects its own network: the last known states stand");
    if (!control.store().outage().empty())
        problems.push_back("overrides cannot be kept: " + control.store().outage());
    for (const Service& service : control.model()->services) {
        const std::string_view state = service_state(control, service);
        if (state == "down") problems.push_back("service " + service.key + " has no usable gateway");
        if (state == "waiting") problems.push_back("service " + service.key + " waits with a failover");
    }
    return problems;
}

const Gateway* find_gateway(const Model& model, std::string_view name) {
    const auto at = std::find_if(model.gateways.begin(), model.gateways.end(),
                                 [&](const Gateway& gateway) { return gateway.name == name; });
    return at == model.gateways.end() ? nullptr : &*at;
}

}  // namespace

Response get_status(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {})) return *wrong;
    Json json = document("status");
    json["time"] = format_rfc3339(control.now());
    json["node"] = describe_node(control.node(), control);
    json["problems"] = problems_of(control);
    json["services"] = services_of(control);
    json["regions"] = regions_of(control);
    json["gateways"] = gateways_of(control);
    json["overrides"] = Json::array();
    for (const Override& item : control.store().overrides())
        json["overrides"].push_back(describe_override(control, item));
    return ok(json);
}

Response get_services(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {})) return *wrong;
    Json json = document("services");
    json["services"] = services_of(control);
    return ok(json);
}

Response get_regions(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {})) return *wrong;
    Json json = document("regions");
    json["regions"] = regions_of(control);
    json["zones"] = Json::array();
    for (const AreaReport& zone : control.health().zones())
        json["zones"].push_back({{"zone", zone.name},
                                 {"state", to_string(zone.effective)},
                                 {"gateways_up", zone.up},
                                 {"gateways_total", zone.total}});
    return ok(json);
}

Response get_gateways(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {})) return *wrong;
    Json json = document("gateways");
    json["gateways"] = gateways_of(control);
    return ok(json);
}

Response get_gateway(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {})) return *wrong;
    const std::shared_ptr<const Model> model = control.model();
    const std::string name = ascii_lower(request.target.segments[3]);
    const Gateway* gateway = find_gateway(*model, name);
    if (gateway == nullptr) {
        std::vector<std::string> known;
        for (const Gateway& item : model->gateways) known.push_back(item.name);
        const std::string near = nearest_name(name, known);
        return no_such_target("no gateway \"" + name + "\"" +
                              (near.empty() ? "" : " (did you mean \"" + near + "\"?)"));
    }
    Json json = document("gateway");
    json.update(describe_gateway_fully(control, *gateway));
    json["overrides"] = Json::array();
    for (const Override& item : control.store().overrides()) {
        const auto resolved = resolve_target(*model, item.target);
        if (!resolved) continue;
        const std::vector<EndpointId> endpoints = endpoints_of(*model, *resolved);
        if (std::any_of(endpoints.begin(), endpoints.end(),
                        [&](EndpointId id) { return (*model)[id].gateway == gateway->id; }))
            json["overrides"].push_back(describe_override(control, item));
    }
    return ok(json);
}

Response get_endpoint(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {})) return *wrong;
    const std::shared_ptr<const Model> model = control.model();
    const std::string path = request.target.segments[3] + "/" + request.target.segments[4];
    for (const Endpoint& endpoint : model->endpoints) {
        if (endpoint_path(*model, endpoint.id) != path) continue;
        Json json = document("endpoint");
        json.update(describe_endpoint(control, endpoint));
        return ok(json);
    }
    return no_such_target("no endpoint \"" + path + "\"");
}

/// TARGET as everywhere, or service:NAME, or nothing for the node and all its services. The states and their
/// order are those of monitoring plug-ins: ok, warning, critical, unknown.
Response get_check(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {"target"})) return *wrong;
    const std::shared_ptr<const Model> model = control.model();
    const std::string* given = request.target.find("target");
    const std::string target = given == nullptr ? "" : *given;
    std::string_view state = "ok";
    std::string text;
    const auto count = [](size_t up, size_t total) {
        return std::to_string(up) + " of " + std::to_string(total);
    };
    if (target.empty()) {
        const Json problems = problems_of(control);
        size_t down = 0;
        for (const Service& service : model->services) down += service_state(control, service) == "down";
        state = down > 0 ? "critical" : problems.empty() ? "ok" : "warning";
        text = count(model->services.size() - down, model->services.size()) + " services have gateways";
        for (const Json& item : problems) text += "; " + item.get<std::string>();
    } else if (target.rfind("service:", 0) == 0) {
        const std::string name = ascii_lower(target.substr(8));
        const auto service =
            std::find_if(model->services.begin(), model->services.end(),
                         [&](const Service& item) { return item.key == name || item.name == name; });
        if (service == model->services.end()) return no_such_target("no service \"" + name + "\"");
        const ServiceReport report = control.health().report(service->id);
        const std::string_view word = service_state(control, *service);
        state = word == "up" ? "ok" : word == "down" ? "critical" : "warning";
        text = "service " + service->key + " is " + std::string(word) + ": " +
               count(report.up, report.total) + " gateways usable";
    } else {
        const auto resolved = resolve_target(*model, target);
        if (!resolved) return no_such_target(resolved.error().message);
        size_t serving = 0, down = 0, withheld = 0, unknown = 0, doubtful = 0;
        std::string reasons;
        const std::vector<EndpointId> endpoints = endpoints_of(*model, *resolved);
        for (const EndpointId id : endpoints) {
            const EndpointReport report = control.health().report(id, control.monotonic_now());
            serving += report.status.serving;
            withheld += report.status.withheld;
            unknown += report.status.measured == HealthState::unknown;
            doubtful += report.status.effective == HealthState::degraded;
            if (report.status.effective != HealthState::down) continue;
            ++down;
            if (down <= 3)
                reasons += "; " + endpoint_path(*model, id) + ": " + std::string(report.last_change);
        }
        const size_t total = endpoints.size();
        if (unknown == total)
            state = "unknown";
        else if (down == total)
            state = "critical";
        else if (down + withheld + doubtful + unknown > 0)
            state = "warning";
        text = target + ": " + count(serving, total) + " endpoints serve";
        if (withheld > 0) text += ", " + std::to_string(withheld) + " withheld by operators";
        text += reasons;
    }
    Json json = document("check");
    json["target"] = target;
    json["state"] = state;
    json["text"] = text;
    return ok(json);
}

Response get_healthz(const Request&, Control&) {
    Response response;
    response.content_type = "text/plain; charset=utf-8";
    response.body = "ok\n";
    return response;
}

Response get_readyz(const Request&, Control& control) {
    Response response = get_healthz({}, control);
    if (control.node().ready) return response;
    response.status = 503;
    response.body = "not ready: the first probe round is not over\n";
    return response;
}

}  // namespace fairway::api
