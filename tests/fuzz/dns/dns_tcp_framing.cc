// SPDX-License-Identifier: Apache-2.0
// The same stream in one piece and in pieces of any size gives the same messages.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "dns/tcp_framing.h"

using namespace fairway;
using namespace fairway::dns;

namespace {

constexpr size_t max_message = 512;

using Messages = std::vector<std::vector<uint8_t>>;

void take_all(TcpFraming& framing, Messages& out) {
    while (const auto message = framing.next()) out.emplace_back(message->begin(), message->end());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 1) return 0;
    const size_t piece = data[0] % 64 + 1;
    const ByteSpan stream(data + 1, size - 1);
    TcpFraming whole(max_message);
    whole.append(stream);
    Messages expected;
    take_all(whole, expected);

    TcpFraming parts(max_message);
    Messages got;
    for (size_t at = 0; at < stream.size(); at += piece) {
        parts.append(stream.subspan(at, std::min(piece, stream.size() - at)));
        take_all(parts, got);
        if (parts.failed()) break;
    }
    if (got != expected || parts.failed() != whole.failed()) std::abort();
    if (!whole.failed() && parts.buffered() != whole.buffered()) std::abort();
    for (const auto& message : got)
        if (message.empty() || message.size() > max_message) std::abort();
    return 0;
}
