// SPDX-License-Identifier: Apache-2.0
// Every method of PowerDNS 4.7 to 5.1 with exact replies, in the types that PowerDNS reads.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "pdns/responder.h"
#include "unit/dns/world.h"

using namespace fairway;
using namespace fairway::pdns;
using fairway::dns::test::make_world;
using fairway::dns::test::World;
using nlohmann::json;

namespace {

struct Backend {
    World world = make_world();
    Responder responder;

    std::string ask(const std::string& method, const json& parameters) {
        Call call;
        const json text = {{"method", method}, {"parameters", parameters}};
        const auto parsed = parse_call(text.dump(), call);
        if (!parsed) return parsed.error().message;
        std::string reply;
        REQUIRE(responder.respond(world.serving(), call, reply) == Responder::Outcome::answered);
        return reply;
    }
    json result(const std::string& method, const json& parameters) {
        return json::parse(ask(method, parameters)).at("result");
    }
    int32_t zone_id(size_t zone = 0) { return world.build().authority->zones()[zone].id; }
    uint32_t serial(size_t zone = 0) { return world.build().authority->zones()[zone].serial; }
};

/// "qname qtype content" of each record of a reply.
std::vector<std::string> lines(const json& records) {
    std::vector<std::string> all;
    for (const json& record : records)
        all.push_back(record.at("qname").get<std::string>() + " " + record.at("qtype").get<std::string>() +
                      " " + record.at("content").get<std::string>());
    return all;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("domains are told with the types that PowerDNS reads") {
    Backend backend;
    const std::string id = std::to_string(backend.zone_id());
    const std::string serial = std::to_string(backend.serial());
    const std::string info = R"({"id":)" + id + R"(,"zone":"gslb.test.","kind":"native","serial":)" + serial +
                             R"(,"notified_serial":0})";
    CHECK(backend.ask("getAllDomains", {{"include_disabled", true}}) == R"({"result":[)" + info + "]}");
    CHECK(backend.ask("getDomainInfo", {{"name", "GSLB.test"}}) == R"({"result":)" + info + "}");
    CHECK(backend.ask("getDomainInfo", {{"name", "www.gslb.test."}}) == R"({"result":false})");
    CHECK(backend.ask("getDomainInfo", {{"name", "a..b"}}) == R"({"result":false})");
}

TEST_CASE("zones whose serial PowerDNS has not told the secondaries of are updated masters, once") {
    Backend backend;
    const std::string id = std::to_string(backend.zone_id());
    const std::string serial = std::to_string(backend.serial());
    CHECK(backend.ask("getUpdatedMasters", json::object()) ==
          R"({"result":[{"id":)" + id + R"(,"zone":"gslb.test.","kind":"master","serial":)" + serial +
              R"(,"notified_serial":0}]})");
    CHECK(backend.ask("setNotified", {{"id", backend.zone_id()}, {"serial", backend.serial()}}) ==
          R"({"result":true})");
    CHECK(backend.ask("getUpdatedMasters", json::object()) == R"({"result":[]})");
    CHECK(backend.result("getDomainInfo", {{"name", "gslb.test."}}).at("notified_serial") ==
          backend.serial());
    CHECK(backend.ask("setNotified", {{"id", 1}, {"serial", 5}}) == R"({"result":false})");
    CHECK(backend.ask("setNotified", {{"id", int64_t{1} << 40}, {"serial", 5}}) == R"({"result":false})");
}

TEST_CASE("an editor sees the content of a zone, not what some client gets") {
    Backend backend;
    backend.world.health = std::make_shared<HealthSnapshot>(*backend.world.health);
    backend.world.set_down(GatewayId(0));
    const Lines all{"vpn.gslb.test. A 203.0.113.10", "vpn.gslb.test. A 203.0.113.11",
                    "vpn.gslb.test. A 198.51.100.20", "vpn.gslb.test. AAAA 2001:db8:2::20"};
    const json ask = {{"qname", "vpn.gslb.test."},
                      {"qtype", "ANY"},
                      {"zone-id", backend.zone_id()},
                      {"include-disabled", true},
                      {"real-remote", "0.0.0.0/0"}};
    CHECK(lines(backend.result("APILookup", ask)) == all);
    CHECK(lines(backend.result("APILookup", {{"qname", "vpn.gslb.test"}, {"qtype", "AAAA"}})) ==
          Lines{"vpn.gslb.test AAAA 2001:db8:2::20"});
    CHECK(lines(backend.result("lookup", ask)) ==
          Lines{"vpn.gslb.test. A 198.51.100.20", "vpn.gslb.test. AAAA 2001:db8:2::20"});
    CHECK(backend.ask("APILookup", {{"qname", "missing.gslb.test."}, {"qtype", "ANY"}}) ==
          R"({"result":[]})");
    CHECK(backend.ask("APILookup", {{"qname", "www.example."}, {"qtype", "ANY"}}) == R"({"result":[]})");
}

TEST_CASE("records are found by name and by content, with wildcards, in any case, and bounded in number") {
    Backend backend;
    const auto search = [&](const std::string& pattern, int64_t most = 100) {
        return lines(backend.result("searchRecords", {{"pattern", pattern}, {"maxResults", most}}));
    };
    CHECK(search("host.gslb.test") ==
          Lines{"host.gslb.test. A 192.0.2.70", "host.gslb.test. AAAA 2001:db8::70"});
    // Spelt like that, it is the content of others too.
    CHECK(search("HOST.gslb.test.") ==
          Lines{"*.cwild.gslb.test. CNAME host.gslb.test.", "host.gslb.test. A 192.0.2.70",
                "host.gslb.test. AAAA 2001:db8::70", "toward.gslb.test. CNAME host.gslb.test."});
    CHECK(search("mx?.gslb.test") ==
          Lines{"mx1.gslb.test. A 192.0.2.25", "mx1.gslb.test. AAAA 2001:db8::25"});
    CHECK(search("203.0.113.1?", 2).size() == 2);
    CHECK(search("*mx.example.net*") == Lines{"mail.gslb.test. MX 20 mx.example.net."});
    CHECK(search("ANY OF THEM").empty());
    CHECK(search("*ANY OF THEM*") == Lines{"*.wild.gslb.test. TXT \"any of them\""});
    CHECK(search("*", 3).size() == 3);
    CHECK(search("*", 0).empty());
    CHECK(search("*", -5).empty());
    CHECK(search("*", int64_t{1} << 50).size() > 50);
    CHECK(search("").empty());
}

TEST_CASE("a name's neighbours in the NSEC chain are found, around the end and over what is not in it") {
    Backend backend;
    const auto around = [&](const std::string& name) {
        const json found =
            backend.result("getBeforeAndAfterNamesAbsolute", {{"id", backend.zone_id()}, {"qname", name}});
        CHECK(found.at("unhashed") == found.at("before"));
        return found.at("before").get<std::string>() + " < " + found.at("after").get<std::string>();
    };
    // In canonical order: the apex, _sip._udp, alias, big, below, chain, *.cwild, dangling, deleg, a.b.ent,
    // ...
    CHECK(around("") == " < _sip._udp");
    CHECK(around(".") == " < _sip._udp");
    CHECK(around("alias.") == "alias < below");
    CHECK(around("aa") == "_sip._udp < alias");
    CHECK(around("cwild") == "chain < *.cwild");  // an empty non-terminal
    CHECK(around("deleg") == "deleg < a.b.ent");  // what is below a delegation is not in the chain
    CHECK(around("ns.deleg.") == "deleg < a.b.ent");
    CHECK(around("zzz") == "*.wild < ");
    CHECK(backend.ask("getBeforeAndAfterNamesAbsolute", {{"id", 1}, {"qname", "a"}}) ==
          R"({"result":false})");
}

TEST_CASE("delegations to child zones that are served here too are in the chain of their parent") {
    Backend backend;
    backend.world.add_zone("sub.gslb.test", "");
    backend.world.files.back() = std::string("www A 192.0.2.1\n");
    backend.world.model->zones.back().file = "sub.zone";
    backend.world.model->zones.front().file = "gslb.test.zone";
    backend.world.files.front() = std::string(dns::test::zone_text) + "sub NS ns1.sub\n";
    const auto authority = backend.world.build().authority;
    const auto& zones = authority->zones();
    REQUIRE(zones.size() == 2);
    const auto parent =
        std::find_if(zones.begin(), zones.end(), [](const auto& zone) { return zone.name == "gslb.test"; });
    const json found =
        backend.result("getBeforeAndAfterNamesAbsolute", {{"id", parent->id}, {"qname", "sub"}});
    CHECK(found.at("before") == "sub");
    const json behind =
        backend.result("getBeforeAndAfterNamesAbsolute", {{"id", parent->id}, {"qname", "www.sub"}});
    CHECK(behind.at("before") == "sub");
    CHECK(behind.at("after") == found.at("after"));
}

TEST_CASE("methods of secondaries are answered false") {
    Backend backend;
    for (const char* method :
         {"getUnfreshSlaveInfos", "setFresh", "setStale", "superMasterBackend", "createSlaveDomain"})
        CHECK(
            backend.ask(method, {{"id", backend.zone_id()}, {"ip", "192.0.2.1"}, {"domain", "gslb.test."}}) ==
            R"({"result":false})");
}
