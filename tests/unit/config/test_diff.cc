// SPDX-License-Identifier: Apache-2.0

#include <catch2/catch.hpp>

#include "config/config.h"
#include "unit/config/example.h"

using namespace fairway;
using namespace fairway::config;

TEST_CASE("a difference names what came, what went and what changed, each with both values") {
    const Config before = loaded(R"toml(
[server]
threads = 2
[pdns]
unix = "/run/pdns.sock"
[zone."gslb.example.com"]
ns = { "ns1.gslb.example.com" = ["192.0.2.53"] }
[monitor.ike]
type = "ike"
interval = "5s"
[monitor.web]
type = "http"
path = "/x"
[region.eu-central]
location = { latitude = 50.11, longitude = 8.68 }
[gateway.fra1]
region = "eu-central"
endpoints = ["203.0.113.10"]
monitors = ["ike", "web"]
health = "ike and web"
[gateway.fra2]
region = "eu-central"
endpoints = ["203.0.113.11"]
monitors = ["ike"]
[service.vpn]
name = "vpn.gslb.example.com"
gateways = ["fra1", "fra2"]
)toml");
    const Config after = loaded(R"toml(
[server]
nsid = "a b"
[zone."gslb.example.com"]
ns = { "ns1.gslb.example.com" = ["192.0.2.53"] }
[monitor.ike]
type = "ike"
interval = "10s"
recheck = "1250ms"
[monitor.web]
type = "tls"
[region.eu-central]
location = { latitude = 50.11, longitude = 8.68 }
[gateway.fra3]
region = "eu-central"
endpoints = ["203.0.113.12"]
monitors = ["ike"]
[gateway.fra1]
region = "eu-central"
mode = "active-standby"
endpoints = [{ address = "203.0.113.10", weight = 2 }, "203.0.113.20"]
monitors = ["ike", "web"]
[service.vpn]
name = "vpn.gslb.example.com"
gateways = ["fra3", "fra1"]
failover = "confirm"
)toml");
    CHECK(diff(before, after) ==
          std::vector<std::string>{
              "~ server: threads 2 -> 0",
              "~ server: nsid unset -> \"a b\"",
              "- pdns",
              "~ monitor ike: interval 5s -> 10s",
              "~ monitor web: type http -> tls",
              "~ monitor web: port 80 -> 443",
              "~ monitor web: tls unset -> { verify = true, min_version = \"1.2\", min_days = 0 }",
              "~ monitor web: method GET -> unset",
              "~ monitor web: path /x -> unset",
              "~ monitor web: status [\"200-299\"] -> unset",
              "~ monitor web: body_limit 65536 -> unset",
              "~ monitor web: redirects 0 -> unset",
              "+ gateway fra3",
              "~ gateway fra1: mode active-active -> active-standby",
              "~ gateway fra1: endpoints [\"203.0.113.10\"] -> [{ address = \"203.0.113.10\", weight = 2 }, "
              "\"203.0.113.20\"]",
              "~ gateway fra1: health \"ike and web\" -> unset",
              "~ gateway fra1: min_up 1 -> unset",
              "~ gateway fra1: failback unset -> 1m",
              "- gateway fra2",
              "~ service vpn: gateways [\"fra1\", \"fra2\"] -> [\"fra3\", \"fra1\"]",
              "~ service vpn: failover automatic -> confirm"});
    CHECK(diff(before, before).empty());
    CHECK(diff(after, before).size() == diff(before, after).size());
}
