// SPDX-License-Identifier: Apache-2.0
#pragma once
// A fleet to steer: builds a model and its health in a few lines, and asks in one.

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "geoip/locator.h"
#include "health/snapshot.h"
#include "model/model.h"
#include "steering/steering.h"

namespace fairway::test {

class Fleet {
  public:
    Fleet& region(const std::string& name, std::optional<Coordinates> location) {
        Region region{RegionId(model_->regions.size()), name, location};
        model_->regions.push_back(std::move(region));
        return *this;
    }
    /// Endpoints are addresses or host names; every gateway is up and serves.
    Fleet& gateway(const std::string& name, const std::string& region_name,
                   const std::vector<std::string>& hosts, GatewayMode mode = GatewayMode::active_active) {
        Gateway gateway;
        gateway.id = GatewayId(model_->gateways.size());
        gateway.name = name;
        gateway.mode = mode;
        gateway.region =
            std::find_if(model_->regions.begin(), model_->regions.end(), [&](const Region& region) {
                return region.name == region_name;
            })->id;
        for (const std::string& host : hosts) {
            Endpoint endpoint;
            endpoint.id = EndpointId(model_->endpoints.size());
            endpoint.gateway = gateway.id;
            endpoint.name = endpoint.host = host;
            if (const auto address = IpAddress::parse(host)) endpoint.address = *address;
            gateway.endpoints.push_back(endpoint.id);
            EndpointStatus status;
            status.address = endpoint.address;
            status.measured = status.effective = HealthState::up;
            status.serving = mode == GatewayMode::active_active || gateway.endpoints.size() == 1;
            health_.endpoints.push_back(status);
            model_->endpoints.push_back(std::move(endpoint));
        }
        GatewayStatus status;
        status.measured = status.effective = HealthState::up;
        status.usable = true;
        health_.gateways.push_back(status);
        model_->gateways.push_back(std::move(gateway));
        return *this;
    }
    /// Of all gateways so far.
    Service& service(const std::string& key, const std::vector<std::string>& policy) {
        Service service;
        service.id = ServiceId(model_->services.size());
        service.key = key;
        service.name = key + ".gslb.example.com";
        for (const Gateway& gateway : model_->gateways) service.gateways.push_back(gateway.id);
        for (const std::string& text : policy) service.policy.push_back(FilterSpec::parse(text).value());
        model_->services.push_back(std::move(service));
        health_.services.emplace_back();
        return model_->services.back();
    }
    Fleet& own(const std::string& prefix, Location location) {
        sources_.own.push_back({IpPrefix::parse(prefix).value(), std::move(location)});
        return *this;
    }
    Fleet& compile() {
        steering_ = Steering::compile(model_, geoip::Locator::open(sources_).value());
        return *this;
    }

    Model& model() { return *model_; }
    HealthSnapshot& health() { return health_; }
    geoip::Sources& sources() { return sources_; }
    const Steering& steering() {
        if (steering_ == nullptr) compile();
        return *steering_;
    }
    [[nodiscard]] Gateway& gateway(std::string_view name) {
        for (Gateway& gateway : model_->gateways) {
            if (gateway.name == name) return gateway;
        }
        throw std::out_of_range("no such gateway");
    }
    /// "fra1/203.0.113.10".
    EndpointStatus& status(std::string_view path) { return health_.endpoints[id(path).index()]; }
    [[nodiscard]] EndpointId id(std::string_view path) const {
        for (const Endpoint& endpoint : model_->endpoints) {
            if (endpoint_path(*model_, endpoint.id) == path) return endpoint.id;
        }
        throw std::out_of_range("no such endpoint");
    }
    /// All endpoints of a gateway go down, and the gateway with them.
    void down(std::string_view name) { set(name, HealthState::down); }
    void up(std::string_view name) { set(name, HealthState::up); }
    void withhold(std::string_view name, AdminState admin) {
        for (const EndpointId endpoint : gateway(name).endpoints) {
            EndpointStatus& status = health_.endpoints[endpoint.index()];
            status.admin = admin;
            status.withheld = true;
            status.serving = false;
        }
    }

    Selection select(const Client& client, Trace* trace = nullptr, size_t service = 0) {
        Selection selection;
        steering().select(ServiceId(service), health_, client, selection, trace);
        return selection;
    }
    /// The endpoints' paths for a client by source or, with a slash, by client subnet behind 9.9.9.9.
    std::vector<std::string> answer(const std::string& client, size_t service = 0) {
        std::vector<std::string> paths;
        for (const EndpointId endpoint : select(client_of(client), nullptr, service).endpoints)
            paths.push_back(endpoint_path(*model_, endpoint));
        return paths;
    }
    static Client client_of(const std::string& text) {
        if (text.find('/') == std::string::npos) return {IpAddress::parse(text).value(), std::nullopt};
        return {IpAddress::parse("9.9.9.9").value(), IpPrefix::parse(text).value()};
    }

  private:
    void set(std::string_view name, HealthState state) {
        const Gateway& which = gateway(name);
        for (const EndpointId endpoint : which.endpoints) {
            EndpointStatus& status = health_.endpoints[endpoint.index()];
            status.measured = status.effective = state;
            status.serving = state == HealthState::up &&
                             (which.mode == GatewayMode::active_active || endpoint == which.endpoints[0]);
        }
        GatewayStatus& status = health_.gateways[which.id.index()];
        status.measured = status.effective = state;
        status.usable = state == HealthState::up;
    }

    std::shared_ptr<Model> model_ = std::make_shared<Model>();
    HealthSnapshot health_;
    geoip::Sources sources_;
    std::shared_ptr<const Steering> steering_;
};

inline Location in(const std::string& country, std::optional<Coordinates> at = std::nullopt) {
    Location location;
    location.country = country;
    location.coordinates = at;
    return location;
}

inline constexpr Coordinates frankfurt{50.11, 8.68};
inline constexpr Coordinates virginia{39.04, -77.49};
inline constexpr Coordinates singapore{1.35, 103.82};

/// Two gateways in Frankfurt, one in Virginia, one pair in Singapore; three client networks.
inline Fleet three_regions(const std::vector<std::string>& policy) {
    Fleet fleet;
    fleet.region("eu-central", frankfurt).region("us-east", virginia).region("ap-southeast", singapore);
    fleet.gateway("fra1", "eu-central", {"203.0.113.10"}).gateway("fra2", "eu-central", {"203.0.113.20"});
    fleet.gateway("iad1", "us-east", {"203.0.113.30"});
    fleet.gateway("sin1", "ap-southeast", {"203.0.113.40", "203.0.113.41"});
    fleet.service("vpn", policy);
    fleet.own("192.0.2.0/24", in("DE", Coordinates{52.52, 13.40}));
    fleet.own("198.51.100.0/24", in("US", Coordinates{40.71, -74.01}));
    fleet.own("203.0.113.0/24", in("ID", Coordinates{-6.21, 106.85}));
    fleet.own("2001:db8:1::/48", in("DE"));
    return fleet;
}

}  // namespace fairway::test
