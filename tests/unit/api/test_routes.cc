// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "unit/api/ask.h"

using namespace fairway;
using nlohmann::ordered_json;

namespace {

struct Fixture {
    Posted loop;
    World world{loop.post()};

    Answer get(const std::string& target) { return fairway::get(world, loop, target); }
    Answer post(const std::string& target, const std::string& body = {}) {
        return fairway::post(world, loop, target, body);
    }
    Answer remove(const std::string& target) { return ask(world, loop, api::Method::delete_, target); }
    std::vector<std::string> answer_for(const std::string& client, const std::string& more = {}) {
        std::vector<std::string> paths;
        const Answer answer = get("/api/v1/explain?name=vpn.gslb.example.com&client=" + client + more);
        for (const auto& item : answer.json["answer"]["endpoints"]) paths.push_back(item["endpoint"]);
        return paths;
    }
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("the status shows services, regions, gateways, overrides and the node") {
    Fixture f;
    const Answer answer = f.get("/api/v1/status");
    REQUIRE(answer.status == 200);
    CHECK(answer.content_type == "application/json");
    CHECK(answer.json["schema"] == "fairway/status/1");
    CHECK(answer.json["time"] == "2026-01-16T12:00:05.000Z");
    CHECK(answer.json["problems"].empty());
    const auto expected =
        ordered_json::parse(R"({"name":"test-1","version":"1.2.3","started":"2026-01-16T07:00:00.000Z",
            "uptime_seconds":18000,"pid":4711,"took_over_from":4710,"takeovers":2,
            "serving_since":"2026-01-15T12:00:00.000Z","ready":true,"isolated":false,"loop_lag_ms":0.0,"dns":["127.0.0.1:53"],
            "dns_counters":{"queries":12,"answered":11},"probe_counters":{}})");
    CHECK(answer.json["node"] == expected);
    REQUIRE(answer.json["services"].size() == 2);
    CHECK(answer.json["services"][0]["service"] == "vpn");
    CHECK(answer.json["services"][0]["name"] == "vpn.gslb.example.com");
    CHECK(answer.json["services"][0]["state"] == "up");
    CHECK(answer.json["services"][0]["gateways_up"] == 3);
    CHECK(answer.json["services"][0]["policy"] == Words{"healthy", "nearest", "first 1"});
    REQUIRE(answer.json["regions"].size() == 3);
    REQUIRE(answer.json["gateways"].size() == 3);
    CHECK(answer.json["gateways"][0]["gateway"] == "fra1");
    CHECK(answer.json["gateways"][0]["state"] == "up");
    CHECK(answer.json["gateways"][0]["endpoints_serving"] == 2);
    CHECK(answer.json["overrides"].empty());
}

TEST_CASE("a gateway that fails is down in every view, with the probe's reason") {
    Fixture f;
    f.world.fail("iad1");
    const Answer status = f.get("/api/v1/status");
    CHECK(status.json["gateways"][1]["state"] == "down");
    CHECK(status.json["services"][0]["state"] == "degraded");
    CHECK(status.json["regions"][1]["state"] == "down");
    const Answer gateway = f.get("/api/v1/gateways/iad1");
    CHECK(gateway.json["schema"] == "fairway/gateway/1");
    const auto& monitor = gateway.json["endpoints"][0]["monitors"][0];
    CHECK(monitor["monitor"] == "tcp");
    CHECK(monitor["state"] == "down");
    CHECK(monitor["last"]["text"] == "transport: connect refused");
    CHECK(monitor["last"]["verdict"] == "fail");
    const Answer endpoint = f.get("/api/v1/endpoints/iad1/203.0.113.20");
    REQUIRE(endpoint.status == 200);
    CHECK(endpoint.json["schema"] == "fairway/endpoint/1");
    CHECK(endpoint.json["state"] == "down");
    CHECK(endpoint.json["measured"] == "down");
    CHECK(endpoint.json["serving"] == false);
    CHECK(endpoint.json["address"] == "203.0.113.20");
    CHECK(endpoint.json["monitors"] == gateway.json["endpoints"][0]["monitors"]);
}

TEST_CASE("an unknown gateway is a problem document that says what was near") {
    Fixture f;
    const Answer answer = f.get("/api/v1/gateways/fra");
    CHECK(answer.status == 404);
    CHECK(answer.content_type == "application/problem+json");
    const auto expected = ordered_json::parse(R"json({"type":"urn:fairway:problem:no-such-target",
        "title":"Not found","status":404,"detail":"no gateway \"fra\" (did you mean \"fra1\"?)"})json");
    CHECK(answer.json == expected);
}

