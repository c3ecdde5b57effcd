// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "unit/steering/fleet.h"

using namespace fairway;
using namespace fairway::test;
using Paths = std::vector<std::string>;

namespace {

const std::string berlin = "192.0.2.0/24";
const std::string new_york = "198.51.100.0/24";
const std::string jakarta = "203.0.113.0/24";

}  // namespace

TEST_CASE("each client gets the gateways of its nearest region first, then the next") {
    Fleet fleet = three_regions({"healthy", "nearest"});
    CHECK(fleet.answer(berlin) == Paths{"fra1/203.0.113.10", "fra2/203.0.113.20", "iad1/203.0.113.30",
                                        "sin1/203.0.113.40", "sin1/203.0.113.41"});
    CHECK(fleet.answer(new_york) == Paths{"iad1/203.0.113.30", "fra1/203.0.113.10", "fra2/203.0.113.20",
                                          "sin1/203.0.113.40", "sin1/203.0.113.41"});
    CHECK(fleet.answer(jakarta).front() == "sin1/203.0.113.40");
    CHECK(fleet.answer("2001:db8:1:7::/64").front() == "fra1/203.0.113.10");
}

TEST_CASE("the source decides for a client without a subnet") {
    Fleet fleet = three_regions({"healthy", "nearest", "first 1"});
    CHECK(fleet.answer("198.51.100.53") == Paths{"iad1/203.0.113.30"});
    const Selection selection = fleet.select(Fleet::client_of("198.51.100.53"));
    CHECK_FALSE(selection.used_ecs);
    CHECK(selection.decided_by.to_string() == "198.51.100.53");
    CHECK(selection.scope == 24);
}

TEST_CASE("when the nearest gateways go down the next nearest answer, and they come back") {
    Fleet fleet = three_regions({"healthy", "nearest", "first 2"});
    fleet.down("fra1");
    CHECK(fleet.answer(berlin) == Paths{"fra2/203.0.113.20", "iad1/203.0.113.30"});
    fleet.down("fra2");
    CHECK(fleet.answer(berlin) == Paths{"iad1/203.0.113.30", "sin1/203.0.113.40"});
    fleet.up("fra1");
    CHECK(fleet.answer(berlin) == Paths{"fra1/203.0.113.10", "iad1/203.0.113.30"});
}

TEST_CASE("a client that nobody knows gets the order of the configuration, or that of the default location") {
    Fleet fleet = three_regions({"healthy", "nearest", "first 1"});
    CHECK(fleet.answer("8.8.8.0/24") == Paths{"fra1/203.0.113.10"});
    Fleet with_default = three_regions({"healthy", "nearest", "first 1"});
    with_default.model().default_location = in("SG");
    CHECK(with_default.answer("8.8.8.0/24") == Paths{"sin1/203.0.113.40"});
    CHECK(with_default.answer(berlin) == Paths{"fra1/203.0.113.10"});
}

TEST_CASE("degraded gateways answer only when nothing up is left in the service") {
    Fleet fleet = three_regions({"healthy", "nearest"});
    fleet.status("fra1/203.0.113.10").effective = HealthState::degraded;
    CHECK(fleet.answer(berlin) ==
          Paths{"fra2/203.0.113.20", "iad1/203.0.113.30", "sin1/203.0.113.40", "sin1/203.0.113.41"});
    for (const char* name : {"fra2", "iad1", "sin1"}) fleet.down(name);
    CHECK(fleet.answer(berlin) == Paths{"fra1/203.0.113.10"});
    CHECK_FALSE(fleet.select(Fleet::client_of(berlin)).last_resort);
}

TEST_CASE("a gateway whose failover waits is answered as if it were up, with the minimum TTL") {
    Fleet fleet = three_regions({"healthy", "nearest", "first 1"});
    fleet.down("fra1");
    fleet.health().services[0].held = {fleet.gateway("fra1").id};
    CHECK(fleet.answer(berlin) == Paths{"fra1/203.0.113.10"});
    CHECK(fleet.select(Fleet::client_of(berlin)).ttl == seconds{5});
}

TEST_CASE("endpoints that an operator withholds are not answered") {
    Fleet fleet = three_regions({"nearest", "first 2"});
    fleet.withhold("fra1", AdminState::drain);
    CHECK(fleet.answer(berlin) == Paths{"fra2/203.0.113.20", "iad1/203.0.113.30"});
}

