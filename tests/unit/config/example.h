// SPDX-License-Identifier: Apache-2.0
#pragma once
// Configuration texts that the tests start from, and short ways to load them.

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <string_view>

#include "config/config.h"

inline constexpr std::string_view minimal = R"toml([zone."gslb.example.com"]
ns = { "ns1.gslb.example.com" = ["192.0.2.53"] }
[monitor.ike]
type = "ike"
[region.eu-central]
location = { latitude = 50.11, longitude = 8.68 }
[gateway.fra1]
region = "eu-central"
endpoints = ["203.0.113.10"]
monitors = ["ike"]
[service.vpn]
name = "vpn.gslb.example.com"
gateways = ["fra1"]
)toml";

/// Every finished key with a value that is not its default.
inline constexpr std::string_view everything = R"toml(
[server]
listen = ["127.0.0.1:5300", "[::1]:5300", "192.0.2.1"]
tls = { listen = ["192.0.2.1", "[::1]:8530"], cert = "dot.pem", key = "/etc/dot.key" }
threads = 2
xdp = { interfaces = ["eth0", "eth1"], mode = "native" }
state = "state"
nsid = "fra-1"
cookie_secret = "file:cookie.secret"
rate_limit = { responses = 100, slip = 3, ipv4_prefix = 25, ipv6_prefix = 48, exempt = ["192.0.2.0/24"] }
log_level = "debug"
[api]
unix = "control.sock"
listen = "127.0.0.1:8053"
token = "file:api.token"
[pdns]
unix = "pdns.sock"
http = "127.0.0.1:8054"
zeromq = "ipc:///run/fairway/pdns.zmq"
secrets_over_tcp = true
[geoip]
databases = ["city-v4.mmdb", "/srv/city-v6.mmdb"]
default = { country = "US", continent = "NA", asn = 64500, latitude = 40, longitude = -100.5 }
[[geoip.override]]
prefixes = ["10.20.0.0/16", "2001:db8::/32"]
location = { country = "DE", latitude = 50.11, longitude = 8.68 }
[[geoip.override]]
prefixes = ["192.0.2.1"]
location = { asn = 64501 }
[probes]
rate = 1000
rate_per_gateway = 10
resolvers = ["127.0.0.53", "[::1]:5353"]
[health]
damping = false
hold_down = "5s"
max_hold_down = "1m"
half_life = "1m30s"
isolation = false
isolation_share = 0.8
isolation_minimum = 5
[zone."GSLB.example.com."]
ns = { "ns1.gslb.example.com" = ["192.0.2.53", "2001:db8::53"], "ns.example.net" = [] }
file = "gslb.zone"
dnssec = false
ttl = "1h"
negative_ttl = 60
contact = "noc.example.com"
transfer = { allow = ["192.0.2.0/24", "key:Transfer.example.com.", "2001:db8::/32 key:other"], notify = ["192.0.2.1", "[2001:db8::1]:5353 key:other"] }
[tsig."transfer.example.com."]
secret = "file:transfer.key"
[tsig.other]
algorithm = "hmac-sha512"
secret = "file:transfer.key"
[monitor.tcp]
type = "tcp"
port = 443
send = "PING\r\n\u0001\"\\"
expect = "PONG"
interval = "10s"
timeout = "900ms"
recheck = "1s"
fall = 4
rise = 1
address = "probe.example.com"
[monitor.tls]
type = "tls"
tls = { server_name = "vpn.example.com", verify = false, ca_file = "ca.pem", min_version = "1.3", min_days = 14, alpn = ["h2"], cert_file = "c.pem", key_file = "k.pem", pin_sha256 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }
[monitor.web]
type = "http"
tls = {}
method = "POST"
path = "/healthz?x=%20"
host = "portal.example.com:8443"
headers = { X-Check = "fairway", Accept = "*/*" }
status = ["200-299", 301, "404"]
expect = "ready"
expect_regex = "^re+ady$"
body_limit = 1000
redirects = 2
[monitor.plain]
type = "http"
[monitor.ike]
type = "ike"
version = 1
mode = "full"
nat_traversal = false
nat_port = 4501
mismatch_is_degraded = true
legacy = true
[monitor.ping]
type = "icmp"
size = 100
window = 10
degraded_loss = 0.1
down_loss = 1
[region.eu-central]
location = { latitude = 50.11, longitude = 8.68 }
[region.us-east]
location = { latitude = 38.95, longitude = -77 }
[gateway.fra1]
region = "eu-central"
zone = "fra1-az1"
mode = "active-active"
endpoints = ["203.0.113.10", { address = "203.0.113.11", name = "b", weight = 3, uplink = "isp2" }, "2001:DB8::1"]
monitors = ["ike", "web", "tcp", "tls", "plain", "ping"]
health = "ike and (web or tcp) and at_least(2, tls, plain, not ping)"
min_up = 2
weight = 10
capacity = 1000
labels = { provider = "azure", protocol = "ipsec" }
[gateway.fra2]
region = "eu-central"
mode = "active-standby"
endpoints = [{ name = "primary", address = "a.example.com" }, { name = "standby", address = "b.example.com" }]
monitors = ["ike"]
failback = "5m"
[gateway.iad1]
region = "us-east"
endpoints = ["c.example.com"]
monitors = ["ike"]
labels = { provider = "aws" }
[service.vpn]
name = "VPN.gslb.example.com."
gateways = ["iad1", "fra*", "label:provider=azure"]
policy = ["healthy", "region(eu-*, us-east)", "rule(country de|AT -> fra1|fra2, continent NA -> iad1, asn 64500 -> iad1, prefix 10.0.0.0/8 -> fra*)", "nearest", "weighted", "sticky", "failover", "all", "first 3"]
ttl = { max = 60, min = 2 }
all_down = "fallback:backup"
failover = "delay:30s"
txt_allow = ["127.0.0.0/8"]
records = { SRV = "{rank} {weight} 443 {gateway}.gw.example.com", TXT = ["\"a b\"", "{region}"] }
[service.backup]
name = "backup.gslb.example.com"
gateways = ["region:us-east", "fra2"]
answer = "cname"
all_down = "fallback:last-resort.example.net"
failover = "confirm"
[service.third]
name = "gslb.example.com"
gateways = ["*"]
all_down = "nodata"
)toml";

