// SPDX-License-Identifier: Apache-2.0
#include "ipsec/message.h"

#include <algorithm>

#include "ipsec/payloads.h"

namespace fairway::ipsec {

namespace {

constexpr size_t next_payload_offset = 16;
constexpr size_t length_offset = 24;
constexpr uint8_t critical_bit = 0x80;

bool is_known(PayloadType type) noexcept {
    switch (type) {
        case PayloadType::none:
            return false;
        case PayloadType::sa:
        case PayloadType::ke:
        case PayloadType::id_initiator:
        case PayloadType::id_responder:
        case PayloadType::cert:
        case PayloadType::cert_request:
        case PayloadType::auth:
        case PayloadType::nonce:
        case PayloadType::notify:
        case PayloadType::delete_sa:
        case PayloadType::vendor_id:
        case PayloadType::ts_initiator:
        case PayloadType::ts_responder:
        case PayloadType::encrypted:
        case PayloadType::configuration:
        case PayloadType::eap:
        case PayloadType::encrypted_fragment:
            return true;
    }
    return false;
}

struct PayloadRule {
    PayloadType type;
    uint8_t min;
    uint8_t max;
};
constexpr uint8_t many = PayloadChain::max_payloads;

// What each exchange may hold in the clear; types without a line have no place there.
constexpr PayloadRule init_request[] = {
    {PayloadType::sa, 1, 1},        {PayloadType::ke, 1, 1},           {PayloadType::nonce, 1, 1},
    {PayloadType::notify, 0, many}, {PayloadType::vendor_id, 0, many},
};
constexpr PayloadRule init_response[] = {
    {PayloadType::sa, 1, 1},        {PayloadType::ke, 1, 1},           {PayloadType::nonce, 1, 1},
    {PayloadType::notify, 0, many}, {PayloadType::vendor_id, 0, many}, {PayloadType::cert_request, 0, many},
};
// Instead of the contents: errors, COOKIE (RFC 7296 2.6) and REDIRECT (RFC 5685 3).
constexpr PayloadRule refusal[] = {
    {PayloadType::notify, 1, many},
    {PayloadType::vendor_id, 0, many},
    {PayloadType::nonce, 0, 1},  // echoed for REDIRECT by some
};

struct ExchangeRule {
    ExchangeType exchange;
    Direction direction;
    std::span<const PayloadRule> payloads;
};
constexpr ExchangeRule exchange_rules[] = {
    {ExchangeType::ike_sa_init, Direction::request, init_request},
    {ExchangeType::ike_sa_init, Direction::response, init_response},
};

bool is_refusal(const PayloadChain& chain) {
    return std::any_of(chain.begin(), chain.end(), [](const Payload& payload) {
        if (payload.type != PayloadType::notify) return false;
        const auto notify = decode_notify(payload.body);
        return notify && (is_error(notify->type) || notify->type == NotifyType::cookie ||
                          notify->type == NotifyType::redirect);
    });
}

}  // namespace

Decoded<Header> decode_header(ByteSpan datagram) {
    Reader reader(datagram);
    Header header;
    header.spi_initiator = reader.u64();
    header.spi_responder = reader.u64();
    header.first_payload = PayloadType{reader.u8()};
    header.version = reader.u8();
    header.exchange = ExchangeType{reader.u8()};
    header.flags = reader.u8();
    header.message_id = reader.u32();
    header.length = reader.u32();
    if (!reader.ok()) return invalid_syntax("header truncated");
    if (header.length != datagram.size()) return invalid_syntax("length is not the datagram's");
    return header;
}

void encode_header(Writer& writer, const Header& header) {
    writer.u64(header.spi_initiator);
    writer.u64(header.spi_responder);
    writer.u8(static_cast<uint8_t>(header.first_payload));
    writer.u8(header.version);
    writer.u8(static_cast<uint8_t>(header.exchange));
    writer.u8(header.flags);
    writer.u32(header.message_id);
    writer.u32(header.length);
}

Decoded<PayloadChain> PayloadChain::decode(PayloadType first, ByteSpan bytes) {
    PayloadChain chain;
    Reader reader(bytes);
    PayloadType type = first;
    while (type != PayloadType::none) {
        const auto next = PayloadType{reader.u8()};
        const bool critical = (reader.u8() & critical_bit) != 0;
        const uint16_t length = reader.u16();
        if (!reader.ok() || length < 4) return invalid_syntax("payload header truncated");
        const ByteSpan body = reader.take(length - 4U);
        if (!reader.ok()) return invalid_syntax("payload longer than the message");
        if (!is_known(type)) {
            if (critical) {
                return tl::unexpected<DecodeError>(DecodeError{NotifyType::unsupported_critical_payload,
                                                               static_cast<uint8_t>(type),
                                                               "unknown critical payload"});
            }
        } else {
            if (chain.size_ == max_payloads) return invalid_syntax("too many payloads");
            chain.payloads_[chain.size_++] = {type, body, PayloadType::none};
        }
        if (type == PayloadType::encrypted || type == PayloadType::encrypted_fragment) {
            // Its next-payload field names what is inside, so nothing can follow it (RFC 7296 3.14).
            chain.payloads_[chain.size_ - 1].inner = next;
            break;
        }
        type = next;
    }
    if (!reader.at_end()) return invalid_syntax("bytes behind the last payload");
    return chain;
}

const Payload* PayloadChain::find(PayloadType type) const noexcept {
    const auto* found = std::find_if(begin(), end(), [&](const Payload& p) { return p.type == type; });
    return found == end() ? nullptr : found;
}

Decoded<void> check_payloads(ExchangeType exchange, Direction direction, const PayloadChain& chain) {
    const auto* rule = std::find_if(
        std::begin(exchange_rules), std::end(exchange_rules),
        [&](const ExchangeRule& r) { return r.exchange == exchange && r.direction == direction; });
    if (rule == std::end(exchange_rules)) return invalid_syntax("no such exchange");
    const bool refused = direction == Direction::response && is_refusal(chain);
    const std::span<const PayloadRule> allowed =
        refused ? std::span<const PayloadRule>(refusal) : rule->payloads;
    size_t placed = 0;
    for (const PayloadRule& line : allowed) {
        const auto count = static_cast<size_t>(
            std::count_if(chain.begin(), chain.end(), [&](const Payload& p) { return p.type == line.type; }));
        if (count < line.min) return invalid_syntax("a payload is missing");
        if (count > line.max) return invalid_syntax("a payload occurs too often");
        placed += count;
    }
    if (placed != chain.size()) return invalid_syntax("a payload has no place in this exchange");
    return {};
}

MessageWriter::MessageWriter(std::span<uint8_t> buffer, const Header& header) noexcept
    : buffer_(buffer), writer_(buffer), next_field_(next_payload_offset) {
    encode_header(writer_, header);
    if (writer_.ok()) buffer_[next_payload_offset] = 0;
}

Writer& MessageWriter::begin(PayloadType type) noexcept {
    payload_at_ = writer_.position();
    writer_.u8(0);
    writer_.u8(0);
    writer_.u16(0);
    if (writer_.ok()) {
        buffer_[next_field_] = static_cast<uint8_t>(type);
        next_field_ = payload_at_;
    }
    return writer_;
}

void MessageWriter::end() noexcept {
    if (!writer_.ok()) return;
    const size_t length = writer_.position() - payload_at_;
    if (length > UINT16_MAX) {
        writer_.fail();
        return;
    }
    writer_.patch_u16(payload_at_ + 2, static_cast<uint16_t>(length));
}

void MessageWriter::add(PayloadType type, ByteSpan body) noexcept {
    begin(type).bytes(body);
    end();
}

ByteSpan MessageWriter::finish() noexcept {
    if (!writer_.ok()) return {};
    writer_.patch_u32(length_offset, static_cast<uint32_t>(writer_.position()));
    return writer_.written();
}

}  // namespace fairway::ipsec
