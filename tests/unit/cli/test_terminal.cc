// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "cli/client.h"
#include "cli/terminal.h"

using namespace fairway;
using namespace fairway::cli;

TEST_CASE("columns line up, whatever colours and letters are in them") {
    Table table;
    table.row({"a", paint({true, true}, Tone::good, "up"), "x"});
    table.row({"größe", "down", ""});
    CHECK(table.text("  ") == "  a      \033[32mup\033[0m    x\n  größe  down\n");
}

TEST_CASE("a column in which nothing stands takes no room") {
    Table table;
    table.row({"a", "", "b"});
    table.row({"c", "", "d"});
    CHECK(table.text() == "a  b\nc  d\n");
}

TEST_CASE("a state is a shape and a word, and a colour only where one is wanted") {
    CHECK(show_state({false, false}, "up") == "+ up");
    CHECK(show_state({false, true}, "down") == "■ down");
    CHECK(show_state({false, false}, "degraded") == "! degraded");
    CHECK(show_state({false, false}, "unknown") == "? unknown");
    CHECK(show_state({true, true}, "down") == "\033[31m■ down\033[0m");
}

TEST_CASE("text from elsewhere cannot command the terminal") {
    CHECK(harmless("a\033[2Jb\n\tc\x7f") == "a?[2Jb??c?");
    CHECK(harmless("\xc2\x9b"
                   "31m \xc3\xa4") == "?31m \xc3\xa4");
}

TEST_CASE("spans are short") {
    CHECK(show_span(seconds(0)) == "0s");
    CHECK(show_span(seconds(59)) == "59s");
    CHECK(show_span(seconds(60)) == "1m");
    CHECK(show_span(seconds(3725)) == "1h2m");
    CHECK(show_span(seconds(90000)) == "1d1h");
    CHECK(show_span(seconds(-5)) == "0s");
}

TEST_CASE("a server is a socket or a plain HTTP address") {
    CHECK(ServerAddress::parse("/run/x.sock")->socket == "/run/x.sock");
    CHECK(ServerAddress::parse("unix:./x.sock")->socket == "./x.sock");
    const auto tcp = ServerAddress::parse("http://127.0.0.1:8053/");
    REQUIRE(tcp);
    CHECK(tcp->host == "127.0.0.1");
    CHECK(tcp->port == "8053");
    const auto v6 = ServerAddress::parse("http://[::1]:8053");
    REQUIRE(v6);
    CHECK(v6->host == "::1");
    CHECK(v6->to_string() == "http://[::1]:8053");
    for (const std::string text : {"", "nonsense", "https://x", "http://", "http://:80", "http://a:b",
                                   "http://a b:80", "http://user@host:80", "http://a/b:80"}) {
        INFO(text);
        CHECK_FALSE(ServerAddress::parse(text));
    }
    CHECK_FALSE(ServerAddress::parse("/" + std::string(200, 'x')));
}

TEST_CASE("targets are escaped for the request line") {
    CHECK(percent_encode("region:eu/1 ä&?%") == "region%3Aeu%2F1%20%C3%A4%26%3F%25");
}
