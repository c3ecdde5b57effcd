// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "pdns/json_reader.h"

using namespace fairway::pdns;

namespace {

bool skips(std::string_view text) {
    JsonReader reader(text);
    reader.skip_value();
    reader.expect_end();
    return reader.ok();
}

std::string string_of(std::string_view text) {
    JsonReader reader(text);
    std::string out;
    reader.read_string(out);
    reader.expect_end();
    return reader.ok() ? out : "error";
}

std::string integer_of(std::string_view text) {
    JsonReader reader(text);
    const int64_t value = reader.read_integer();
    reader.expect_end();
    return reader.ok() ? std::to_string(value) : "error";
}

/// Feeds `text` in pieces of `step` octets; where the object ended, "junk" or "incomplete".
std::string frame(std::string_view text, size_t step) {
    JsonFramer framer;
    for (size_t size = 0;; size += step) {
        const auto state = framer.look(text.substr(0, size));
        if (state == JsonFramer::State::complete) return std::to_string(framer.end());
        if (state == JsonFramer::State::junk) return "junk";
        if (size >= text.size()) return "incomplete";
    }
}

}  // namespace

TEST_CASE("values are judged as a full JSON parser judges them") {
    for (const std::string_view text : {"{}",
                                        "[]",
                                        "0",
                                        "-1.5e+3",
                                        "\"\"",
                                        "true",
                                        "false",
                                        "null",
                                        " [ 1 , {\"a\" : [ ] , \"b\":{}} , \"x\" ] ",
                                        "[[[[[[]]]]]]",
                                        "{\"a\":{\"b\":{\"c\":[1,2,{\"d\":null}]}}}",
                                        "[1,2",
                                        "{",
                                        "}",
                                        "[1,]",
                                        "{\"a\":1,}",
                                        "{\"a\"}",
                                        "{a:1}",
                                        "{1:1}",
                                        "[1 2]",
                                        "{\"a\":1 \"b\":2}",
                                        "01",
                                        "-",
                                        "1.",
                                        ".5",
                                        "1e",
                                        "+1",
                                        "nul",
                                        "truex",
                                        "\"",
                                        "\"\\x\"",
                                        "\"\\u12\"",
                                        "\"\\ud800\"",
                                        "\"\\ud800\\u0041\"",
                                        "\"\\udc00\"",
                                        "\"\\u+123\"",
                                        "\"a\nb\"",
                                        "[\"a\\\"]\"]",
                                        "",
                                        " ",
                                        "{} {}",
                                        "[1]]",
                                        "[}",
                                        "{]",
                                        "[{]}",
                                        "{\"a\":[}",
                                        "\"\\u00e9\\ud83d\\ude00\"",
                                        "[,1]",
                                        "{,}",
                                        "1.0E-2",
                                        "-0",
                                        "- 1"}) {
        INFO(text);
        CHECK(skips(text) == nlohmann::json::accept(text));
    }
}

TEST_CASE("nesting is bounded") {
    CHECK(skips(std::string(64, '[') + std::string(64, ']')));
    CHECK_FALSE(skips(std::string(65, '[') + std::string(65, ']')));
    CHECK(frame(std::string(1, '{') + std::string(63, '['), 1) == "incomplete");
    CHECK(frame(std::string(1, '{') + std::string(64, '['), 1) == "junk");
}

TEST_CASE("strings lose their escapes") {
    CHECK(string_of(R"("vpn.example.")") == "vpn.example.");
    CHECK(string_of(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
    CHECK(string_of(R"("\u0041\u00e9\u20ac\ud83d\ude00")") == "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    CHECK(string_of(R"("a" )") == "a");
    CHECK(string_of("7") == "error");
    CHECK(string_of("\"a\" b") == "error");
}

TEST_CASE("integers may come as numbers or as strings, but must be whole and exact") {
    CHECK(integer_of("-1") == "-1");
    CHECK(integer_of("1234567890") == "1234567890");
    CHECK(integer_of("5.0") == "5");
    CHECK(integer_of("1e3") == "1000");
    CHECK(integer_of("\"42\"") == "42");
    CHECK(integer_of("1.5") == "error");
    CHECK(integer_of("1e300") == "error");
    CHECK(integer_of("\"\"") == "error");
    CHECK(integer_of("\"4x\"") == "error");
    CHECK(integer_of("true") == "error");
    CHECK(integer_of("\"nan\"") == "error");
    CHECK(integer_of("\"inf\"") == "error");
}

TEST_CASE("an object is read member by member") {
    JsonReader reader(R"( {"a": "x", "b": 7, "c": [1, {"a": 2}], "d": true} )");
    std::string key, text, seen;
    for (reader.enter_object(); reader.next_member(key);) {
        seen += key;
        if (key == "a")
            reader.read_string(text);
        else if (key == "b")
            CHECK(reader.read_integer() == 7);
        else if (key == "d")
            CHECK(reader.read_boolean());
        else
            reader.skip_value();
    }
    reader.expect_end();
    CHECK(reader.ok());
    CHECK(seen == "abcd");
    CHECK(text == "x");
}

TEST_CASE("the end of an object is found however its bytes are cut") {
    for (const size_t step : {1U, 2U, 3U, 7U, 1000U}) {
        CHECK(frame(R"({"a":"}{\"","b":[{}]} rest)", step) == "21");
        CHECK(frame("\n {}", step) == "4");
        CHECK(frame(R"({"a":"x\\"}{})", step) == "11");
        CHECK(frame(R"({"a":")", step) == "incomplete");
        CHECK(frame("  ", step) == "incomplete");
        CHECK(frame("GET / HTTP/1.1", step) == "junk");
        CHECK(frame("[1]", step) == "junk");
        CHECK(frame("}", step) == "junk");
    }
}

TEST_CASE("strings are written so that a full JSON parser reads them back") {
    std::string all;
    for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
    std::string out;
    append_json_string(out, all);
    CHECK(nlohmann::json::parse(out).get<std::string>() == all);
}
