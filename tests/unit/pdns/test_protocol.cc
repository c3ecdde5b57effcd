// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "pdns/responder.h"
#include "unit/dns/world.h"

using namespace fairway;
using namespace fairway::pdns;
using fairway::dns::test::make_world;
using fairway::dns::test::World;

namespace {

/// One Responder for all calls, as a server has it.
struct Backend {
    World world = make_world();
    Responder responder;

    std::string ask(const std::string& text) {
        Call call;
        const auto parsed = parse_call(text, call);
        if (!parsed) return parsed.error().message;
        std::string reply = "before";
        if (responder.respond(world.serving(), call, reply) == Responder::Outcome::unable) {
            CHECK(reply == "before");
            return "unable";
        }
        REQUIRE(nlohmann::json::accept(reply.substr(6)));
        return reply.substr(6);
    }

    /// As pdns-server asks: trailing dot, all three addresses.
    std::string lookup(const std::string& type, const std::string& name,
                       const std::string& real_remote = "192.0.2.1/32",
                       const std::string& remote = "192.0.2.1", const std::string& zone_id = "-1") {
        return ask(R"({"method": "lookup", "parameters": {"local": "127.0.0.1", "qname": ")" + name +
                   R"(", "qtype": ")" + type + R"(", "real-remote": ")" + real_remote + R"(", "remote": ")" +
                   remote + R"(", "zone-id": )" + zone_id + "}}");
    }
    /// "A 192.0.2.1" for each record, in order; the error or the other result otherwise.
    std::vector<std::string> records(const std::string& type, const std::string& name) {
        const auto reply = nlohmann::json::parse(lookup(type, name));
        std::vector<std::string> all;
        for (const auto& record : reply.at("result")) {
            CHECK(record.at("ttl").is_number_unsigned());
            CHECK(record.at("domain_id").get<int64_t>() > 0);
            all.push_back(record.at("qtype").get<std::string>() + " " +
                          record.at("content").get<std::string>());
        }
        return all;
    }
    std::string zone_id() { return std::to_string(world.build().authority->zones()[0].id); }
};

using Records = std::vector<std::string>;

}  // namespace

TEST_CASE("calls are read as PowerDNS writes them") {
    Call call;
    REQUIRE(parse_call(
        R"({"method": "lookup", "parameters": {"local": "0.0.0.0", "qname": "VPN.example.", "qtype": "ANY", )"
        R"("real-remote": "192.0.2.0/24", "remote": "127.0.0.1", "zone-id": 5}})",
        call));
    CHECK(call.method == Method::lookup);
    CHECK(call.name == "VPN.example.");
    CHECK(call.qtype == "ANY");
    CHECK(call.remote == "127.0.0.1");
    CHECK(call.real_remote == "192.0.2.0/24");
    CHECK(call.zone_id == 5);
    // The order of members does not matter, and nothing is left from the call before.
    REQUIRE(parse_call(R"({"parameters":{"domain_id":"7","zonename":"example."},"method":"list"})", call));
    CHECK(call.method == Method::list);
    CHECK(call.name == "example.");
    CHECK(call.zone_id == 7);
    CHECK(call.qtype.empty());
    CHECK(call.real_remote.empty());
    REQUIRE(parse_call(R"({"method":"getAllDomains","parameters":{"include_disabled":true}})", call));
    CHECK(call.method == Method::get_all_domains);
    REQUIRE(
        parse_call(R"({"method":"feedRecord","parameters":{"rr":{"qname":"x","ttl":[1]},"trxid":1}})", call));
    CHECK(call.method == Method::write_content);
    CHECK(call.method_name == "feedRecord");
}

TEST_CASE("what is no call is refused with the reason") {
    Call call;
    const auto refusal = [&call](std::string_view text) {
        const auto parsed = parse_call(text, call);
        return parsed ? "none" : parsed.error().message;
    };
    CHECK(refusal("") == "not a JSON object of the remote backend protocol");
    CHECK(refusal("[]") == "not a JSON object of the remote backend protocol");
    CHECK(refusal(R"({"method":"lookup"} {})") == "not a JSON object of the remote backend protocol");
    CHECK(refusal(R"({"method":7})") == "not a JSON object of the remote backend protocol");
    CHECK(refusal("{}") == "a call without a method");
    CHECK(refusal(R"({"method":"lookup"})") == "lookup without the name that it is about");
    CHECK(refusal(R"({"method":"lookup","parameters":{"qname":5}})") ==
          "lookup without the name that it is about");
    CHECK(refusal(R"({"method":"list","parameters":[]})") == "list without the name that it is about");
    CHECK(refusal(R"({"method":"lookup","parameters":{"qname":"a","zone-id":1.5}})") ==
          "not a JSON object of the remote backend protocol");
}

