// SPDX-License-Identifier: Apache-2.0
#include "base/pattern.h"

#include <catch2/catch.hpp>
#include <string>

using namespace fairway;

TEST_CASE("a pattern is searched for in octets") {
    const auto pattern = Pattern::compile("^.\\xff[a-c]+$");
    REQUIRE(pattern);
    CHECK(
        pattern->found_in("x\xff"
                          "abc"));
    CHECK_FALSE(
        pattern->found_in("x\xff"
                          "abcd"));
    CHECK_FALSE(pattern->found_in(""));
}

TEST_CASE("a broken pattern says what is wrong with it") {
    CHECK(Pattern::compile("a(b").error().message == "missing ): a(b");
    CHECK(Pattern::compile("(a)\\1").error().message == "invalid escape sequence: \\\\1");
}

TEST_CASE("patterns that ruin a backtracking engine are answered at once") {
    const std::string text = std::string(1'000'000, 'a') + "b";
    for (const char* trap : {"^(a|aa)+$", "(a*)*$x", "(.*)(.*)(.*)[^b]$"})
        CHECK_FALSE(Pattern::compile(trap)->found_in(text));
}
