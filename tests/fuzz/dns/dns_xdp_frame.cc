// SPDX-License-Identifier: Apache-2.0
// Ethernet frames from the wire. What is taken for a question must lie within the frame, and the frame of its
// answer must be one that our own reader takes for an answer to it.
#include <array>
#include <cstdlib>
#include <cstring>

#include "dns/xdp_frame.h"

using namespace fairway;
using namespace fairway::dns;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::array<uint8_t, 2048> room{};
    if (size > room.size()) return 0;
    std::memcpy(room.data(), data, size);
    const auto question = read_question_frame(ByteSpan(room).first(size));
    if (!question) return 0;
    if (question->headers + question->message.size() > size) std::abort();
    if (question->message.data() != room.data() + question->headers) std::abort();
    const SocketAddress source = question->source;
    const SocketAddress destination = question->destination;
    // A reply of another length than the question; its octets come from the input.
    std::array<uint8_t, 1232> reply{};
    const size_t length = data[size - 1] * 5U;
    for (size_t i = 0; i < length && i < reply.size(); ++i) reply[i] = data[i % size];
    const ByteSpan text = ByteSpan(reply).first(std::min(length, reply.size()));
    const size_t written = write_reply_frame(room, *question, text, 1);
    if (written == 0) std::abort();
    const auto answer = read_question_frame(ByteSpan(room).first(written));
    // An address or a port that may not ask may well be asked.
    if (!answer) return 0;
    if (answer->source != destination || answer->destination != source) std::abort();
    if (answer->message.size() != text.size()) std::abort();
    if (!text.empty() && std::memcmp(answer->message.data(), text.data(), text.size()) != 0) std::abort();
    return 0;
}
