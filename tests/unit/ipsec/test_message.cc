// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "hex.h"
#include "ipsec/message.h"
#include "ipsec/payloads.h"
#include "ipsec/suite.h"
#include "recordings.h"

using namespace fairway;
using namespace fairway::ipsec;

namespace {

/// Decodes everything of an IKE_SA_INIT message and writes it again.
std::vector<uint8_t> rewritten(ByteSpan message) {
    const auto header = decode_header(message);
    REQUIRE(header);
    const auto chain = PayloadChain::decode(header->first_payload, message.subspan(header_size));
    REQUIRE(chain);
    std::array<uint8_t, 2048> buffer;
    MessageWriter writer(buffer, *header);
    for (const Payload& payload : *chain) {
        Writer& body = writer.begin(payload.type);
        switch (payload.type) {
            case PayloadType::sa:
                encode_sa(body, *decode_sa(payload.body));
                break;
            case PayloadType::ke: {
                const auto ke = decode_ke(payload.body);
                encode_ke(body, ke->group, ke->value);
                break;
            }
            case PayloadType::notify: {
                const auto notify = decode_notify(payload.body);
                encode_notify(body, notify->type, notify->data);
                break;
            }
            default:
                body.bytes(payload.body);
        }
        writer.end();
    }
    return copy(writer.finish());
}

std::vector<uint8_t> message_of(
    std::initializer_list<std::pair<PayloadType, std::vector<uint8_t>>> payloads) {
    std::array<uint8_t, 4096> buffer;
    Header header;
    header.spi_initiator = 1;
    MessageWriter writer(buffer, header);
    for (const auto& [type, body] : payloads) writer.add(type, body);
    return copy(writer.finish());
}

Decoded<PayloadChain> chain_of(const std::vector<uint8_t>& message) {
    const auto header = decode_header(message);
    if (!header) return tl::unexpected<DecodeError>(header.error());
    return PayloadChain::decode(header->first_payload, ByteSpan(message).subspan(header_size));
}

const std::vector<uint8_t> nonce(32, 7);

std::vector<uint8_t> body_of_sa(const std::vector<Proposal>& proposals) {
    std::array<uint8_t, 2048> buffer;
    Writer writer(buffer);
    encode_sa(writer, proposals);
    return copy(writer.written());
}

std::vector<uint8_t> body_of_notify(NotifyType type, ByteSpan data = {}) {
    std::array<uint8_t, 300> buffer;
    Writer writer(buffer);
    encode_notify(writer, type, data);
    return copy(writer.written());
}

}  // namespace

TEST_CASE("recorded messages decode and encode again to the same bytes") {
    for (const Recording& recording : recordings) {
        CAPTURE(recording.name);
        CHECK(rewritten(from_hex(recording.request)) == from_hex(recording.request));
        CHECK(rewritten(from_hex(recording.response)) == from_hex(recording.response));
    }
}

TEST_CASE("recorded messages hold to the table of payloads") {
    for (const Recording& recording : recordings) {
        CHECK(check_payloads(ExchangeType::ike_sa_init, Direction::request,
                             *chain_of(from_hex(recording.request))));
        CHECK(check_payloads(ExchangeType::ike_sa_init, Direction::response,
                             *chain_of(from_hex(recording.response))));
    }
}

TEST_CASE("every truncation of a recorded message is refused") {
    const auto message = from_hex(recordings[0].request);
    for (size_t size = 0; size < message.size(); ++size) {
        std::vector<uint8_t> cut(message.begin(), message.begin() + static_cast<ptrdiff_t>(size));
        CHECK_FALSE(decode_header(cut));
        if (size < header_size) continue;
        // With the header's length adapted, the chain of payloads has to notice.
        cut[24] = cut[25] = 0;
        cut[26] = static_cast<uint8_t>(size >> 8);
        cut[27] = static_cast<uint8_t>(size);
        REQUIRE(decode_header(cut));
        CHECK_FALSE(chain_of(cut));
    }
}

