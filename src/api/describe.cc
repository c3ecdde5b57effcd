// SPDX-License-Identifier: Apache-2.0
#include "api/describe.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/duration.h"
#include "health/engine.h"
#include "model/target.h"
#include "store/records.h"

namespace fairway::api {
namespace {

/// An instant of the health engine for people.
std::string wall(const Control& control, MonotonicTime time) {
    return format_rfc3339(control.now() -
                          std::chrono::duration_cast<WallTime::duration>(control.monotonic_now() - time));
}

double in_milliseconds(nanoseconds duration) {
    return std::round(std::chrono::duration<double, std::milli>(duration).count() * 1000) / 1000;
}

template <class Time>
Json optional_wall(const Control& control, const std::optional<Time>& time) {
    return time ? Json(wall(control, *time)) : Json(nullptr);
}

Json describe_counters(const Counters& counters) {
    Json json = Json::object();
    for (const auto& [name, count] : counters) json[name] = count;
    return json;
}

Json describe_monitor(const Control& control, const MonitorReport& report) {
    const Monitor& monitor = (*control.model())[report.monitor];
    Json json = {{"monitor", monitor.name},
                 {"type", monitor.type()},
                 {"state", to_string(report.state)},
                 {"in_doubt", report.in_doubt},
                 {"since", wall(control, report.since)},
                 {"failures", report.failures},
                 {"successes", report.successes},
                 {"reason", report.last_change},
                 {"last", nullptr},
                 {"last_at", optional_wall(control, report.last_at)}};
    if (report.last != nullptr) json["last"] = describe_result(*report.last);
    return json;
}

}  // namespace

Json describe_node(const NodeInfo& node, const Control& control) {
    Json dns = Json::array();
    for (const SocketAddress& address : node.dns) dns.push_back(address.to_string());
    return {{"name", node.name},
            {"version", node.version},
            {"started", format_rfc3339(node.started)},
            {"uptime_seconds", std::chrono::duration_cast<seconds>(node.uptime).count()},
            {"pid", node.pid},
            {"took_over_from", node.took_over_from == 0 ? Json() : Json(node.took_over_from)},
            {"takeovers", node.takeovers},
            {"serving_since", format_rfc3339(node.since)},
            {"ready", node.ready},
            {"isolated", control.health().isolated()},
            {"loop_lag_ms", in_milliseconds(node.loop_lag)},
            {"dns", std::move(dns)},
            {"dns_counters", describe_counters(node.dns_counters)},
            {"probe_counters", describe_counters(node.probe_counters)}};
}

std::string_view service_state(const Control& control, const Service& service) {
    const ServiceReport report = control.health().report(service.id);
    if (!report.held.empty()) return "waiting";
    if (report.up == report.total) return "up";
    return report.up == 0 ? "down" : "degraded";
}

Json describe_service(const Control& control, const Service& service) {
    const std::shared_ptr<const Model> model = control.model();
    const ServiceReport report = control.health().report(service.id);
    Json gateways = Json::array();
    for (const GatewayId id : service.gateways) gateways.push_back((*model)[id].name);
    Json policy = Json::array();
    for (const FilterSpec& filter : service.policy) policy.push_back(filter.to_string());
    Json held = Json::array();
    for (const auto& item : report.held)
        held.push_back({{"gateway", (*model)[item.gateway].name},
                        {"since", wall(control, item.since)},
                        {"until", optional_wall(control, item.until)}});
    return {{"service", service.key},
            {"name", service.name},
            {"state", service_state(control, service)},
            {"gateways_up", report.up},
            {"gateways_total", report.total},
            {"endpoints_serving", report.serving},
            {"gateways", std::move(gateways)},
            {"policy", std::move(policy)},
            {"ttl_max", service.ttl_max.count()},
            {"ttl_min", service.ttl_min.count()},
            {"waiting", std::move(held)}};
}

Json describe_region(const Control& control, const Region& region) {
    const AreaReport report = control.health().report(region.id);
    Json gateways = Json::array();
    for (const Gateway& gateway : control.model()->gateways)
        if (gateway.region == region.id) gateways.push_back(gateway.name);
    Json json = {{"region", region.name},           {"state", to_string(report.effective)},
                 {"gateways_up", report.up},        {"gateways_total", report.total},
                 {"gateways", std::move(gateways)}, {"location", nullptr}};
    if (region.location)
        json["location"] = {{"latitude", region.location->latitude},
                            {"longitude", region.location->longitude}};
    return json;
}

Json describe_gateway(const Control& control, const Gateway& gateway) {
    const GatewayReport report = control.health().report(gateway.id);
    const std::shared_ptr<const Model> model = control.model();
    return {{"gateway", gateway.name},
            {"region", (*model)[gateway.region].name},
            {"zone", gateway.zone},
            {"mode", gateway.mode == GatewayMode::active_active ? "active-active" : "active-standby"},
            {"state", to_string(report.status.effective)},
            {"measured", to_string(report.status.measured)},
            {"admin", to_string(report.status.admin)},
            {"usable", report.status.usable},
            {"in_doubt", report.status.in_doubt},
            {"endpoints_up", report.up},
            {"endpoints_serving", report.serving},
            {"endpoints_total", report.total},
            {"since", wall(control, report.since)},
            {"reason", report.last_change}};
}

Json describe_gateway_fully(const Control& control, const Gateway& gateway) {
    const GatewayReport report = control.health().report(gateway.id);
    const std::shared_ptr<const Model> model = control.model();
    Json json = describe_gateway(control, gateway);
    std::string health = gateway.health_text;
    for (const MonitorId monitor : gateway.monitors) {
        if (gateway.health_text.empty()) health += (health.empty() ? "" : " and ") + (*model)[monitor].name;
    }
    json["health"] = health;
    json["min_up"] = gateway.min_up;
    json["weight"] = gateway.weight;
    json["labels"] = Json::object();
    for (const auto& [key, value] : gateway.labels) json["labels"][key] = value;
    json["active"] = report.active.valid() ? Json(endpoint_path(*model, report.active)) : Json(nullptr);
    json["failback_at"] = optional_wall(control, report.failback_at);
    json["services"] = Json::array();
    for (const Service& service : model->services)
        if (std::find(service.gateways.begin(), service.gateways.end(), gateway.id) != service.gateways.end())
            json["services"].push_back(service.key);
    json["endpoints"] = Json::array();
    for (const EndpointId id : gateway.endpoints)
        json["endpoints"].push_back(describe_endpoint(control, (*model)[id]));
    return json;
}

Json describe_endpoint(const Control& control, const Endpoint& endpoint) {
    const EndpointReport report = control.health().report(endpoint.id, control.monotonic_now());
    const std::shared_ptr<const Model> model = control.model();
    Json monitors = Json::array();
    for (const MonitorReport& monitor : report.monitors)
        monitors.push_back(describe_monitor(control, monitor));
    return {
        {"endpoint", endpoint_path(*model, endpoint.id)},
        {"gateway", (*model)[endpoint.gateway].name},
        {"host", endpoint.host},
        {"address", report.status.address ? Json(report.status.address->to_string()) : Json(nullptr)},
        {"uplink", endpoint.uplink},
        {"weight", endpoint.weight},
        {"state", to_string(report.status.effective)},
        {"measured", to_string(report.status.measured)},
        {"admin", to_string(report.status.admin)},
        {"serving", report.status.serving},
        {"withheld", report.status.withheld},
        {"in_doubt", report.status.in_doubt},
        {"frozen", report.frozen},
        {"since", wall(control, report.since)},
        {"measured_since", wall(control, report.measured_since)},
        {"reason", report.last_change},
        {"rtt_ms", report.status.rtt.count() > 0 ? Json(in_milliseconds(report.status.rtt)) : Json(nullptr)},
        {"flap_penalty", std::round(report.penalty * 100) / 100},
        {"held_until", optional_wall(control, report.held_until)},
        {"monitors", std::move(monitors)}};
}

std::optional<WallTime> clear_of_dns(const Model& model, const std::vector<EndpointId>& endpoints,
                                     WallTime since) {
    std::optional<seconds> longest;
    for (const Service& service : model.services)
        for (const EndpointId id : endpoints)
            if (std::find(service.gateways.begin(), service.gateways.end(), model[id].gateway) !=
                service.gateways.end()) {
                longest = std::max(longest.value_or(seconds(0)), service.ttl_max);
                break;
            }
    if (!longest) return std::nullopt;
    return since + *longest;
}

Json describe_override(const Control& control, const Override& item) {
    const std::shared_ptr<const Model> model = control.model();
    Json json = store::to_json(item);
    json["endpoints"] = Json::array();
    json["clear_of_dns"] = nullptr;
    json["warning"] = nullptr;
    const auto resolved = resolve_target(*model, item.target);
    if (!resolved) {
        json["warning"] = "stands for nothing at present: " + resolved.error().message;
        return json;
    }
    const std::vector<EndpointId> endpoints = endpoints_of(*model, *resolved);
    size_t contradicted = 0;
    for (const EndpointId id : endpoints) {
        json["endpoints"].push_back(endpoint_path(*model, id));
        const EndpointStatus status = control.health().report(id, control.monotonic_now()).status;
        contradicted += item.state == AdminState::forced_up && status.measured == HealthState::down;
    }
    if (item.state != AdminState::forced_up)
        if (const auto clear = clear_of_dns(*model, endpoints, item.since))
            json["clear_of_dns"] = format_rfc3339(*clear);
    if (contradicted > 0)
        json["warning"] = "probes say that " + std::to_string(contradicted) + " of " +
                          std::to_string(endpoints.size()) + " endpoints are down";
    return json;
}

Json describe_event(const Event& event) {
    return {{"id", event.id},
            {"time", format_rfc3339(event.time)},
            {"kind", to_string(event.kind)},
            {"severity", to_string(event.severity)},
            {"subject", event.subject},
            {"from", event.from},
            {"to", event.to},
            {"message", event.message},
            {"actor", event.actor}};
}

Json describe_audit(const AuditEntry& entry) {
    const auto parsed = [](const std::string& text) {
        Json json = Json::parse(text, nullptr, false);
        return json.is_discarded() ? Json(text.empty() ? Json(nullptr) : Json(text)) : json;
    };
    return {{"id", entry.id},
            {"time", format_rfc3339(entry.time)},
            {"actor", entry.actor},
            {"action", entry.action},
            {"subject", entry.subject},
            {"before", parsed(entry.before)},
            {"after", parsed(entry.after)}};
}

Json describe_result(const ProbeResult& result) {
    return {{"verdict", to_string(result.verdict)},
            {"layer", to_string(result.layer)},
            {"text", describe(result)},
            {"reason", result.reason},
            {"detail", result.detail},
            {"rtt_ms", result.rtt ? Json(in_milliseconds(*result.rtt)) : Json(nullptr)},
            {"loop_lag_ms", in_milliseconds(result.loop_lag)}};
}

Json describe_location(const Location& location) {
    Json json = {{"country", location.country.empty() ? Json(nullptr) : Json(location.country)},
                 {"continent", location.continent.empty() ? Json(nullptr) : Json(location.continent)},
                 {"asn", location.asn == 0 ? Json(nullptr) : Json(location.asn)},
                 {"latitude", nullptr},
                 {"longitude", nullptr}};
    if (location.coordinates) {
        json["latitude"] = location.coordinates->latitude;
        json["longitude"] = location.coordinates->longitude;
    }
    return json;
}

Json describe_selection(const HealthSnapshot& health, const Selection& selection) {
    static constexpr std::array<std::string_view, 5> kinds{"endpoints", "name", "nodata", "servfail",
                                                           "refuse"};
    const Model& model = *health.model;
    Json endpoints = Json::array();
    for (const EndpointId id : selection.endpoints) {
        const auto& address = health[id].address;
        endpoints.push_back({{"endpoint", endpoint_path(model, id)},
                             {"address", address ? Json(address->to_string()) : Json(nullptr)},
                             {"gateway", model[model[id].gateway].name},
                             {"region", model[model[model[id].gateway].region].name}});
    }
    Json json = {{"kind", kinds[static_cast<size_t>(selection.kind)]},
                 {"endpoints", std::move(endpoints)},
                 {"ttl", selection.ttl.count()},
                 {"scope", selection.scope},
                 {"decided_by", selection.decided_by.to_string()},
                 {"used_ecs", selection.used_ecs},
                 {"last_resort", selection.last_resort},
                 {"service", nullptr},
                 {"cname", nullptr}};
    if (selection.service.valid()) {
        json["service"] = model[selection.service].key;
        if (selection.kind == SelectionKind::name) json["cname"] = model[selection.service].fallback_name;
    }
    return json;
}

Json describe_diagnostics(const std::vector<config::Diagnostic>& diagnostics) {
    Json json = Json::array();
    for (const config::Diagnostic& item : diagnostics)
        json.push_back(
            {{"severity", item.severity == config::Diagnostic::Severity::error ? "error" : "warning"},
             {"file", item.file},
             {"line", item.line},
             {"column", item.column},
             {"message", item.message},
             {"text", item.to_string()}});
    return json;
}

}  // namespace fairway::api
