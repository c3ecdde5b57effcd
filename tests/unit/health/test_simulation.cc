// SPDX-License-Identifier: Apache-2.0
// Hours of a fleet's life against the referee of tests/sim; a whole day runs in tests/bench/health.
#include <catch2/catch.hpp>

#include "sim/fleet.h"

using namespace fairway;
using namespace fairway::sim;

TEST_CASE("an hour of seeded faults keeps every invariant") {
    for (const uint64_t seed : {1, 2, 3}) {
        FleetSimulator simulator(FleetOptions{}, Weather{}, seed);
        REQUIRE_NOTHROW(simulator.run_until(FleetSimulator::start + std::chrono::hours{1}));
        CHECK(simulator.counts().results > 40 * 1800);
        CHECK(simulator.counts().faults > 40);
        CHECK(simulator.counts().transitions > simulator.counts().faults / 4);
        CHECK(simulator.counts().longest_detection > nanoseconds{0});
    }
}

TEST_CASE("a fleet in which everything flaps keeps every invariant") {
    Weather storm;
    storm.flapping = 1;
    FleetSimulator simulator(FleetOptions{}, storm, 7);
    REQUIRE_NOTHROW(simulator.run_until(FleetSimulator::start + std::chrono::minutes{30}));
    CHECK(simulator.counts().faults > 5000);
}

TEST_CASE("delayed failover keeps every invariant") {
    FleetOptions options;
    options.failover = FailoverMode::delay;
    options.failover_delay = seconds{30};
    FleetSimulator simulator(options, Weather{}, 11);
    simulator.engine().finish_first_round(FleetSimulator::start);
    REQUIRE_NOTHROW(simulator.run_until(FleetSimulator::start + std::chrono::minutes{30}));
    CHECK(simulator.counts().transitions > 100);
}

TEST_CASE("the same seed gives the same day") {
    const auto play = [](uint64_t seed) {
        FleetSimulator simulator(FleetOptions{}, Weather{}, seed);
        simulator.run_until(FleetSimulator::start + std::chrono::minutes{20});
        return std::tuple(simulator.counts().results, simulator.counts().transitions,
                          simulator.counts().faults, simulator.counts().longest_detection);
    };
    CHECK(play(5) == play(5));
    CHECK(play(5) != play(6));
}

TEST_CASE("damping bounds how often a mass flap changes what is answered") {
    Weather storm;
    storm.flapping = 0.5;
    const auto endpoint_changes = [&](bool damped) {
        HealthSettings settings;
        settings.damping.enabled = damped;
        FleetSimulator simulator(FleetOptions{}, storm, 9, settings);
        simulator.run_until(FleetSimulator::start + std::chrono::minutes{30});
        return simulator.counts().by_subject.at(Transition::Subject::endpoint);
    };
    CHECK(endpoint_changes(true) * 4 < endpoint_changes(false));
}