TEST_CASE("explain gives the answer of the real steering with its trace, also without a target") {
    Fixture f;
    const Answer answer = f.get("/api/v1/explain?name=VPN.gslb.example.com.&client=198.51.100.7");
    REQUIRE(answer.status == 200);
    CHECK(answer.json["schema"] == "fairway/explain/1");
    CHECK(answer.json["service"] == "vpn");
    CHECK(answer.json["client"]["source"] == "198.51.100.7");
    CHECK(answer.json["client"]["location"]["country"] == "DE");
    CHECK(answer.json["answer"]["kind"] == "endpoints");
    CHECK(answer.json["answer"]["ttl"] == 30);
    REQUIRE(answer.json["answer"]["endpoints"].size() == 1);
    CHECK(answer.json["answer"]["endpoints"][0]["gateway"] == "fra1");
    CHECK(answer.json["answer"]["endpoints"][0]["region"] == "eu");
    CHECK(answer.json["trace"].size() > 3);

    CHECK(f.answer_for("198.51.100.130") == Words{"iad1/203.0.113.20"});
    CHECK(f.answer_for("198.51.100.200") == Words{"sin1/203.0.113.30"});
    CHECK(f.answer_for("198.51.100.7", "&without=fra1") == Words{"iad1/203.0.113.20"});
    CHECK(f.answer_for("198.51.100.7", "&without=region:eu") == Words{"iad1/203.0.113.20"});
    CHECK(f.answer_for("192.0.2.1", "&ecs=198.51.100.192/26") == Words{"sin1/203.0.113.30"});
}

TEST_CASE("explain tells why a gateway was passed over") {
    Fixture f;
    f.world.fail("fra1");
    const Answer answer = f.get("/api/v1/explain?name=vpn&client=198.51.100.7");
    CHECK(answer.json["answer"]["endpoints"][0]["endpoint"] == "iad1/203.0.113.20");
    bool told = false;
    for (const auto& step : answer.json["trace"])
        for (const auto& removed : step["removed"])
            told |= removed["endpoint"] == "fra1/203.0.113.10" &&
                    removed["because"].get<std::string>().find("connect refused") != std::string::npos;
    CHECK(told);
}

TEST_CASE("explain refuses what it cannot explain") {
    Fixture f;
    CHECK(f.get("/api/v1/explain?client=192.0.2.1").problem() == "bad-request");
    CHECK(f.get("/api/v1/explain?name=vpn").problem() == "bad-request");
    CHECK(f.get("/api/v1/explain?name=vpn&client=nowhere").problem() == "bad-request");
    CHECK(f.get("/api/v1/explain?name=vpn&client=192.0.2.1&ecs=192.0.2.1/24").problem() == "bad-request");
    CHECK(f.get("/api/v1/explain?name=vpn&client=192.0.2.1&without=nothing").problem() == "no-such-target");
    const Answer unknown = f.get("/api/v1/explain?name=vpm.gslb.example.com&client=192.0.2.1");
    CHECK(unknown.status == 404);
    CHECK(unknown.json["detail"] ==
          "no service \"vpm.gslb.example.com\" (did you mean \"vpn.gslb.example.com\"?)");
    CHECK(f.get("/api/v1/explain?name=vpn&cleint=192.0.2.1").json["detail"] ==
          "unknown argument \"cleint\" (did you mean \"client\"?)");
}

TEST_CASE("a drained gateway gets no new answers, and the reply says when it is clear of DNS") {
    Fixture f;
    const Answer answer =
        f.post("/api/v1/overrides",
               R"({"targets":["iad1"],"state":"drain","reason":"kernel","for":"2h","ticket":"OPS-7"})");
    REQUIRE(answer.status == 201);
    CHECK(answer.json["schema"] == "fairway/override-change/1");
    REQUIRE(answer.json["overrides"].size() == 1);
    const auto expected = ordered_json::parse(R"({"id":1,"target":"iad1","state":"drain",
        "actor":"alice","reason":"kernel","ticket":"OPS-7","since":"2026-01-16T12:00:05.000Z",
        "until":"2026-01-16T14:00:05.000Z","revision":1,"endpoints":["iad1/203.0.113.20"],
        "clear_of_dns":"2026-01-16T12:00:35.000Z","warning":null})");
    CHECK(answer.json["overrides"][0] == expected);
    CHECK(f.answer_for("198.51.100.130") == Words{"fra1/203.0.113.10"});
    CHECK(f.get("/api/v1/overrides").json["overrides"] == answer.json["overrides"]);
    CHECK(f.get("/api/v1/gateways/iad1").json["overrides"] == answer.json["overrides"]);
    CHECK(f.get("/api/v1/gateways/sin1").json["overrides"].empty());

    f.world.advance(std::chrono::hours(2));
    CHECK(f.answer_for("198.51.100.130") == Words{"iad1/203.0.113.20"});
    CHECK(f.get("/api/v1/overrides").json["overrides"].empty());
}