/// A reader of secrets that knows only these.
inline fairway::config::SecretReader reader_of(std::map<std::string, std::string> secrets) {
    return [secrets](const std::string& source) -> fairway::Result<fairway::config::SecretContent> {
        const auto found = secrets.find(source);
        if (found == secrets.end()) return fairway::fail("there is no secret " + source);
        return fairway::config::SecretContent{found->second, ""};
    };
}

/// Those of `everything`.
inline fairway::config::SecretReader everything_secrets() {
    return reader_of({{"file:/etc/fairway/api.token", "s3cret"},
                      {"file:/etc/fairway/cookie.secret",
                       "e5e973e5a6b2a43f48e7dc849e37bfcf\n445536BCD2513298075A5D379663C962"},
                      {"file:/etc/fairway/transfer.key", "AAECAwQFBgcICQoLDA0ODw=="}});
}

/// All diagnostics, a line each.
inline std::string lines(const std::vector<fairway::config::Diagnostic>& diagnostics) {
    std::string text;
    for (const auto& each : diagnostics) text += each.to_string() + "\n";
    return text;
}

/// The configuration in `text`, which must be without any diagnostic.
inline fairway::config::Config loaded(std::string_view text,
                                      const fairway::config::SecretReader& secrets = reader_of({})) {
    auto result = fairway::config::load_text(text, "/etc/fairway/fairway.toml", secrets);
    INFO(lines(result.diagnostics));
    REQUIRE(result.diagnostics.empty());
    REQUIRE(result.config);
    return std::move(*result.config);
}
