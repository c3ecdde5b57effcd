// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <map>

#include "steering/great_circle.h"
#include "unit/steering/fleet.h"

using namespace fairway;
using namespace fairway::test;
using Paths = std::vector<std::string>;

namespace {

const std::string berlin = "192.0.2.0/24";
const std::string new_york = "198.51.100.0/24";
const std::string jakarta = "203.0.113.0/24";

/// Four gateways of one region with an endpoint each, a service over them.
Fleet four(const std::vector<std::string>& policy) {
    Fleet fleet;
    fleet.region("eu", frankfurt);
    for (const char* name : {"a", "b", "c", "d"})
        fleet.gateway(name, "eu", {std::string("203.0.113.") + std::to_string(name[0])});
    fleet.service("vpn", policy);
    return fleet;
}

/// How often each gateway comes first over many client blocks.
std::map<std::string, int> shares(Fleet& fleet, int blocks) {
    std::map<std::string, int> count;
    Selection selection;
    for (int i = 0; i < blocks; ++i) {
        const IpAddress block = IpAddress::v4(static_cast<uint32_t>(0x0b000000 + i * 256));
        const Client client{block, IpPrefix(block, 24)};
        fleet.steering().select(ServiceId(size_t{0}), fleet.health(), client, selection);
        ++count[fleet.model()[fleet.model()[selection.endpoints.at(0)].gateway].name];
    }
    return count;
}

}  // namespace

TEST_CASE("great circles have the lengths that atlases give") {
    CHECK(great_circle_km({50.0379, 8.5622}, {40.6413, -73.7781}) == Approx(6184).margin(25));     // FRA JFK
    CHECK(great_circle_km({51.4700, -0.4543}, {-33.9461, 151.1772}) == Approx(17016).margin(60));  // LHR SYD
    CHECK(great_circle_km({1.3644, 103.9915}, {35.5494, 139.7798}) == Approx(5300).margin(25));    // SIN HND
    CHECK(great_circle_km({0, 179}, {0, -179}) == Approx(222.39).margin(0.1));
    CHECK(great_circle_km({90, 0}, {-90, 77}) == Approx(20015.1).margin(0.5));
    CHECK(great_circle_km({12, 34}, {12, 34}) == 0);
}

TEST_CASE("equally near gateways and gateways without coordinates keep the order of the configuration") {
    Fleet fleet;
    fleet.region("nowhere", std::nullopt)
        .region("b", frankfurt)
        .region("a", frankfurt)
        .region("us", virginia);
    fleet.gateway("n1", "nowhere", {"203.0.113.1"}).gateway("a1", "a", {"203.0.113.2"});
    fleet.gateway("b1", "b", {"203.0.113.3"}).gateway("us1", "us", {"203.0.113.4"});
    fleet.service("vpn", {"nearest"});
    fleet.own("192.0.2.0/24", in("DE"));
    CHECK(fleet.answer(berlin) ==
          Paths{"a1/203.0.113.2", "b1/203.0.113.3", "us1/203.0.113.4", "n1/203.0.113.1"});
    CHECK(fleet.answer("8.8.8.0/24") ==
          Paths{"n1/203.0.113.1", "a1/203.0.113.2", "b1/203.0.113.3", "us1/203.0.113.4"});
}

TEST_CASE("region keeps gateways of the named regions for everyone, and lets all_down decide without them") {
    Fleet fleet = three_regions({"region(us-*, ap-southeast)", "healthy", "nearest", "first 1"});
    CHECK(fleet.answer(berlin) == Paths{"iad1/203.0.113.30"});
    fleet.down("iad1");
    CHECK(fleet.answer(berlin) == Paths{"sin1/203.0.113.40"});
    fleet.down("sin1");
    const Selection selection = fleet.select(Fleet::client_of(berlin));
    CHECK(selection.last_resort);
    CHECK(fleet.answer(berlin) == Paths{"iad1/203.0.113.30", "sin1/203.0.113.40", "sin1/203.0.113.41"});
}

TEST_CASE("a rule after healthy is a preference that gives way when its gateways are down") {
    Fleet fleet = three_regions(
        {"healthy", "rule(country ID|SG -> iad1|sin*, continent EU -> sin1)", "nearest", "first 1"});
    CHECK(fleet.answer(jakarta) == Paths{"iad1/203.0.113.30"});
    CHECK(fleet.answer(berlin) == Paths{"sin1/203.0.113.40"});
    CHECK(fleet.answer(new_york) == Paths{"iad1/203.0.113.30"});
    fleet.down("iad1");
    CHECK(fleet.answer(jakarta) == Paths{"sin1/203.0.113.40"});
    fleet.down("sin1");
    CHECK(fleet.answer(jakarta) == Paths{"fra1/203.0.113.10"});
    CHECK(fleet.answer(berlin) == Paths{"fra1/203.0.113.10"});
}

