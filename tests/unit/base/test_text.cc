// SPDX-License-Identifier: Apache-2.0
#include "base/base64.h"
#include "base/text.h"

#include <catch2/catch.hpp>

#include "base/random.h"

using namespace fairway;

namespace {
/// The definition of a glob, word by word; slow.
bool matches(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) return text.empty();
    if (pattern.front() == '*')
        return matches(pattern.substr(1), text) || (!text.empty() && matches(pattern, text.substr(1)));
    return !text.empty() && (pattern.front() == '?' || pattern.front() == text.front()) &&
           matches(pattern.substr(1), text.substr(1));
}
}  // namespace

TEST_CASE("globs match runs and single characters") {
    CHECK(glob_match("", ""));
    CHECK_FALSE(glob_match("", "a"));
    CHECK(glob_match("*", ""));
    CHECK(glob_match("***", "abc"));
    CHECK_FALSE(glob_match("?", ""));
    CHECK(glob_match("fra?", "fra1"));
    CHECK_FALSE(glob_match("fra?", "fra"));
    CHECK(glob_match("*-az?", "fra1-az2"));
    CHECK(glob_match("a*b*c", "aXbYbZc"));
    CHECK_FALSE(glob_match("a*b*c", "aXbYbZ"));
    CHECK_FALSE(glob_match("FRA1", "fra1"));
    CHECK(glob_match("*", "*"));
    CHECK_FALSE(glob_match("a", "*"));
    CHECK(is_glob("a*"));
    CHECK(is_glob("?"));
    CHECK_FALSE(is_glob("a.b-c"));
}

TEST_CASE("globs agree with their definition on ten thousand random pairs") {
    Random random(42);
    size_t hits = 0;
    for (int i = 0; i < 10'000; ++i) {
        std::string pattern, text;
        for (uint64_t n = random.below(7); n > 0; --n) pattern += "ab*?"[random.below(4)];
        for (uint64_t n = random.below(9); n > 0; --n) text += "ab*"[random.below(3)];
        INFO(pattern << " " << text);
        REQUIRE(glob_match(pattern, text) == matches(pattern, text));
        hits += glob_match(pattern, text) ? 1 : 0;
    }
    CHECK(hits > 500);
}

TEST_CASE("the nearest name is what was most likely meant, or none") {
    const std::vector<std::string> names{"interval", "timeout", "rise", "fall", "recheck", "port"};
    CHECK(nearest_name("intervall", names) == "interval");
    CHECK(nearest_name("itnerval", names) == "interval");
    CHECK(nearest_name("INTERVAL", names) == "interval");
    CHECK(nearest_name("risee", names) == "rise");
    CHECK(nearest_name("fal", names) == "fall");
    CHECK(nearest_name("pott", names) == "port");
    CHECK(nearest_name("colour", names).empty());
    CHECK(nearest_name("", names).empty());
    CHECK(nearest_name("x", {"y", "z"}).empty());
    CHECK(nearest_name("fra", {"fra2", "fra1"}) == "fra2");
    CHECK(nearest_name("frb1", {"sin1", "fra1"}) == "fra1");
    CHECK(nearest_name("a", {}).empty());
    CHECK(nearest_name(std::string(257, 'a'), {std::string(257, 'a')}).empty());
    CHECK(nearest_name(std::string(256, 'a'), {std::string(300, 'a'), std::string(255, 'a')}) ==
          std::string(255, 'a'));
}

TEST_CASE("blanks are trimmed and ASCII is lowered, other bytes are left") {
    CHECK(trim(" \t a b \r\n") == "a b");
    CHECK(trim("") == "");
    CHECK(trim(" \n ") == "");
    CHECK(trim("a") == "a");
    CHECK(ascii_lower("AbZ[@`{\xc3\x84") == "abz[@`{\xc3\x84");
}

TEST_CASE("text from the network is escaped and cut to its limit") {
    CHECK(escape_text("plain text", 40) == "plain text");
    CHECK(escape_text("a\"b\\c", 40) == "a\\\"b\\\\c");
    CHECK(escape_text(std::string_view("\0\x1b[2J\r\n\x7f\xff", 9), 40) == "\\x00\\x1b[2J\\r\\n\\x7f\\xff");
    CHECK(escape_text("0123456789", 4) == "0123...");
    CHECK(escape_text("0123", 4) == "0123");
    CHECK(escape_text("", 4).empty());
}

TEST_CASE("base64 is decoded strictly") {
    const auto decoded = [](std::string_view text) -> std::string {
        const auto bytes = decode_base64(text);
        return bytes ? "=" + std::string(bytes->begin(), bytes->end()) : "none";
    };
    CHECK(decoded("") == "=");
    CHECK(decoded("Zg==") == "=f");
    CHECK(decoded("Zm8=") == "=fo");
    CHECK(decoded("Zm9v") == "=foo");
    CHECK(decoded("Zm9vYmFy") == "=foobar");
    CHECK(decoded("+/+/") == "=\xfb\xff\xbf");
    for (const char* bad :
         {"Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "=Zm9", "Z===", "Zm_-"})
        CHECK(decoded(bad) == "none");
}
