// SPDX-License-Identifier: Apache-2.0
#include "dns/xdp_frame.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace fairway::dns {
namespace {

constexpr uint16_t type_ipv4 = 0x0800;
constexpr uint16_t type_ipv6 = 0x86dd;
constexpr uint8_t protocol_udp = 17;
constexpr uint8_t version_and_length = 0x45;  // IPv4, five words
constexpr uint16_t fragment_bits = 0x3fff;    // more fragments, offset
constexpr uint8_t hop_limit = 64;
constexpr size_t mac_size = 6;
constexpr size_t ethernet_size = 14;
constexpr size_t ipv4_size = 20;
constexpr size_t ipv6_size = 40;
constexpr size_t udp_size = 8;

/// The sum of RFC 1071 in the machine's byte order, which does not matter to it (section 2 B).
class Checksum {
  public:
    /// All but the last have an even number of octets.
    void add(ByteSpan bytes) noexcept {
        size_t at = 0;
        for (; at + 4 <= bytes.size(); at += 4) {
            uint32_t word = 0;
            std::memcpy(&word, bytes.data() + at, sizeof word);
            sum_ += word;
        }
        std::array<uint8_t, 4> tail{};
        if (at < bytes.size()) std::memcpy(tail.data(), bytes.data() + at, bytes.size() - at);
        sum_ += std::bit_cast<uint32_t>(tail);
    }
    /// A field in network order.
    void add(uint16_t value) noexcept { sum_ += swapped(value); }
    /// As a field's value; not complemented.
    [[nodiscard]] uint16_t folded() const noexcept {
        uint64_t sum = (sum_ >> 32) + (sum_ & 0xffffffff);
        while (sum > 0xffff) sum = (sum >> 16) + (sum & 0xffff);
        return swapped(static_cast<uint16_t>(sum));
    }

  private:
    static uint16_t swapped(uint16_t value) noexcept {
        if constexpr (std::endian::native == std::endian::little)
            return static_cast<uint16_t>(value >> 8 | value << 8);
        return value;
    }
    uint64_t sum_ = 0;
};

/// Of UDP over either family: both addresses lie side by side, as they do in the headers.
Checksum pseudo_header(ByteSpan addresses, uint16_t length) noexcept {
    Checksum sum;
    sum.add(addresses);
    sum.add(protocol_udp);
    sum.add(length);
    return sum;
}

bool is_unicast(const IpAddress& address) noexcept {
    const ByteSpan bytes = address.bytes();
    if (address.is_v4()) return bytes[0] != 0 && bytes[0] != 127 && bytes[0] < 224;
    if (bytes[0] == 0xff) return false;
    // Neither :: nor ::1.
    return std::any_of(bytes.begin(), bytes.end() - 1, [](uint8_t byte) { return byte != 0; }) ||
           bytes[15] > 1;
}

IpAddress v4_of(ByteSpan bytes) noexcept {
    return IpAddress::v4(std::array<uint8_t, 4>{bytes[0], bytes[1], bytes[2], bytes[3]});
}

IpAddress v6_of(ByteSpan bytes) noexcept {
    std::array<uint8_t, 16> copy{};
    std::memcpy(copy.data(), bytes.data(), copy.size());
    return IpAddress::v6(copy);
}

/// `in` stands behind the IP header and ends where its payload ends.
bool read_udp(Reader in, ByteSpan addresses, QuestionFrame& question) noexcept {
    const ByteSpan datagram = in.whole();
    question.source.port = in.u16();
    question.destination.port = in.u16();
    const uint16_t length = in.u16();
    const uint16_t checksum = in.u16();
    if (!in.ok() || length < udp_size || length > datagram.size()) return false;
    if (question.source.port == 0 || !is_unicast(question.source.address)) return false;
    question.message = datagram.subspan(udp_size, length - udp_size);
    if (checksum == 0) return question.source.address.is_v4();  // RFC 8200, section 8.1
    Checksum sum = pseudo_header(addresses, length);
    if (checksum == sum.folded()) return true;
    sum.add(datagram.first(length));
    return sum.folded() == 0xffff;
}

}  // namespace

