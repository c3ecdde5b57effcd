// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <map>

#include "hex.h"
#include "ipsec/init_exchange.h"
#include "ipsec/nat.h"
#include "ipsec/responder.h"
#include "ipsec/v1_responder.h"
#include "recordings.h"
#include "support/seeded_entropy.h"

using namespace fairway;
using namespace fairway::ipsec;
using fairway::test::SeededEntropy;

namespace {

const SocketAddress gateway{IpAddress::v4(0xc0000201), 500};
const SocketAddress client{IpAddress::v4(0xc6336407), 4'500};
const Path path{gateway, client};

/// An initiator that goes through IKE_SA_INIT as far as it goes.
struct Initiator {
    explicit Initiator(uint64_t seed, DhGroup group = DhGroup::x25519)
        : entropy(seed), exchange(*KeyExchange::generate(group, entropy)), spi(entropy.spi()), nonce(32) {
        entropy.fill(nonce);
    }

    std::vector<uint8_t> request(ByteSpan cookie = {}) const {
        std::array<uint8_t, 2048> buffer;
        Header header;
        header.spi_initiator = spi;
        header.flags = Header::initiator_flag;
        MessageWriter message(buffer, header);
        if (!cookie.empty()) {
            encode_notify(message.begin(PayloadType::notify), NotifyType::cookie, cookie);
            message.end();
        }
        encode_sa(message.begin(PayloadType::sa), offer);
        message.end();
        encode_ke(message.begin(PayloadType::ke), exchange.group(), exchange.public_value());
        message.end();
        message.add(PayloadType::nonce, nonce);
        encode_notify(message.begin(PayloadType::notify), NotifyType::nat_detection_source_ip,
                      nat_detection_hash(spi, 0, client));
        message.end();
        encode_notify(message.begin(PayloadType::notify), NotifyType::nat_detection_destination_ip,
                      nat_detection_hash(spi, 0, gateway));
        message.end();
        return copy(message.finish());
    }
    InitAnswer read(ByteSpan answer) const { return read_init_answer(answer, spi, offer, exchange.group()); }

    SeededEntropy entropy;
    KeyExchange exchange;
    uint64_t spi;
    std::vector<uint8_t> nonce;
    std::vector<Proposal> offer = default_offer(OfferScope::current);
};

struct Fixture {
    explicit Fixture(ResponderSettings settings = {})
        : entropy(99), responder(std::move(settings), entropy) {}
    ByteSpan ask(const Initiator& initiator, ByteSpan cookie = {}, const Path& from = path) {
        return responder.on_message(initiator.request(cookie), from, now);
    }
    SeededEntropy entropy;
    Ikev2Responder responder;
    MonotonicTime now{std::chrono::hours(1)};
};

ResponderSettings like_strongswan() {
    ResponderSettings settings;
    settings.limits = HalfOpenLimits::like_strongswan();
    return settings;
}

}  // namespace

TEST_CASE("initiator and responder compute the same secret in every group that is offered") {
    for (const DhGroup group :
         {DhGroup::x25519, DhGroup::p256, DhGroup::p384, DhGroup::p521, DhGroup::modp_2048}) {
        Fixture fixture;
        const Initiator initiator(1, group);
        const auto answer = copy(fixture.ask(initiator));
        CHECK(initiator.read(answer).kind == InitAnswerKind::accepted);
        const HalfOpenSa* sa = fixture.responder.find(client, initiator.spi);
        REQUIRE(sa != nullptr);
        CHECK(sa->suite.group == group);
        CHECK(sa->request == initiator.request());
        CHECK(sa->response == answer);
        const auto chain =
            *PayloadChain::decode(decode_header(answer)->first_payload, ByteSpan(answer).subspan(28));
        const auto ke = *decode_ke(chain.find(PayloadType::ke)->body);
        CHECK(copy(initiator.exchange.shared_secret(ke.value)->view()) == copy(sa->shared_secret.view()));
        CHECK(sa->nonce_initiator == initiator.nonce);
        CHECK(copy(chain.find(PayloadType::nonce)->body) == sa->nonce_responder);
    }
}

TEST_CASE("a recorded request of another implementation is accepted, with NAT detection of both ends") {
    Fixture fixture;
    const auto request = from_hex(recordings[0].request);
    const auto answer = copy(fixture.responder.on_message(request, path, fixture.now));
    const auto header = decode_header(answer);
    REQUIRE(header);
    CHECK(header->is_response());
    CHECK_FALSE(header->from_initiator());
    const auto chain = *PayloadChain::decode(header->first_payload, ByteSpan(answer).subspan(28));
    REQUIRE(check_payloads(ExchangeType::ike_sa_init, Direction::response, chain));
    std::map<NotifyType, std::vector<uint8_t>> notifications;
    for (const Payload& payload : chain) {
        if (payload.type != PayloadType::notify) continue;
        const auto notify = *decode_notify(payload.body);
        notifications[notify.type] = copy(notify.data);
    }
    const auto hash = [&](const SocketAddress& address) {
        return copy(nat_detection_hash(header->spi_initiator, header->spi_responder, address));
    };
    CHECK(notifications == std::map<NotifyType, std::vector<uint8_t>>{
                               {NotifyType::nat_detection_source_ip, hash(gateway)},
                               {NotifyType::nat_detection_destination_ip, hash(client)}});
}

TEST_CASE("a retransmission gets the same bytes; something else under the same SPI gets nothing") {
    Fixture fixture;
    const Initiator initiator(1);
    const auto first = copy(fixture.ask(initiator));
    CHECK(copy(fixture.ask(initiator)) == first);
    CHECK(fixture.responder.stats().half_open == 1);
    CHECK(fixture.responder.stats().retransmitted == 1);
    Initiator other(1);
    other.nonce[0] ^= 1;
    CHECK(fixture.ask(other).empty());
    const Path elsewhere{gateway, {client.address, 40'000}};
    CHECK(copy(fixture.ask(initiator, {}, elsewhere)) != first);
}

TEST_CASE("a key exchange in a group that is not acceptable is told the acceptable one, and leaves nothing") {
    ResponderSettings settings;
    settings.policy = {*parse_proposal("aes256gcm16-prfsha384-ecp384")};
    Fixture fixture(settings);
    const Initiator initiator(1, DhGroup::x25519);
    const InitAnswer answer = initiator.read(fixture.ask(initiator));
    CHECK(answer.kind == InitAnswerKind::invalid_ke);
    CHECK(answer.group == DhGroup::p384);
    CHECK(fixture.responder.stats().half_open == 0);
    const Initiator retry(2, DhGroup::p384);
    CHECK(retry.read(fixture.ask(retry)).kind == InitAnswerKind::accepted);
}

TEST_CASE("an offer without anything acceptable is refused, and leaves nothing") {
    ResponderSettings settings;
    settings.policy = {*parse_proposal("aes192gcm16-prfsha384-ecp384")};
    Fixture fixture(settings);
    const Initiator initiator(1);
    const InitAnswer answer = initiator.read(fixture.ask(initiator));
    CHECK(answer.kind == InitAnswerKind::error);
    CHECK(answer.notify == NotifyType::no_proposal_chosen);
    CHECK(fixture.responder.stats().half_open == 0);
}

TEST_CASE("cookies: asked for at the third half-open SA, served when returned, silent at the fifth") {
    Fixture fixture(like_strongswan());
    for (uint64_t i = 1; i <= 3; ++i) {
        const Initiator initiator(i);
        CHECK(initiator.read(fixture.ask(initiator)).kind == InitAnswerKind::accepted);
    }
    for (uint64_t i = 4; i <= 5; ++i) {
        const Initiator initiator(i);
        const auto answer = copy(fixture.ask(initiator));
        const InitAnswer asked = initiator.read(answer);
        REQUIRE(asked.kind == InitAnswerKind::cookie);
        // A wrong cookie is asked again.
        auto wrong = copy(asked.cookie);
        wrong.back() ^= 1;
        CHECK(initiator.read(copy(fixture.ask(initiator, wrong))).kind == InitAnswerKind::cookie);
        CHECK(initiator.read(copy(fixture.ask(initiator, asked.cookie))).kind == InitAnswerKind::accepted);
    }
    const Initiator sixth(6);
    CHECK(fixture.ask(sixth).empty());
    const Path another{gateway, {IpAddress::v4(0xc6336408), 500}};
    CHECK(sixth.read(copy(fixture.ask(sixth, {}, another))).kind == InitAnswerKind::accepted);
    fixture.now += seconds{30};
    CHECK(sixth.read(copy(fixture.ask(sixth))).kind == InitAnswerKind::accepted);
    CHECK(fixture.responder.stats().half_open == 1);
}

TEST_CASE("the table of half-open SAs is bounded, and time empties it") {
    ResponderSettings settings;
    settings.limits = {1'000'000, 1'000'000, 1'000'000, 20, seconds{10}};
    Fixture fixture(settings);
    for (uint64_t i = 1; i <= 40; ++i) {
        (void)fixture.ask(Initiator(i));
        fixture.now += milliseconds{100};
    }
    CHECK(fixture.responder.stats().half_open == 20);
    CHECK(fixture.responder.stats().dropped == 20);
    CHECK(fixture.responder.next_deadline() == MonotonicTime{std::chrono::hours(1)} + seconds{10});
    fixture.responder.expire(fixture.now + seconds{10});
    CHECK(fixture.responder.stats().half_open == 0);
    CHECK(fixture.responder.next_deadline() == std::nullopt);
}

TEST_CASE("what is not a request for an SA is answered or dropped as the RFC says") {
    Fixture fixture;
    const Initiator initiator(1);
    const auto request = initiator.request();
    const auto ask = [&](size_t at, uint8_t value) {
        auto altered = request;
        altered[at] = value;
        return copy(fixture.responder.on_message(altered, path, fixture.now));
    };
    const auto notified = [](const std::vector<uint8_t>& answer) {
        const auto chain =
            *PayloadChain::decode(decode_header(answer)->first_payload, ByteSpan(answer).subspan(28));
        return decode_notify(chain.begin()->body)->type;
    };
    CHECK(ask(15, 1).empty());     // a responder SPI
    CHECK(ask(18, 35).empty());    // IKE_AUTH
    CHECK(ask(19, 0x20).empty());  // a response
    CHECK(ask(19, 0x00).empty());  // not from an initiator
    CHECK(ask(17, 0x10).empty());  // version 1
    CHECK(ask(27, 0).empty());     // length
    CHECK(notified(ask(17, 0x30)) == NotifyType::invalid_major_version);
    CHECK(notified(ask(23, 1)) == NotifyType::invalid_syntax);     // message id
    CHECK(notified(ask(30, 0xff)) == NotifyType::invalid_syntax);  // length of the first payload
    CHECK(notified(ask(16, 250)) == NotifyType::invalid_syntax);   // the SA is missing now
    auto critical = request;
    critical[16] = 250;
    critical[29] |= 0x80;
    const auto answer = copy(fixture.responder.on_message(critical, path, fixture.now));
    CHECK(notified(answer) == NotifyType::unsupported_critical_payload);
    CHECK(answer.back() == 250);
    CHECK(fixture.responder.stats().half_open == 0);
    CHECK(fixture.responder.on_message({}, path, fixture.now).empty());
}

TEST_CASE("a public value of low order is refused") {
    Fixture fixture;
    const Initiator initiator(1, DhGroup::x25519);
    auto request = initiator.request();
    const auto value = copy(initiator.exchange.public_value());
    const auto at = std::search(request.begin(), request.end(), value.begin(), value.end());
    std::fill_n(at, value.size(), uint8_t{0});
    const InitAnswer answer = initiator.read(copy(fixture.responder.on_message(request, path, fixture.now)));
    CHECK(answer.notify == NotifyType::invalid_syntax);
    CHECK(fixture.responder.stats().half_open == 0);
}

TEST_CASE("garbage is never mistaken for an answer") {
    Fixture fixture;
    fixture.responder.set_mode(ResponderMode::garbage);
    for (uint64_t i = 1; i <= 200; ++i) {
        const Initiator initiator(i);
        const auto kind = initiator.read(copy(fixture.ask(initiator))).kind;
        CHECK((kind == InitAnswerKind::unrelated || kind == InitAnswerKind::malformed));
    }
}

TEST_CASE("IKEv1 main mode: accepted with the first transform that is known, refused otherwise") {
    SeededEntropy entropy(1);
    V1Responder responder(entropy);
    std::array<uint8_t, 2048> buffer;
    const auto offer = v1_offer(V1Offer::full);
    const auto request = copy(encode_v1_request(buffer, 77, offer));
    REQUIRE(decode_v1_request(request)->transforms == offer);
    const auto answer = copy(responder.on_message(request, path));
    CHECK(read_v1_answer(answer, 77, offer).kind == V1AnswerKind::accepted);
    CHECK(copy(responder.on_message(request, path)) == answer);
    CHECK(read_v1_answer(answer, 78, offer).kind == V1AnswerKind::unrelated);
    CHECK(read_v1_answer(answer, 77, v1_offer(V1Offer::unacceptable)).kind == V1AnswerKind::malformed);

    const auto other = v1_offer(V1Offer::unacceptable);
    const auto refused = copy(responder.on_message(encode_v1_request(buffer, 78, other), path));
    CHECK(read_v1_answer(refused, 78, other).kind == V1AnswerKind::no_proposal);
    responder.set_mode(ResponderMode::no_proposal);
    CHECK(read_v1_answer(copy(responder.on_message(request, path)), 77, offer).kind ==
          V1AnswerKind::no_proposal);
}

TEST_CASE("malformed main mode messages are dropped") {
    SeededEntropy entropy(1);
    V1Responder responder(entropy);
    std::array<uint8_t, 2048> buffer;
    const auto request = copy(encode_v1_request(buffer, 77, v1_offer(V1Offer::legacy)));
    for (size_t size = 0; size < request.size(); ++size) {
        auto cut = request;
        cut.resize(size);
        if (size >= 28) {
            cut[26] = static_cast<uint8_t>(size >> 8);
            cut[27] = static_cast<uint8_t>(size);
        }
        CHECK(responder.on_message(cut, path).empty());
    }
    auto aggressive = request;
    aggressive[18] = 4;
    CHECK(responder.on_message(aggressive, path).empty());
}
