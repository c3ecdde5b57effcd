// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "pdns/complaints.h"

using namespace fairway;
using namespace fairway::pdns;

TEST_CASE("of many complaints a few are logged, and the others are counted until the period is over") {
    Complaints complaints;
    MonotonicTime now{};
    for (uint32_t i = 0; i < Complaints::burst; ++i) {
        complaints.warn(now, "test: one of a few");
        CHECK_FALSE(complaints.pending());
    }
    complaints.warn(now, "test: too much");
    CHECK(complaints.pending());
    complaints.flush(now + Complaints::period - nanoseconds(1));
    CHECK(complaints.pending());
    complaints.flush(now + Complaints::period);
    CHECK_FALSE(complaints.pending());
    // And the next period has its own.
    now += Complaints::period;
    for (uint32_t i = 0; i < Complaints::burst; ++i) complaints.warn(now, "test: the next period");
    CHECK_FALSE(complaints.pending());
    complaints.warn(now, "test: too much again");
    CHECK(complaints.pending());
}
