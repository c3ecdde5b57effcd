// SPDX-License-Identifier: Apache-2.0
#pragma once
// A small model with one of each: two gateways of either mode, three kinds of failover.

#include <memory>
#include <string>
#include <vector>

#include "model/model.h"

namespace fairway::test {

inline std::shared_ptr<Model> small_model() {
    auto model = std::make_shared<Model>();
    for (const char* name : {"ike", "portal"}) {
        Monitor monitor;
        monitor.id = MonitorId(model->monitors.size());
        monitor.name = name;
        monitor.interval = seconds{2};
        monitor.port = 500;
        model->monitors.push_back(monitor);
    }
    const auto add = [&model](const std::string& name, const std::vector<std::string>& hosts,
                              size_t monitors) {
        Gateway gateway;
        gateway.id = GatewayId(model->gateways.size());
        gateway.name = name;
        gateway.region = RegionId(model->regions.size());
        gateway.zone = name + "-az1";
        model->regions.push_back({gateway.region, "region-" + name, std::nullopt});
        gateway.health = HealthExpression::all_of(monitors);
        for (size_t i = 0; i < monitors; ++i) gateway.monitors.emplace_back(i);
        for (const std::string& host : hosts) {
            Endpoint endpoint;
            endpoint.id = EndpointId(model->endpoints.size());
            endpoint.gateway = gateway.id;
            endpoint.name = endpoint.host = host;
            if (host != "by-name") endpoint.address = IpAddress::v4(0x0a000001U + endpoint.id.value);
            gateway.endpoints.push_back(endpoint.id);
            model->endpoints.push_back(endpoint);
        }
        model->gateways.push_back(gateway);
    };
    add("fra", {"a", "b"}, 1);
    add("iad", {"c", "by-name"}, 2);
    add("sin", {"d", "e"}, 1);
    model->gateways[2].mode = GatewayMode::active_standby;
    for (const FailoverMode mode : {FailoverMode::automatic, FailoverMode::delay, FailoverMode::confirm}) {
        Service service;
        service.id = ServiceId(model->services.size());
        service.key = "service-" + std::to_string(service.id.value);
        service.gateways = {GatewayId(0), GatewayId(1), GatewayId(2)};
        service.failover = mode;
        service.failover_delay = seconds{20};
        model->services.push_back(service);
    }
    return model;
}

}  // namespace fairway::test
