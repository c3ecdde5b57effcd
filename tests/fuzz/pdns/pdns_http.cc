// SPDX-License-Identifier: Apache-2.0
// The http connector's request parser: the same verdict however the bytes are cut.
#include <algorithm>
#include <cstdlib>

#include "base/bytes.h"
#include "pdns/http_request.h"

using namespace fairway;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using State = pdns::HttpRequestParser::State;
    const std::string_view text = as_text({data, size});
    pdns::HttpRequestParser whole, pieces;
    const auto at_once = whole.parse(text);
    auto last = pieces.parse(text.substr(0, 0));
    for (size_t end = 1; end <= size && last.state == State::incomplete; ++end)
        last = pieces.parse(text.substr(0, end));
    // Bytes behind a head that is wrong or complete may only be seen when all come at once.
    if (last.state != at_once.state || last.status != at_once.status || last.size != at_once.size ||
        last.request.body != at_once.request.body || last.request.target != at_once.request.target)
        std::abort();
    if (at_once.state == State::complete && at_once.size > size) std::abort();
    return 0;
}
