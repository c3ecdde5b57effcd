// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "ipsec/suite.h"

using namespace fairway;
using namespace fairway::ipsec;

namespace {
std::vector<Proposal> proposals(std::initializer_list<std::string_view> texts) {
    std::vector<Proposal> result;
    for (const std::string_view text : texts) {
        result.push_back(*parse_proposal(text));
        result.back().number = static_cast<uint8_t>(result.size());
    }
    return result;
}
}  // namespace

TEST_CASE("the responder's order of preference wins over the initiator's") {
    const auto policy = proposals({"aes128gcm16-prfsha256-x25519-ecp256", "aes256-sha512-modp2048"});
    const auto offered =
        proposals({"aes256-sha512-modp2048", "aes256gcm16-aes128gcm16-prfsha384-prfsha256-ecp256-x25519"});
    const auto selection = select_proposal(policy, offered);
    REQUIRE(selection);
    CHECK(to_string(selection->suite) == "AES-GCM-128/PRF-SHA2-256/group 31");
    CHECK(selection->proposal == Proposal{2,
                                          ProtocolId::ike,
                                          {},
                                          {encryption(Encryption::aes_gcm_16, 128), prf(Prf::hmac_sha2_256),
                                           key_exchange(DhGroup::x25519)}});
}

TEST_CASE("a preferred group goes first among those that the policy allows") {
    const auto policy = proposals({"aes128gcm16-prfsha256-x25519-ecp256"});
    const auto offered = proposals({"aes128gcm16-prfsha256-x25519-ecp256-ecp384"});
    CHECK(select_proposal(policy, offered, DhGroup::p256)->suite.group == DhGroup::p256);
    CHECK(select_proposal(policy, offered, DhGroup::p384)->suite.group == DhGroup::x25519);
}

TEST_CASE("nothing in common is no selection") {
    const auto policy = proposals({"aes128gcm16-prfsha256-x25519"});
    CHECK_FALSE(select_proposal(policy, proposals({"aes256gcm16-prfsha256-x25519"})));
    CHECK_FALSE(select_proposal(policy, proposals({"aes128gcm16-prfsha384-x25519"})));
    CHECK_FALSE(select_proposal(policy, proposals({"aes128gcm16-prfsha256-ecp256"})));
    CHECK_FALSE(select_proposal(policy, proposals({"aes128-sha256-x25519"})));
    CHECK_FALSE(select_proposal(policy, {}));
    CHECK_FALSE(select_proposal(default_policy(), unacceptable_offer()));
    for (const OfferScope scope : {OfferScope::current, OfferScope::legacy}) {
        CHECK(select_proposal(default_policy(), default_offer(scope)));
    }
}

TEST_CASE("AEAD goes with no integrity, or with NONE where the offer spells it out") {
    const auto policy = proposals({"aes128gcm16-prfsha256-x25519"});
    auto offered = proposals({"aes128gcm16-prfsha256-x25519"});
    offered[0].transforms.push_back(integrity(Integrity::hmac_sha2_256_128));
    CHECK_FALSE(select_proposal(policy, offered));
    offered[0].transforms.push_back(integrity(Integrity::none));
    const auto selection = select_proposal(policy, offered);
    REQUIRE(selection);
    CHECK(selection->proposal.offers(TransformType::integrity, 0));
    CHECK_FALSE(selection->proposal.offers(TransformType::integrity, 12));
}

TEST_CASE("transforms and proposals that are not understood are not chosen") {
    const auto policy = proposals({"aes128gcm16-prfsha256-x25519"});
    auto unknown_attribute = proposals({"aes128gcm16-prfsha256-x25519"});
    unknown_attribute[0].transforms[0].unknown_attribute = true;
    CHECK_FALSE(select_proposal(policy, unknown_attribute));
    auto unknown_type = proposals({"aes128gcm16-prfsha256-x25519"});
    unknown_type[0].transforms.push_back({TransformType{6}, 36, 0, false});
    CHECK_FALSE(select_proposal(policy, unknown_type));
    auto for_esp = proposals({"aes128gcm16-prfsha256-x25519"});
    for_esp[0].protocol = ProtocolId::esp;
    CHECK_FALSE(select_proposal(policy, for_esp));
}

TEST_CASE("only the legacy offer has group 2 and SHA-1") {
    const auto has = [](OfferScope scope, TransformType type, uint16_t id) {
        const auto offer = default_offer(scope);
        return offer[1].offers(type, id);
    };
    CHECK_FALSE(has(OfferScope::current, TransformType::key_exchange, 2));
    CHECK_FALSE(has(OfferScope::current, TransformType::integrity, 2));
    CHECK_FALSE(has(OfferScope::current, TransformType::prf, 2));
    CHECK(has(OfferScope::legacy, TransformType::key_exchange, 2));
    CHECK(has(OfferScope::legacy, TransformType::integrity, 2));
    CHECK(has(OfferScope::legacy, TransformType::prf, 2));
}

TEST_CASE("proposals are read from the words that operators know") {
    CHECK(*parse_proposal("aes256-sha384-modp2048") ==
          Proposal{1,
                   ProtocolId::ike,
                   {},
                   {encryption(Encryption::aes_cbc, 256), integrity(Integrity::hmac_sha2_384_192),
                    key_exchange(DhGroup::modp_2048), prf(Prf::hmac_sha2_384)}});
    const auto refused = [](std::string_view text) { return parse_proposal(text).error().message; };
    CHECK(refused("aes256-sha384-modp2047") ==
          "unknown algorithm \"modp2047\" in proposal \"aes256-sha384-modp2047\"");
    CHECK(refused("") == "unknown algorithm \"\" in proposal \"\"");
    CHECK(refused("sha384-modp2048") == "no encryption in proposal \"sha384-modp2048\"");
    CHECK(refused("aes256-modp2048") == "no integrity algorithm in proposal \"aes256-modp2048\"");
    CHECK(refused("aes256gcm16-x25519") == "no PRF in proposal \"aes256gcm16-x25519\"");
    CHECK(refused("aes256gcm16-sha256-x25519") ==
          "an integrity algorithm beside AEAD in proposal \"aes256gcm16-sha256-x25519\"");
    CHECK(refused("aes256gcm16-aes128-prfsha256-x25519") ==
          "AEAD and other ciphers mixed in proposal \"aes256gcm16-aes128-prfsha256-x25519\"");
    CHECK(refused("aes256-sha256") == "no key exchange group in proposal \"aes256-sha256\"");
}
