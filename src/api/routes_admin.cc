// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/control.h"
#include "api/describe.h"
#include "api/routes.h"
#include "base/duration.h"
#include "base/text.h"
#include "geoip/locator.h"
#include "model/target.h"

namespace fairway::api {
namespace {

void reply_outcome(const ReloadOutcome& outcome, std::string_view schema, const Reply& reply) {
    Json json = document(schema);
    json["accepted"] = outcome.accepted;
    json["changes"] = outcome.changes;
    json["diagnostics"] = describe_diagnostics(outcome.diagnostics);
    if (outcome.accepted) return reply(ok(json));
    size_t errors = 0;
    for (const config::Diagnostic& item : outcome.diagnostics)
        errors += item.severity == config::Diagnostic::Severity::error;
    Response response = problem(422, "config-refused",
                                "the configuration has " + std::to_string(errors) +
                                    (errors == 1 ? " error" : " errors") + "; what was in force stays");
    Json full = Json::parse(response.body);
    full.update(json);
    response.body = text_of(full);
    reply(std::move(response));
}

/// The probes of one request, which end at different times.
struct ProbeRound {
    Json results = Json::array();
    size_t open = 0;
    Reply reply;
    std::string gateway;
};

}  // namespace

Response get_config(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {})) return *wrong;
    Json json = document("config");
    json["files"] = Json::array();
    for (const auto& file : control.config().files) json["files"].push_back(file.string());
    json["toml"] = config::show(control.config());
    return ok(json);
}

void post_config_check(const Request& request, Control& control, Reply reply) {
    if (auto wrong = unexpected_arguments(request, {})) return reply(*wrong);
    control.check_config(
        [reply](const ReloadOutcome& outcome) { reply_outcome(outcome, "config-check", reply); });
}

void post_reload(const Request& request, Control& control, Reply reply) {
    if (auto wrong = unexpected_arguments(request, {})) return reply(*wrong);
    control.reload(request.caller.name,
                   [reply](const ReloadOutcome& outcome) { reply_outcome(outcome, "reload", reply); });
}

void post_probe(const Request& request, Control& control, Reply reply) {
    if (auto wrong = unexpected_arguments(request, {"endpoint", "monitor"})) return reply(*wrong);
    const std::shared_ptr<const Model> model = control.model();
    const std::string* endpoint_name = request.target.find("endpoint");
    const std::string* monitor_name = request.target.find("monitor");
    const std::string target =
        request.target.segments[3] + (endpoint_name == nullptr ? "" : "/" + *endpoint_name);
    const auto resolved = resolve_target(*model, target);
    if (!resolved) return reply(no_such_target(resolved.error().message));

    std::vector<std::pair<EndpointId, MonitorId>> probes;
    for (const EndpointId endpoint : endpoints_of(*model, *resolved))
        for (const MonitorId monitor : (*model)[(*model)[endpoint].gateway].monitors)
            if (monitor_name == nullptr || (*model)[monitor].name == *monitor_name)
                probes.emplace_back(endpoint, monitor);
    if (probes.empty())
        return reply(no_such_target(monitor_name == nullptr
                                        ? target + " has no monitors"
                                        : target + " has no monitor \"" + *monitor_name + "\""));
    constexpr size_t most = 1000;
    if (probes.size() > most)
        return reply(
            bad_request("that is " + std::to_string(probes.size()) + " probes; at most 1000 at once"));

    auto round = std::make_shared<ProbeRound>();
    round->open = probes.size();
    round->reply = std::move(reply);
    round->gateway = request.target.segments[3];
    round->results = Json(Json::array_t(probes.size()));
    for (size_t i = 0; i < probes.size(); ++i) {
        const auto [endpoint, monitor] = probes[i];
        Json entry = {{"endpoint", endpoint_path(*model, endpoint)},
                      {"monitor", (*model)[monitor].name},
                      {"type", (*model)[monitor].type()}};
        control.probe_now(
            endpoint, monitor,
            [round, i, entry](const ProbeResult& result, const std::vector<std::string>& steps) {
                Json complete = entry;
                complete["steps"] = steps;
                complete["result"] = describe_result(result);
                round->results[i] = std::move(complete);
                if (--round->open > 0) return;
                Json json = document("probe");
                json["gateway"] = round->gateway;
                json["results"] = std::move(round->results);
                round->reply(ok(json));
            });
    }
}

Response post_confirm(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {})) return *wrong;
    const std::shared_ptr<const Model> model = control.model();
    const std::string name = ascii_lower(request.target.segments[3]);
    const auto service =
        std::find_if(model->services.begin(), model->services.end(),
                     [&](const Service& item) { return item.key == name || item.name == name; });
    if (service == model->services.end()) {
        std::vector<std::string> known;
        for (const Service& item : model->services) known.push_back(item.key);
        const std::string near = nearest_name(name, known);
        return no_such_target("no service \"" + name + "\"" +
                              (near.empty() ? "" : " (did you mean \"" + near + "\"?)"));
    }
    const auto released = control.confirm(service->id, request.caller.name);
    if (!released) return problem(409, "nothing-waits", released.error().message);
    Json json = document("confirm");
    json["service"] = service->key;
    json["gateways"] = Json::array();
    for (const GatewayId id : *released) json["gateways"].push_back((*model)[id].name);
    return ok(json);
}

Response get_geoip_lookup(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {"ip"})) return *wrong;
    const std::string* text = request.target.find("ip");
    if (text == nullptr) return bad_request("\"ip\" is missing");
    const auto address = IpAddress::parse(*text);
    if (!address) return bad_request(address.error().message);
    const geoip::Locator& locator = control.locator();
    const geoip::Located located = locator.locate(*address);
    Json json = document("geoip-lookup");
    json["ip"] = address->to_string();
    json["network"] = located.network.to_string();
    json["location"] = describe_location(located.location);
    json["from_centroid"] = located.from_centroid;
    switch (located.origin) {
        case geoip::Origin::nothing:
            json["origin"] = "nothing";
            break;
        case geoip::Origin::own_prefix:
            json["origin"] = "own prefix";
            break;
        case geoip::Origin::database:
            json["origin"] = locator.sources().databases[located.database].string();
            break;
    }
    return ok(json);
}

Response get_geoip_info(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {})) return *wrong;
    Json json = document("geoip-info");
    json["own_prefixes"] = control.locator().sources().own.size();
    json["databases"] = Json::array();
    for (const geoip::DatabaseInfo& info : control.locator().databases()) {
        const auto age = std::chrono::duration_cast<seconds>(control.now() - info.built);
        json["databases"].push_back({{"path", info.path.string()},
                                     {"type", info.type},
                                     {"description", info.description},
                                     {"ip_version", info.ip_version},
                                     {"nodes", info.node_count},
                                     {"bytes", info.file_size},
                                     {"built", format_rfc3339(info.built)},
                                     {"age_seconds", age.count()},
                                     {"country", info.has_country},
                                     {"continent", info.has_continent},
                                     {"coordinates", info.has_coordinates},
                                     {"asn", info.has_asn}});
    }
    return ok(json);
}

void post_geoip_reload(const Request& request, Control& control, Reply reply) {
    if (auto wrong = unexpected_arguments(request, {})) return reply(*wrong);
    control.reload_geoip(request.caller.name, [&control, reply](const Result<void>& outcome) {
        if (!outcome) return reply(problem(422, "geoip-refused", outcome.error().message));
        Json json = document("geoip-reload");
        json["databases"] = control.locator().databases().size();
        reply(ok(json));
    });
}

}  // namespace fairway::api
