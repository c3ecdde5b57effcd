// SPDX-License-Identifier: Apache-2.0
#pragma once
// NAT traversal of IKE: the marker that tells IKE from ESP in UDP (RFC 3948 2.2) and the hashes by which the
// peers find a NAT between them (RFC 7296 2.23).

#include <array>
#include <optional>

#include "base/bytes.h"
#include "base/ip.h"

namespace fairway::ipsec {

/// Four zero octets where ESP has its SPI.
inline constexpr size_t marker_size = 4;
inline constexpr uint16_t ike_port = 500;

enum class Framing : uint8_t { plain, marked };

/// Only port 500 speaks plain IKE; every other port expects the marker from the first packet, as strongSwan's
/// custom ports do.
[[nodiscard]] constexpr Framing framing_of_port(uint16_t port) noexcept {
    return port == ike_port ? Framing::plain : Framing::marked;
}

/// The IKE message of a datagram, or nothing when it is ESP, a keepalive or too short for the marker.
[[nodiscard]] std::optional<ByteSpan> unframe(Framing framing, ByteSpan datagram) noexcept;

using NatHash = std::array<uint8_t, 20>;
/// SHA-1 over SPIs, address and port; the initiator sends its first one with a responder SPI of zero.
[[nodiscard]] NatHash nat_detection_hash(uint64_t spi_initiator, uint64_t spi_responder,
                                         const SocketAddress& address);

}  // namespace fairway::ipsec
