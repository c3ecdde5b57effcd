// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <array>
#include <catch2/catch.hpp>

using namespace fairway;

TEST_CASE("the same seed gives the same numbers on every machine") {
    // By the reference implementations of splitmix64 and xoshiro256** for seed 0.
    Random random(0);
    CHECK(random.next() == 0x99ec5f36cb75f2b4ULL);
    CHECK(random.next() == 0xbf6e1f784956452aULL);
    CHECK(random.next() == 0x1a5f849d4933e6e0ULL);
    CHECK(mix(0) == 0xe220a8397b1dcdafULL);
    CHECK(stable_hash("") == 0xcbf29ce484222325ULL);
    CHECK(stable_hash("foobar") == 0x85944171f73967e8ULL);
}

TEST_CASE("numbers below a bound are below it and spread over it") {
    Random random(7);
    std::array<int, 10> counts{};
    for (int i = 0; i < 100'000; ++i) ++counts.at(random.below(10));
    for (const int count : counts) {
        CHECK(count > 9'600);
        CHECK(count < 10'400);
    }
    for (int i = 0; i < 1000; ++i) CHECK(random.below(1) == 0);
}

TEST_CASE("fractions lie in [0, 1) and average a half") {
    Random random(7);
    double sum = 0;
    for (int i = 0; i < 100'000; ++i) {
        const double value = random.fraction();
        REQUIRE(value >= 0);
        REQUIRE(value < 1);
        sum += value;
    }
    CHECK(sum / 100'000 == Approx(0.5).margin(0.01));
}