std::optional<QuestionFrame> read_question_frame(ByteSpan frame) noexcept {
    Reader in(frame);
    in.skip(2 * mac_size);
    const uint16_t type = in.u16();
    QuestionFrame question;
    if (type == type_ipv4) {
        const ByteSpan header = in.take(ipv4_size);
        Reader fields(header);
        const uint8_t first = fields.u8();
        fields.skip(1);
        const uint16_t total = fields.u16();
        fields.skip(2);
        const uint16_t fragment = fields.u16();
        fields.skip(1);  // a host takes any TTL (RFC 1122, section 3.2.1.7)
        const uint8_t protocol = fields.u8();
        if (!in.ok() || first != version_and_length || protocol != protocol_udp ||
            (fragment & fragment_bits) != 0 || total < ipv4_size)
            return std::nullopt;
        Checksum sum;
        sum.add(header);
        if (sum.folded() != 0xffff) return std::nullopt;
        question.source.address = v4_of(header.subspan(12, 4));
        question.destination.address = v4_of(header.subspan(16, 4));
        question.headers = ethernet_size + ipv4_size + udp_size;
        const ByteSpan payload = in.take(total - ipv4_size);  // what follows it is padding
        if (!in.ok() || !read_udp(Reader(payload), header.subspan(12, 8), question)) return std::nullopt;
        return question;
    }
    if (type == type_ipv6) {
        const ByteSpan header = in.take(ipv6_size);
        Reader fields(header);
        const uint8_t version = fields.u8() >> 4;
        fields.skip(3);
        const uint16_t length = fields.u16();
        const uint8_t next = fields.u8();
        if (!in.ok() || version != 6 || next != protocol_udp) return std::nullopt;
        question.source.address = v6_of(header.subspan(8, 16));
        question.destination.address = v6_of(header.subspan(24, 16));
        question.headers = ethernet_size + ipv6_size + udp_size;
        const ByteSpan payload = in.take(length);
        if (!in.ok() || !read_udp(Reader(payload), header.subspan(8, 32), question)) return std::nullopt;
        return question;
    }
    return std::nullopt;
}

size_t write_reply_frame(std::span<uint8_t> room, const QuestionFrame& question, ByteSpan reply,
                         uint16_t identification) noexcept {
    const bool is_v4 = question.source.address.is_v4();
    const size_t size = question.headers + reply.size();
    if (size > room.size() || question.headers < ethernet_size) return 0;
    const auto length = static_cast<uint16_t>(udp_size + reply.size());

    // The MAC addresses change places; the type stays.
    std::swap_ranges(room.begin(), room.begin() + mac_size, room.begin() + mac_size);
    Writer out(room.subspan(ethernet_size, size - ethernet_size));
    size_t addresses = 0;
    if (is_v4) {
        out.u8(version_and_length);
        out.u8(0);
        out.u16(static_cast<uint16_t>(ipv4_size + length));
        out.u16(identification);
        out.u16(0);
        out.u8(hop_limit);
        out.u8(protocol_udp);
        out.u16(0);
        addresses = out.position();
        out.bytes(question.destination.address.bytes());
        out.bytes(question.source.address.bytes());
        Checksum sum;
        sum.add(out.written());
        out.patch_u16(10, static_cast<uint16_t>(~sum.folded()));
    } else {
        out.u32(0x60000000);
        out.u16(length);
        out.u8(protocol_udp);
        out.u8(hop_limit);
        addresses = out.position();
        out.bytes(question.destination.address.bytes());
        out.bytes(question.source.address.bytes());
    }
    const size_t udp = out.position();
    out.u16(question.destination.port);
    out.u16(question.source.port);
    out.u16(length);
    out.u16(0);
    out.bytes(reply);
    if (!out.ok()) return 0;
    Checksum sum = pseudo_header(out.written().subspan(addresses, udp - addresses), length);
    sum.add(out.written().subspan(udp));
    const auto checksum = static_cast<uint16_t>(~sum.folded());
    // Zero would mean that there is none (RFC 768).
    out.patch_u16(udp + 6, checksum == 0 ? 0xffff : checksum);
    return size;
}

}  // namespace fairway::dns