TEST_CASE("an active-standby gateway answers with the endpoint that serves, or else its primary") {
    Fleet fleet;
    fleet.region("eu", frankfurt);
    fleet.gateway("fra1", "eu", {"203.0.113.1", "203.0.113.2"}, GatewayMode::active_standby);
    fleet.service("vpn", {"all"});
    CHECK(fleet.answer(berlin) == Paths{"fra1/203.0.113.1"});
    fleet.status("fra1/203.0.113.1").serving = false;
    fleet.status("fra1/203.0.113.2").serving = true;
    CHECK(fleet.answer(berlin) == Paths{"fra1/203.0.113.2"});
    fleet.status("fra1/203.0.113.2").serving = false;
    CHECK(fleet.answer(berlin) == Paths{"fra1/203.0.113.1"});
}

TEST_CASE("when everything is down, serve-all answers the whole set in the order of the chain") {
    Fleet fleet = three_regions({"healthy", "nearest", "first 1"});
    for (const char* name : {"fra1", "fra2", "iad1", "sin1"}) fleet.down(name);
    const Selection selection = fleet.select(Fleet::client_of(new_york));
    CHECK(selection.last_resort);
    CHECK(selection.ttl == seconds{5});
    CHECK(fleet.answer(new_york) == Paths{"iad1/203.0.113.30", "fra1/203.0.113.10", "fra2/203.0.113.20",
                                          "sin1/203.0.113.40", "sin1/203.0.113.41"});

    SECTION("what is held down but alive to the probes comes first") {
        fleet.status("sin1/203.0.113.41").measured = HealthState::up;
        CHECK(fleet.answer(new_york) == Paths{"sin1/203.0.113.41", "sin1/203.0.113.40", "iad1/203.0.113.30",
                                              "fra1/203.0.113.10", "fra2/203.0.113.20"});
    }
    SECTION("what an operator withholds is left out while anything else is there") {
        fleet.withhold("iad1", AdminState::maintenance);
        CHECK(fleet.answer(new_york) ==
              Paths{"fra1/203.0.113.10", "fra2/203.0.113.20", "sin1/203.0.113.40", "sin1/203.0.113.41"});
        for (const char* name : {"fra1", "fra2", "sin1"}) fleet.withhold(name, AdminState::forced_down);
        CHECK(fleet.answer(new_york).size() == 5);
    }
}

TEST_CASE("all_down has its other forms") {
    Fleet fleet = three_regions({"healthy", "first 1"});
    for (const char* name : {"fra1", "fra2", "iad1", "sin1"}) fleet.down(name);
    Service& service = fleet.model().services[0];
    const auto kind = [&](AllDown all_down) {
        service.all_down = all_down;
        return fleet.select(Fleet::client_of(berlin)).kind;
    };
    CHECK(kind(AllDown::nodata) == SelectionKind::nodata);
    CHECK(kind(AllDown::servfail) == SelectionKind::servfail);
    CHECK(kind(AllDown::refuse) == SelectionKind::refuse);
    service.fallback_name = "vpn.elsewhere.example";
    CHECK(kind(AllDown::fallback) == SelectionKind::name);
    const Selection selection = fleet.select(Fleet::client_of(berlin));
    CHECK(selection.endpoints.empty());
    CHECK(selection.ttl == seconds{5});
    CHECK(selection.last_resort);
    CHECK(selection.scope == 0);
}

TEST_CASE("a service falls back to another, and that to a third; a cycle ends in SERVFAIL") {
    Fleet fleet;
    fleet.region("eu", frankfurt);
    fleet.gateway("fra1", "eu", {"203.0.113.1"});
    fleet.service("first", {"healthy"});
    fleet.gateway("fra2", "eu", {"203.0.113.2"});
    fleet.service("second", {"healthy"}).gateways = {GatewayId(size_t{1})};
    fleet.gateway("fra3", "eu", {"203.0.113.3"});
    fleet.service("third", {"healthy"}).gateways = {GatewayId(size_t{2})};
    for (size_t i = 0; i < 2; ++i) {
        fleet.model().services[i].all_down = AllDown::fallback;
        fleet.model().services[i].fallback_service = ServiceId(i + 1);
    }
    CHECK(fleet.answer(berlin) == Paths{"fra1/203.0.113.1"});
    fleet.down("fra1");
    CHECK(fleet.answer(berlin) == Paths{"fra2/203.0.113.2"});
    fleet.down("fra2");
    const Selection selection = fleet.select(Fleet::client_of(berlin));
    CHECK(fleet.answer(berlin) == Paths{"fra3/203.0.113.3"});
    CHECK(selection.service == ServiceId(size_t{2}));
    CHECK(selection.last_resort);
    CHECK(selection.ttl == seconds{5});

    fleet.down("fra3");
    fleet.model().services[2].all_down = AllDown::fallback;
    fleet.model().services[2].fallback_service = ServiceId(size_t{0});
    CHECK(fleet.select(Fleet::client_of(berlin)).kind == SelectionKind::servfail);
}

