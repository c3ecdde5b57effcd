// SPDX-License-Identifier: Apache-2.0
// Keys, metadata and TSIG keys as PowerDNS is told of them, and who is not told.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "dns/signing.h"
#include "pdns/responder.h"
#include "unit/dns/world.h"

using namespace fairway;
using namespace fairway::pdns;
using fairway::dns::test::make_world;
using fairway::dns::test::World;
using nlohmann::json;

namespace {

std::shared_ptr<const dns::DnssecKey> make_key(uint8_t seed, uint16_t flags) {
    const std::vector<uint8_t> secret(32, seed);
    return std::make_shared<const dns::DnssecKey>(
        dns::DnssecKey::from_private(dns::DnssecAlgorithm::ecdsa_p256, flags, secret).value());
}

struct Backend {
    World world = make_world();
    Responder responder;
    std::shared_ptr<dns::SignedZone> zone;

    /// The zone is signed with these.
    void sign(std::vector<dns::ZoneKey> keys) {
        zone = std::make_shared<dns::SignedZone>();
        zone->keys = std::move(keys);
    }
    std::string ask(const std::string& method, const json& parameters,
                    Audience audience = Audience::trusted) {
        Call call;
        REQUIRE(parse_call(json{{"method", method}, {"parameters", parameters}}.dump(), call));
        dns::Serving serving = world.serving();
        if (zone) {
            auto signing = std::make_shared<dns::ZoneSigning>();
            signing->zones = {zone};
            serving.signing = signing;
        }
        std::string reply;
        REQUIRE(responder.respond(serving, call, reply, audience) == Responder::Outcome::answered);
        return reply;
    }
};

const json zone_name = {{"name", "gslb.test."}};

}  // namespace

TEST_CASE("PowerDNS gets the keys of a signed zone as it reads them, and those of no other") {
    Backend backend;
    CHECK(backend.ask("getDomainKeys", zone_name) == R"({"result":[]})");
    const auto ksk = make_key(1, 257);
    const auto zsk = make_key(2, 256);
    const auto next = make_key(3, 256);
    backend.sign(
        {{ksk, {}, {.published = true, .signs_keys = true, .signs_zone = false, .announced = true}},
         {zsk, {}, {.published = true, .signs_keys = false, .signs_zone = true, .announced = false}},
         {next, {}, {.published = true, .signs_keys = false, .signs_zone = false, .announced = false}}});
    const json keys = json::parse(backend.ask("getDomainKeys", zone_name)).at("result");
    REQUIRE(keys.size() == 3);
    CHECK(keys[0] == json{{"id", ksk->tag() + 1},
                          {"flags", 257},
                          {"active", true},
                          {"published", true},
                          {"content", ksk->private_text()}});
    CHECK(keys[1].at("active") == true);
    CHECK(keys[2].at("active") == false);
    CHECK(keys[2].at("flags") == 256);
    CHECK(keys[0].at("content").get<std::string>().rfind("Private-key-format: v1.2\nAlgorithm: 13", 0) == 0);
    CHECK(backend.ask("getDomainKeys", {{"name", "example.org."}}) == R"({"result":false})");
}

TEST_CASE("secrets are not told to just anybody, and the log says how they would be") {
    Backend backend;
    CHECK(backend.ask("getDomainKeys", zone_name, Audience::anybody) == R"({"result":[]})");
    backend.sign({{make_key(1, 257),
                   {},
                   {.published = true, .signs_keys = true, .signs_zone = true, .announced = true}}});
    for (const char* method : {"getDomainKeys", "getTSIGKey", "getTSIGKeys"}) {
        const std::string reply = backend.ask(method, zone_name, Audience::anybody);
        CHECK(json::parse(reply).at("result") == false);
        CHECK(reply.find("secrets_over_tcp = true") != std::string::npos);
        CHECK(reply.find("PrivateKey") == std::string::npos);
    }
}

TEST_CASE(
    "a signed zone is signed with narrow NSEC3, and announces keys once all of them are meant for the "
    "parent") {
    Backend backend;
    CHECK(backend.ask("getAllDomainMetadata", zone_name) == R"({"result":{}})");
    CHECK(backend.ask("getDomainMetadata", {{"name", "gslb.test."}, {"kind", "PRESIGNED"}}) ==
          R"({"result":[]})");
    const dns::KeyUse announced{.published = true, .signs_keys = true, .signs_zone = true, .announced = true};
    const dns::KeyUse fresh{.published = true, .signs_keys = true, .signs_zone = true, .announced = false};
    backend.sign({{make_key(1, 257), {}, announced}, {make_key(2, 257), {}, fresh}});
    CHECK(backend.ask("getAllDomainMetadata", zone_name) ==
          R"({"result":{"NSEC3PARAM":["1 0 0 -"],"NSEC3NARROW":["1"]}})");
    backend.sign({{make_key(1, 257), {}, announced}});
    CHECK(
        backend.ask("getAllDomainMetadata", zone_name) ==
        R"({"result":{"NSEC3PARAM":["1 0 0 -"],"NSEC3NARROW":["1"],"PUBLISH-CDS":["2"],"PUBLISH-CDNSKEY":["1"]}})");
    CHECK(backend.ask("getDomainMetadata", {{"name", "gslb.test."}, {"kind", "NSEC3NARROW"}}) ==
          R"({"result":["1"]})");
}

TEST_CASE("transfer rules become metadata, but for what PowerDNS cannot say") {
    Backend backend;
    ZoneTransfer& transfer = backend.world.model->zones.front().transfer;
    transfer.allow = {{*IpPrefix::parse("192.0.2.0/24"), ""},
                      {std::nullopt, "transfer.example"},
                      {*IpPrefix::parse("198.51.100.1/32"), "both.example"}};
    transfer.notify = {{*SocketAddress::parse("203.0.113.1:53"), ""}};
    CHECK(backend.ask("getAllDomainMetadata", zone_name) ==
          R"({"result":{"ALLOW-AXFR-FROM":["192.0.2.0/24"],"TSIG-ALLOW-AXFR":["transfer.example"],)"
          R"("ALSO-NOTIFY":["203.0.113.1:53"]}})");
}

TEST_CASE("TSIG keys are those of the configuration") {
    Backend backend;
    CHECK(backend.ask("getTSIGKeys", json::object()) == R"({"result":[]})");
    CHECK(backend.ask("getTSIGKey", {{"name", "transfer.example."}}) == R"({"result":false})");
    backend.world.settings.keys = {{*dns::Name::parse("transfer.example"),
                                    dns::TsigAlgorithm::hmac_sha256,
                                    {'s', 'e', 'c', 'r', 'e', 't'}}};
    CHECK(backend.ask("getTSIGKey", {{"name", "Transfer.Example"}}) ==
          R"({"result":{"algorithm":"hmac-sha256","content":"c2VjcmV0"}})");
    CHECK(backend.ask("getTSIGKeys", json::object()) ==
          R"({"result":[{"name":"transfer.example.","algorithm":"hmac-sha256","content":"c2VjcmV0"}]})");
}
