// SPDX-License-Identifier: Apache-2.0
#pragma once
// ICMP echo requests as bytes, and what comes back: echo replies, and errors that quote a request of ours
// (RFC 792; RFC 4443). Nothing else of ICMP.

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/ip.h"
#include "probes/exchange.h"

namespace fairway {

/// How a socket hands over what it received.
enum class IcmpFraming : uint8_t {
    bare,           // from the ICMP header: ping sockets, raw IPv6 sockets
    with_ip_header  // from the IPv4 header: raw IPv4 sockets
};

struct IcmpMessage {
    enum class Kind : uint8_t { reply, unreachable };
    Kind kind = Kind::reply;
    uint16_t id = 0;
    uint16_t sequence = 0;
    ByteSpan payload;                        // of a reply
    Unreachable reason = Unreachable::host;  // of an error
    std::optional<IpAddress> destination;    // of the quoted request
};

/// Writes an echo request; the checksum is for raw IPv4 sockets, the kernel makes that of all others. Returns
/// the bytes written, none when the buffer is too small.
[[nodiscard]] ByteSpan write_echo_request(std::span<uint8_t> buffer, IpFamily family, uint16_t id,
                                          uint16_t sequence, ByteSpan payload);

/// Absent for everything that is neither an echo reply nor an error about an echo request.
[[nodiscard]] std::optional<IcmpMessage> parse_icmp(ByteSpan packet, IpFamily family, IcmpFraming framing);

/// RFC 792 and RFC 1812 section 5.2.7.1 (type 3), RFC 4443 section 3.1 (type 1): what the code of a
/// "destination unreachable" means; absent when it says nothing about reaching the peer.
[[nodiscard]] std::optional<Unreachable> unreachable_by_code(IpFamily family, uint8_t code) noexcept;

}  // namespace fairway
