// SPDX-License-Identifier: Apache-2.0
// Whatever another process says in a handover: an error, or values that can be said again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "handover/message.h"

using namespace fairway;
using namespace fairway::handover;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const ByteSpan input(data, size);
    if (const auto header = parse_frame_header(input)) {
        const auto again = parse_frame_header(encode(*header));
        if (!again || !(*again == *header)) std::abort();
    }
    const std::string_view body = as_text(input);
    if (const auto state = parse_state(body)) {
        const auto again = parse_state(state_body(*state));
        if (!again || again->cookie_current != state->cookie_current || again->takeovers != state->takeovers)
            std::abort();
    }
    (void)parse_hello(body);
    (void)parse_reason(body);
    // Without descriptors only empty lists are right; with three, lists of three.
    for (const size_t count : {size_t{0}, size_t{3}}) {
        std::vector<UniqueFd> none(count);
        if (auto connections = parse_connections(body, std::move(none)); connections) {
            const auto again =
                parse_connections(connections_body(*connections), std::vector<UniqueFd>(connections->size()));
            if (!again || again->size() != connections->size()) std::abort();
        }
        (void)parse_offer(body, std::vector<UniqueFd>(count));
    }
    return 0;
}
