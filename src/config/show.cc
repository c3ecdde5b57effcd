// SPDX-License-Identifier: Apache-2.0
// From the configuration as used back to text: show, and what differs between two.

#include "config/tables.h"

namespace fairway::config {
namespace {

MonitorSource source_of(const Monitor& monitor) {
    MonitorSource source;
    source.interval = monitor.interval;
    source.timeout = monitor.timeout;
    source.recheck = monitor.recheck;
    source.fall = monitor.fall;
    source.rise = monitor.rise;
    if (monitor.port != 0) source.port = monitor.port;
    source.address = monitor.address;
    source.probe = monitor.probe;
    return source;
}

GatewaySource source_of(const Model& model, const Gateway& gateway) {
    GatewaySource source;
    source.region.value = model[gateway.region].name;
    source.zone = gateway.zone;
    source.mode = gateway.mode;
    for (const EndpointId id : gateway.endpoints) {
        const Endpoint& endpoint = model[id];
        source.endpoints.push_back({{endpoint.host, {}},
                                    endpoint.name == endpoint.host ? "" : endpoint.name,
                                    endpoint.weight,
                                    endpoint.uplink});
    }
    for (const MonitorId id : gateway.monitors) source.monitors.push_back({model[id].name, {}});
    source.health.value = gateway.health_text;
    source.min_up.value = gateway.min_up;
    source.failback.value = gateway.failback_delay;
    source.weight = gateway.weight;
    source.capacity = gateway.capacity;
    source.labels = gateway.labels;
    return source;
}

ServiceSource source_of(const Model& model, const Service& service) {
    ServiceSource source;
    source.name.value = service.name;
    for (const GatewayId id : service.gateways) source.gateways.push_back({model[id].name, {}});
    source.policy.clear();
    for (const FilterSpec& filter : service.policy) source.policy.push_back({filter, {}});
    source.ttl = {service.ttl_max, service.ttl_min};
    source.answer.value = service.answer;
    source.all_down.value.action = service.all_down;
    source.all_down.value.fallback =
        service.fallback_service.valid() ? model[service.fallback_service].key : service.fallback_name;
    source.failover = {service.failover, service.failover_delay};
    source.txt_allow = service.txt_allow;
    source.records = service.records;
    return source;
}

}  // namespace

Document decompile(const Config& config) {
    const Model& model = *config.model;
    Document document;
    document.server = config.server;
    document.api = config.api;
    document.pdns = config.pdns;
    document.probes = config.probes;
    document.health = config.health;
    document.geoip.databases = config.geoip.databases;
    if (model.default_location) document.geoip.default_location = to_source(*model.default_location);
    for (const GeoOverride& each : config.geoip.overrides) {
        GeoOverrideSource source{{}, to_source(each.location)};
        for (const IpPrefix& prefix : each.prefixes) source.prefixes.push_back({prefix, {}});
        document.geoip.overrides.push_back(std::move(source));
    }
    for (const TsigKey& key : config.tsig)
        document.tsig.push_back({key.name, {}, {key.algorithm, key.secret}});
    for (const Zone& zone : model.zones) {
        document.zones.push_back(
            {zone.name,
             {},
             {zone.ns, zone.file, zone.dnssec, zone.ttl, zone.negative_ttl, zone.contact, std::nullopt}});
        if (zone.transfer != ZoneTransfer{}) document.zones.back().value.transfer = to_source(zone.transfer);
    }
    for (const Monitor& monitor : model.monitors)
        document.monitors.push_back({monitor.name, {}, source_of(monitor)});
    for (const Region& region : model.regions)
        document.regions.push_back({region.name, {}, {region.location}});
    for (const Gateway& gateway : model.gateways)
        document.gateways.push_back({gateway.name, {}, source_of(model, gateway)});
    for (const Service& service : model.services)
        document.services.push_back({service.key, {}, source_of(model, service)});
    return document;
}

std::string show(const Config& config) {
    std::string text;
    document_table().show(decompile(config), "", text);
    return text;
}

std::vector<std::string> diff(const Config& before, const Config& after) {
    std::vector<std::string> all;
    document_table().changes(decompile(before), decompile(after), all);
    return all;
}

}  // namespace fairway::config
