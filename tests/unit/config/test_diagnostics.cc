// SPDX-License-Identifier: Apache-2.0
// Broken configuration of every kind, and every word that is said about it.

#include <catch2/catch.hpp>

#include "config/config.h"
#include "unit/config/example.h"

using namespace fairway;
using namespace fairway::config;

namespace {

/// What is said about the smallest configuration with `more` after it; its lines count from 14.
std::string complaints(std::string_view more) {
    const LoadResult result = load_text(std::string(minimal) + std::string(more), "f.toml", reader_of({}));
    const bool failed =
        std::any_of(result.diagnostics.begin(), result.diagnostics.end(),
                    [](const Diagnostic& each) { return each.severity == Diagnostic::Severity::error; });
    CHECK(result.config.has_value() != failed);
    return "\n" + lines(result.diagnostics);
}

}  // namespace

TEST_CASE("unknown keys, types and sections are errors with what was meant") {
    CHECK(complaints(R"toml([servr]
listen = []
[monitor.x]
type = "tcp"
port = 1
intervall = "5s"
path = "/"
zzz = 1
[monitor.y]
type = "htp"
[monitor.z]
port = 3
)toml") == R"out(
f.toml:14:2: error: unknown key "servr" (did you mean "server"?)
f.toml:19:1: error: unknown key "intervall" (did you mean "interval"?)
f.toml:20:1: error: "tcp" has no key "path"; "http" has
f.toml:21:1: error: unknown key "zzz"
f.toml:23:8: error: monitor "y": type: unknown type "htp" (did you mean "http"?)
f.toml:24:1: error: monitor "z": the key "type" is missing
)out");
}

TEST_CASE("values of the wrong type are told what is wanted") {
    CHECK(complaints(R"toml([server]
listen = "127.0.0.1"
threads = "2"
nsid = 3
state = 1979-05-27
[api]
unix = true
listen = ["x"]
token = 1
[health]
damping = "yes"
hold_down = 10
[probes]
rate = 1.5
[geoip]
databases = [1,"x",{}]
override = 3
monitor = 1
)toml") == R"out(
f.toml:15:10: error: listen: an array is wanted, not a string
f.toml:16:11: error: threads: an integer is wanted, not a string
f.toml:17:8: error: nsid: a string is wanted, not an integer
f.toml:18:9: error: state: a string is wanted, not a date or time
f.toml:20:8: error: unix: a string is wanted, not a boolean
f.toml:21:10: error: listen: a string (address with port) is wanted, not an array
f.toml:22:9: error: token: a string is wanted, not an integer
f.toml:24:11: error: damping: true or false is wanted, not a string
f.toml:25:13: error: hold_down: a duration such as "5s" is wanted, not an integer
f.toml:27:8: error: rate: an integer is wanted, not a float
f.toml:29:14: error: databases: a string is wanted, not an integer
f.toml:29:20: error: databases: a string is wanted, not a table
f.toml:30:12: error: override: an array is wanted, not an integer
f.toml:31:1: error: unknown key "monitor"
)out");
}

TEST_CASE("tables of the wrong type are told what is wanted") {
    CHECK(complaints(R"toml([region.x]
location = "here"
[zone]
x = 1
[zone."a.example"]
ns = ["x"]
ttl = true
file = ""
)toml") == R"out(
f.toml:15:12: error: region "x": location: a table is wanted, not a string
f.toml:17:5: error: zone "x": a table is wanted, not an integer
f.toml:19:6: error: zone "a.example": ns: a table is wanted, not an array
f.toml:20:7: error: zone "a.example": ttl: a number of seconds or a duration such as "1h" is wanted, not a boolean
f.toml:21:8: error: zone "a.example": file: a path cannot be empty or hold a NUL
)out");
}

TEST_CASE("values out of range are refused") {
    CHECK(complaints(R"toml([server]
listen = ["127.0.0.1:99999","localhost","127.0.0.1","127.0.0.1:53"]
threads = -1
log_level = "inf"
nsid = ""
[region.bad]
location = {latitude=91,longitude=nan}
[region.half]
location = {latitude=1}
[region."sp ace"]
[geoip]
default = {country="de",continent="XX",latitude=3}
)toml") == R"out(
f.toml:15:11: error: listen: "127.0.0.1:99999" is not an address with a port: the port must be a number from 0 to 65535
f.toml:15:29: error: listen: "localhost" is not an address with a port: the address is not IPv4 or IPv6
f.toml:15:53: error: listen: "127.0.0.1:53" is in the list twice
f.toml:16:11: error: threads: -1 is not from 0 to 1024
f.toml:17:13: error: log_level: "inf" is none of "debug", "info", "warning", "error" (did you mean "info"?)
f.toml:18:8: error: nsid: "" must have 1 to 128 printable characters
f.toml:20:22: error: region "bad": latitude: 91 is not from -90 to 90
f.toml:20:35: error: region "bad": longitude: nan is not from -180 to 180
f.toml:22:12: error: region "half": the key "longitude" is missing
f.toml:23:9: error: "sp ace" is not a name: 1 to 63 letters, digits or _ . -, a letter or digit first
f.toml:25:20: error: country: "de" is not a country code of two capital letters (ISO 3166-1)
f.toml:25:35: error: continent: "XX" is none of "AF", "AN", "AS", "EU", "NA", "OC", "SA"
)out");
}

TEST_CASE("monitors that cannot work are refused") {
    CHECK(complaints(R"toml([monitor.slow]
type = "ike"
interval = "1s"
timeout = "1s"
recheck = "2s"
fall = 0
rise = 101
port = 0
[monitor.t]
type = "tcp"
[monitor.and]
type = "icmp"
[monitor.p]
type = "icmp"
port = 7
degraded_loss = 0.7
interval = "5"
timeout = "forever"
[monitor.h]
type = "http"
path = "x"
method = "G T"
status = ["299-200","abc",99]
expect_regex = "("
headers = {"a b"="x", X="a\r\nb"}
host = "a b"
[monitor.h2]
type = "http"
method = "HEAD"
expect = "x"
[monitor.l]
type = "tls"
tls = {server_name="10.0.0.1",min_version="1.4",pin_sha256="zz",cert_file="x"}
[monitor.l2]
type = "tls"
tls = {cert_file="x"}
address = "203.0.113.300"
)toml") == R"out(
f.toml:19:8: error: monitor "slow": fall: 0 is not from 1 to 100
f.toml:20:8: error: monitor "slow": rise: 101 is not from 1 to 100
f.toml:21:8: error: monitor "slow": port: 0 is not from 1 to 65535
f.toml:23:8: error: monitor "t": a tcp monitor needs a port
f.toml:24:10: error: "and" is a word of health expressions, not a name
f.toml:30:12: error: monitor "p": interval: "5" is not a duration: a unit is missing (ms, s, m, h, d)
f.toml:31:11: error: monitor "p": timeout: "forever" is not a duration: a number such as 5s or 200ms is needed
f.toml:34:8: error: monitor "h": path: "x" must begin with a slash
f.toml:35:10: error: monitor "h": method: "G T" is not an HTTP token (RFC 9110 5.6.2)
f.toml:36:11: error: monitor "h": status: statuses are 204 or "200-299", from 100 to 599
f.toml:36:21: error: monitor "h": status: statuses are 204 or "200-299", from 100 to 599
f.toml:36:27: error: monitor "h": status: statuses are 204 or "200-299", from 100 to 599
f.toml:37:16: error: monitor "h": expect_regex: "(" is not a regular expression: missing ): (
f.toml:38:12: error: monitor "h": "a b" is not an HTTP token (RFC 9110 5.6.2)
f.toml:38:25: error: monitor "h": headers: "a\r\nb" holds a control character
f.toml:39:8: error: monitor "h": host: "a b" is not a host name or address
f.toml:43:10: error: monitor "h2": a body is expected but none would be read
f.toml:46:20: error: monitor "l": server_name: "10.0.0.1" is an address; a server name is a host name
f.toml:46:43: error: monitor "l": min_version: "1.4" is none of "1.0", "1.1", "1.2", "1.3" (did you mean "1.0"?)
f.toml:46:60: error: monitor "l": pin_sha256: "zz" is not the base64 of a SHA-256 (44 characters)
f.toml:49:7: error: monitor "l2": cert_file and key_file go together
f.toml:50:11: error: monitor "l2": address: "203.0.113.300" is neither an IP address nor a host name
)out");
}

TEST_CASE("gateways must name what exists, once, and fit together") {
    CHECK(complaints(R"toml([gateway.a]
region = "eu-centrl"
endpoints = ["h..x","1.2.3.4"]
monitors = ["ikee","ike","ike"]
health = "ike and ikee and portal"
[gateway.b]
region = "eu-central"
endpoints = ["1.2.3.4","1.2.3.4",{address="1.2.3.5",name="1.2.3.4"}]
monitors = ["ike"]
health = "ike and"
min_up = 4
failback = "1s"
[gateway.c]
region = "eu-central"
mode = "active-standby"
endpoints = ["9.9.9.9"]
monitors = ["ike"]
min_up = 1
[gateway.d]
)toml") == R"out(
f.toml:15:10: error: gateway "a": there is no region "eu-centrl" (did you mean "eu-central"?)
f.toml:16:14: error: gateway "a": endpoints: "h..x" is neither an IP address nor a host name
f.toml:17:13: error: gateway "a": there is no monitor "ikee" (did you mean "ike"?)
f.toml:17:26: error: gateway "a": monitors: "ike" is in the list twice
f.toml:18:10: error: gateway "a": health: "portal" is not one of the gateway's monitors
f.toml:21:24: error: gateway "b": endpoint "1.2.3.4" is there twice
f.toml:21:43: error: gateway "b": two endpoints are called "1.2.3.4"
f.toml:23:10: error: gateway "b": health: a monitor is missing at the end
f.toml:24:10: error: gateway "b": min_up is 4 but there are only 3 endpoints
f.toml:25:12: error: gateway "b": failback is for active-standby
f.toml:26:10: warning: gateway "c": active-standby with a single endpoint has no standby
f.toml:31:10: error: gateway "c": min_up is for active-active
f.toml:32:1: error: gateway "d": the key "region" is missing
f.toml:32:1: error: gateway "d": the key "endpoints" is missing
f.toml:32:1: error: gateway "d": the key "monitors" is missing
)out");
}

TEST_CASE("services must name what exists and lead somewhere") {
    CHECK(complaints(R"toml([service.a]
name = "VPN.gslb.example.com"
gateways = ["fra","x*","label:provider","label:p=q","region:eu","fra1/203.0.113.10","fra1","fra1"]
policy = ["helthy","first 0","region(eu-west)","rule(country DE -> fra2)","latency","shed"]
ttl = {max=5,min=10}
all_down = "fallback:vpm"
failover = "delay:0s"
[service.b]
name = "x.example.org"
gateways = ["fra1"]
answer = "cname"
all_down = "fallback:c"
failover = "later"
[service.c]
name = "ns1.gslb.example.com"
gateways = ["fra1"]
all_down = "fallback:d"
[service.d]
name = "gslb.example.com"
gateways = ["fra1"]
all_down = "fallback:x.example.org"
ttl = {max=3}
[service.e]
name = "a..b"
gateways = []
all_down = "whatever"
[service.f]
name = "_fairway.vpn.gslb.example.com"
gateways = ["fra1"]
all_down = "fallback:f"
)toml") == R"out(
f.toml:15:8: error: service "a": "vpn.gslb.example.com" is steered twice; first at f.toml:12:8
f.toml:16:13: error: service "a": there is no gateway "fra" (did you mean "fra1"?)
f.toml:16:19: error: service "a": no gateway "x*"
f.toml:16:24: error: service "a": a label target is label:KEY=VALUE
f.toml:16:41: error: service "a": no gateway has label "p=q"
f.toml:16:53: error: service "a": no gateway is in region "eu"
f.toml:16:65: error: service "a": there is no gateway "fra1/203.0.113.10"
f.toml:17:11: error: service "a": policy: unknown policy filter "helthy" (did you mean "healthy"?)
f.toml:17:20: error: service "a": policy: policy filter "first 0": it needs a number from 1 to 99; write it as "first 2"
f.toml:17:30: error: service "a": policy: there is no region "eu-west"
f.toml:17:48: error: service "a": policy: there is no gateway "fra2" (did you mean "fra1"?)
f.toml:17:85: error: service "a": policy filter "shed" is not available in this version
f.toml:18:7: error: service "a": ttl: min 10 must not exceed max 5
f.toml:19:12: error: service "a": all_down: "vpm" is neither a service nor a domain name (did you mean "vpn"?)
f.toml:20:12: error: service "a": failover: 0s is not a delay of up to a day
f.toml:22:8: error: service "b": "x.example.org" lies in none of the zones
f.toml:24:10: error: service "b": answer: a CNAME needs host names, and "fra1/203.0.113.10" is an address
f.toml:25:12: error: service "b": all_down: the fallbacks go round in a circle: b -> c -> d -> b
f.toml:26:12: error: service "b": failover: "later" is none of "automatic", "delay:30s", "confirm"
f.toml:28:8: error: service "c": "ns1.gslb.example.com" is a name server of zone "gslb.example.com"
f.toml:34:12: error: service "d": all_down: "gslb.example.com" is a zone's own name, where no CNAME may stand
f.toml:37:8: error: service "e": name: "a..b" is not a domain name: a label is empty
f.toml:38:12: error: service "e": gateways: it needs at least 1
f.toml:39:12: error: service "e": all_down: "whatever" is none of "serve-all", "fallback:NAME", "nodata", "servfail", "refuse"
f.toml:41:8: error: service "f": names under _fairway are Fairway's own
f.toml:43:12: error: service "f": all_down: the fallbacks go round in a circle: f -> f
)out");
}

TEST_CASE("what this version cannot do is an error, and its keys are checked all the same") {
    CHECK(complaints(R"toml([monitor.t]
type = "tunnel"
psk = "hunter2"
[zone."b.example"]
ns = {"ns.x"=[]}
dnssec = true
[cluster]
endpoints = ["http://127.0.0.1:2379"]
noed = "x"
[alerts]
[hook.x]
type = "exec"
[api]
cert = "c"
)toml") == R"out(
f.toml:15:8: error: monitor "t": monitor type "tunnel" is not available in this version
f.toml:16:7: error: monitor "t": psk: a secret does not stand in the configuration; put it into a file and write "file:PATH", or into the environment and write "env:NAME"
f.toml:20:2: error: "cluster" is not available in this version
f.toml:22:1: error: unknown key "noed" (did you mean "node"?)
f.toml:23:2: error: "alerts" is not available in this version
f.toml:24:2: error: "hook" is not available in this version
f.toml:27:1: error: "cert" is not available in this version
f.toml:27:8: error: cert and key go together
)out");
}

TEST_CASE("a literal secret is refused without being repeated, and an open backend is warned of") {
    CHECK(complaints(R"toml([api]
listen = "0.0.0.0:8053"
token = "hunter2"
[pdns]
http = "0.0.0.0:1"
zeromq = "tcp://192.0.2.1:5354"
)toml") == R"out(
f.toml:16:9: error: token: a secret does not stand in the configuration; put it into a file and write "file:PATH", or into the environment and write "env:NAME"
f.toml:18:8: warning: http: 0.0.0.0:1 can be reached from other hosts, and PowerDNS does not authenticate itself there
f.toml:19:10: warning: zeromq: 192.0.2.1:5354 can be reached from other hosts, and PowerDNS does not authenticate itself there
)out");
}

TEST_CASE("a backend without a connector is refused") {
    CHECK(complaints(R"toml([pdns]
[server]
listen = []
)toml") == R"out(
f.toml:14:1: error: [pdns] needs unix, http or zeromq
)out");
    CHECK(complaints(R"toml([pdns]
zeromq = "inproc://pdns"
)toml") == R"out(
f.toml:15:10: error: zeromq: "inproc://pdns" is no endpoint: write ipc:///path/of/socket or tcp://address:port
)out");
    CHECK(complaints(R"toml([pdns]
zeromq = "tcp://127.0.0.1"
)toml") == R"out(
f.toml:15:10: error: zeromq: "127.0.0.1" is not an address with a port: a port is missing
)out");
}

TEST_CASE("zones need name servers, and places are given once") {
    CHECK(complaints(R"toml([zone."a.example"]
[zone."A.example."]
ns = {"ns.a.example"=[],"NS.a.example"=["1.2.3.4"],"x y"=[]}
[zone."b.example"]
ns = {"ns.b.example"=[]}
[[geoip.override]]
prefixes = ["10.0.0.1/8"]
[[geoip.override]]
prefixes = ["10.0.0.0/8","10.0.0.0/8"]
location = {}
[[geoip.override]]
prefixes = ["10.0.0.0/8"]
location = {latitude=1}
)toml") == R"out(
f.toml:14:1: error: zone "a.example": ns or file is needed: a zone has name servers
f.toml:15:7: error: zone "a.example" is given twice; first at f.toml:14:7
f.toml:15:7: error: zone "a.example": name server "ns.a.example" lies in the zone and needs an address
f.toml:16:25: error: "ns.a.example" is in the table twice
f.toml:16:52: error: "x y" is not a domain name: only letters, digits, hyphens and underscores make labels
f.toml:17:7: error: zone "b.example": name server "ns.b.example" lies in the zone and needs an address
f.toml:19:1: error: the key "location" is missing
f.toml:20:13: error: prefixes: "10.0.0.1/8" has bits set beyond its length; meant 10.0.0.0/8?
f.toml:22:26: error: prefixes: "10.0.0.0/8" is in the list twice
f.toml:26:12: error: latitude and longitude go together
)out");
}

TEST_CASE("what is not TOML is told in the same form, and nothing is guessed about the rest") {
    CHECK(complaints(R"toml([server]
nsid = 
[gateway.x]
)toml") == R"out(
f.toml:15:8: error: this is not TOML: in key-value pair: expected value, saw '\n'
)out");
}

TEST_CASE("what nothing uses is warned of, and so is a region without a place") {
    CHECK(complaints(R"toml([monitor.q]
type = "icmp"
[region.q]
[gateway.q]
region = "q"
endpoints = ["1.1.1.1"]
monitors = ["ike"]
[region.r]
[gateway.s]
region = "r"
endpoints = ["1.1.1.1"]
monitors = ["ike"]
[service.s]
name = "s.gslb.example.com"
gateways = ["s"]
)toml") == R"out(
f.toml:14:10: warning: monitor "q" is used by no gateway
f.toml:17:10: warning: gateway "q" is in no service
f.toml:21:9: warning: region "r" has no location, so "nearest" puts its gateways last
)out");
}

TEST_CASE("records, rate limits and cookie secrets are held to their forms") {
    CHECK(complaints(R"toml([server]
rate_limit = { responses = -1, slip = 101, ipv4_prefix = 33, exempt = ["x"] }
[service.s]
name = "s.gslb.example.com"
gateways = ["fra1"]
records = { SRV = 1, A = "192.0.2.1", TXT = [] }
)toml") == R"out(
f.toml:15:28: error: responses: -1 is not from 0 to 1000000
f.toml:15:39: error: slip: 101 is not from 0 to 100
f.toml:15:58: error: ipv4_prefix: 33 is not from 8 to 32
f.toml:15:72: error: exempt: "x" is not an IP address
f.toml:19:19: error: service "s": records: a string or an array is wanted, not an integer
f.toml:19:22: error: service "s": records: "A" is none of SRV, SVCB, HTTPS, MX, TXT
f.toml:19:45: error: service "s": records: it needs at least 1
)out");
    for (const char* secret :
         {"e5e973e5a6b2a43f48e7dc849e37bfc", "", "e5e973e5a6b2a43f48e7dc849e37bfcg", "a b c"}) {
        const LoadResult result = load_text(std::string(minimal) + "[server]\ncookie_secret = \"file:s\"\n",
                                            "/f.toml", reader_of({{"file:/s", secret}}));
        CHECK(lines(result.diagnostics) ==
              "/f.toml:15:17: error: cookie_secret: file:/s must hold one or two secrets of 32 hexadecimal "
              "digits "
              "each\n");
    }
}

TEST_CASE("an API that other hosts reach needs a token and TLS") {
    CHECK(complaints(R"toml([api]
listen = "[2001:db8::1]:8053"
)toml") == R"out(
f.toml:15:10: error: listen: [2001:db8::1]:8053 can be reached from other hosts, which needs a token
f.toml:15:10: error: listen: [2001:db8::1]:8053 can be reached from other hosts, which needs TLS (cert and key)
)out");
}

TEST_CASE("a server that answers nowhere is refused") {
    CHECK(complaints(R"toml([server]
listen = []
)toml") == R"out(
f.toml: error: nothing would answer: server.listen is empty and there is no server.tls or [pdns]
)out");
}

TEST_CASE("DNS over TLS needs a certificate, its key and addresses of its own") {
    CHECK(complaints(R"toml([server]
tls = { listen = [], certificate = "dot.pem" }
)toml") == R"out(
f.toml:15:7: error: the key "cert" is missing
f.toml:15:7: error: the key "key" is missing
f.toml:15:18: error: listen: it needs at least 1
f.toml:15:22: error: unknown key "certificate"
)out");
    CHECK(complaints(R"toml([server]
listen = ["192.0.2.1", "192.0.2.1:853", "192.0.2.1:0"]
tls = { listen = ["192.0.2.1", "192.0.2.1:0"], cert = "dot.pem", key = "dot.key" }
)toml") == R"out(
f.toml:16:7: error: tls: 192.0.2.1:853 is in listen too
)out");
}

TEST_CASE("names of endpoints, labels and zones are checked") {
    CHECK(complaints(R"toml([gateway.x]
region = "eu-central"
zone = "a b"
endpoints = [{ name = "a/b", address = "10.0.0.1" }, { address = "10.0.0.2", weight = 65536 }, { name = "c" }, 7]
monitors = ["ike"]
labels = { "a=b" = "c", d = "*", e = 3 }
capacity = -1
mode = "active-pasive"
)toml") == R"out(
f.toml:16:8: error: gateway "x": zone: "a b" is not a name: 1 to 63 letters, digits or _ . -, a letter or digit first
f.toml:17:23: error: gateway "x": name: "a/b" must have 1 to 63 letters, digits or _ . : -
f.toml:17:87: error: gateway "x": weight: 65536 is not from 0 to 65535
f.toml:17:96: error: gateway "x": the key "address" is missing
f.toml:17:112: error: gateway "x": endpoints: an address or a table is wanted, not an integer
f.toml:19:12: error: gateway "x": "a=b" must have 1 to 63 characters, none of them a blank, quote or one of * ? = \
f.toml:19:29: error: gateway "x": labels: "*" must have 1 to 63 characters, none of them a blank, quote or one of * ? = \
f.toml:19:38: error: gateway "x": labels: a string is wanted, not an integer
f.toml:20:12: error: gateway "x": capacity: -1 is not from 0 to 1e+12
f.toml:21:8: error: gateway "x": mode: "active-pasive" is none of "active-active", "active-standby" (did you mean "active-active"?)
)out");
}

TEST_CASE("the damping of flapping endpoints must make sense") {
    CHECK(complaints(R"toml([health]
hold_down = "20m"
[probes]
rate = 0
resolvers = ["dns.example"]
)toml") == R"out(
f.toml:15:13: error: hold_down 20m must not exceed max_hold_down 10m
f.toml:17:8: error: rate: 0 is not from 1 to 1000000
f.toml:18:14: error: resolvers: "dns.example" is not an address with a port: the address is not IPv4 or IPv6
)out");
}

TEST_CASE("a gateway takes 32 monitors at most") {
    std::string text, list;
    for (int i = 0; i < 33; ++i) {
        text += "[monitor.m" + std::to_string(i) + "]\ntype = \"icmp\"\n";
        list += (i == 0 ? "\"m" : ", \"m") + std::to_string(i) + "\"";
    }
    text += "[gateway.x]\nregion = \"eu-central\"\nendpoints = [\"10.0.0.1\"]\nmonitors = [" + list + "]\n";
    CHECK(complaints(text) == R"(
f.toml:83:12: error: gateway "x": monitors: it takes at most 32
)");
}

TEST_CASE("tables and keys given twice in one file do not hide the rest") {
    CHECK(complaints(R"toml([gateway.fra1]
region = "x"
endpoints = ["1.2.3.4"]
[server]
nsid = "a"
nsid = "b"
[gateway.z]
region = "x"
[gateway.fra1]
q = 1
)toml") == R"out(
f.toml:14:1: error: "gateway.fra1" is given twice; first at f.toml:7:10
f.toml:19:8: error: "nsid" is given twice
f.toml:20:1: error: gateway "z": the key "endpoints" is missing
f.toml:20:1: error: gateway "z": the key "monitors" is missing
f.toml:21:10: error: gateway "z": there is no region "x"
f.toml:22:1: error: "gateway.fra1" is given twice; first at f.toml:7:10
)out");
}

TEST_CASE("transfers name prefixes, addresses and keys that there are; a bad secret is not repeated") {
    const auto said = [](std::string_view more, const std::string& secret) {
        const LoadResult result =
            load_text(std::string(minimal) + std::string(more), "f.toml", reader_of({{"env:KEY", secret}}));
        return "\n" + lines(result.diagnostics);
    };
    CHECK(said(R"toml([tsig.key]
secret = "env:KEY"
[tsig.two]
algorithm = "hmac-md5"
secret = "env:KEY"
)toml",
               "not base64") == R"out(
f.toml:15:10: error: tsig "key": secret: what it stands for is not base64
f.toml:17:13: error: tsig "two": algorithm: "hmac-md5" is none of "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"
)out");
    CHECK(said(R"toml([tsig.key]
secret = "env:KEY"
)toml",
               "AAECAw==") == R"out(
f.toml:15:10: warning: tsig "key": secret: 4 octets are few; 32 random ones are usual
)out");
    CHECK(said(R"toml([tsig.key]
secret = "env:KEY"
[zone."x.test"]
ns = { "ns.x.test" = ["192.0.2.1"] }
transfer = { allow = ["192.0.2.0/33", "key:kez", "", "a b", "key:key key:key"], notify = ["key:key", "192.0.2.1:0", "x"] }
)toml",
               "AAECAwQFBgcICQoLDA0ODw==") == R"out(
f.toml:18:23: error: zone "x.test": allow: "192.0.2.0/33" has no prefix length between 0 and 32
f.toml:18:50: error: zone "x.test": allow: it must name an address, a prefix or a key
f.toml:18:54: error: zone "x.test": allow: "a b" is not of the form "ADDRESS key:NAME"
f.toml:18:61: error: zone "x.test": allow: "key:key key:key" has two keys
f.toml:18:91: error: zone "x.test": notify: "key:key" names no address
f.toml:18:102: error: zone "x.test": notify: "192.0.2.1:0": 0 is no port
f.toml:18:117: error: zone "x.test": notify: "x" is not an address with a port: the address is not IPv4 or IPv6
)out");
    CHECK(said(R"toml([tsig.key]
secret = "env:KEY"
[zone."x.test"]
ns = { "ns.x.test" = ["192.0.2.1"] }
transfer = { allow = ["key:kez"], notify = ["192.0.2.1 key:other.example"] }
)toml",
               "AAECAwQFBgcICQoLDA0ODw==") == R"out(
f.toml:18:23: error: zone "x.test": transfer: there is no [tsig.kez] (did you mean "key"?)
f.toml:18:45: error: zone "x.test": transfer: there is no [tsig."other.example"]
)out");
}