TEST_CASE("an override that would leave a service without any gateway is refused without force") {
    Fixture f;
    const std::string drain = R"({"targets":["fra1"],"state":"drain","reason":"r","permanent":true)";
    const Answer refused = f.post("/api/v1/overrides", drain + "}");
    CHECK(refused.status == 409);
    CHECK(refused.problem() == "would-empty-service");
    CHECK(refused.json["detail"] == "this would leave no gateway for eu; force it if that is meant");
    CHECK(f.get("/api/v1/overrides").json["overrides"].empty());
    const Answer forced = f.post("/api/v1/overrides", drain + R"(,"force":true})");
    CHECK(forced.status == 201);
    CHECK(forced.json["emptied_services"] == Words{"eu"});
}

TEST_CASE("the last gateway that probes leave cannot be drained by mistake either") {
    Fixture f;
    f.world.fail("fra1");
    f.world.fail("sin1");
    const Answer refused =
        f.post("/api/v1/overrides", R"({"targets":["iad1"],"state":"down","reason":"r","for":"1h"})");
    CHECK(refused.problem() == "would-empty-service");
    CHECK(refused.json["detail"] == "this would leave no gateway for vpn; force it if that is meant");
}

TEST_CASE("a dry run shows the answers before and after and changes nothing") {
    Fixture f;
    const Answer answer = f.post(
        "/api/v1/overrides", R"({"targets":["iad1"],"state":"down","reason":"r","for":"1h","dry_run":true})");
    REQUIRE(answer.status == 200);
    CHECK(answer.json["dry_run"] == true);
    CHECK(answer.json["refused_without_force"] == false);
    std::map<std::string, ordered_json> vpn;
    for (const auto& effect : answer.json["effects"])
        if (effect["service"] == "vpn" && !effect["clients"].is_null()) vpn[effect["clients"]] = effect;
    REQUIRE(vpn.size() == 3);
    CHECK(vpn["us"]["changes"] == true);
    CHECK(vpn["us"]["before"] == Words{"iad1/203.0.113.20"});
    CHECK(vpn["us"]["after"] == Words{"fra1/203.0.113.10"});
    CHECK(vpn["eu"]["changes"] == false);
    CHECK(vpn["ap"]["changes"] == false);
    CHECK(f.get("/api/v1/overrides").json["overrides"].empty());
    CHECK(f.answer_for("198.51.100.130") == Words{"iad1/203.0.113.20"});

    const Answer emptying =
        f.post("/api/v1/overrides",
               R"({"targets":["fra1"],"state":"drain","reason":"r","for":"1h","dry_run":true})");
    CHECK(emptying.status == 200);
    CHECK(emptying.json["refused_without_force"] == true);
    CHECK(emptying.json["emptied_services"] == Words{"eu"});
}

TEST_CASE("what a dry run promises is what the override does") {
    Fixture f;
    f.world.fail("fra1/203.0.113.10");
    for (const std::string state : {"drain", "down", "up"}) {
        for (const std::string target : {"iad1", "fra1", "fra1/203.0.113.11", "region:ap", "zone:fra1-az1"}) {
            const std::string body = R"({"targets":[")" + target + R"("],"state":")" + state +
                                     R"(","reason":"r","for":"1h","force":true)";
            const Answer promised = f.post("/api/v1/overrides", body + R"(,"dry_run":true})");
            REQUIRE(promised.status == 200);
            const Answer done = f.post("/api/v1/overrides", body + "}");
            REQUIRE(done.status == 201);
            for (const auto& effect : promised.json["effects"]) {
                const Answer explained =
                    f.get("/api/v1/explain?name=" + effect["service"].get<std::string>() +
                          "&client=" + effect["sample"].get<std::string>());
                Words after;
                for (const auto& item : explained.json["answer"]["endpoints"])
                    after.push_back(item["endpoint"]);
                INFO(state << " " << target << " " << effect.dump());
                CHECK(effect["after"] == after);
            }
            REQUIRE(
                f.remove("/api/v1/overrides/" + std::to_string(done.json["overrides"][0]["id"].get<int>()))
                    .status == 200);
        }
    }
}

