// SPDX-License-Identifier: Apache-2.0
#pragma once
// An Answerer over a World: question in, rendered answer out.

#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "unit/dns/packet.h"
#include "unit/dns/world.h"

namespace fairway::dns::test {

struct Responder {
    explicit Responder(const World& world) : serving(world.serving()) { REQUIRE(serving.authority); }

    std::string ask(ByteSpan message, Transport transport = Transport::udp,
                    std::string_view source = "192.0.2.200") {
        Request request;
        request.message = message;
        request.source = IpAddress::parse(source).value();
        request.transport = transport;
        request.unix_seconds = now_seconds;
        request.keepalive = 100;
        const size_t size = answerer.answer(serving, request, buffer);
        CHECK(answerer.outcome().answered == (size > 0));
        bytes.assign(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
        return size == 0 ? "nothing" : render(bytes);
    }
    std::string ask(const Ask& question, Transport transport = Transport::udp,
                    std::string_view source = "192.0.2.200") {
        return ask(to_bytes(question), transport, source);
    }

    Serving serving;
    Answerer answerer;
    std::vector<uint8_t> buffer = std::vector<uint8_t>(Answerer::max_tcp_answer);
    Bytes bytes;  // of the last answer
};

/// Over make_world(), made once.
inline Responder& responder() {
    static Responder one(make_world());
    return one;
}

}  // namespace fairway::dns::test
