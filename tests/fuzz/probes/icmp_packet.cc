// SPDX-License-Identifier: Apache-2.0
// ICMP as raw and ping sockets hand it over, in both families. The first octet chooses which.

#include <cstdlib>

#include "probes/icmp_packet.h"

using namespace fairway;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const IpFamily family = (data[0] & 1) != 0 ? IpFamily::v6 : IpFamily::v4;
    const IcmpFraming framing = (data[0] & 2) != 0 ? IcmpFraming::with_ip_header : IcmpFraming::bare;
    const ByteSpan packet{data + 1, size - 1};
    const auto message = parse_icmp(packet, family, framing);
    if (!message) return 0;
    if (message->kind == IcmpMessage::Kind::unreachable) {
        if (!message->destination || message->destination->family() != family) std::abort();
    } else if (!message->payload.empty() &&
               (message->payload.data() < packet.data() ||
                message->payload.data() + message->payload.size() != packet.data() + packet.size())) {
        std::abort();
    }
    return 0;
}
