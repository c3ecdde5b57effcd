// SPDX-License-Identifier: Apache-2.0
#include "dns/edns.h"

#include <algorithm>
#include <array>

namespace fairway::dns {
namespace {

constexpr uint32_t do_bit = 0x8000;
constexpr uint32_t co_bit = 0x4000;
constexpr size_t fixed_size = 11;  // owner, TYPE, CLASS, TTL, RDLENGTH
constexpr size_t option_header = 4;

// RFC 7871 section 6: FAMILY, SOURCE and SCOPE, then exactly the octets that SOURCE covers with nothing set
// beyond.
bool parse_subnet(ByteSpan body, ClientSubnet& subnet) noexcept {
    Reader reader(body);
    subnet.family = reader.u16();
    subnet.source = reader.u8();
    const uint8_t scope = reader.u8();
    subnet.address = reader.rest();
    if (!reader.ok() || scope != 0 || subnet.family > 2) return false;
    const unsigned bits = subnet.family == 1 ? 32 : subnet.family == 2 ? 128 : 0;
    if (subnet.source > bits || subnet.address.size() != (subnet.source + 7U) / 8U) return false;
    const unsigned partial = subnet.source % 8U;
    return partial == 0 || (subnet.address.back() & (0xffU >> partial)) == 0;
}

// RFC 7873 section 5.2.2: 8 octets from the client, then none or 8 to 32 from a server.
bool parse_cookie(ByteSpan body, Edns& edns) noexcept {
    if (body.size() != 8 && (body.size() < 16 || body.size() > 40)) return false;
    std::copy_n(body.begin(), edns.client_cookie.size(), edns.client_cookie.begin());
    edns.server_cookie = body.subspan(8);
    edns.has_cookie = true;
    return true;
}

}  // namespace

std::optional<IpPrefix> ClientSubnet::prefix() const noexcept {
    if (family == 1) {
        std::array<uint8_t, 4> bytes{};
        std::copy(address.begin(), address.end(), bytes.begin());
        return IpPrefix(IpAddress::v4(bytes), source);
    }
    if (family == 2) {
        std::array<uint8_t, 16> bytes{};
        std::copy(address.begin(), address.end(), bytes.begin());
        return IpPrefix(IpAddress::v6(bytes), source);
    }
    return std::nullopt;
}

EdnsFault parse_edns(uint16_t udp_size, uint32_t ttl, ByteSpan rdata, Edns& edns) noexcept {
    edns = Edns();
    edns.present = true;
    edns.udp_size = udp_size;
    edns.version = static_cast<uint8_t>(ttl >> 16);
    edns.dnssec_ok = (ttl & do_bit) != 0;
    edns.compact_ok = (ttl & co_bit) != 0;
    if (edns.version != 0) return EdnsFault::badvers;

    Reader reader(rdata);
    while (!reader.at_end()) {
        const auto code = static_cast<EdnsOption>(reader.u16());
        const ByteSpan body = reader.take(reader.u16());
        if (!reader.ok()) return EdnsFault::formerr;
        switch (code) {
            case EdnsOption::nsid:
                edns.wants_nsid = true;
                break;
            case EdnsOption::tcp_keepalive:
                edns.wants_keepalive = true;
                break;
            case EdnsOption::padding:
                edns.wants_padding = true;
                break;
            case EdnsOption::cookie:
                // Only the first counts (RFC 7873 section 5.2).
                if (!edns.has_cookie && !parse_cookie(body, edns)) return EdnsFault::formerr;
                break;
            case EdnsOption::client_subnet:
                if (edns.has_subnet || !parse_subnet(body, edns.subnet)) return EdnsFault::formerr;
                edns.has_subnet = true;
                break;
            default:
                break;
        }
    }
    return EdnsFault::none;
}

size_t EdnsResponse::size() const noexcept {
    size_t total = fixed_size;
    if (!nsid.empty()) total += option_header + nsid.size();
    if (has_cookie) total += option_header + client_cookie.size() + server_cookie.size();
    if (subnet != nullptr) total += option_header + 4 + subnet->address.size();
    if (keepalive) total += option_header + 2;
    if (error) total += option_header + 2 + error_text.size();
    if (padding) total += option_header + *padding;
    return total;
}

uint16_t EdnsResponse::flags() const noexcept {
    return static_cast<uint16_t>((dnssec_ok ? do_bit : 0) | (compact_ok ? co_bit : 0));
}

// Nearly all: written in one piece, without asking for room at every field.
void EdnsResponse::write_ordinary(Writer& writer, Rcode rcode) const noexcept {
    std::array<uint8_t, 64> bytes;
    uint8_t* at = bytes.data();
    const auto u16 = [&at](unsigned value) {
        at[0] = static_cast<uint8_t>(value >> 8);
        at[1] = static_cast<uint8_t>(value);
        at += 2;
    };
    *at++ = 0;
    u16(static_cast<uint16_t>(RecordType::opt));
    u16(udp_size);
    *at++ = static_cast<uint8_t>(static_cast<uint16_t>(rcode) >> 4);
    *at++ = 0;  // VERSION
    u16(flags());
    uint8_t* const length = at;
    u16(0);
    if (has_cookie) {
        u16(static_cast<uint16_t>(EdnsOption::cookie));
        u16(static_cast<unsigned>(client_cookie.size() + server_cookie.size()));
        at = std::copy(client_cookie.begin(), client_cookie.end(), at);
        at = std::copy(server_cookie.begin(), server_cookie.end(), at);
    }
    if (subnet != nullptr) {
        u16(static_cast<uint16_t>(EdnsOption::client_subnet));
        u16(static_cast<unsigned>(4 + subnet->address.size()));
        u16(subnet->family);
        *at++ = subnet->source;
        *at++ = scope;
        at = std::copy(subnet->address.begin(), subnet->address.end(), at);
    }
    const auto size = static_cast<size_t>(at - bytes.data());
    at = length;
    u16(static_cast<unsigned>(size - fixed_size));
    writer.bytes(ByteSpan(bytes).first(size));
}

void EdnsResponse::write(Writer& writer, Rcode rcode) const noexcept {
    if (nsid.empty() && !keepalive && !error && !padding) {
        write_ordinary(writer, rcode);
        return;
    }
    const auto option = [&writer](EdnsOption code, size_t length) {
        writer.u16(static_cast<uint16_t>(code));
        writer.u16(static_cast<uint16_t>(length));
    };
    writer.u8(0);
    writer.u16(static_cast<uint16_t>(RecordType::opt));
    writer.u16(udp_size);
    writer.u8(static_cast<uint8_t>(static_cast<uint16_t>(rcode) >> 4));
    writer.u8(0);  // VERSION
    writer.u16(flags());
    writer.u16(static_cast<uint16_t>(size() - fixed_size));
    if (!nsid.empty()) {
        option(EdnsOption::nsid, nsid.size());
        writer.text(nsid);
    }
    if (has_cookie) {
        option(EdnsOption::cookie, client_cookie.size() + server_cookie.size());
        writer.bytes(client_cookie);
        writer.bytes(server_cookie);
    }
    if (subnet != nullptr) {
        option(EdnsOption::client_subnet, 4 + subnet->address.size());
        writer.u16(subnet->family);
        writer.u8(subnet->source);
        writer.u8(scope);
        writer.bytes(subnet->address);
    }
    if (keepalive) {
        option(EdnsOption::tcp_keepalive, 2);
        writer.u16(*keepalive);
    }
    if (error) {
        option(EdnsOption::extended_error, 2 + error_text.size());
        writer.u16(static_cast<uint16_t>(*error));
        writer.text(error_text);
    }
    if (padding) {
        option(EdnsOption::padding, *padding);
        writer.zeros(*padding);
    }
}

}  // namespace fairway::dns
