// SPDX-License-Identifier: Apache-2.0
// The responder as a state machine: a run of datagrams from a few peers, with time passing. The input is a
// sequence of [seconds][peer][length, 2 octets][datagram]. Its table stays bounded, and whatever it answers
// to must be a request under the same SPI.

#include <algorithm>
#include <cstdlib>

#include "ipsec/responder.h"
#include "ipsec/v1_responder.h"
#include "support/seeded_entropy.h"

using namespace fairway;
using namespace fairway::ipsec;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    test::SeededEntropy entropy(1);
    ResponderSettings settings;
    settings.limits = HalfOpenLimits::like_strongswan();
    settings.limits.table = 8;
    Ikev2Responder responder(settings, entropy);
    V1Responder v1_responder(entropy);
    MonotonicTime now{std::chrono::hours(1)};
    Reader reader(ByteSpan(data, size));
    for (int i = 0; i < 64 && !reader.at_end(); ++i) {
        now += seconds{reader.u8() % 40};
        const uint8_t peer = reader.u8();
        const ByteSpan datagram = reader.take(std::min<size_t>(reader.u16(), reader.remaining()));
        responder.set_mode(ResponderMode{static_cast<uint8_t>(peer >> 5)});
        const Path path{{IpAddress::v4(1), 500},
                        {IpAddress::v4(peer & 3U), static_cast<uint16_t>(peer & 12U)}};
        const ByteSpan answer = responder.on_message(datagram, path, now);
        if (responder.stats().half_open > settings.limits.table) std::abort();
        if (!answer.empty() && Reader(datagram).u64() == 0) std::abort();
        (void)v1_responder.on_message(datagram, path);
    }
    return 0;
}
