// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "hex.h"
#include "ipsec/cookie.h"
#include "ipsec/dh.h"
#include "ipsec/nat.h"
#include "recordings.h"
#include "support/seeded_entropy.h"

using namespace fairway;
using namespace fairway::ipsec;
using fairway::test::SeededEntropy;

namespace {
constexpr DhGroup all_groups[] = {DhGroup::modp_1024, DhGroup::modp_2048, DhGroup::modp_3072,
                                  DhGroup::modp_4096, DhGroup::p256,      DhGroup::p384,
                                  DhGroup::p521,      DhGroup::x25519};
}

TEST_CASE("key exchanges agree with those recorded from another implementation") {
    for (const Recording& recording : recordings) {
        CAPTURE(recording.name);
        const auto group = DhGroup{static_cast<uint16_t>(recording.group)};
        const auto exchange = KeyExchange::from_private(group, from_hex(recording.private_key));
        REQUIRE(exchange);
        CHECK(copy(exchange->public_value()) == from_hex(recording.public_initiator));
        const auto secret = exchange->shared_secret(from_hex(recording.public_responder));
        REQUIRE(secret);
        CHECK(copy(secret->view()) == from_hex(recording.shared_secret));
    }
}

TEST_CASE("the 256-bit random ECP group gives the result of RFC 5903 8.1") {
    const auto exchange = KeyExchange::from_private(
        DhGroup::p256, from_hex("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433"));
    REQUIRE(exchange);
    CHECK(copy(exchange->public_value()) ==
          from_hex("dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180"
                   "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3"));
    const auto secret =
        exchange->shared_secret(from_hex("d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
                                         "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab"));
    REQUIRE(secret);
    CHECK(copy(secret->view()) ==
          from_hex("d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"));
}

TEST_CASE("both ends of a key exchange get the same secret in every group") {
    SeededEntropy entropy(1);
    for (const DhGroup group : all_groups) {
        CAPTURE(to_string(group));
        const auto a = KeyExchange::generate(group, entropy);
        const auto b = KeyExchange::generate(group, entropy);
        REQUIRE(a);
        REQUIRE(b);
        CHECK(a->public_value().size() == public_value_size(group));
        CHECK(copy(a->public_value()) != copy(b->public_value()));
        const auto at_a = a->shared_secret(b->public_value());
        const auto at_b = b->shared_secret(a->public_value());
        REQUIRE(at_a);
        REQUIRE(at_b);
        CHECK(copy(at_a->view()) == copy(at_b->view()));
    }
}

TEST_CASE("the same randomness makes the same key pair") {
    SeededEntropy one(7);
    SeededEntropy two(7);
    CHECK(copy(KeyExchange::generate(DhGroup::p521, one)->public_value()) ==
          copy(KeyExchange::generate(DhGroup::p521, two)->public_value()));
}

TEST_CASE("public values that RFC 6989 forbids are refused") {
    SeededEntropy entropy(3);
    for (const DhGroup group : all_groups) {
        CAPTURE(to_string(group));
        const auto exchange = KeyExchange::generate(group, entropy);
        const auto good = copy(KeyExchange::generate(group, entropy)->public_value());
        CHECK(check_public_value(group, good));
        CHECK_FALSE(check_public_value(group, ByteSpan(good).first(good.size() - 1)));
        auto longer = good;
        longer.insert(longer.begin(), 0);
        CHECK_FALSE(check_public_value(group, longer));
        const std::vector<uint8_t> zero(good.size());
        CHECK_FALSE(exchange->shared_secret(zero));
        if (group == DhGroup::x25519) continue;
        CHECK_FALSE(check_public_value(group, zero));
        CHECK_FALSE(check_public_value(group, std::vector<uint8_t>(good.size(), 0xff)));
        auto off = good;
        off.back() ^= 1;
        const bool curve = group == DhGroup::p256 || group == DhGroup::p384 || group == DhGroup::p521;
        CHECK(check_public_value(group, off).has_value() == !curve);
    }
    std::vector<uint8_t> one(256);
    one.back() = 1;
    CHECK(check_public_value(DhGroup::modp_2048, one).error().message == "public value out of range");
}

