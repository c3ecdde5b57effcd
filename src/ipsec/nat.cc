// SPDX-License-Identifier: Apache-2.0
#include "ipsec/nat.h"

#include <openssl/sha.h>

#include <algorithm>

namespace fairway::ipsec {

std::optional<ByteSpan> unframe(Framing framing, ByteSpan datagram) noexcept {
    if (framing == Framing::plain) return datagram;
    if (datagram.size() < marker_size) return std::nullopt;
    const ByteSpan marker = datagram.first(marker_size);
    if (!std::all_of(marker.begin(), marker.end(), [](uint8_t b) { return b == 0; })) return std::nullopt;
    return datagram.subspan(marker_size);
}

NatHash nat_detection_hash(uint64_t spi_initiator, uint64_t spi_responder, const SocketAddress& address) {
    std::array<uint8_t, 8 + 8 + 16 + 2> input;
    Writer writer(input);
    writer.u64(spi_initiator);
    writer.u64(spi_responder);
    writer.bytes(address.address.bytes());
    writer.u16(address.port);
    NatHash hash;
    SHA1(writer.written().data(), writer.written().size(), hash.data());
    return hash;
}

}  // namespace fairway::ipsec