TEST_CASE("up beats the probes, must end, and warns while it contradicts them") {
    Fixture f;
    f.world.fail("iad1");
    CHECK(f.post("/api/v1/overrides", R"({"targets":["iad1"],"state":"up","reason":"r","permanent":true})")
              .problem() == "bad-request");
    const Answer answer = f.post(
        "/api/v1/overrides", R"({"targets":["iad1"],"state":"up","reason":"probe is wrong","for":"10m"})");
    REQUIRE(answer.status == 201);
    CHECK(answer.json["overrides"][0]["warning"] == "probes say that 1 of 1 endpoints are down");
    CHECK(answer.json["overrides"][0]["clear_of_dns"].is_null());
    CHECK(f.answer_for("198.51.100.130") == Words{"iad1/203.0.113.20"});
    CHECK(f.post("/api/v1/overrides/1/extend", R"({"permanent":true})").problem() == "bad-request");
}

TEST_CASE("an override needs targets, a state, a reason and exactly one end") {
    Fixture f;
    const auto detail = [&](const std::string& body) {
        const Answer answer = f.post("/api/v1/overrides", body);
        CHECK(answer.status == 400);
        return answer.json["detail"].get<std::string>();
    };
    CHECK(detail("") == "\"targets\" is missing");
    CHECK(detail("nonsense") == "the body is not JSON");
    CHECK(detail("[]") == "the body is not a JSON object");
    CHECK(detail(R"({"targets":"iad1"})") == "\"targets\" must be a list of at most 1000 strings");
    CHECK(detail(R"({"targets":[7]})") == "\"targets\" must be a list of strings");
    CHECK(detail(R"({"targets":["iad1"],"state":"off"})") ==
          "\"state\" must be \"drain\", \"down\" or \"up\"");
    CHECK(detail(R"({"targets":["iad1"],"state":"drain"})") == "\"reason\" is missing");
    CHECK(detail(R"({"targets":["iad1"],"state":"drain","reason":"  "})") == "\"reason\" is missing");
    CHECK(detail(R"({"targets":["iad1"],"state":"drain","reason":"r"})") ==
          "give one of \"for\", \"until\" and \"permanent\"");
    CHECK(detail(R"({"targets":["iad1"],"state":"drain","reason":"r","for":"1h","permanent":true})") ==
          "give one of \"for\", \"until\" and \"permanent\"");
    CHECK(detail(R"({"targets":["iad1"],"state":"drain","reason":"r","until":"2020-01-01T00:00:00Z"})") ==
          "until: 2020-01-01T00:00:00Z is not in the future");
    CHECK(detail(R"({"targets":["iad1"],"state":"drain","reason":"r","for":"0s"})") ==
          "for: 0s is not a sensible time");
    CHECK(detail(R"({"targets":["iad1"],"state":"drain","reason":"r","for":"1h","resaon":"x"})") ==
          "unknown member \"resaon\" (did you mean \"reason\"?)");
    CHECK(f.post("/api/v1/overrides", R"({"targets":["idd1"],"state":"drain","reason":"r","for":"1h"})")
              .json["detail"] == "no gateway \"idd1\" (did you mean \"iad1\"?)");
    CHECK(f.get("/api/v1/overrides").json["overrides"].empty());
}

TEST_CASE("a body nested deeper than 64 levels is refused before it is built") {
    Fixture f;
    const std::string deep = std::string(65, '[') + std::string(65, ']');
    CHECK(f.post("/api/v1/overrides", "{\"targets\":" + deep + "}").json["detail"] ==
          "the body nests deeper than 64 levels");
    const std::string quoted = "{\"targets\":[\"" + std::string(100, '[') + "\"]}";
    CHECK(f.post("/api/v1/overrides", quoted).json["detail"] != "the body nests deeper than 64 levels");
    CHECK(f.post("/api/v1/overrides", std::string(api::Request::max_body + 1, ' ')).status == 413);
}