TEST_CASE("bytes behind the message or behind its last payload are refused") {
    auto message = message_of({{PayloadType::nonce, nonce}});
    REQUIRE(chain_of(message));
    message.push_back(0);
    CHECK(decode_header(message).error().what == std::string("length is not the datagram's"));
    ++message[27];
    CHECK(chain_of(message).error().what == std::string("bytes behind the last payload"));
}

TEST_CASE("an unknown payload is skipped, unless it is critical") {
    auto message = message_of({{PayloadType{200}, {1, 2, 3}}, {PayloadType::nonce, nonce}});
    const auto chain = chain_of(message);
    REQUIRE(chain);
    CHECK(chain->size() == 1);
    CHECK(chain->begin()->type == PayloadType::nonce);
    message[header_size + 1] = 0x80;
    const auto refused = chain_of(message);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().notify == NotifyType::unsupported_critical_payload);
    CHECK(refused.error().payload == 200);
}

TEST_CASE("the critical bit of a payload that we know changes nothing") {
    auto message = message_of({{PayloadType::nonce, nonce}});
    message[header_size + 1] = 0x80;
    CHECK(chain_of(message));
}

TEST_CASE("an encrypted payload ends the chain and names what is inside") {
    auto message = message_of({{PayloadType::encrypted, std::vector<uint8_t>(40)}});
    message[header_size] = static_cast<uint8_t>(PayloadType::id_initiator);
    const auto chain = chain_of(message);
    REQUIRE(chain);
    REQUIRE(chain->size() == 1);
    CHECK(chain->begin()->inner == PayloadType::id_initiator);
    const auto followed =
        message_of({{PayloadType::encrypted, std::vector<uint8_t>(40)}, {PayloadType::nonce, nonce}});
    CHECK_FALSE(chain_of(followed));
}

TEST_CASE("more payloads than a message may sensibly have are refused") {
    std::array<uint8_t, 4096> buffer;
    MessageWriter writer(buffer, Header{});
    for (size_t i = 0; i <= PayloadChain::max_payloads; ++i) writer.add(PayloadType::vendor_id, nonce);
    CHECK(chain_of(copy(writer.finish())).error().what == std::string("too many payloads"));
}

TEST_CASE("what an exchange may hold is checked by kind and number") {
    const auto sa = body_of_sa(default_offer(OfferScope::current));
    const std::vector<uint8_t> ke{0, 31, 0, 0, 9};
    const auto check = [](const std::vector<uint8_t>& message, Direction direction) {
        return check_payloads(ExchangeType::ike_sa_init, direction, *chain_of(message));
    };
    const auto whole =
        message_of({{PayloadType::sa, sa}, {PayloadType::ke, ke}, {PayloadType::nonce, nonce}});
    CHECK(check(whole, Direction::request));
    CHECK(check(whole, Direction::response));
    CHECK_FALSE(check(message_of({{PayloadType::sa, sa}, {PayloadType::nonce, nonce}}), Direction::request));
    CHECK_FALSE(check(message_of({{PayloadType::sa, sa},
                                  {PayloadType::sa, sa},
                                  {PayloadType::ke, ke},
                                  {PayloadType::nonce, nonce}}),
                      Direction::request));
    CHECK_FALSE(check(message_of({{PayloadType::sa, sa},
                                  {PayloadType::ke, ke},
                                  {PayloadType::nonce, nonce},
                                  {PayloadType::auth, nonce}}),
                      Direction::request));
    const auto refusal = message_of({{PayloadType::notify, body_of_notify(NotifyType::no_proposal_chosen)}});
    CHECK(check(refusal, Direction::response));
    CHECK_FALSE(check(refusal, Direction::request));
    const auto status =
        message_of({{PayloadType::notify, body_of_notify(NotifyType::fragmentation_supported)}});
    CHECK_FALSE(check(status, Direction::response));
}