TEST_CASE("a group that is not in the table is not supported") {
    SeededEntropy entropy(1);
    CHECK_FALSE(is_supported(DhGroup{1}));
    CHECK(public_value_size(DhGroup{22}) == 0);
    CHECK_FALSE(KeyExchange::generate(DhGroup{22}, entropy));
    CHECK_FALSE(check_public_value(DhGroup{22}, std::vector<uint8_t>(128)));
    CHECK_FALSE(KeyExchange::from_private(DhGroup::p256, std::vector<uint8_t>(32, 0xff)));
}

TEST_CASE("NAT detection hashes depend on SPIs, address and port") {
    const SocketAddress address{IpAddress::v4(0xc0000201), 500};
    // SHA-1 over 0102030405060708 0000000000000000 c0000201 01f4
    CHECK(copy(nat_detection_hash(0x0102030405060708, 0, address)) ==
          from_hex("644b4575455bd6fcc1efe2be8162a9218e448e5f"));
    CHECK(nat_detection_hash(1, 2, address) != nat_detection_hash(1, 2, {address.address, 4500}));
    CHECK(nat_detection_hash(1, 2, address) != nat_detection_hash(1, 3, address));
}

TEST_CASE("only port 500 goes without the marker") {
    CHECK(framing_of_port(500) == Framing::plain);
    CHECK(framing_of_port(4500) == Framing::marked);
    CHECK(framing_of_port(7500) == Framing::marked);
    const auto framed = from_hex("00000000ab");
    CHECK(copy(*unframe(Framing::marked, framed)) == from_hex("ab"));
    CHECK(copy(*unframe(Framing::plain, framed)) == framed);
    CHECK_FALSE(unframe(Framing::marked, from_hex("00000001ab")));
    CHECK_FALSE(unframe(Framing::marked, from_hex("ff")));
}

TEST_CASE("a cookie is good for its asker until the secret has changed twice") {
    SeededEntropy entropy(5);
    CookieJar jar(entropy);
    const MonotonicTime start{std::chrono::hours(1)};
    const IpAddress peer = IpAddress::v4(0x7f000001);
    const std::vector<uint8_t> nonce(32, 1);
    const auto cookie = jar.make(start, peer, 42, nonce);
    CHECK(jar.check(start, peer, 42, nonce, cookie));
    CHECK(jar.check(start + CookieJar::lifetime, peer, 42, nonce, cookie));
    CHECK_FALSE(jar.check(start + CookieJar::lifetime, peer, 43, nonce, cookie));
    CHECK_FALSE(jar.check(start + CookieJar::lifetime, IpAddress::v4(0x7f000002), 42, nonce, cookie));
    CHECK_FALSE(jar.check(start + CookieJar::lifetime, peer, 42, std::vector<uint8_t>(32, 2), cookie));
    CHECK_FALSE(jar.check(start + CookieJar::lifetime, peer, 42, nonce, ByteSpan(cookie).first(20)));
    CHECK_FALSE(jar.check(start + 2 * CookieJar::lifetime, peer, 42, nonce, cookie));
}

TEST_CASE("a cookie does not outlive a long silence") {
    SeededEntropy entropy(5);
    CookieJar jar(entropy);
    const MonotonicTime start{std::chrono::hours(1)};
    const std::vector<uint8_t> nonce(32, 1);
    const auto cookie = jar.make(start, IpAddress{}, 42, nonce);
    CHECK_FALSE(jar.check(start + std::chrono::hours(5), IpAddress{}, 42, nonce, cookie));
}

TEST_CASE("system randomness does not repeat itself across blocks") {
    SystemEntropy entropy;
    std::vector<uint64_t> seen;
    for (int i = 0; i < 1000; ++i) seen.push_back(entropy.spi());
    std::sort(seen.begin(), seen.end());
    CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
    std::vector<uint8_t> large(5000);
    entropy.fill(large);
    CHECK(std::count(large.begin(), large.end(), 0) < 100);
}
