// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <catch2/catch.hpp>

using namespace fairway;

TEST_CASE("text from the network is escaped and cut to its limit") {
    CHECK(escape_text("plain text", 40) == "plain text");
    CHECK(escape_text("a\"b\\c", 40) == "a\\\"b\\\\c");
    CHECK(escape_text(std::string_view("\0\x1b[2J\r\n\x7f\xff", 9), 40) == "\\x00\\x1b[2J\\r\\n\\x7f\\xff");
    CHECK(escape_text("0123456789", 4) == "0123...");
    CHECK(escape_text("0123", 4) == "0123");
    CHECK(escape_text("", 4).empty());
}