TEST_CASE("an endpoint without an address is not answered, and when none has one the answer is SERVFAIL") {
    Fleet fleet;
    fleet.region("eu", frankfurt);
    fleet.gateway("fra1", "eu", {"a.example.net", "203.0.113.1"});
    fleet.service("vpn", {"healthy"});
    CHECK(fleet.answer(berlin) == Paths{"fra1/203.0.113.1"});
    fleet.status("fra1/203.0.113.1").address.reset();
    CHECK(fleet.select(Fleet::client_of(berlin)).kind == SelectionKind::servfail);
    fleet.model().services[0].answer = AnswerKind::cname;
    CHECK(fleet.answer(berlin) == Paths{"fra1/a.example.net", "fra1/203.0.113.1"});
}

TEST_CASE("the TTL shrinks only while a state in doubt could change the answer") {
    Fleet fleet = three_regions({"healthy", "nearest", "first 1"});
    const auto ttl = [&](const std::string& client) { return fleet.select(Fleet::client_of(client)).ttl; };
    CHECK(ttl(berlin) == seconds{30});
    SECTION("a selected endpoint is suspect") {
        fleet.status("fra1/203.0.113.10").effective = HealthState::suspect;
        fleet.status("fra1/203.0.113.10").in_doubt = true;
        CHECK(ttl(berlin) == seconds{5});
        CHECK(ttl(new_york) == seconds{30});
    }
    SECTION("a better endpoint is about to come back") {
        fleet.down("fra1");
        CHECK(ttl(berlin) == seconds{30});
        fleet.status("fra1/203.0.113.10").in_doubt = true;
        CHECK(ttl(berlin) == seconds{5});
        CHECK(fleet.answer(berlin) == Paths{"fra2/203.0.113.20"});
        CHECK(ttl(new_york) == seconds{30});
    }
    SECTION("the gateway as a whole is in doubt") {
        fleet.health().gateways[fleet.gateway("iad1").id.index()].in_doubt = true;
        CHECK(ttl(new_york) == seconds{5});
    }
}

TEST_CASE("a trace tells each step: who decided, what was withheld, removed, ranked and kept") {
    Fleet fleet = three_regions({"healthy", "nearest", "first 1"});
    fleet.withhold("fra2", AdminState::drain);
    fleet.down("sin1");
    Trace trace;
    const Selection selection = fleet.select(Fleet::client_of(new_york), &trace);
    REQUIRE(trace.steps.size() == 7);
    CHECK(trace.steps[0].filter == "client");
    CHECK(
        trace.steps[0].note ==
        "client subnet 198.51.100.0/24: at 40.71,-74.01 in US, NA, by the own prefix around 198.51.100.0/24");
    CHECK(trace.steps[1].filter == "overrides");
    REQUIRE(trace.steps[1].removed.size() == 1);
    CHECK(trace.steps[1].removed[0].endpoint == fleet.id("fra2/203.0.113.20"));
    CHECK(trace.steps[1].removed[0].why == "drain");
    CHECK(trace.steps[2].filter == "healthy");
    REQUIRE(trace.steps[2].removed.size() == 2);
    CHECK(trace.steps[2].removed[1].why == "down");
    CHECK(trace.steps[3].filter == "nearest");
    CHECK(trace.steps[3].kept == std::vector{fleet.id("iad1/203.0.113.30"), fleet.id("fra1/203.0.113.10")});
    CHECK(trace.steps[3].marks == std::vector<std::string>{"350 km", "6203 km"});
    CHECK(trace.steps[4].filter == "first 1");
    CHECK(trace.steps[4].kept == selection.endpoints);
    CHECK(trace.steps[5].filter == "ttl");
    CHECK(trace.steps[5].note == "30 s: nothing is in doubt");
    CHECK(trace.steps[6].filter == "scope");
    CHECK(trace.steps[6].note == "the same for all of 198.51.100.0/24");
}

TEST_CASE("a selection says what of the client it was made from") {
    SECTION("nothing, where all get the same") {
        Fleet fleet = three_regions({"healthy", "first 1"});
        CHECK(fleet.select(Fleet::client_of(berlin)).depends == Dependence{0, false});
    }
    SECTION("its class") {
        Fleet fleet = three_regions({"healthy", "nearest"});
        CHECK(fleet.select(Fleet::client_of(berlin)).depends == Dependence{1, false});
    }
    SECTION("its class and its block, where several are equally near") {
        Fleet fleet = three_regions({"healthy", "nearest", "weighted", "first 1"});
        CHECK(fleet.select(Fleet::client_of(berlin)).depends == Dependence{1, true});
        // One endpoint in each place: nothing is left for a hash to decide.
        fleet.down("sin1");
        fleet.down("fra2");
        const Selection single = fleet.select(Fleet::client_of(new_york));
        CHECK(single.depends == Dependence{1, false});
        CHECK(single.scope == 24);
    }
}
