// SPDX-License-Identifier: Apache-2.0
#include "base/duration.h"

#include <catch2/catch.hpp>

using namespace fairway;
using std::chrono::hours;
using std::chrono::minutes;

TEST_CASE("durations are read with every unit") {
    const std::pair<const char*, nanoseconds> forms[] = {
        {"0s", seconds{0}},
        {"7ns", nanoseconds{7}},
        {"7us", microseconds{7}},
        {"200ms", milliseconds{200}},
        {"5s", seconds{5}},
        {"3m", minutes{3}},
        {"2h", hours{2}},
        {"2d", hours{48}},
        {"1w", hours{168}},
        {"1h30m", minutes{90}},
        {"1.5s", milliseconds{1500}},
        {"0.5ms", microseconds{500}},
        {"1.000000001s", nanoseconds{1'000'000'001}},
        {"30m1h", minutes{90}},
        {"007s", seconds{7}},
        {"5200w", hours{5200 * 168}},
    };
    for (const auto& [text, value] : forms) {
        INFO(text);
        CHECK(parse_duration(text).value() == value);
    }
}

TEST_CASE("what is not a duration is refused with the reason") {
    const auto said = [](std::string_view text) {
        const std::string message = parse_duration(text).error().message;
        return message.substr(message.find("duration: ") + 10);
    };
    CHECK(said("") == "it is empty");
    CHECK(said("5") == "a unit is missing (ms, s, m, h, d)");
    CHECK(said("1h30") == "a unit is missing (ms, s, m, h, d)");
    for (const char* text : {"s", "-5s", "-0s", "+5s", ".5s", " 5s", "forever"})
        CHECK(said(text) == "a number such as 5s or 200ms is needed");
    for (const char* text : {"5 s", "5s ", "5S", "5sec", "1e3s", "5y", "5\u00b5s"})
        CHECK(said(text) == "the unit must be one of ns, us, ms, s, m, h, d, w");
    for (const char* text : {"1.s", "1.0123456789s"})
        CHECK(said(text) == "one to nine digits must follow the point");
    for (const char* text : {"5201w", "5200w1ns", "5200.1w", "9223372036854775807w", "5200w5200w"})
        CHECK(said(text) == "it is longer than a century");
    CHECK(said("99999999999999999999s") == "a number such as 5s or 200ms is needed");
    CHECK(parse_duration(std::string(100'000, '9')).error().message.size() < 200);
}

TEST_CASE("durations are written the shortest way, and read back as they were") {
    CHECK(format_duration(milliseconds{90'500}) == "1m30s500ms");
    CHECK(format_duration(nanoseconds{0}) == "0s");
    CHECK(format_duration(hours{24 * 14}) == "14d");
    CHECK(format_duration(nanoseconds{1'001'001'001}) == "1s1ms1us1ns");
    CHECK(format_duration(-seconds{90}) == "-1m30s");
    CHECK(format_duration(nanoseconds::min()) == "-106751d23h47m16s854ms775us808ns");
    for (int64_t value = 1; value < int64_t{3'000'000'000'000'000'000}; value = value * 7 + 3)
        CHECK(parse_duration(format_duration(nanoseconds{value})).value() == nanoseconds{value});
}

TEST_CASE("instants are written in RFC 3339 in UTC, with milliseconds") {
    CHECK(format_rfc3339(WallTime{}) == "1970-01-01T00:00:00.000Z");
    CHECK(format_rfc3339(WallTime{milliseconds{-1}}) == "1969-12-31T23:59:59.999Z");
    CHECK(format_rfc3339(WallTime{seconds{1'769'851'800}}) == "2026-01-31T09:30:00.000Z");
    CHECK(format_rfc3339(WallTime{microseconds{1'999}}) == "1970-01-01T00:00:00.001Z");
}

TEST_CASE("instants are read in RFC 3339 with any offset and fraction") {
    const auto read = [](std::string_view text) { return parse_rfc3339(text).value(); };
    const WallTime noon{seconds{1'769'851'800}};
    CHECK(read("2026-01-31T09:30:00Z") == noon);
    CHECK(read("2026-01-31t09:30:00z") == noon);
    CHECK(read("2026-01-31 09:30:00Z") == noon);
    CHECK(read("2026-01-31T10:30:00+01:00") == noon);
    CHECK(read("2026-01-31T04:00:00-05:30") == noon);
    CHECK(read("2026-01-31T09:30:00.25Z") == noon + milliseconds{250});
    CHECK(read("2026-01-31T09:30:00.123456789123Z") == noon + nanoseconds{123'456'789});
    CHECK(read("2026-01-31T09:29:60Z") == noon);
    CHECK(read("2024-02-29T00:00:00Z") == WallTime{seconds{1'709'164'800}});
    CHECK(format_rfc3339(read("1678-01-01T00:00:00Z")) == "1678-01-01T00:00:00.000Z");
    CHECK(format_rfc3339(read("2261-12-31T23:59:59.999Z")) == "2261-12-31T23:59:59.999Z");
}

TEST_CASE("what is not an RFC 3339 instant is refused") {
    for (const char* text : {"",
                             "2026-01-31",
                             "2026-01-31T09:30:00",
                             "2026-01-31T09:30Z",
                             "2026-1-31T09:30:00Z",
                             "2026-02-29T00:00:00Z",
                             "2026-13-01T00:00:00Z",
                             "2026-00-01T00:00:00Z",
                             "2026-01-00T00:00:00Z",
                             "2026-01-31T24:00:00Z",
                             "2026-01-31T09:60:00Z",
                             "2026-01-31T09:30:61Z",
                             "2026-01-31T09:30:00.Z",
                             "2026-01-31T09:30:00+0100",
                             "2026-01-31T09:30:00+24:00",
                             "2026-01-31T09:30:00+01:60",
                             "2026-01-31T09:30:00Z ",
                             "2026-01-31T09:30:00ZZ",
                             "2026-01-31x09:30:00Z",
                             "20260131T093000Z"}) {
        INFO(text);
        const auto parsed = parse_rfc3339(text);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().message ==
              "\"" + std::string(text) + "\" is not an RFC 3339 time such as 2026-01-31T09:30:00Z");
    }
    for (const char* text :
         {"0000-01-01T00:00:00Z", "1677-12-31T23:59:59Z", "2262-01-01T00:00:00Z", "9999-12-31T23:59:59Z"})
        CHECK(parse_rfc3339(text).error().message ==
              "\"" + std::string(text) + "\" is not between the years 1678 and 2261");
}