TEST_CASE("overrides are extended and cleared by their revision") {
    Fixture f;
    REQUIRE(f.post("/api/v1/overrides", R"({"targets":["iad1"],"state":"drain","reason":"r","for":"1h"})")
                .status == 201);
    CHECK(f.post("/api/v1/overrides", R"({"targets":["iad1"],"state":"drain","reason":"r","for":"1h"})")
              .problem() == "conflict");
    const Answer extended = f.post("/api/v1/overrides/1/extend", R"({"for":"5h","revision":1})");
    REQUIRE(extended.status == 200);
    CHECK(extended.json["overrides"][0]["until"] == "2026-01-16T17:00:05.000Z");
    CHECK(extended.json["overrides"][0]["revision"] == 2);
    CHECK(f.remove("/api/v1/overrides/1?revision=1").problem() == "conflict");
    CHECK(f.remove("/api/v1/overrides/1?revision=2").status == 200);
    CHECK(f.remove("/api/v1/overrides/1").problem() == "no-such-override");
    CHECK(f.remove("/api/v1/overrides/x").problem() == "bad-request");
    CHECK(f.answer_for("198.51.100.130") == Words{"iad1/203.0.113.20"});

    const Answer trail = f.get("/api/v1/audit");
    REQUIRE(trail.json["entries"].size() == 3);
    CHECK(trail.json["schema"] == "fairway/audit/1");
    CHECK(trail.json["entries"][1]["action"] == "override.extend");
    CHECK(trail.json["entries"][1]["before"]["revision"] == 1);
    CHECK(trail.json["entries"][1]["after"]["revision"] == 2);
}

TEST_CASE("a caller that may only read cannot change anything") {
    Fixture f;
    for (const api::Route& route : api::routes()) {
        if (route.needs != api::Needs::operating) continue;
        std::string path;
        for (const char c : route.path)
            if (c != '{' && c != '}')
                path += c;
            else if (c == '{')
                path += "fra1";
        const Answer answer = ask(f.world, f.loop, route.method, path, "{}", {"anonymous", false});
        INFO(path);
        CHECK(answer.status == 403);
        CHECK(answer.problem() == "not-permitted");
    }
    for (const api::Route& route : api::routes())
        CHECK((route.method == api::Method::get) == (route.needs != api::Needs::operating));
}

TEST_CASE("unknown paths and wrong methods are problems") {
    Fixture f;
    CHECK(f.get("/api/v1/nothing").problem() == "no-such-path");
    CHECK(f.get("/").problem() == "no-such-path");
    CHECK(f.get("/api/v1/status/more").problem() == "no-such-path");
    CHECK(f.get("/api/v1/reload").status == 405);
    CHECK(f.post("/api/v1/status").status == 405);
}

TEST_CASE("events are listed, filtered and offered as a stream") {
    Fixture f;
    for (const std::string subject : {"fra1", "iad1", "fra1"}) {
        Event event;
        event.time = f.world.now();
        event.kind = EventKind::gateway;
        event.subject = subject;
        event.message = "\xff odd";
        f.world.store().append(event);
    }
    const Answer all = f.get("/api/v1/events");
    CHECK(all.json["schema"] == "fairway/events/1");
    REQUIRE(all.json["events"].size() == 3);
    CHECK(all.json["events"][0]["message"] == "\xef\xbf\xbd odd");
    CHECK(f.get("/api/v1/events?after=2").json["events"].size() == 1);
    CHECK(f.get("/api/v1/events?subject=fra1&limit=1").json["events"][0]["id"] == 3);
    CHECK(f.get("/api/v1/events?since=2026-01-16T12:00:06Z").json["events"].empty());
    CHECK(f.get("/api/v1/events?limit=x").problem() == "bad-request");
    CHECK(f.get("/api/v1/events?since=yesterday").problem() == "bad-request");
}

TEST_CASE("a probe asked for answers with every endpoint's result and steps") {
    Fixture f;
    f.world.fail("fra1/203.0.113.11");
    const Answer answer = f.post("/api/v1/gateways/fra1/probe");
    REQUIRE(answer.status == 200);
    CHECK(answer.json["schema"] == "fairway/probe/1");
    REQUIRE(answer.json["results"].size() == 2);
    CHECK(answer.json["results"][0]["result"]["verdict"] == "pass");
    CHECK(answer.json["results"][1]["result"]["text"] == "transport: connect refused");
    CHECK(answer.json["results"][1]["steps"] ==
          Words{"connect fra1/203.0.113.11: transport: connect refused"});
    CHECK(f.post("/api/v1/gateways/fra1/probe?endpoint=203.0.113.11").json["results"].size() == 1);
    CHECK(f.post("/api/v1/gateways/fra1/probe?monitor=ike").problem() == "no-such-target");
    CHECK(f.post("/api/v1/gateways/frx1/probe").problem() == "no-such-target");
}