TEST_CASE("a rule before healthy is a fence") {
    Fleet fleet = three_regions({"rule(continent EU -> fra*)", "healthy", "nearest", "first 1"});
    fleet.model().services[0].all_down = AllDown::nodata;
    CHECK(fleet.answer(berlin) == Paths{"fra1/203.0.113.10"});
    fleet.down("fra1");
    fleet.down("fra2");
    const Selection fenced = fleet.select(Fleet::client_of(berlin));
    CHECK(fenced.kind == SelectionKind::nodata);
    CHECK(fenced.scope > 0);
    CHECK(fleet.answer(new_york) == Paths{"iad1/203.0.113.30"});
}

TEST_CASE("rules know AS numbers and prefixes, nested ones too") {
    Fleet fleet =
        three_regions({"healthy",
                       "rule(prefix 10.1.0.0/16 -> iad1, prefix 10.0.0.0/8|2001:db8:9::/48 -> sin1, "
                       "asn 64500 -> fra2)",
                       "nearest", "first 1"});
    Location as64500;
    as64500.asn = 64500;
    fleet.own("192.0.2.64/26", as64500);
    CHECK(fleet.answer("10.1.2.0/24") == Paths{"iad1/203.0.113.30"});
    CHECK(fleet.answer("10.2.2.0/24") == Paths{"sin1/203.0.113.40"});
    CHECK(fleet.answer("10.1.2.3") == Paths{"iad1/203.0.113.30"});
    CHECK(fleet.answer("2001:db8:9:100::/56") == Paths{"sin1/203.0.113.40"});
    CHECK(fleet.answer("192.0.2.64/27") == Paths{"fra2/203.0.113.20"});
    CHECK(fleet.answer(berlin) == Paths{"fra1/203.0.113.10"});
    fleet.down("iad1");
    CHECK(fleet.answer("10.1.2.0/24") == Paths{"sin1/203.0.113.40"});
}

TEST_CASE("failover is the order of the configuration, whatever follows") {
    Fleet fleet = four({"healthy", "failover", "weighted", "first 1"});
    CHECK(fleet.answer(berlin) == Paths{"a/203.0.113.97"});
    fleet.down("a");
    CHECK(fleet.answer(berlin) == Paths{"b/203.0.113.98"});
    CHECK(fleet.select(Fleet::client_of(berlin)).endpoints.size() == 1);
}

