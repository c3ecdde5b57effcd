// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "ike_world.h"
#include "ipsec/message.h"
#include "ipsec/payloads.h"
#include "ipsec/suite.h"

using namespace fairway;
using ipsec::NotifyType;
using ipsec::PayloadType;
using ipsec::ResponderMode;

namespace {

IkeProbe probe(IkeMode mode = IkeMode::stateless, uint8_t version = 2) {
    IkeProbe settings;
    settings.mode = mode;
    settings.version = version;
    return settings;
}

IkeProbe without_nat(IkeProbe settings) {
    settings.nat_traversal = false;
    return settings;
}

/// A gateway that accepts only what these words say.
ipsec::ResponderSettings accepting(std::initializer_list<std::string_view> proposals) {
    ipsec::ResponderSettings settings;
    settings.policy.clear();
    for (const std::string_view text : proposals) settings.policy.push_back(*ipsec::parse_proposal(text));
    return settings;
}

/// One notification as a response to the request.
std::vector<uint8_t> notification(ByteSpan request, NotifyType type, ByteSpan data = {}) {
    const auto header = *ipsec::decode_header(request);
    ipsec::Header response;
    response.spi_initiator = header.spi_initiator;
    response.flags = ipsec::Header::response_flag;
    std::array<uint8_t, 256> buffer;
    ipsec::MessageWriter writer(buffer, response);
    ipsec::encode_notify(writer.begin(PayloadType::notify), type, data);
    writer.end();
    const ByteSpan message = writer.finish();
    return {message.begin(), message.end()};
}

ipsec::DhGroup group_of(ByteSpan request) {
    const auto header = *ipsec::decode_header(request);
    const auto chain = *ipsec::PayloadChain::decode(header.first_payload, request.subspan(28));
    return ipsec::decode_ke(chain.find(PayloadType::ke)->body)->group;
}

}  // namespace

TEST_CASE("a stateless probe passes on both ports and leaves nothing half-open") {
    IkeWorld world(1, accepting({"aes256gcm16-prfsha384-ecp256-modp2048"}));
    IkeWorld::Check check(world, probe(), 500);
    const ProbeResult first = world.attempt(check);
    CHECK(first.verdict == Verdict::pass);
    CHECK(first.reason.empty());
    CHECK(
        first.detail ==
        "answered INVALID_KE_PAYLOAD (prefers group 19) on 500; answered NO_PROPOSAL_CHOSEN on 4500, 0.6 ms");
    CHECK(first.rtt == microseconds{600});
    for (int i = 0; i < 50; ++i) {
        world.now += seconds{1};
        const ProbeResult result = world.attempt(check);
        CHECK(result.verdict == Verdict::pass);
        CHECK(result.detail == "answered INVALID_KE_PAYLOAD (prefers group 19) on 500 and 4500, 0.6 ms");
        CHECK(world.half_open() == 0);
    }
    CHECK(world.responder.stats().accepted == 0);
}

TEST_CASE("a gateway whose preferred group is the first guess costs one half-open SA, then none") {
    IkeWorld world(1, accepting({"aes256gcm16-prfsha384-ecp521"}));
    IkeWorld::Check check(world, probe(), 500);
    CHECK(world.attempt(check).detail == "answered SA on 500; answered NO_PROPOSAL_CHOSEN on 4500, 0.6 ms");
    for (int i = 0; i < 20; ++i) {
        world.now += seconds{1};
        CHECK(world.attempt(check).detail ==
              "answered INVALID_KE_PAYLOAD (prefers group 21) on 500 and 4500, 0.6 ms");
    }
    CHECK(world.responder.stats().accepted == 1);
}

TEST_CASE("a gateway that accepts every group is asked what it cannot accept") {
    IkeWorld world;  // the default policy takes the group that it is sent
    IkeWorld::Check check(world, probe(), 500);
    for (int i = 0; i < 30; ++i) {
        CHECK(world.attempt(check).verdict == Verdict::pass);
        world.now += seconds{1};
    }
    // One to learn that P-521 is accepted, and one on each port to learn that P-384 is, too.
    CHECK(world.responder.stats().accepted <= 3);
    CHECK(world.attempt(check).detail == "answered NO_PROPOSAL_CHOSEN on 500 and 4500, 0.6 ms");
    world.now += seconds{30};
    CHECK(world.half_open() == 0);
}

