// SPDX-License-Identifier: Apache-2.0
// What good configuration becomes, and that it can be written and read back.

#include <catch2/catch.hpp>

#include "config/config.h"
#include "unit/config/example.h"

using namespace fairway;
using namespace fairway::config;

TEST_CASE("the smallest useful configuration loads with every default in its place") {
    const Config config = loaded(minimal);
    CHECK(config.server == Server{});
    CHECK(config.api == Api{});
    CHECK_FALSE(config.pdns);
    CHECK(config.geoip == Geoip{});
    CHECK(config.probes == Probes{});
    CHECK(config.health == Health{});
    const Model& model = *config.model;
    REQUIRE(model.monitors.size() == 1);
    Monitor monitor;
    monitor.id = MonitorId(0);
    monitor.name = "ike";
    monitor.port = 500;
    monitor.probe = IkeProbe{};
    CHECK(model.monitors[0] == monitor);
    REQUIRE(model.gateways.size() == 1);
    Gateway gateway;
    gateway.id = GatewayId(0);
    gateway.name = "fra1";
    gateway.region = RegionId(0);
    gateway.endpoints = {EndpointId(0)};
    gateway.monitors = {MonitorId(0)};
    gateway.health = HealthExpression::all_of(1);
    CHECK(model.gateways[0] == gateway);
    Endpoint endpoint;
    endpoint.id = EndpointId(0);
    endpoint.gateway = GatewayId(0);
    endpoint.name = endpoint.host = "203.0.113.10";
    endpoint.address = IpAddress::v4(0xcb00710a);
    CHECK(model.endpoints == std::vector{endpoint});
    Service service;
    service.id = ServiceId(0);
    service.key = "vpn";
    service.name = "vpn.gslb.example.com";
    service.gateways = {GatewayId(0)};
    service.policy = {FilterSpec{"healthy", {}, {}, {}}, FilterSpec{"nearest", {}, {}, {}},
                      FilterSpec{"first", 2, {}, {}}};
    CHECK(model.services == std::vector{service});
    CHECK(model.zones == std::vector{Zone{"gslb.example.com",
                                          {{"ns1.gslb.example.com", {IpAddress::v4(0xc0000235)}}},
                                          "",
                                          {},
                                          seconds{3600},
                                          seconds{30},
                                          ""}});
    CHECK(model.regions == std::vector{Region{RegionId(0), "eu-central", Coordinates{50.11, 8.68}}});
    CHECK(config.files == std::vector<std::filesystem::path>{"/etc/fairway/fairway.toml"});
}

TEST_CASE("the configuration that is shown reads back as itself, and shows the same again") {
    const Config config = loaded(everything, everything_secrets());
    const std::string text = show(config);
    const Config again = loaded(text, everything_secrets());
    CHECK(*again.model == *config.model);
    CHECK(again.server == config.server);
    CHECK(again.api == config.api);
    CHECK(again.pdns == config.pdns);
    CHECK(again.geoip == config.geoip);
    CHECK(again.probes == config.probes);
    CHECK(again.health == config.health);
    CHECK(again.tsig == config.tsig);
    CHECK(show(again) == text);
    CHECK(diff(config, again).empty());
    CHECK(text.find("s3cret") == std::string::npos);
    CHECK(text.find("AAECAw") == std::string::npos);
}