TEST_CASE("the recorded offer reads as what the client was told to offer") {
    const auto message = from_hex(recordings[0].request);
    const auto sa = decode_sa(chain_of(message)->find(PayloadType::sa)->body);
    REQUIRE(sa);
    const Proposal expected{1,
                            ProtocolId::ike,
                            {},
                            {encryption(Encryption::aes_gcm_16, 256), encryption(Encryption::aes_gcm_16, 128),
                             prf(Prf::hmac_sha2_512), prf(Prf::hmac_sha2_384), prf(Prf::hmac_sha2_256),
                             key_exchange(DhGroup::x25519)}};
    CHECK(*sa == std::vector<Proposal>{expected});
}

TEST_CASE("malformed proposals are refused") {
    const auto good = body_of_sa(default_offer(OfferScope::legacy));
    REQUIRE(decode_sa(good));
    for (size_t size = 0; size < good.size(); ++size) CHECK_FALSE(decode_sa(ByteSpan(good).first(size)));
    auto more = good;
    more[0] = 0;  // "last" with another behind it
    CHECK_FALSE(decode_sa(more));
    auto unknown_mark = good;
    unknown_mark[0] = 1;
    CHECK_FALSE(decode_sa(unknown_mark));
    auto fewer_transforms = good;
    --fewer_transforms[7];
    CHECK_FALSE(decode_sa(fewer_transforms));
    auto zero_length = good;
    zero_length[2] = zero_length[3] = 0;
    CHECK_FALSE(decode_sa(zero_length));
}

TEST_CASE("a transform with an attribute that we do not know is remembered as not to be chosen") {
    // AES-GCM-16 with a variable-length attribute 99 behind the key length.
    const auto body = from_hex(
        "0000001c0101000100000014010000"
        "14800e0080"
        "0063000401020304");
    const auto sa = decode_sa(body);
    REQUIRE(sa);
    Transform expected = encryption(Encryption::aes_gcm_16, 128);
    expected.unknown_attribute = true;
    CHECK(sa->front().transforms == std::vector<Transform>{expected});
    CHECK_FALSE(sa->front().offers(TransformType::encryption, 20));
}

TEST_CASE("nonces have 16 to 256 octets") {
    CHECK_FALSE(decode_nonce(std::vector<uint8_t>(15)));
    CHECK(decode_nonce(std::vector<uint8_t>(16)));
    CHECK(decode_nonce(std::vector<uint8_t>(256)));
    CHECK_FALSE(decode_nonce(std::vector<uint8_t>(257)));
}

TEST_CASE("a redirect names an address or a host, and nothing else gets through") {
    const auto target = [](std::string_view host) {
        std::array<uint8_t, 300> buffer;
        Writer writer(buffer);
        encode_redirect(writer, host, nonce);
        return redirect_target(*decode_notify(writer.written()));
    };
    CHECK(target("192.0.2.7") == "192.0.2.7");
    CHECK(target("2001:db8::7") == "2001:db8::7");
    CHECK(target("gw2.example.com") == "gw2.example.com");
    CHECK(target("a\nb\x1b[2J") == "a?b??2J");
    CHECK(redirect_target(*decode_notify(body_of_notify(NotifyType::redirect, from_hex("0105c0000207")))) ==
          "");
    CHECK(redirect_target(*decode_notify(body_of_notify(NotifyType::redirect))) == "");
}

TEST_CASE("the group of an INVALID_KE_PAYLOAD is exactly two octets") {
    const auto group = [](std::string_view hex) {
        return invalid_ke_group(
            *decode_notify(body_of_notify(NotifyType::invalid_ke_payload, from_hex(hex))));
    };
    CHECK(group("000e") == DhGroup::modp_2048);
    CHECK(group("0e") == std::nullopt);
    CHECK(group("00000e") == std::nullopt);
}

TEST_CASE("a message that does not fit its buffer is empty, not cut") {
    std::array<uint8_t, 40> buffer;
    MessageWriter writer(buffer, Header{});
    writer.add(PayloadType::nonce, nonce);
    CHECK(writer.finish().empty());
}