TEST_CASE("a reload says what changed, or everything that is wrong with the new configuration") {
    Fixture f;
    const Answer same = f.post("/api/v1/reload");
    CHECK(same.status == 200);
    CHECK(same.json["changes"].empty());
    f.world.next_config.replace(f.world.next_config.find("nsid"), 4, "nsld");
    const Answer refused = f.post("/api/v1/reload");
    CHECK(refused.status == 422);
    CHECK(refused.problem() == "config-refused");
    CHECK(refused.json["accepted"] == false);
    REQUIRE_FALSE(refused.json["diagnostics"].empty());
    CHECK(refused.json["diagnostics"][0]["text"] ==
          "fairway.toml:3:1: error: unknown key \"nsld\" (did you mean \"nsid\"?)");
    CHECK(f.post("/api/v1/config/check").status == 422);
    CHECK(f.world.actors_ == Words{"alice", "alice"});
}

TEST_CASE("the configuration in force is shown without secrets") {
    Fixture f;
    const Answer answer = f.get("/api/v1/config");
    CHECK(answer.json["schema"] == "fairway/config/1");
    CHECK(answer.json["toml"].get<std::string>().find("vpn.gslb.example.com") != std::string::npos);
}

TEST_CASE("an address is looked up as steering would") {
    Fixture f;
    const Answer answer = f.get("/api/v1/geoip/lookup?ip=198.51.100.200");
    CHECK(answer.json["location"]["country"] == "SG");
    CHECK(answer.json["network"] == "198.51.100.192/26");
    CHECK(answer.json["origin"] == "own prefix");
    CHECK(f.get("/api/v1/geoip/lookup?ip=here").problem() == "bad-request");
    CHECK(f.get("/api/v1/geoip/info").json["own_prefixes"] == 3);
    CHECK(f.post("/api/v1/geoip/reload").status == 200);
}

TEST_CASE("a target is checked in the words of monitoring plug-ins") {
    Fixture f;
    const auto state = [&](const std::string& target) {
        return f.get("/api/v1/check?target=" + target).json["state"].get<std::string>();
    };
    CHECK(state("fra1") == "ok");
    f.world.fail("fra1/203.0.113.11");
    CHECK(state("fra1") == "warning");
    CHECK(state("fra1/203.0.113.11") == "critical");
    CHECK(state("service:eu") == "ok");
    f.world.fail("fra1");
    CHECK(state("fra1") == "critical");
    CHECK(state("service:eu") == "critical");
    CHECK(state("service:vpn") == "warning");
    CHECK(state("sin1") == "ok");
    CHECK(f.get("/api/v1/check").json["state"] == "critical");
    CHECK(f.get("/api/v1/check?target=nowhere").problem() == "no-such-target");
}

TEST_CASE("health endpoints tell of the node, never of the gateways") {
    Fixture f;
    for (const char* gateway : {"fra1", "iad1", "sin1"}) f.world.fail(gateway);
    CHECK(f.get("/healthz").body == "ok\n");
    CHECK(f.get("/readyz").status == 200);
    f.world.node_.ready = false;
    CHECK(f.get("/readyz").status == 503);
    CHECK(f.get("/healthz").status == 200);
}

TEST_CASE("a failover that waits is confirmed by a person, once") {
    Posted loop;
    std::string text(three_regions);
    text.replace(text.find("ttl = { max = 60"), 0, "failover = \"confirm\"\n");
    World world(loop.post(), text);
    CHECK(post(world, loop, "/api/v1/services/eu/confirm").problem() == "nothing-waits");
    world.fail("fra1");
    CHECK(get(world, loop, "/api/v1/status").json["services"][1]["state"] == "waiting");
    const Answer confirmed = post(world, loop, "/api/v1/services/eu/confirm");
    CHECK(confirmed.status == 200);
    CHECK(confirmed.json["gateways"] == Words{"fra1"});
    CHECK(post(world, loop, "/api/v1/services/eu/confirm").problem() == "nothing-waits");
    CHECK(post(world, loop, "/api/v1/services/ue/confirm").problem() == "no-such-target");
}
