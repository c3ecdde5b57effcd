// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "ipsec/gateway_config.h"

using namespace fairway;
using namespace fairway::ipsec;

namespace {

std::vector<std::string> problems(std::string_view text) {
    return load_fleet_text(text, "g.toml").problems;
}

FleetSettings loaded(std::string_view text) {
    auto load = load_fleet_text(text, "conf/g.toml");
    CHECK(load.problems == std::vector<std::string>{});
    return std::move(load.settings.value());
}

}  // namespace

TEST_CASE("the demo's gateways load") {
    const auto load = load_fleet(FAIRWAY_SOURCE_DIR "/conf/demo-gateways.toml");
    CHECK(load.problems == std::vector<std::string>{});
    REQUIRE(load.settings);
    std::vector<std::string> names;
    for (const GatewaySettings& gateway : load.settings->gateways) names.push_back(gateway.name);
    CHECK(names == std::vector<std::string>{"fra1", "fra2", "ams1", "iad1", "iad2", "sin1", "sin2"});
    CHECK(load.settings->gateways[0].ports ==
          std::array<std::optional<uint16_t>, 6>{7100, 7443, 7080, 7444, 7500, 7450});
}

TEST_CASE("defaults are for all gateways, wherever they stand, and each may differ") {
    const FleetSettings fleet = loaded(R"(
        ca = "../run/ca.pem"
        max_connections = 100
        [gateway.b]
        addresses = ["127.0.0.2", "::1"]
        tls = false
        tcp = 0
        slow = "300ms"
        fault = "slow:1s"
        proposals = ["aes256gcm16-prfsha384-ecp384"]
        half_open = { cookie_per_source = 3, timeout = "5s" }
        [gateway.a]
        addresses = ["127.0.0.3"]
        half_open = "strongswan"
        [defaults]
        tls = 7443
        tcp = 7100
        server_names = ["x.example"]
    )");
    CHECK(fleet.ca == "run/ca.pem");
    CHECK(fleet.max_connections == 100);
    REQUIRE(fleet.gateways.size() == 2);
    const GatewaySettings& b = fleet.gateways[0];
    CHECK(b.name == "b");
    CHECK(b.addresses.size() == 2);
    CHECK(b.ports[0] == uint16_t{0});
    CHECK(b.ports[1] == std::nullopt);
    CHECK(b.slow == milliseconds{300});
    CHECK(b.fault == Fault{FaultKind::slow, CertificateFlaw::expired, seconds{1}});
    CHECK(b.server_names == std::vector<std::string>{"x.example"});
    CHECK(b.responder.policy.size() == 1);
    CHECK(b.responder.limits.cookie_per_source == 3);
    CHECK(b.responder.limits.timeout == seconds{5});
    const GatewaySettings& a = fleet.gateways[1];
    CHECK(a.ports[1] == uint16_t{7443});
    CHECK(a.responder.limits.block_per_source == 5);
    CHECK(a.responder.policy == default_policy());
}

TEST_CASE("all problems are told at once, with their place") {
    CHECK(problems("[defaults]\n"
                   "htpp = 80\n"
                   "[gateway.a]\n"
                   "addresses = [\"127.0.0.1\", \"localhost\"]\n"
                   "tcp = 70000\n"
                   "slow = \"5\"\n"
                   "[gateway.b]\n"
                   "addresses = [\"127.0.0.1\"]\n"
                   "fault = \"silence\"\n"
                   "tcp = 7\n"
                   "tls = 7\n"
                   "cert = \"c.pem\"\n"
                   "proposals = [\"aes\"]\n"
                   "half_open = \"cisco\"\n"
                   "server_names = [\"a,IP:1.2.3.4\"]\n") ==
          std::vector<std::string>{
              "g.toml:2:1: unknown key \"htpp\" (did you mean \"http\"?)",
              "g.toml:4:27: \"localhost\" is not an IP address",
              "g.toml:5:7: must be a number from 0 to 65535",
              "g.toml:6:8: \"5\" is not a duration: a unit is missing (ms, s, m, h, d)",
              "g.toml:7:1: gateway \"b\" needs both `cert` and `key`, or neither",
              "g.toml:7:1: gateway \"b\" uses port 7 twice",
              "g.toml:8:14: address 127.0.0.1 is used twice",
              "g.toml:9:9: unknown fault \"silence\" (did you mean \"silent\"?)",
              "g.toml:13:14: unknown algorithm \"aes\" in proposal \"aes\"",
              "g.toml:14:13: unknown limits \"cisco\": \"strongswan\", or a table",
              "g.toml:15:17: not a host name",
          });
}

TEST_CASE("a file without gateways, or that is not TOML, is an error") {
    CHECK(problems("") == std::vector<std::string>{"g.toml:1:1: no [gateway.NAME] in the file"});
    CHECK(problems("[gateway.a]\n") ==
          std::vector<std::string>{"g.toml:1:1: gateway \"a\" has no addresses"});
    CHECK(problems("gateway = 1") == std::vector<std::string>{"g.toml:1:11: must be a table"});
    CHECK(problems("[gateway").size() == 1);
    CHECK(load_fleet("/nonexistent/g.toml").problems ==
          std::vector<std::string>{"/nonexistent/g.toml: No such file or directory"});
    CHECK(problems("[gateway.\"a/b\"]\naddresses = [\"127.0.0.1\"]").size() == 1);
}

TEST_CASE("faults read as they are written") {
    for (const FaultName& name : fault_names()) {
        const auto fault = Fault::parse(name.name);
        REQUIRE(fault);
        CHECK(fault->kind == name.kind);
        CHECK(*Fault::parse(fault->to_string()) == *fault);
    }
    CHECK(Fault::parse("slow:800ms")->to_string() == "slow:800ms");
    CHECK(Fault::parse("bad-certificate:wrong-host")->to_string() == "bad-certificate:wrong-host");
    CHECK(Fault::parse("slow:1h").error().message == "a delay of more than 5 minutes");
    CHECK(Fault::parse("silent:1s").error().message == "the fault \"silent\" takes no argument");
    CHECK(Fault::parse("bad-certificate:old").error().message ==
          "unknown flaw \"old\" of a certificate: expired, self-signed or wrong-host");
    CHECK(Fault::parse("http503").error().message ==
          "unknown fault \"http503\" (did you mean \"http-503\"?)");
}
