// SPDX-License-Identifier: Apache-2.0
#pragma once
// A small world for tests of answers: one zone file with a bit of everything, gateways in three places, a
// service for each way of answering; all healthy unless a test says otherwise.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dns/answer.h"
#include "dns/authority.h"
#include "health/snapshot.h"
#include "model/model.h"
#include "steering/steering.h"

namespace fairway::dns::test {

inline constexpr uint32_t now_seconds = 1'700'000'000;
inline constexpr uint32_t serial = 7;

inline constexpr std::string_view zone_text = R"($TTL 300
@        CAA 0 issue "ca.example.net"
mail     MX 10 mx1
         MX 20 mx.example.net.
mx1      A 192.0.2.25
         AAAA 2001:db8::25
alias    CNAME vpn
chain    CNAME alias.gslb.test.
toward   CNAME host
host     60 A 192.0.2.70
host     60 AAAA 2001:db8::70
dangling CNAME missing
outside  CNAME www.example.net.
loop1    CNAME loop2
loop2    CNAME loop1
*.wild   A 192.0.2.80
*.wild   TXT "any of them"
*.cwild  CNAME host
a.b.ent  A 192.0.2.81
deleg    NS ns.deleg
         NS ns.example.net.
         DS 12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
ns.deleg A 192.0.2.90
below    CNAME x.deleg
_sip._udp SRV 1 2 5060 host
text     TXT "one" "two"
odd\.dot TXT "a dot in a label"
strange  TYPE65280 \# 3 ABCDEF
big      TXT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
big      TXT "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
big      TXT "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
)";

struct World {
    std::shared_ptr<Model> model = std::make_shared<Model>();
    std::shared_ptr<HealthSnapshot> health;
    std::vector<std::optional<std::string>> files;
    AnswerSettings settings;

    World() {
        settings.nsid = "test-1";
        settings.cookies.emplace();
        settings.cookies->current = {0xe5, 0xe9, 0x73, 0xe5, 0xa6, 0xb2, 0xa4, 0x3f,
                                     0x48, 0xe7, 0xdc, 0x84, 0x9e, 0x37, 0xbf, 0xcf};
    }

    GatewayId add_gateway(const std::string& name, const std::vector<std::string>& hosts) {
        if (model->regions.empty()) model->regions.push_back({RegionId(0), "everywhere", std::nullopt});
        Gateway gateway;
        gateway.id = GatewayId(model->gateways.size());
        gateway.name = name;
        gateway.region = RegionId(0);
        for (const std::string& host : hosts) {
            Endpoint endpoint;
            endpoint.id = EndpointId(model->endpoints.size());
            endpoint.gateway = gateway.id;
            endpoint.name = host;
            endpoint.host = host;
            const auto address = IpAddress::parse(host);
            if (address) endpoint.address = *address;
            gateway.endpoints.push_back(endpoint.id);
            model->endpoints.push_back(std::move(endpoint));
        }
        model->gateways.push_back(std::move(gateway));
        return model->gateways.back().id;
    }

    Service& add_service(const std::string& key, const std::string& name,
                         const std::vector<GatewayId>& gateways,
                         const std::vector<std::string>& policy = {"healthy"}) {
        Service service;
        service.id = ServiceId(model->services.size());
        service.key = key;
        service.name = name;
        service.gateways = gateways;
        for (const std::string& filter : policy) service.policy.push_back(FilterSpec::parse(filter).value());
        model->services.push_back(std::move(service));
        return model->services.back();
    }

    void add_zone(const std::string& name, std::optional<std::string> text) {
        Zone zone;
        zone.name = name;
        zone.ns = {{"ns1." + name, {*IpAddress::parse("192.0.2.53"), *IpAddress::parse("2001:db8::53")}}};
        zone.file = text ? name + ".zone" : "";
        model->zones.push_back(std::move(zone));
        files.push_back(std::move(text));
    }

    /// Everything up, every address known.
    void all_up() {
        health = std::make_shared<HealthSnapshot>();
        health->model = model;
        health->generation = 1;
        health->first_round_done = true;
        for (const Endpoint& endpoint : model->endpoints) {
            EndpointStatus status;
            status.address = endpoint.address;
            status.measured = status.effective = HealthState::up;
            status.serving = true;
            health->endpoints.push_back(status);
        }
        health->gateways.resize(model->gateways.size());
        for (GatewayStatus& status : health->gateways) {
            status.measured = status.effective = HealthState::up;
            status.usable = true;
        }
        health->services.resize(model->services.size());
    }

    void set_down(GatewayId gateway) {
        for (const EndpointId id : (*model)[gateway].endpoints) {
            EndpointStatus& status = health->endpoints[id.index()];
            status.measured = status.effective = HealthState::down;
            status.serving = false;
        }
        GatewayStatus& status = health->gateways[gateway.index()];
        status.measured = status.effective = HealthState::down;
        status.usable = false;
    }

    [[nodiscard]] Authority::Built build() const { return Authority::build(model, serial, files); }

    [[nodiscard]] Serving serving() const {
        return {build().authority, Steering::compile(model, nullptr), health,
                std::make_shared<AnswerSettings>(settings)};
    }
};

/// Gateways fra1 (two addresses), iad1, six (IPv6 only) and named (a host name); zone gslb.test.
inline World make_world() {
    World world;
    const GatewayId fra1 = world.add_gateway("fra1", {"203.0.113.10", "203.0.113.11"});
    const GatewayId iad1 = world.add_gateway("iad1", {"198.51.100.20", "2001:db8:2::20"});
    const GatewayId six = world.add_gateway("six", {"2001:db8:6::1"});
    const GatewayId named = world.add_gateway("named", {"gw.example.net"});
    std::vector<std::string> crowd;
    for (int i = 0; i < 60; ++i) crowd.push_back("10.9.0." + std::to_string(i + 1));
    const GatewayId many = world.add_gateway("many", crowd);

    Service& vpn = world.add_service("vpn", "vpn.gslb.test", {fra1, iad1});
    vpn.txt_allow = {*IpPrefix::parse("192.0.2.0/24"), *IpPrefix::parse("127.0.0.0/8"),
                     *IpPrefix::parse("::1/128")};
    world.add_service("apex", "gslb.test", {fra1});
    world.add_service("wildcard", "*.steer.gslb.test", {iad1});
    world.add_service("six", "six.gslb.test", {six});
    world.add_service("many", "many.gslb.test", {many});
    world.add_service("alias", "named.gslb.test", {named}).answer = AnswerKind::cname;
    Service& nodata = world.add_service("nodata", "nodata.gslb.test", {six});
    nodata.all_down = AllDown::nodata;
    world.add_service("servfail", "servfail.gslb.test", {six}).all_down = AllDown::servfail;
    world.add_service("refuse", "refuse.gslb.test", {six}).all_down = AllDown::refuse;
    Service& fallback = world.add_service("fallback", "fallback.gslb.test", {six});
    fallback.all_down = AllDown::fallback;
    fallback.fallback_name = "last.example.net";

    world.add_zone("gslb.test", std::string(zone_text));
    world.all_up();
    return world;
}

}  // namespace fairway::dns::test
