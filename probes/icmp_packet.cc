// SPDX-License-Identifier: Apache-2.0
#include "probes/icmp_packet.h"

#include <algorithm>
#include <array>

namespace fairway {

namespace {

//  0                   1                   2                   3
// |     type      |     code      |           checksum            |
// |              id               |           sequence            |   echo
// |                           unused                              |   destination unreachable, then the
// |  payload, or the IP header and the first octets of what it is about ...

constexpr size_t ipv6_header = 40;
constexpr uint8_t icmp_protocol = 1;
constexpr uint8_t icmp6_protocol = 58;

struct Types {
    uint8_t request, reply, unreachable;
};
constexpr Types types_of(IpFamily family) {
    return family == IpFamily::v4 ? Types{8, 0, 3} : Types{128, 129, 1};
}

/// RFC 1071.
uint16_t checksum(ByteSpan bytes) {
    uint32_t sum = 0;
    for (size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? uint32_t{bytes[i]} << 8 : bytes[i];
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(~sum);
}

/// Past an IPv4 header; its destination.
IpAddress skip_ipv4_header(Reader& reader) {
    const uint8_t first = reader.u8();
    reader.skip(8);
    const uint8_t protocol = reader.u8();
    reader.skip(6);
    const uint32_t destination = reader.u32();
    const size_t length = size_t{first & 0x0fU} * 4;
    if (first >> 4 != 4 || length < 20 || protocol != icmp_protocol) reader.fail();
    if (reader.ok()) reader.skip(length - 20);
    return IpAddress::v4(destination);
}

/// Past an IPv6 header without extensions, which is what our own requests have; its destination.
IpAddress skip_ipv6_header(Reader& reader) {
    Reader header = reader.sub(ipv6_header);
    if (header.u8() >> 4 != 6) reader.fail();
    header.skip(5);
    if (header.u8() != icmp6_protocol) reader.fail();
    header.skip(17);
    std::array<uint8_t, 16> destination{};
    const ByteSpan bytes = header.rest();
    if (bytes.size() == destination.size()) std::copy(bytes.begin(), bytes.end(), destination.begin());
    return IpAddress::v6(destination);
}

}  // namespace

ByteSpan write_echo_request(std::span<uint8_t> buffer, IpFamily family, uint16_t id, uint16_t sequence,
                            ByteSpan payload) {
    Writer writer(buffer);
    writer.u8(types_of(family).request);
    writer.u8(0);
    writer.u16(0);
    writer.u16(id);
    writer.u16(sequence);
    writer.bytes(payload);
    if (!writer.ok()) return {};
    if (family == IpFamily::v4) writer.patch_u16(2, checksum(writer.written()));
    return writer.written();
}

std::optional<IcmpMessage> parse_icmp(ByteSpan packet, IpFamily family, IcmpFraming framing) {
    Reader reader(packet);
    const Types types = types_of(family);
    IcmpMessage message;
    if (framing == IcmpFraming::with_ip_header) (void)skip_ipv4_header(reader);
    const uint8_t type = reader.u8();
    const uint8_t code = reader.u8();
    reader.skip(2);  // the kernel has verified the checksum
    if (type == types.reply) {
        message.id = reader.u16();
        message.sequence = reader.u16();
        message.payload = reader.rest();
        return reader.ok() ? std::optional(message) : std::nullopt;
    }
    if (type != types.unreachable) return std::nullopt;
    const auto reason = unreachable_by_code(family, code);
    if (!reason) return std::nullopt;
    message.kind = IcmpMessage::Kind::unreachable;
    message.reason = *reason;
    reader.skip(4);
    message.destination = family == IpFamily::v4 ? skip_ipv4_header(reader) : skip_ipv6_header(reader);
    if (reader.u8() != types.request) reader.fail();
    reader.skip(3);
    message.id = reader.u16();
    message.sequence = reader.u16();
    return reader.ok() ? std::optional(message) : std::nullopt;
}

std::optional<Unreachable> unreachable_by_code(IpFamily family, uint8_t code) noexcept {
    if (family == IpFamily::v4) {
        switch (code) {
            case 0:
            case 6:
            case 11:
                return Unreachable::network;
            case 2:  // protocol
            case 3:
                return Unreachable::port;
            case 4:
                return std::nullopt;  // fragmentation needed
            case 9:
            case 10:
            case 13:
                return Unreachable::prohibited;
            default:
                return Unreachable::host;
        }
    }
    switch (code) {
        case 0:
            return Unreachable::network;
        case 1:
        case 5:
        case 6:
            return Unreachable::prohibited;
        case 4:
            return Unreachable::port;
        default:
            return Unreachable::host;
    }
}

}  // namespace fairway
