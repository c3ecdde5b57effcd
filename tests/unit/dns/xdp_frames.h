// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whole Ethernet frames for the tests of XDP, put together field by field and independently of our codec.

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace fairway::dns::test {

using Frame = std::vector<uint8_t>;

inline Frame octets(std::string_view hex) {
    Frame out;
    int digits = 0;
    uint8_t value = 0;
    for (const char c : hex) {
        if (c == ' ' || c == '\n') continue;
        value = static_cast<uint8_t>(value << 4 | (c <= '9' ? c - '0' : c - 'a' + 10));
        if (++digits % 2 == 0) out.push_back(value);
    }
    return out;
}

/// RFC 1071 as its text has it: the sum of 16-bit words, not complemented.
inline uint16_t sum_of(ByteSpan bytes, uint32_t sum = 0) {
    for (size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? uint32_t{bytes[i]} << 8 : bytes[i];
    while (sum > 0xffff) sum = (sum >> 16) + (sum & 0xffff);
    return static_cast<uint16_t>(sum);
}

enum class UdpChecksum : uint8_t { full, none, pseudo_header, wrong };

/// From 192.0.2.9 or 2001:db8::9, port 40000, to 192.0.2.1 or 2001:db8::1, port 53.
struct FrameSpec {
    bool v6 = false;
    Frame message;
    UdpChecksum checksum = UdpChecksum::full;
    size_t padding = 0;  // octets behind the IP packet
    Frame tag{};         // between the addresses and the type
};

inline Frame make_frame(const FrameSpec& spec) {
    Frame frame = octets("020000000001 020000000009");
    frame.insert(frame.end(), spec.tag.begin(), spec.tag.end());
    const auto u16 = [&frame](size_t value) {
        frame.push_back(static_cast<uint8_t>(value >> 8));
        frame.push_back(static_cast<uint8_t>(value));
    };
    u16(spec.v6 ? 0x86dd : 0x0800);
    const size_t udp_length = 8 + spec.message.size();
    const size_t ip = frame.size();
    Frame addresses;
    if (spec.v6) {
        addresses = octets("20010db8000000000000000000000009 20010db8000000000000000000000001");
        const Frame head = octets("60000000");
        frame.insert(frame.end(), head.begin(), head.end());
        u16(udp_length);
        u16(0x1140);
        frame.insert(frame.end(), addresses.begin(), addresses.end());
    } else {
        addresses = octets("c0000209 c0000201");
        u16(0x4500);
        u16(20 + udp_length);
        u16(0x4242);
        u16(0x4000);
        u16(0x4011);
        u16(0);
        frame.insert(frame.end(), addresses.begin(), addresses.end());
        const uint16_t header = static_cast<uint16_t>(~sum_of(ByteSpan(frame).subspan(ip, 20)));
        frame[ip + 10] = static_cast<uint8_t>(header >> 8);
        frame[ip + 11] = static_cast<uint8_t>(header);
    }
    const size_t udp = frame.size();
    u16(40000);
    u16(53);
    u16(udp_length);
    u16(0);
    frame.insert(frame.end(), spec.message.begin(), spec.message.end());
    const uint32_t pseudo = sum_of(addresses, static_cast<uint32_t>(17 + udp_length));
    uint16_t checksum = 0;
    if (spec.checksum == UdpChecksum::pseudo_header) checksum = static_cast<uint16_t>(pseudo);
    if (spec.checksum == UdpChecksum::full || spec.checksum == UdpChecksum::wrong) {
        checksum = static_cast<uint16_t>(~sum_of(ByteSpan(frame).subspan(udp), pseudo));
        if (checksum == 0) checksum = 0xffff;
        if (spec.checksum == UdpChecksum::wrong) ++checksum;
    }
    frame[udp + 6] = static_cast<uint8_t>(checksum >> 8);
    frame[udp + 7] = static_cast<uint8_t>(checksum);
    frame.resize(frame.size() + spec.padding, 0xee);
    return frame;
}

}  // namespace fairway::dns::test