TEST_CASE("weighted gives every gateway its share of the client blocks") {
    Fleet fleet = four({"healthy", "weighted", "first 1"});
    fleet.gateway("a").weight = 4;
    fleet.gateway("b").weight = 2;
    fleet.gateway("d").weight = 0;
    auto share = shares(fleet, 14'000);
    CHECK(share["a"] == Approx(8000).margin(250));
    CHECK(share["b"] == Approx(4000).margin(250));
    CHECK(share["c"] == Approx(2000).margin(250));
    CHECK(share.count("d") == 0);
    SECTION("weight 0 is chosen when there is nothing else") {
        for (const char* name : {"a", "b", "c"}) fleet.down(name);
        CHECK(shares(fleet, 10)["d"] == 10);
    }
    SECTION("when a gateway goes, only its clients move") {
        const auto before = [&](uint32_t i) { return IpAddress::v4(0x0b000000 + i * 256); };
        std::vector<EndpointId> firsts;
        for (uint32_t i = 0; i < 500; ++i)
            firsts.push_back(fleet.select({before(i), std::nullopt}).endpoints.at(0));
        fleet.down("b");
        for (uint32_t i = 0; i < 500; ++i) {
            const EndpointId now = fleet.select({before(i), std::nullopt}).endpoints.at(0);
            if (firsts[i] != fleet.id("b/203.0.113.98")) CHECK(now == firsts[i]);
        }
    }
}

TEST_CASE("endpoints of a gateway share by their own weights") {
    Fleet fleet;
    fleet.region("eu", frankfurt).gateway("g", "eu", {"203.0.113.1", "203.0.113.2", "203.0.113.3"});
    fleet.model().endpoints[0].weight = 3;
    fleet.model().endpoints[2].weight = 0;
    fleet.service("vpn", {"healthy", "weighted"});
    int first = 0;
    for (uint32_t i = 0; i < 4000; ++i) {
        const Selection selection = fleet.select({IpAddress::v4(0x0b000000 + i * 256), std::nullopt});
        CHECK(selection.endpoints.size() == 2);
        first += selection.endpoints[0] == EndpointId(size_t{0}) ? 1 : 0;
    }
    CHECK(first == Approx(3000).margin(150));
}

TEST_CASE(
    "sticky spreads evenly, ignores weights and gives a block the same answer for every address in it") {
    Fleet fleet = four({"healthy", "sticky", "first 1"});
    fleet.gateway("a").weight = 100;
    for (const auto& [name, count] : shares(fleet, 8000)) CHECK(count == Approx(2000).margin(200));
    const auto answer = fleet.answer("198.18.7.0/24");
    CHECK(fleet.answer("198.18.7.255") == answer);
    CHECK(fleet.select(Fleet::client_of("198.18.7.128/25")).scope == 24);
    CHECK(fleet.select(Fleet::client_of("198.18.0.0/16")).scope == 24);
    CHECK(fleet.answer("2001:db8:7:1::1") == fleet.answer("2001:db8:7:ffff::/64"));
    CHECK(fleet.select(Fleet::client_of("2001:db8:7:ffff::/64")).scope == 48);
}

TEST_CASE("a ranking only reorders what the rankings before it left equal") {
    Fleet fleet = three_regions({"healthy", "nearest", "sticky"});
    std::map<std::string, int> firsts;
    for (int i = 0; i < 64; ++i) {
        fleet.sources().own[0].prefix = IpPrefix::parse("11.0." + std::to_string(i) + ".0/24").value();
        fleet.compile();
        const Paths paths = fleet.answer("11.0." + std::to_string(i) + ".0/24");
        REQUIRE(paths.size() == 5);
        ++firsts[paths[0]];
        CHECK(paths[2] == "iad1/203.0.113.30");
        CHECK(paths[3].substr(0, 5) == "sin1/");
    }
    CHECK(firsts.size() == 2);
    CHECK(firsts["fra1/203.0.113.10"] > 16);
    CHECK(firsts["fra2/203.0.113.20"] > 16);
}

TEST_CASE("first N counts the endpoints of each address family for itself") {
    Fleet fleet;
    fleet.region("eu", frankfurt);
    fleet.gateway("a", "eu", {"203.0.113.1", "2001:db8::1"})
        .gateway("b", "eu", {"203.0.113.2", "2001:db8::2"});
    fleet.service("vpn", {"healthy", "first 1"});
    CHECK(fleet.answer(berlin) == Paths{"a/203.0.113.1", "a/2001:db8::1"});
}

TEST_CASE("latency prefers the gateway with the shortest round trip; what was not measured comes last") {
    Fleet fleet = four({"healthy", "latency"});
    fleet.status("a/203.0.113.97").rtt = microseconds{90'300};
    fleet.status("b/203.0.113.98").rtt = microseconds{0};
    fleet.status("c/203.0.113.99").rtt = microseconds{12'200};
    fleet.status("d/203.0.113.100").rtt = microseconds{11'900};
    CHECK(fleet.answer(berlin) ==
          Paths{"c/203.0.113.99", "d/203.0.113.100", "a/203.0.113.97", "b/203.0.113.98"});
    CHECK(fleet.select(Fleet::client_of(berlin)).scope == 0);
}

TEST_CASE("an answer holds no more endpoints than resolvers take") {
    Fleet fleet;
    fleet.region("eu", frankfurt);
    std::vector<std::string> hosts;
    for (int i = 0; i < 100; ++i) hosts.push_back("203.0.113." + std::to_string(i));
    fleet.gateway("g", "eu", hosts);
    fleet.service("vpn", {"all"});
    CHECK(fleet.answer(berlin).size() == Selection::max_endpoints);
}

TEST_CASE("the registry has the filters it says, and compiling any other throws") {
    const auto names = steering_filter_names();
    CHECK(std::vector<std::string_view>(names.begin(), names.end()) ==
          std::vector<std::string_view>{"all", "failover", "first", "healthy", "latency", "nearest", "region",
                                        "rule", "sticky", "weighted"});
    Fleet fleet = four({"shed"});
    CHECK_THROWS_WITH(fleet.compile(), "service vpn: there is no policy filter \"shed\"");
}