TEST_CASE(
    "a gateway that is silent about what it cannot accept is asked within the budget, and never called "
    "down") {
    IkeWorld world;
    IkeWorld::Check check(world, without_nat(probe()), 500);
    world.instead = [&](ByteSpan request, size_t) -> std::vector<uint8_t> {
        const ipsec::Path path{{IkeWorld::gateway_address, 500}, IkeWorld::prober};
        const ByteSpan answer = world.responder.on_message(request, path, world.now);
        if (answer.size() < 60) return {};
        return {answer.begin(), answer.end()};
    };
    size_t most = 0;
    for (int i = 0; i < 200; ++i) {
        const ProbeResult result = world.attempt(check);
        CAPTURE(i, describe(result), result.detail);
        CHECK(result.verdict == Verdict::pass);
        most = std::max(most, world.half_open());
        world.now += milliseconds{2'017};
    }
    CHECK(most <= IkeBudget::limit);
    CHECK(world.attempt(check).detail == "not asked, the budget for half-open SAs is spent");
}

TEST_CASE("full mode makes at most two handshakes in any 30 seconds and asks statelessly in between") {
    IkeWorld world(1, accepting({"aes256gcm16-prfsha384-x25519"}));
    IkeWorld::Check check(world, probe(IkeMode::full), 500);
    std::vector<MonotonicTime> handshakes;
    uint64_t accepted = 0;
    for (int i = 0; i < 200; ++i) {
        CHECK(world.attempt(check).verdict == Verdict::pass);
        if (world.responder.stats().accepted != accepted) {
            accepted = world.responder.stats().accepted;
            handshakes.push_back(world.now);
        }
        CHECK(world.half_open() <= IkeBudget::limit);
        world.now += milliseconds{990};
    }
    REQUIRE(handshakes.size() >= 12);
    for (size_t i = 2; i < handshakes.size(); ++i) CHECK(handshakes[i] - handshakes[i - 2] >= seconds{30});
    CHECK(accepted == handshakes.size());
}

TEST_CASE("monitors of one gateway share its budget, over ports and IKE versions") {
    IkeWorld world(1, accepting({"aes256gcm16-prfsha384-x25519"}));
    IkeWorld::Check one(world, without_nat(probe(IkeMode::full)), 500);
    IkeWorld::Check two(world, without_nat(probe(IkeMode::full)), 4500);
    IkeWorld::Check old(world, without_nat(probe(IkeMode::full, 1)), 500);
    CHECK(world.attempt(one).detail == "answered SA, 0.6 ms");
    CHECK(world.attempt(old).detail == "answered SA, 0.6 ms");
    CHECK(world.attempt(two).detail == "answered NO_PROPOSAL_CHOSEN, 0.6 ms");
    CHECK(world.attempt(old).detail == "answered NO_PROPOSAL_CHOSEN, 0.6 ms");
    CHECK(world.responder.stats().accepted == 1);
}

TEST_CASE("strongSwan's limits never make a prober call a healthy gateway down") {
    for (const IkeMode mode : {IkeMode::stateless, IkeMode::full}) {
        ipsec::ResponderSettings settings = accepting({"aes256gcm16-prfsha384-x25519"});
        settings.limits = ipsec::HalfOpenLimits::like_strongswan();
        IkeWorld world(1, settings);
        IkeWorld::Check one(world, probe(mode), 500);
        IkeWorld::Check two(world, without_nat(probe(mode)), 4500);
        for (int i = 0; i < 300; ++i) {
            CHECK(world.attempt(one).verdict == Verdict::pass);
            CHECK(world.attempt(two).verdict == Verdict::pass);
            world.now += milliseconds{500};
        }
        CHECK(world.responder.stats().cookies == 0);
        CHECK(world.responder.stats().dropped == 0);
    }
}

TEST_CASE("a naive prober would be shut out: the limits of the responder do bite") {
    ipsec::ResponderSettings settings;
    settings.limits = ipsec::HalfOpenLimits::like_strongswan();
    IkeWorld world(1, settings);
    test::SeededEntropy entropy(4);
    IkeRequests requests(IkeProbe{}, entropy);
    size_t answered = 0;
    for (uint64_t spi = 1; spi <= 7; ++spi) {
        const ByteSpan request =
            requests.render(IkeAsk::full, ipsec::DhGroup::x25519, spi, {}, ipsec::Framing::plain);
        const ByteSpan answer = world.responder.on_message(
            request, {{IkeWorld::gateway_address, 500}, IkeWorld::prober}, world.now);
        if (!answer.empty()) ++answered;
    }
    CHECK(world.responder.stats().accepted == 3);
    CHECK(world.responder.stats().cookies == 4);
    CHECK(answered == 7);
}

TEST_CASE("a cookie means busy and alive; it is never returned, and nothing that leaves state follows") {
    IkeWorld world;
    world.responder.set_mode(ResponderMode::always_cookie);
    IkeWorld::Check check(world, probe(IkeMode::full), 500);
    CHECK(world.attempt(check).detail == "busy, answered COOKIE on 500 and 4500, 0.6 ms");
    CHECK(world.received[0] == 1);
    CHECK(world.received[1] == 1);
    world.responder.set_mode(ResponderMode::normal);
    for (int i = 0; i < 14; ++i) {
        world.now += seconds{2};
        CHECK(world.attempt(check).verdict == Verdict::pass);
        CHECK(world.half_open() == 0);
    }
    world.now += seconds{3};
    CHECK(world.attempt(check).detail == "answered SA on 500; answered NO_PROPOSAL_CHOSEN on 4500, 0.6 ms");
}

TEST_CASE("a refused full offer is a warning, or degraded when the operator says so") {
    IkeProbe settings = probe();
    for (const bool strict : {false, true}) {
        settings.mismatch_is_degraded = strict;
        IkeWorld world(1, accepting({"aes192gcm16-prfsha384-modp3072"}));
        IkeWorld::Check check(world, settings, 500);
        for (int i = 0; i < 3; ++i) {
            const ProbeResult result = world.attempt(check);
            CHECK(result.verdict == (strict ? Verdict::degraded : Verdict::pass));
            CHECK(describe(result) == (strict ? "IKE: NO_PROPOSAL_CHOSEN" : "ok"));
            CHECK(result.detail ==
                  "answered NO_PROPOSAL_CHOSEN to a full offer on 500; answered NO_PROPOSAL_CHOSEN on 4500, "
                  "0.6 ms");
            world.now += seconds{2};
        }
    }
}

TEST_CASE("a redirect is degraded and shows where to") {
    ipsec::ResponderSettings settings;
    settings.redirect_to = "gw2.example.com";
    IkeWorld world(1, settings);
    world.responder.set_mode(ResponderMode::redirect);
    IkeWorld::Check check(world, probe(), 500);
    const ProbeResult result = world.attempt(check);
    CHECK(result.verdict == Verdict::degraded);
    CHECK(describe(result) == "IKE: redirects to gw2.example.com");
}

TEST_CASE("other errors are alive with a warning") {
    IkeWorld world;
    IkeWorld::Check check(world, without_nat(probe()), 500);
    world.instead = [](ByteSpan request, size_t) {
        return notification(request, NotifyType::invalid_syntax);
    };
    CHECK(world.attempt(check).detail == "warning: answered INVALID_SYNTAX, 0.6 ms");
    world.instead = [](ByteSpan request, size_t) { return notification(request, NotifyType{4711}); };
    const ProbeResult result = world.attempt(check);
    CHECK(result.verdict == Verdict::pass);
    CHECK(result.detail == "warning: answered notify 4711, 0.6 ms");
}

TEST_CASE("ICMP unreachable ends the attempt at once and is an explicit refusal") {
    IkeWorld world;
    world.unreachable = {{0, Unreachable::port}, {1, Unreachable::port}};
    IkeWorld::Check check(world, probe(), 500);
    const MonotonicTime start = world.now;
    const ProbeResult result = world.attempt(check);
    CHECK(result.verdict == Verdict::fail);
    CHECK(result.explicit_refusal);
    CHECK(describe(result) == "transport: port unreachable on 500");
    CHECK(world.now - start < milliseconds{1});
    world.unreachable = {{1, Unreachable::prohibited}};
    const ProbeResult half = world.attempt(check);
    CHECK(half.explicit_refusal);
    CHECK(half.layer == ProbeLayer::network);
    CHECK(half.reason == "administratively prohibited on 4500, answers on 500");
}

TEST_CASE("silence fails after three transmissions and says which port was silent") {
    IkeWorld world(1, accepting({"aes256gcm16-prfsha384-x25519"}));
    IkeWorld::Check check(world, probe(), 500);
    world.silent = {{0, true}, {1, true}};
    const MonotonicTime start = world.now;
    CHECK(describe(world.attempt(check)) == "IKE: no answer to IKE_SA_INIT on 500 and 4500");
    CHECK(world.now - start == milliseconds{800});
    CHECK(world.received[0] == 3);
    CHECK(world.received[1] == 3);
    world.silent = {{1, true}};
    CHECK(describe(world.attempt(check)) == "IKE: answers on 500 but not on 4500");
    world.silent = {{0, true}};
    CHECK(describe(world.attempt(check)) == "IKE: answers on 4500 but not on 500");
    world.silent.clear();
    CHECK(world.attempt(check).verdict == Verdict::pass);
    IkeWorld::Check direct(world, without_nat(probe()), 500);
    world.silent = {{1, true}};
    CHECK(world.attempt(direct).verdict == Verdict::pass);
    world.silent = {{0, true}};
    CHECK(describe(world.attempt(direct)) == "IKE: no answer to IKE_SA_INIT on 500");
}

TEST_CASE("a retransmission is the same datagram, except that the last asks the other way") {
    IkeWorld world;
    IkeWorld::Check check(world, without_nat(probe()), 500);
    std::vector<std::vector<uint8_t>> seen;
    world.instead = [&](ByteSpan request, size_t) -> std::vector<uint8_t> {
        seen.emplace_back(request.begin(), request.end());
        return {};
    };
    CHECK(world.attempt(check).verdict == Verdict::fail);
    REQUIRE(seen.size() == 3);
    CHECK(seen[0] == seen[1]);
    CHECK(seen[2] != seen[0]);
    CHECK(group_of(seen[0]) == ipsec::DhGroup::p521);
    CHECK(group_of(seen[2]) == ipsec::DhGroup::x25519);
}

TEST_CASE("noise is not an answer") {
    IkeWorld world;
    IkeWorld::Check check(world, without_nat(probe()), 500);
    world.instead = [](ByteSpan, size_t) { return std::vector<uint8_t>(90, 0xa5); };
    CHECK(describe(world.attempt(check)) == "IKE: what answers on 500 does not speak IKE");
    world.instead = [](ByteSpan, size_t) { return std::vector<uint8_t>(3, 0); };
    CHECK(describe(world.attempt(check)) == "IKE: what answers on 500 does not speak IKE");
    world.responder.set_mode(ResponderMode::garbage);
    world.instead = nullptr;
    for (int i = 0; i < 20; ++i) CHECK(world.attempt(check).verdict == Verdict::fail);
}

TEST_CASE("answers that cannot be ours do not count, and the right one behind them does") {
    IkeWorld world(1, accepting({"aes256gcm16-prfsha384-x25519"}));
    IkeWorld::Check check(world, without_nat(probe(IkeMode::full)), 500);
    const ipsec::Path path{{IkeWorld::gateway_address, 500}, IkeWorld::prober};
    const auto altered = [&](size_t at, uint8_t value) {
        world.budget = {};
        world.instead = [&, at, value](ByteSpan request, size_t) {
            const ByteSpan answer = world.responder.on_message(request, path, world.now);
            std::vector<uint8_t> bytes(answer.begin(), answer.end());
            if (at < bytes.size()) bytes[at] = value;
            return bytes;
        };
        return world.attempt(check);
    };
    CHECK(altered(9'999, 0).detail == "answered SA, 0.6 ms");
    CHECK(altered(17, 0x30).verdict == Verdict::fail);  // version 3
    CHECK(altered(18, 35).verdict == Verdict::fail);    // IKE_AUTH
    CHECK(altered(19, 0).verdict == Verdict::fail);     // not a response
    CHECK(altered(19, 0x28).verdict == Verdict::fail);  // from an initiator
    CHECK(altered(23, 1).verdict == Verdict::fail);     // message id 1
    CHECK(altered(27, 1).verdict == Verdict::fail);     // length
    world.instead = [&](ByteSpan request, size_t) {
        const ByteSpan answer = world.responder.on_message(request, path, world.now);
        std::vector<uint8_t> bytes(answer.begin(), answer.end());
        if (bytes.size() < 60) return std::vector<uint8_t>();  // only the SA
        std::fill(bytes.begin() + 8, bytes.begin() + 16, uint8_t{0});
        return bytes;
    };
    world.budget = {};
    CHECK(describe(world.attempt(check)) ==
          "IKE: malformed answer to IKE_SA_INIT on 500: SA without a responder SPI");
}

TEST_CASE("INVALID_KE_PAYLOAD that names the group just used is ignored") {
    IkeWorld world;
    IkeWorld::Check check(world, without_nat(probe()), 500);
    size_t requests = 0;
    world.instead = [&](ByteSpan request, size_t) {
        const auto used = static_cast<uint16_t>(group_of(request));
        const uint8_t same[] = {static_cast<uint8_t>(used >> 8), static_cast<uint8_t>(used)};
        const uint8_t other[] = {0, 14};
        return notification(request, NotifyType::invalid_ke_payload, ++requests == 1 ? same : other);
    };
    CHECK(world.attempt(check).detail == "answered INVALID_KE_PAYLOAD (prefers group 14), 0.6 ms");
    CHECK(requests == 2);
}

TEST_CASE("answers may come from the other port, with its framing") {
    IkeWorld world(1, accepting({"aes256gcm16-prfsha384-x25519"}));
    world.answers_from = {{1, 0}};
    IkeWorld::Check check(world, probe(), 500);
    for (int i = 0; i < 3; ++i) CHECK(world.attempt(check).verdict == Verdict::pass);
}

TEST_CASE("on any port but 500 the marker is there from the first packet") {
    IkeWorld world;
    IkeProbe settings = probe();
    settings.nat_port = 7450;
    IkeWorld::Check check(world, settings, 7500);
    CHECK(check.ports == std::vector<uint16_t>{7500, 7450});
    CHECK(world.attempt(check).verdict == Verdict::pass);
    IkeWorld::Check same(world, probe(), 4500);
    CHECK(same.ports == std::vector<uint16_t>{4500});
}

TEST_CASE("IKEv1 main mode is asked with an offer that leaves no state, and in full within the budget") {
    IkeWorld world;
    IkeWorld::Check check(world, probe(IkeMode::stateless, 1), 500);
    CHECK(world.attempt(check).detail == "answered NO_PROPOSAL_CHOSEN on 500 and 4500, 0.6 ms");
    IkeWorld::Check full(world, without_nat(probe(IkeMode::full, 1)), 500);
    CHECK(world.attempt(full).detail == "answered SA, 0.6 ms");
    world.silent = {{0, true}};
    CHECK(describe(world.attempt(full)) == "IKE: no answer to main mode on 500");
}

TEST_CASE("a gateway that moves to another address is learned anew") {
    IkeWorld world(1, accepting({"aes256gcm16-prfsha384-x25519"}));
    IkeWorld::Check check(world, without_nat(probe()), 500);
    CHECK(world.attempt(check).verdict == Verdict::pass);
    world.steps.clear();
    CHECK(world.attempt(check, milliseconds{800}, IpAddress::v4(0x7f000999)).verdict == Verdict::pass);
    CHECK(world.steps == std::vector<std::string>{"IKE_SA_INIT to port 500: full offer, mismatched group"});
}

TEST_CASE("loss, repetition and reordering do not make a healthy gateway look down more often than chance") {
    IkeWorld world(11, accepting({"aes256gcm16-prfsha384-x25519"}));
    world.network.loss = 0.2;
    world.network.repeat = 0.2;
    world.network.jitter = milliseconds{400};
    IkeWorld::Check check(world, without_nat(probe()), 500);
    int failures = 0;
    for (int i = 0; i < 2'000; ++i) {
        if (world.attempt(check).verdict == Verdict::fail) ++failures;
        world.now += milliseconds{100};
        CHECK(world.half_open() <= IkeBudget::limit);
    }
    // Three transmissions, each way lost with 0.2: 0.36 cubed is 4.7 %; some answers also come too late.
    CHECK(failures > 40);
    CHECK(failures < 200);
}

TEST_CASE("the budget grants one exchange at a time, and two in any 30 seconds") {
    IkeWorld world;
    CHECK(world.budget.take(IkeWorld::gateway_address, world.now));
    CHECK_FALSE(world.budget.take(IkeWorld::gateway_address, world.now));  // never two at once
    world.budget.settle(IkeWorld::gateway_address, IkeBudget::Left::half_open, world.now);
    CHECK(world.budget.take(IkeWorld::gateway_address, world.now));
    world.budget.settle(IkeWorld::gateway_address, IkeBudget::Left::half_open, world.now);
    CHECK_FALSE(world.budget.take(IkeWorld::gateway_address, world.now + IkeBudget::window - nanoseconds{1}));
    CHECK(world.budget.take(IkeWorld::gateway_address, world.now + IkeBudget::window));
}

TEST_CASE("the budget gives back what left nothing, and forgets gateways that were left alone") {
    IkeBudget budget;
    const MonotonicTime start{std::chrono::hours(1)};
    const IpAddress gateway = IpAddress::v4(1);
    for (int i = 0; i < 10; ++i) {
        CHECK(budget.take(gateway, start));
        budget.settle(gateway, IkeBudget::Left::nothing, start);
    }
    budget.record(gateway, start);
    budget.record(gateway, start);
    CHECK_FALSE(budget.take(gateway, start + seconds{29}));
    for (uint32_t i = 0; i < 100'000; ++i) {
        const MonotonicTime now = start + seconds{60} + milliseconds{i};
        const IpAddress other = IpAddress::v4(1000 + i);
        CHECK(budget.take(other, now));
        budget.settle(other, IkeBudget::Left::half_open, now);
    }
    // 30 seconds' worth of gateways at 1,000 a second, and as many again before the next sweep.
    CHECK(budget.size() < 65'000);
}
