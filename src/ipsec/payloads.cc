// SPDX-License-Identifier: Apache-2.0
#include "ipsec/payloads.h"

#include <algorithm>

namespace fairway::ipsec {

namespace {

constexpr uint8_t last_substructure = 0;
constexpr uint8_t more_proposals = 2;
constexpr uint8_t more_transforms = 3;
constexpr uint16_t attribute_is_short = 0x8000;  // type/value format instead of type/length/value
constexpr uint16_t key_length_attribute = 14;

enum class GatewayIdentity : uint8_t { ipv4 = 1, ipv6 = 2, fqdn = 3 };

//  | last | reserved | length | type | reserved | id | attributes ...
bool decode_transform(Reader& reader, uint8_t& last, Transform& transform) {
    last = reader.u8();
    reader.skip(1);
    const uint16_t length = reader.u16();
    if (length < 8) return false;
    Reader inner = reader.sub(length - 4U);
    transform.type = TransformType{inner.u8()};
    inner.skip(1);
    transform.id = inner.u16();
    while (inner.ok() && !inner.at_end()) {
        const uint16_t type = inner.u16();
        const uint16_t value = inner.u16();  // or the length of the value
        if (type == (attribute_is_short | key_length_attribute)) {
            // Twice the same attribute is a contradiction, not a choice.
            if (transform.key_length != 0 || value == 0) return false;
            transform.key_length = value;
            continue;
        }
        transform.unknown_attribute = true;
        if ((type & attribute_is_short) == 0) inner.skip(value);
    }
    return inner.ok() && reader.ok();
}

//  | last | reserved | length | number | protocol | spi size | transforms | spi | transforms ...
bool decode_proposal(Reader& reader, uint8_t& last, Proposal& proposal) {
    last = reader.u8();
    reader.skip(1);
    const uint16_t length = reader.u16();
    if (length < 8) return false;
    Reader inner = reader.sub(length - 4U);
    proposal.number = inner.u8();
    proposal.protocol = ProtocolId{inner.u8()};
    const uint8_t spi_size = inner.u8();
    const uint8_t transforms = inner.u8();
    const ByteSpan spi = inner.take(spi_size);
    proposal.spi.assign(spi.begin(), spi.end());
    for (uint8_t i = 0; i < transforms; ++i) {
        uint8_t last_transform = 0;
        Transform transform;
        if (!decode_transform(inner, last_transform, transform)) return false;
        if (last_transform != (i + 1 == transforms ? last_substructure : more_transforms)) return false;
        proposal.transforms.push_back(transform);
    }
    return inner.ok() && inner.at_end() && reader.ok();
}

std::string printable(ByteSpan bytes) {
    std::string text;
    for (const uint8_t byte : bytes) {
        const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                           (byte >= 'A' && byte <= 'Z') || byte == '.' || byte == '-' || byte == '_';
        text += plain ? static_cast<char>(byte) : '?';
    }
    return text;
}

}  // namespace

bool Proposal::offers(TransformType type, uint16_t id) const noexcept {
    return std::any_of(transforms.begin(), transforms.end(), [&](const Transform& t) {
        return t.type == type && t.id == id && !t.unknown_attribute;
    });
}

Decoded<std::vector<Proposal>> decode_sa(ByteSpan body) {
    std::vector<Proposal> proposals;
    Reader reader(body);
    uint8_t last = more_proposals;
    while (last != last_substructure) {
        Proposal proposal;
        if (!decode_proposal(reader, last, proposal)) return invalid_syntax("malformed proposal");
        if (last != last_substructure && last != more_proposals) return invalid_syntax("malformed proposal");
        proposals.push_back(std::move(proposal));
    }
    if (!reader.at_end()) return invalid_syntax("bytes behind the last proposal");
    return proposals;
}

void encode_sa(Writer& writer, const std::vector<Proposal>& proposals) {
    for (size_t i = 0; i < proposals.size(); ++i) {
        const Proposal& proposal = proposals[i];
        const size_t proposal_at = writer.position();
        writer.u8(i + 1 == proposals.size() ? last_substructure : more_proposals);
        writer.u8(0);
        writer.u16(0);
        writer.u8(proposal.number);
        writer.u8(static_cast<uint8_t>(proposal.protocol));
        writer.u8(static_cast<uint8_t>(proposal.spi.size()));
        writer.u8(static_cast<uint8_t>(proposal.transforms.size()));
        if (proposal.spi.size() > UINT8_MAX || proposal.transforms.size() > UINT8_MAX) writer.fail();
        writer.bytes(proposal.spi);
        for (size_t j = 0; j < proposal.transforms.size(); ++j) {
            const Transform& transform = proposal.transforms[j];
            writer.u8(j + 1 == proposal.transforms.size() ? last_substructure : more_transforms);
            writer.u8(0);
            writer.u16(transform.key_length != 0 ? 12 : 8);
            writer.u8(static_cast<uint8_t>(transform.type));
            writer.u8(0);
            writer.u16(transform.id);
            if (transform.key_length != 0) {
                writer.u16(attribute_is_short | key_length_attribute);
                writer.u16(transform.key_length);
            }
        }
        if (!writer.ok()) return;
        writer.patch_u16(proposal_at + 2, static_cast<uint16_t>(writer.position() - proposal_at));
    }
}

Decoded<KePayload> decode_ke(ByteSpan body) {
    Reader reader(body);
    KePayload ke;
    ke.group = DhGroup{reader.u16()};
    reader.skip(2);
    ke.value = reader.rest();
    if (!reader.ok() || ke.value.empty()) return invalid_syntax("malformed key exchange");
    return ke;
}

void encode_ke(Writer& writer, DhGroup group, ByteSpan value) {
    writer.u16(static_cast<uint16_t>(group));
    writer.u16(0);
    writer.bytes(value);
}

Decoded<ByteSpan> decode_nonce(ByteSpan body) {
    if (body.size() < 16 || body.size() > 256) return invalid_syntax("nonce of a forbidden length");
    return body;
}

Decoded<NotifyPayload> decode_notify(ByteSpan body) {
    Reader reader(body);
    NotifyPayload notify;
    notify.protocol = ProtocolId{reader.u8()};
    const uint8_t spi_size = reader.u8();
    notify.type = NotifyType{reader.u16()};
    notify.spi = reader.take(spi_size);
    notify.data = reader.rest();
    if (!reader.ok()) return invalid_syntax("malformed notification");
    return notify;
}

void encode_notify(Writer& writer, NotifyType type, ByteSpan data) {
    writer.u8(0);
    writer.u8(0);
    writer.u16(static_cast<uint16_t>(type));
    writer.bytes(data);
}

std::optional<DhGroup> invalid_ke_group(const NotifyPayload& notify) noexcept {
    if (notify.type != NotifyType::invalid_ke_payload || notify.data.size() != 2) return std::nullopt;
    return DhGroup{Reader(notify.data).u16()};
}

std::string redirect_target(const NotifyPayload& notify) {
    if (notify.type != NotifyType::redirect) return {};
    Reader reader(notify.data);
    const auto kind = GatewayIdentity{reader.u8()};
    const ByteSpan identity = reader.take(reader.u8());
    if (!reader.ok()) return {};
    if (kind == GatewayIdentity::ipv4 && identity.size() == 4) {
        return IpAddress::v4({identity[0], identity[1], identity[2], identity[3]}).to_string();
    }
    if (kind == GatewayIdentity::ipv6 && identity.size() == 16) {
        std::array<uint8_t, 16> bytes;
        std::copy(identity.begin(), identity.end(), bytes.begin());
        return IpAddress::v6(bytes).to_string();
    }
    if (kind == GatewayIdentity::fqdn && !identity.empty()) return printable(identity);
    return {};
}

void encode_redirect(Writer& writer, std::string_view host, ByteSpan nonce) {
    writer.u8(0);
    writer.u8(0);
    writer.u16(static_cast<uint16_t>(NotifyType::redirect));
    if (const auto address = IpAddress::parse(host)) {
        writer.u8(static_cast<uint8_t>(address->is_v4() ? GatewayIdentity::ipv4 : GatewayIdentity::ipv6));
        writer.u8(static_cast<uint8_t>(address->bytes().size()));
        writer.bytes(address->bytes());
    } else {
        if (host.size() > UINT8_MAX) writer.fail();
        writer.u8(static_cast<uint8_t>(GatewayIdentity::fqdn));
        writer.u8(static_cast<uint8_t>(host.size()));
        writer.text(host);
    }
    writer.bytes(nonce);
}

}  // namespace fairway::ipsec
