// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "unit/api/ask.h"

using namespace fairway;
using nlohmann::ordered_json;

TEST_CASE("challenges are set, listed and cleared, and last an hour unless told otherwise") {
    Posted loop;
    World world{loop.post()};
    const Answer set =
        post(world, loop, "/api/v1/challenges", R"({"name":"vpn.gslb.example.com","value":"abc"})");
    CHECK(set.status == 201);
    const auto expected = ordered_json::parse(
        R"([{"zone":"gslb.example.com","name":"_acme-challenge.vpn.gslb.example.com","value":"abc",
            "until":"2026-01-16T13:00:05.000Z","actor":"alice"}])");
    CHECK(set.json["schema"] == "fairway/challenges/1");
    CHECK(set.json["challenges"] == expected);
    CHECK(get(world, loop, "/api/v1/challenges").json["challenges"] == expected);
    CHECK(post(world, loop, "/api/v1/challenges", R"({"name":"x.gslb.example.com","value":"d","for":"1d"})")
              .json["challenges"][0]["until"] == "2026-01-17T12:00:05.000Z");

    const auto remove = [&](const std::string& arguments) {
        return ask(world, loop, api::Method::delete_, "/api/v1/challenges" + arguments);
    };
    CHECK(remove("?name=vpn.gslb.example.com&value=other").status == 404);
    CHECK(remove("?name=vpn.gslb.example.com&value=abc").json["challenges"] == expected);
    CHECK(remove("?name=vpn.gslb.example.com").status == 404);
    CHECK(remove("").status == 400);
    CHECK(get(world, loop, "/api/v1/challenges").json["challenges"].size() == 1);
}

TEST_CASE("a challenge needs a name, a value and a sensible time, and hears what stands in its way") {
    Posted loop;
    World world{loop.post()};
    const auto status = [&](const std::string& body) {
        return post(world, loop, "/api/v1/challenges", body).status;
    };
    CHECK(status(R"({"value":"abc"})") == 400);
    CHECK(status(R"({"name":"vpn.gslb.example.com"})") == 400);
    CHECK(status(R"({"name":"vpn.gslb.example.com","value":"a","for":"25h"})") == 400);
    CHECK(status(R"({"name":"vpn.gslb.example.com","value":"a","for":"0s"})") == 400);
    CHECK(status(R"({"name":"vpn.gslb.example.com","value":"a","ttl":1})") == 400);
    CHECK(status(R"({"name":"vpn.gslb.example.com","value":"taken"})") == 409);
    CHECK(get(world, loop, "/api/v1/challenges").json["challenges"].empty());
}