TEST_CASE("the client is who PowerDNS says it is") {
    const auto client = [](const std::string& real_remote, const std::string& remote) {
        Call call;
        call.real_remote = real_remote;
        call.remote = remote;
        const CallClient c = client_of(call);
        return c.client.source.to_string() + " " + (c.client.ecs ? c.client.ecs->to_string() : "-") +
               (c.scoped ? "" : " unscoped");
    };
    CHECK(client("198.51.100.0/24", "192.0.2.53") == "192.0.2.53 198.51.100.0/24");
    CHECK(client("2001:db8::/56", "192.0.2.53") == "192.0.2.53 2001:db8::/56");
    CHECK(client("192.0.2.53/32", "192.0.2.53") == "192.0.2.53 -");
    CHECK(client("2001:db8::1/128", "2001:db8::1") == "2001:db8::1 -");
    CHECK(client("198.51.100.7/32", "192.0.2.53") == "192.0.2.53 198.51.100.7/32");
    CHECK(client("0.0.0.0/0", "192.0.2.53") == "192.0.2.53 - unscoped");
    CHECK(client("::/0", "192.0.2.53") == "192.0.2.53 - unscoped");
    CHECK(client("0.0.0.0/0", "0.0.0.0") == "0.0.0.0 - unscoped");
    CHECK(client("198.51.100.77/24", "192.0.2.53") == "192.0.2.53 198.51.100.0/24");
    CHECK(client("", "192.0.2.53") == "192.0.2.53 -");
    CHECK(client("198.51.100.0/33", "192.0.2.53") == "192.0.2.53 -");
    CHECK(client("junk", "192.0.2.53") == "192.0.2.53 -");
    CHECK(client("198.51.100.0/24", "") == "198.51.100.0 198.51.100.0/24");
    CHECK(client("", "") == "0.0.0.0 -");
}

TEST_CASE("a steered name is answered whole") {
    Backend backend;
    const std::string id = backend.zone_id();
    CHECK(
        backend.lookup("ANY", "vPn.gslb.test.") ==
        R"({"result":[{"qname":"vPn.gslb.test.","qtype":"A","content":"203.0.113.10","ttl":30,"domain_id":)" +
            id + R"(},{"qname":"vPn.gslb.test.","qtype":"A","content":"203.0.113.11","ttl":30,"domain_id":)" +
            id +
            R"(},{"qname":"vPn.gslb.test.","qtype":"A","content":"198.51.100.20","ttl":30,"domain_id":)" +
            id +
            R"(},{"qname":"vPn.gslb.test.","qtype":"AAAA","content":"2001:db8:2::20","ttl":30,"domain_id":)" +
            id + "}]}");
    CHECK(backend.records("AAAA", "vpn.gslb.test") == Records{"AAAA 2001:db8:2::20"});
    CHECK(backend.records("MX", "vpn.gslb.test") == Records{});
    backend.world.set_down(GatewayId(0));
    CHECK(backend.records("A", "vpn.gslb.test.") == Records{"A 198.51.100.20"});
    CHECK(backend.records("ANY", "named.gslb.test.") == Records{"CNAME gw.example.net."});
}

TEST_CASE("static names, wildcards, delegations and glue are answered as they stand in the zone") {
    Backend backend;
    CHECK(backend.records("ANY", "MAIL.gslb.test.") ==
          Records{"MX 10 mx1.gslb.test.", "MX 20 mx.example.net."});
    CHECK(backend.records("ANY", "text.gslb.test.") == Records{"TXT \"one\" \"two\""});
    CHECK(backend.records("ANY", "odd\\\\.dot.gslb.test.") == Records{"TXT \"a dot in a label\""});
    CHECK(backend.records("ANY", "*.wild.gslb.test.") == Records{"A 192.0.2.80", "TXT \"any of them\""});
    CHECK(backend.records("A", "*.steer.gslb.test.") == Records{"A 198.51.100.20"});
    CHECK(backend.records("ANY", "alias.gslb.test.") == Records{"CNAME vpn.gslb.test."});
    CHECK(backend.records("A", "alias.gslb.test.") == Records{});
    CHECK(backend.records("NS", "deleg.gslb.test.") ==
          Records{"NS ns.deleg.gslb.test.", "NS ns.example.net."});
    const auto glue = nlohmann::json::parse(backend.lookup("ANY", "ns.deleg.gslb.test."));
    CHECK(glue.at("result").at(0).at("auth") == 0);
    CHECK(glue.at("result").at(0).at("content") == "192.0.2.90");
}

