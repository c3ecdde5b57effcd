// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "api/http.h"

using fairway::api::Target;

TEST_CASE("a request target is decoded into segments and arguments") {
    const auto target = Target::parse("/api/v1/explain?name=vpn.example.com&client=2001%3Adb8%3A%3A1&flag");
    REQUIRE(target);
    CHECK(target->segments == std::vector<std::string>{"api", "v1", "explain"});
    REQUIRE(target->find("client") != nullptr);
    CHECK(*target->find("client") == "2001:db8::1");
    CHECK(target->find("flag")->empty());
    CHECK(target->find("nothing") == nullptr);
}

TEST_CASE("an escaped slash stays inside its segment") {
    const auto target = Target::parse("/api/fra1%2F203.0.113.10");
    REQUIRE(target);
    CHECK(target->segments == std::vector<std::string>{"api", "fra1/203.0.113.10"});
}

TEST_CASE("a request target that is anything but plain is refused") {
    for (const char* text : {"",
                             "api",
                             "?x",
                             "//",
                             "/api//v1",
                             "/api/",
                             "/api/./v1",
                             "/api/../v1",
                             "/api/%2e%2e/v1",
                             "/%",
                             "/%4",
                             "/%zz",
                             "/a%00b",
                             "/a%0ab",
                             "/a%7f",
                             "/%ff",
                             "/%c0%af",
                             "/%ed%a0%80",
                             "/%f4%90%80%80",
                             "/%c2%85",
                             "/%e2%80%a8",
                             "/a?=1",
                             "/a?x=1&x=2",
                             "/a?x=%00",
                             "/a?x=%",
                             "/a?&",
                             "/a\nb",
                             "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"}) {
        INFO(text);
        CHECK_FALSE(Target::parse(text));
    }
    CHECK(Target::parse("/%c3%a4?x=%f0%9f%9a%a2"));
}

TEST_CASE("decoded parts are held to the same rules") {
    CHECK(Target::make("/api/v1", {"x=1", "y"}));
    CHECK_FALSE(Target::make("/api//v1", {}));
    CHECK_FALSE(Target::make("api", {}));
    CHECK_FALSE(Target::make(std::string_view("/a\0b", 4), {}));
    CHECK_FALSE(Target::make("/a", {"x=1", "x=2"}));
    CHECK_FALSE(Target::make("/a", std::vector<std::string>(33, "x")));
}
