// SPDX-License-Identifier: Apache-2.0
#include "base/duration.h"

#include <catch2/catch.hpp>

using namespace fairway;

TEST_CASE("durations are read with every unit and written back the shortest way") {
    CHECK(parse_duration("1h30m").value() == std::chrono::minutes{90});
    CHECK(parse_duration("1.5s").value() == milliseconds{1500});
    CHECK(parse_duration("200ms").value() == milliseconds{200});
    CHECK(format_duration(milliseconds{90'500}) == "1m30s500ms");
    CHECK(format_duration(nanoseconds{0}) == "0s");
}