TEST_CASE(
    "a name that exists without records is one record of no type, and one that does not exist is none") {
    Backend backend;
    const std::string id = backend.zone_id();
    const std::string nothing = R"({"result":[{"qname":"b.ent.gslb.test.","qtype":"","content":"","ttl":)";
    CHECK(backend.lookup("ANY", "b.ent.gslb.test.").substr(0, nothing.size()) == nothing);
    CHECK(backend.records("ANY", "ent.gslb.test.") == Records{" "});
    CHECK(backend.records("A", "ent.gslb.test.") == Records{});
    CHECK(backend.records("ANY", "missing.gslb.test.") == Records{});
    CHECK(backend.records("ANY", "x.wild.gslb.test.") == Records{});
    CHECK(backend.records("ANY", "www.example.org.") == Records{});
    CHECK(backend.records("SOA", ".") == Records{});
    // A service that answers NODATA exists.
    backend.world.set_down(GatewayId(2));
    CHECK(backend.records("ANY", "nodata.gslb.test.") == Records{" "});
}

TEST_CASE("a service that must fail is an exception to PowerDNS, and its zone goes on") {
    Backend backend;
    backend.world.set_down(GatewayId(2));
    CHECK(backend.lookup("ANY", "servfail.gslb.test.") == R"({"result":null})");
    CHECK(backend.lookup("A", "refuse.gslb.test.") == R"({"result":null})");
    CHECK(backend.lookup("SOA", "servfail.gslb.test.") == R"({"result":[]})");
    CHECK(backend.records("ANY", "fallback.gslb.test.") == Records{"CNAME last.example.net."});
    CHECK(backend.records("A", "vpn.gslb.test.").size() == 3);
}

TEST_CASE(
    "SOA and NS are the same for everybody, the whole zone can be found before the first round is done") {
    Backend backend;
    const std::string soa = backend.lookup("SOA", "gslb.test.", "0.0.0.0/0", "0.0.0.0");
    CHECK(soa.find(R"("qtype":"SOA")") != std::string::npos);
    CHECK(soa.find("scopeMask") == std::string::npos);
    CHECK(backend.lookup("SOA", "gslb.test.", "203.0.113.0/24", "192.0.2.1") == soa);
    CHECK(backend.lookup("SOA", "vpn.gslb.test.") == R"({"result":[]})");

    backend.world.health->first_round_done = false;
    CHECK(backend.lookup("ANY", "vpn.gslb.test.") == "unable");
    CHECK(backend.lookup("ANY", "gslb.test.") == "unable");
    CHECK(backend.lookup("SOA", "gslb.test.") == soa);
    const std::string apex = backend.lookup("ANY", "gslb.test.", "0.0.0.0/0", "0.0.0.0");
    CHECK(apex.find(R"("qtype":"SOA")") != std::string::npos);
    CHECK(apex.find(R"("qtype":"NS")") != std::string::npos);
    CHECK(apex.find(R"("qtype":"A")") == std::string::npos);
    CHECK(backend.records("ANY", "host.gslb.test.").size() == 2);
}

TEST_CASE("an answer that depends on the client says for how many others it holds") {
    Backend backend;
    backend.world.add_service("near", "near.gslb.test", {GatewayId(0), GatewayId(1)},
                              {"rule(prefix 198.51.100.0/24 -> iad1)", "healthy", "first 1"});
    backend.world.all_up();
    const auto ask = [&](const std::string& real_remote, const std::string& remote) {
        const auto reply = nlohmann::json::parse(backend.lookup("A", "near.gslb.test.", real_remote, remote));
        const auto& record = reply.at("result").at(0);
        return record.at("content").get<std::string>() +
               (record.contains("scopeMask") ? "/" + std::to_string(record.at("scopeMask").get<int>()) : "");
    };
    CHECK(ask("198.51.100.0/24", "192.0.2.53") == "198.51.100.20/24");
    CHECK(ask("198.51.100.7/32", "192.0.2.53") == "198.51.100.20/24");
    CHECK(ask("198.51.100.7/32", "198.51.100.7") == "198.51.100.20/24");
    CHECK(ask("203.0.113.0/24", "192.0.2.53").substr(0, 13) == "203.0.113.10/");
    // Without tailoring the resolver decides, and the answer is for everybody.
    CHECK(ask("0.0.0.0/0", "198.51.100.53") == "198.51.100.20");
    CHECK(ask("0.0.0.0/0", "192.0.2.53") == "203.0.113.10");
}

TEST_CASE("a lookup in a zone by its id finds that zone's records only") {
    Backend backend;
    const std::string id = backend.zone_id();
    CHECK(backend.lookup("A", "host.gslb.test.", "192.0.2.1/32", "192.0.2.1", id) ==
          backend.lookup("A", "host.gslb.test."));
    CHECK(backend.lookup("A", "host.gslb.test.", "192.0.2.1/32", "192.0.2.1", "1") == R"({"result":[]})");
}

