// SPDX-License-Identifier: Apache-2.0
#include "ipsec/ikev1.h"

#include <algorithm>

namespace fairway::ipsec {

namespace {

// ISAKMP has payload numbers of its own (RFC 2408 3.1).
constexpr uint8_t payload_none = 0;
constexpr uint8_t payload_sa = 1;
constexpr uint8_t payload_transform = 3;
constexpr uint8_t payload_notify = 11;

constexpr uint8_t version_1 = 0x10;
constexpr uint32_t doi_ipsec = 1;
constexpr uint32_t situation_identity_only = 1;
constexpr uint8_t protocol_isakmp = 1;
constexpr uint8_t transform_key_ike = 1;
constexpr uint16_t notify_no_proposal_chosen = 14;

constexpr uint16_t short_attribute = 0x8000;
enum Attribute : uint16_t {
    attribute_encryption = 1,
    attribute_hash = 2,
    attribute_authentication = 3,
    attribute_group = 4,
    attribute_life_type = 11,
    attribute_life_duration = 12,
    attribute_key_length = 14
};
constexpr uint16_t life_in_seconds = 1;
constexpr uint16_t life_duration = 28'800;

void write_header(Writer& writer, uint64_t cookie_initiator, uint64_t cookie_responder, uint8_t first,
                  ExchangeType exchange, uint32_t message_id) {
    Header header;
    header.spi_initiator = cookie_initiator;
    header.spi_responder = cookie_responder;
    header.first_payload = PayloadType{first};
    header.version = version_1;
    header.exchange = exchange;
    header.message_id = message_id;
    encode_header(writer, header);
}

ByteSpan finished(Writer& writer) {
    writer.patch_u32(24, static_cast<uint32_t>(writer.position()));
    return writer.ok() ? writer.written() : ByteSpan{};
}

void write_transform(Writer& writer, const V1Transform& transform, uint8_t number, uint8_t next) {
    const auto attribute = [&](uint16_t type, uint16_t value) {
        writer.u16(short_attribute | type);
        writer.u16(value);
    };
    const size_t at = writer.position();
    writer.u8(next);
    writer.u8(0);
    writer.u16(0);
    writer.u8(number);
    writer.u8(transform_key_ike);
    writer.u16(0);
    attribute(attribute_encryption, transform.encryption);
    if (transform.key_length != 0) attribute(attribute_key_length, transform.key_length);
    attribute(attribute_hash, transform.hash);
    attribute(attribute_authentication, transform.authentication);
    attribute(attribute_group, transform.group);
    attribute(attribute_life_type, life_in_seconds);
    attribute(attribute_life_duration, life_duration);
    writer.patch_u16(at + 2, static_cast<uint16_t>(writer.position() - at));
}

/// The SA payload with one proposal; `first_number` is the number of the first transform.
void write_sa(Writer& writer, std::span<const V1Transform> transforms, uint8_t first_number) {
    const size_t sa_at = writer.position();
    writer.u8(payload_none);
    writer.u8(0);
    writer.u16(0);
    writer.u32(doi_ipsec);
    writer.u32(situation_identity_only);
    const size_t proposal_at = writer.position();
    writer.u8(payload_none);
    writer.u8(0);
    writer.u16(0);
    writer.u8(1);
    writer.u8(protocol_isakmp);
    writer.u8(0);
    writer.u8(static_cast<uint8_t>(transforms.size()));
    for (size_t i = 0; i < transforms.size(); ++i) {
        write_transform(writer, transforms[i], static_cast<uint8_t>(first_number + i),
                        i + 1 == transforms.size() ? payload_none : payload_transform);
    }
    writer.patch_u16(sa_at + 2, static_cast<uint16_t>(writer.position() - sa_at));
    writer.patch_u16(proposal_at + 2, static_cast<uint16_t>(writer.position() - proposal_at));
}

bool read_transform(Reader& reader, uint8_t& next, V1Transform& transform) {
    next = reader.u8();
    reader.skip(1);
    const uint16_t length = reader.u16();
    if (length < 8) return false;
    Reader inner = reader.sub(length - 4U);
    inner.skip(1);
    if (inner.u8() != transform_key_ike) return false;
    inner.skip(2);
    transform = {0, 0, 0, 0, 0};
    while (inner.ok() && !inner.at_end()) {
        const uint16_t type = inner.u16();
        const uint16_t value = inner.u16();
        if ((type & short_attribute) == 0) {
            inner.skip(value);
            continue;
        }
        switch (type & ~short_attribute) {
            case attribute_encryption:
                transform.encryption = value;
                break;
            case attribute_hash:
                transform.hash = value;
                break;
            case attribute_authentication:
                transform.authentication = value;
                break;
            case attribute_group:
                transform.group = value;
                break;
            case attribute_key_length:
                transform.key_length = value;
                break;
            default:
                break;
        }
    }
    return inner.ok() && reader.ok();
}

/// The body of an SA payload of phase 1: exactly one proposal.
Decoded<std::vector<V1Transform>> read_sa(ByteSpan body) {
    Reader reader(body);
    if (reader.u32() != doi_ipsec) return invalid_syntax("not the IPsec DOI");
    if (reader.u32() != situation_identity_only) return invalid_syntax("unknown situation");
    if (reader.u8() != payload_none) return invalid_syntax("more than one proposal");
    reader.skip(1);
    if (reader.u16() != body.size() - 8) return invalid_syntax("proposal of a wrong length");
    reader.skip(1);
    if (reader.u8() != protocol_isakmp) return invalid_syntax("not a proposal for ISAKMP");
    const uint8_t spi_size = reader.u8();
    const uint8_t count = reader.u8();
    reader.skip(spi_size);
    std::vector<V1Transform> transforms;
    for (uint8_t i = 0; i < count; ++i) {
        uint8_t next = 0;
        V1Transform transform;
        if (!read_transform(reader, next, transform)) return invalid_syntax("malformed transform");
        if (next != (i + 1 == count ? payload_none : payload_transform)) {
            return invalid_syntax("malformed transform");
        }
        transforms.push_back(transform);
    }
    if (!reader.ok() || !reader.at_end() || transforms.empty()) return invalid_syntax("malformed proposal");
    return transforms;
}

/// The body of the first payload of type `wanted`, in a chain that is sound to its end.
Decoded<ByteSpan> find_payload(const Header& header, ByteSpan message, uint8_t wanted) {
    Reader reader(message.subspan(header_size));
    std::optional<ByteSpan> found;
    auto type = static_cast<uint8_t>(header.first_payload);
    while (type != payload_none) {
        const uint8_t next = reader.u8();
        reader.skip(1);
        const uint16_t length = reader.u16();
        if (!reader.ok() || length < 4) return invalid_syntax("payload header truncated");
        const ByteSpan body = reader.take(length - 4U);
        if (type == wanted && !found) found = body;
        type = next;
    }
    if (!reader.ok() || !reader.at_end()) return invalid_syntax("malformed chain of payloads");
    if (!found) return invalid_syntax("a payload is missing");
    return *found;
}

V1Answer malformed(const char* defect) {
    return {V1AnswerKind::malformed, 0, defect};
}

}  // namespace

std::vector<V1Transform> v1_offer(V1Offer kind) {
    constexpr uint16_t private_use_cipher = 65'001;
    if (kind == V1Offer::unacceptable) return {V1Transform{private_use_cipher, 256, 4, 1, 14}};
    std::vector<V1Transform> transforms;
    std::vector<uint16_t> groups{14, 19};
    if (kind == V1Offer::legacy) groups.push_back(2);
    for (const uint16_t group : groups) {
        for (const auto key_length : std::initializer_list<uint16_t>{256, 128}) {
            for (const auto hash : std::initializer_list<uint16_t>{4, 2}) {
                for (const auto authentication : std::initializer_list<uint16_t>{1, 3}) {
                    transforms.push_back({7, key_length, hash, authentication, group});
                }
            }
        }
    }
    return transforms;
}

ByteSpan encode_v1_request(std::span<uint8_t> buffer, uint64_t cookie_initiator,
                           const std::vector<V1Transform>& transforms) {
    Writer writer(buffer);
    write_header(writer, cookie_initiator, 0, payload_sa, ExchangeType::v1_identity_protection, 0);
    write_sa(writer, transforms, 1);
    return finished(writer);
}

V1Answer read_v1_answer(ByteSpan message, uint64_t cookie_initiator, const std::vector<V1Transform>& offer) {
    const auto header = decode_header(message);
    if (!header || header->spi_initiator != cookie_initiator || header->major_version() != 1) return {};
    if (header->exchange == ExchangeType::v1_identity_protection) {
        if (header->message_id != 0 || header->spi_responder == 0) return malformed("SA without a cookie");
        const auto body = find_payload(*header, message, payload_sa);
        if (!body) return malformed(body.error().what);
        const auto transforms = read_sa(*body);
        if (!transforms) return malformed(transforms.error().what);
        if (transforms->size() != 1 ||
            std::find(offer.begin(), offer.end(), transforms->front()) == offer.end()) {
            return malformed("chose what was not offered");
        }
        return {V1AnswerKind::accepted, 0, ""};
    }
    if (header->exchange == ExchangeType::v1_informational) {
        const auto body = find_payload(*header, message, payload_notify);
        if (!body) return malformed(body.error().what);
        Reader reader(*body);
        if (reader.u32() > doi_ipsec) return malformed("notification of another DOI");
        reader.skip(1);
        const uint8_t spi_size = reader.u8();
        const uint16_t type = reader.u16();
        reader.skip(spi_size);
        if (!reader.ok()) return malformed("malformed notification");
        return {type == notify_no_proposal_chosen ? V1AnswerKind::no_proposal : V1AnswerKind::error, type,
                ""};
    }
    return {};
}

Decoded<V1Request> decode_v1_request(ByteSpan message) {
    const auto header = decode_header(message);
    if (!header) return tl::unexpected<DecodeError>(header.error());
    if (header->major_version() != 1 || header->exchange != ExchangeType::v1_identity_protection ||
        header->spi_initiator == 0 || header->spi_responder != 0 || header->message_id != 0) {
        return invalid_syntax("not a first message of main mode");
    }
    const auto body = find_payload(*header, message, payload_sa);
    if (!body) return tl::unexpected<DecodeError>(body.error());
    auto transforms = read_sa(*body);
    if (!transforms) return tl::unexpected<DecodeError>(transforms.error());
    return V1Request{header->spi_initiator, std::move(*transforms)};
}

ByteSpan encode_v1_acceptance(std::span<uint8_t> buffer, const V1Request& request, uint64_t cookie_responder,
                              size_t position) {
    Writer writer(buffer);
    write_header(writer, request.cookie_initiator, cookie_responder, payload_sa,
                 ExchangeType::v1_identity_protection, 0);
    write_sa(writer, std::span(request.transforms).subspan(position, 1), static_cast<uint8_t>(position + 1));
    return finished(writer);
}

ByteSpan encode_v1_refusal(std::span<uint8_t> buffer, uint64_t cookie_initiator, uint64_t cookie_responder,
                           uint32_t message_id) {
    Writer writer(buffer);
    write_header(writer, cookie_initiator, cookie_responder, payload_notify, ExchangeType::v1_informational,
                 message_id);
    writer.u8(payload_none);
    writer.u8(0);
    writer.u16(12);
    writer.u32(doi_ipsec);
    writer.u8(protocol_isakmp);
    writer.u8(0);
    writer.u16(notify_no_proposal_chosen);
    return finished(writer);
}

}  // namespace fairway::ipsec
