// SPDX-License-Identifier: Apache-2.0
// An HTTP response of any bytes: bounded, and the same outcome however it is cut. The first octet chooses the
// body limit and the size of the pieces.

#include <cstdlib>
#include <string>
#include <tuple>

#include "probes/http_response.h"

using namespace fairway;

namespace {

struct Outcome {
    HttpResponseParser::State state;
    bool has_head;
    uint16_t status;
    std::string body, location, problem;
    bool cut;
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome read(ByteSpan bytes, HttpBody body, size_t limit, size_t step) {
    HttpResponseParser parser(body, limit);
    for (size_t at = 0; at < bytes.size(); at += step)
        parser.feed(bytes.subspan(at, std::min(step, bytes.size() - at)));
    parser.end();
    if (parser.body().size() > limit) std::abort();
    const auto state = parser.state();
    if (state != HttpResponseParser::State::complete && state != HttpResponseParser::State::failed)
        std::abort();
    if ((state == HttpResponseParser::State::failed) == parser.problem().empty()) std::abort();
    if (parser.problem().size() > 400) std::abort();
    return {state,
            parser.has_head(),
            parser.has_head() ? parser.status() : uint16_t{0},
            std::string(parser.body()),
            parser.location(),
            parser.problem(),
            parser.body_cut()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const HttpBody body = (data[0] & 0x80) != 0 ? HttpBody::none : HttpBody::allowed;
    const size_t limit = size_t{1} << (data[0] >> 3 & 0x0f);
    const ByteSpan bytes(data + 1, size - 1);
    const Outcome whole = read(bytes, body, limit, std::max<size_t>(bytes.size(), 1));
    if (read(bytes, body, limit, 1) != whole) std::abort();
    if (read(bytes, body, limit, 2 + (data[0] & 7)) != whole) std::abort();
    return 0;
}