TEST_CASE("the parent's side of a zone cut is found in the parent") {
    Backend backend;
    backend.world.add_zone("deleg.gslb.test", std::nullopt);
    const std::string parent = std::to_string(backend.world.build().authority->zones()[0].id);
    const std::string child = std::to_string(backend.world.build().authority->zones()[1].id);
    const auto ask = [&](const std::string& type, const std::string& id) {
        Records all;
        const auto reply =
            nlohmann::json::parse(backend.lookup(type, "deleg.gslb.test.", "192.0.2.1/32", "192.0.2.1", id));
        for (const auto& record : reply.at("result")) {
            CHECK(std::to_string(record.at("domain_id").get<int64_t>()) == id);
            all.push_back(record.at("content"));
        }
        return all;
    };
    CHECK(ask("NS", parent) == Records{"ns.deleg.gslb.test.", "ns.example.net."});
    CHECK(ask("DS", parent).size() == 1);
    CHECK(ask("NS", child) == Records{"ns1.deleg.gslb.test."});
    CHECK(ask("DS", child).empty());
}

TEST_CASE("zones are listed, described and dumped") {
    Backend backend;
    const std::string id = backend.zone_id();
    const std::string info =
        R"({"id":)" + id + R"(,"zone":"gslb.test.","kind":"native","serial":7,"notified_serial":0})";
    CHECK(backend.ask(R"({"method":"getAllDomains","parameters":{"include_disabled":true}})") ==
          R"({"result":[)" + info + "]}");
    CHECK(backend.ask(R"({"method":"getDomainInfo","parameters":{"name":"GSLB.test."}})") ==
          R"({"result":)" + info + "}");
    CHECK(backend.ask(R"({"method":"getDomainInfo","parameters":{"name":"vpn.gslb.test."}})") ==
          R"({"result":false})");
    CHECK(backend.ask(R"({"method":"getAllDomainMetadata","parameters":{"name":"gslb.test."}})") ==
          R"({"result":{}})");
    CHECK(backend.ask(
              R"({"method":"getDomainMetadata","parameters":{"name":"gslb.test.","kind":"PRESIGNED"}})") ==
          R"({"result":[]})");
    const auto list = nlohmann::json::parse(
        backend.ask(R"({"method":"list","parameters":{"zonename":"gslb.test.","domain_id":)" + id + "}}"));
    const auto& records = list.at("result");
    REQUIRE(records.size() > 50);
    CHECK(records.at(0).at("qtype") == "SOA");
    size_t soa = 0, steered = 0;
    for (const auto& record : records) {
        soa += record.at("qtype") == "SOA" ? 1 : 0;
        steered += record.at("qname") == "vpn.gslb.test." ? 1 : 0;
        CHECK_FALSE(record.contains("scopeMask"));
    }
    CHECK(soa == 1);
    CHECK(steered == 4);
    CHECK(backend.ask(R"({"method":"list","parameters":{"zonename":"example.org.","domain_id":1}})") ==
          R"({"result":false})");
}

TEST_CASE("the handshake is accepted and what is not served is answered false") {
    Backend backend;
    CHECK(backend.ask(R"({"method":"initialize","parameters":{"path":"/run/x.sock","timeout":"2000"}})") ==
          R"({"result":true})");
    for (const char* method : {"x", "isMaster", "getUnfreshSlaveInfos", "setFresh", "createSlaveDomain"})
        CHECK(backend.ask(std::string(R"({"method":")") + method + R"(","parameters":{}})") ==
              R"({"result":false})");
    CHECK(backend.ask(R"({"method":"lookup","parameters":{"qname":"a..b","qtype":"A"}})") ==
          R"({"result":[]})");
}

TEST_CASE("what would change a zone from the outside is refused with a reason for PowerDNS' log") {
    Backend backend;
    for (const char* method :
         {"setDomainMetadata", "addDomainKey", "removeDomainKey", "activateDomainKey", "deactivateDomainKey",
          "publishDomainKey", "unpublishDomainKey", "setTSIGKey", "deleteTSIGKey", "startTransaction",
          "commitTransaction", "abortTransaction", "replaceRRSet", "feedRecord", "feedEnts", "feedEnts3"}) {
        const auto reply = nlohmann::json::parse(
            backend.ask(std::string(R"({"method":")") + method + R"(","parameters":{"name":"gslb.test."}})"));
        CHECK(reply.at("result") == false);
        REQUIRE(reply.at("log").size() == 1);
        CHECK(reply["log"][0].get<std::string>().rfind(std::string(method) + ": refused, ", 0) == 0);
    }
}
