// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/control.h"
#include "api/describe.h"
#include "api/routes.h"
#include "api/what_if.h"
#include "base/text.h"
#include "dns/serving.h"
#include "geoip/locator.h"
#include "health/engine.h"
#include "model/target.h"
#include "steering/steering.h"

namespace fairway::api {
namespace {

Json describe_trace(const Control& control, const HealthSnapshot& health, const Trace& trace) {
    const Model& model = *health.model;
    Json steps = Json::array();
    for (const TraceStep& step : trace.steps) {
        Json kept = Json::array();
        for (size_t i = 0; i < step.kept.size(); ++i)
            kept.push_back({{"endpoint", endpoint_path(model, step.kept[i])},
                            {"mark", i < step.marks.size() ? step.marks[i] : ""}});
        Json removed = Json::array();
        for (const TraceStep::Removed& item : step.removed) {
            // The snapshot holds no reasons; the engine does, as long as it is about the same model.
            std::string because;
            if (&control.health().model() == &model && health[item.endpoint].effective != HealthState::up)
                because = control.health().report(item.endpoint, control.monotonic_now()).last_change;
            removed.push_back(
                {{"endpoint", endpoint_path(model, item.endpoint)}, {"why", item.why}, {"because", because}});
        }
        steps.push_back({{"filter", step.filter},
                         {"note", step.note},
                         {"kept", std::move(kept)},
                         {"removed", std::move(removed)}});
    }
    return steps;
}

Response no_such_service(const Model& model, const std::string& name) {
    std::vector<std::string> known;
    for (const Service& service : model.services) {
        known.push_back(service.name);
        known.push_back(service.key);
    }
    const std::string near = nearest_name(name, known);
    return no_such_target("no service \"" + name + "\"" +
                          (near.empty() ? "" : " (did you mean \"" + near + "\"?)"));
}

}  // namespace

Response get_explain(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {"name", "client", "ecs", "without"})) return *wrong;
    const std::string* name_given = request.target.find("name");
    const std::string* client_given = request.target.find("client");
    const std::string* ecs_given = request.target.find("ecs");
    const std::string* without = request.target.find("without");
    if (name_given == nullptr) return bad_request("\"name\" is missing: the DNS name or the service");
    if (client_given == nullptr && ecs_given == nullptr)
        return bad_request("\"client\" is missing: the address that asks, or \"ecs\", its subnet");

    Client client;
    if (ecs_given != nullptr) {
        const auto prefix = IpPrefix::parse(*ecs_given);
        if (!prefix) return bad_request("ecs: " + prefix.error().message);
        client.ecs = *prefix;
        client.source = prefix->address();
    }
    if (client_given != nullptr) {
        const auto address = IpAddress::parse(*client_given);
        if (!address) return bad_request("client: " + address.error().message);
        client.source = *address;
    }

    const std::shared_ptr<const dns::Serving> serving = control.serving();
    const HealthSnapshot& health = *serving->health;
    const Model& model = *health.model;
    std::string name = ascii_lower(*name_given);
    if (name.size() > 1 && name.back() == '.') name.pop_back();
    const auto service = std::find_if(model.services.begin(), model.services.end(), [&](const Service& item) {
        return item.name == name || item.key == name;
    });
    if (service == model.services.end()) return no_such_service(model, name);

    Selection selection;
    Trace trace;
    Json json = document("explain");
    json["name"] = service->name;
    json["service"] = service->key;
    json["client"] = {{"source", client.source.to_string()},
                      {"ecs", client.ecs ? Json(client.ecs->to_string()) : Json(nullptr)}};
    if (without != nullptr) {
        if (const auto resolved = resolve_target(model, *without); !resolved)
            return no_such_target(resolved.error().message);
        Override imagined;
        imagined.state = AdminState::forced_down;
        imagined.target = *without;
        std::vector<Override> overrides = control.store().overrides();
        overrides.push_back(imagined);
        const HealthSnapshot without_it = with_overrides(health, overrides);
        serving->steering->select(service->id, without_it, client, selection, &trace);
        json["without"] = *without;
    } else {
        serving->steering->select(service->id, health, client, selection, &trace);
        json["without"] = nullptr;
    }
    const geoip::Located located = control.locator().locate(selection.decided_by);
    json["client"]["location"] = describe_location(located.location);
    json["answer"] = describe_selection(health, selection);
    json["trace"] = describe_trace(control, health, trace);
    return ok(json);
}

}  // namespace fairway::api
