// SPDX-License-Identifier: Apache-2.0
// Any bytes as a question: the reply is none, or well-formed when read by somebody else (ldns), fits its
// transport, and carries the ID and nothing that must not be there.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "unit/dns/world.h"

// Last: it may define `false` as a macro, which <optional> cannot stand.
#include <ldns/ldns.h>

using namespace fairway;
using namespace fairway::dns;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

const Serving& serving() {
    static const Serving one = test::make_world().serving();
    return one;
}

void check(ByteSpan question, Transport transport) {
    static Answerer answerer;
    static std::vector<uint8_t> out(Answerer::max_tcp_answer);
    Request request;
    request.message = question;
    request.source = IpAddress::v4(0xc0000201);
    request.transport = transport;
    request.unix_seconds = test::now_seconds;
    request.keepalive = 100;
    const size_t size = answerer.answer(serving(), request, out);
    require(answerer.outcome().answered == (size > 0));
    if (size == 0) {
        require(question.size() < 12 || (question[2] & 0x80) != 0);
        return;
    }
    require(size >= 12 && size <= (transport == Transport::udp ? 1232U : 65535U));
    require(out[0] == question[0] && out[1] == question[1]);
    require((out[2] & 0x80) != 0);  // QR
    require((out[3] & 0xf0) == 0);  // RA, Z, AD, CD
    ldns_pkt* packet = nullptr;
    require(ldns_wire2pkt(&packet, out.data(), size) == LDNS_STATUS_OK);
    ldns_pkt_free(packet);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const ByteSpan question(data, size);
    check(question, Transport::udp);
    check(question, Transport::tcp);
    return 0;
}
