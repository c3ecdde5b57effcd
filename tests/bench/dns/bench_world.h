// SPDX-License-Identifier: Apache-2.0
#pragma once
// The world of the DNS benchmarks: eight gateways around the globe, one service that gives the nearest
// healthy two, and a hundred thousand prefixes of known location.

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "dns/answer.h"
#include "dns/authority.h"
#include "dns/message.h"
#include "geoip/locator.h"
#include "health/snapshot.h"
#include "model/model.h"
#include "steering/steering.h"

namespace fairway::dns::bench {

inline constexpr size_t prefix_count = 100'000;
inline constexpr uint32_t unix_seconds = 1'700'000'000;

struct Place {
    const char* name;
    double latitude;
    double longitude;
};
inline constexpr Place places[] = {{"fra", 50.1, 8.7},    {"iad", 39.0, -77.5}, {"sin", 1.4, 103.8},
                                   {"gru", -23.5, -46.6}, {"syd", -33.9, 151},  {"nrt", 35.8, 140.4},
                                   {"jnb", -26.1, 28.2},  {"sea", 47.4, -122.3}};

inline std::shared_ptr<const Model> make_model(size_t services = 1) {
    auto model = std::make_shared<Model>();
    for (const Place& place : places) {
        const size_t i = model->regions.size();
        model->regions.push_back({RegionId(i), place.name, Coordinates{place.latitude, place.longitude}});
        Gateway gateway;
        gateway.id = GatewayId(i);
        gateway.name = place.name;
        gateway.region = RegionId(i);
        Endpoint endpoint;
        endpoint.id = EndpointId(i);
        endpoint.gateway = gateway.id;
        endpoint.address = IpAddress::v4(0xc6336401U + static_cast<uint32_t>(i));
        endpoint.host = endpoint.name = endpoint.address->to_string();
        gateway.endpoints.push_back(endpoint.id);
        model->gateways.push_back(std::move(gateway));
        model->endpoints.push_back(std::move(endpoint));
    }
    for (size_t i = 0; i < services; ++i) {
        Service service;
        service.id = ServiceId(i);
        service.key = i == 0 ? "vpn" : "vpn" + std::to_string(i);
        service.name = service.key + ".gslb.example.com";
        for (const Gateway& gateway : model->gateways) service.gateways.push_back(gateway.id);
        for (const char* filter : {"healthy", "nearest", "first 2"})
            service.policy.push_back(FilterSpec::parse(filter).value());
        model->services.push_back(std::move(service));
    }
    Zone zone;
    zone.name = "gslb.example.com";
    zone.ns = {{"ns1.gslb.example.com", {IpAddress::v4(0xc0000235U)}}};
    model->zones.push_back(std::move(zone));
    return model;
}

inline std::shared_ptr<const HealthSnapshot> make_health(const std::shared_ptr<const Model>& model,
                                                         uint64_t generation = 1) {
    auto health = std::make_shared<HealthSnapshot>();
    health->model = model;
    health->generation = generation;
    health->first_round_done = true;
    health->endpoints.resize(model->endpoints.size());
    for (const Endpoint& endpoint : model->endpoints) {
        EndpointStatus& status = health->endpoints[endpoint.id.index()];
        status.address = endpoint.address;
        status.measured = status.effective = HealthState::up;
        status.serving = true;
    }
    GatewayStatus up;
    up.measured = up.effective = HealthState::up;
    up.usable = true;
    health->gateways.assign(model->gateways.size(), up);
    health->services.resize(model->services.size());
    return health;
}

inline IpPrefix random_subnet(Random& random) {
    return {IpAddress::v4(static_cast<uint32_t>(0x10000000U + random.below(0xb0000000U))), 24};
}

inline std::shared_ptr<const geoip::Locator> make_locator() {
    Random random(1);
    geoip::Sources sources;
    for (size_t i = 0; i < prefix_count; ++i) {
        Location location;
        location.coordinates = Coordinates{random.fraction() * 140 - 60, random.fraction() * 360 - 180};
        sources.own.push_back({random_subnet(random), location});
    }
    return geoip::Locator::open(sources).value();
}

inline Serving make_serving(const std::shared_ptr<const Model>& model,
                            const std::shared_ptr<const geoip::Locator>& locator) {
    AnswerSettings settings;
    settings.nsid = "bench";
    settings.cookies.emplace();
    return {Authority::build(model, 1).authority, Steering::compile(model, locator), make_health(model),
            std::make_shared<AnswerSettings>(settings)};
}

/// "vpn.gslb.example.com A" with ECS of a random subnet.
inline std::vector<uint8_t> make_query(Random& random, uint16_t id) {
    std::vector<uint8_t> bytes(512);
    Writer writer(bytes);
    writer.u16(id);
    for (const int field : {0x0100, 1, 0, 0, 1}) writer.u16(static_cast<uint16_t>(field));
    writer.bytes(Name::parse("vpn.gslb.example.com")->wire());
    writer.u16(1);
    writer.u16(1);
    writer.u8(0);
    writer.u16(41);
    writer.u16(1232);
    writer.u32(0);
    writer.u16(11);
    for (const int field : {8, 7, 1, 24 << 8}) writer.u16(static_cast<uint16_t>(field));
    writer.bytes(random_subnet(random).address().bytes().first(3));
    bytes.resize(writer.position());
    return bytes;
}

}  // namespace fairway::dns::bench
