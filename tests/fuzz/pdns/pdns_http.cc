// SPDX-License-Identifier: Apache-2.0
// The http connector: the same verdict on a request however its bytes are cut, and a call of one of the three
// forms, or a refusal, out of whatever it holds.
#include <algorithm>
#include <cstdlib>

#include "base/bytes.h"
#include "pdns/http_call.h"
#include "pdns/http_request.h"

using namespace fairway;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using State = pdns::HttpRequestParser::State;
    const std::string_view text = as_text({data, size});
    pdns::HttpRequestParser whole, pieces;
    const auto at_once = whole.parse(text);
    auto last = pieces.parse(text.substr(0, 0));
    for (size_t end = 1; end <= size && last.state == State::incomplete; ++end)
        last = pieces.parse(text.substr(0, end));
    // Bytes behind a head that is wrong or complete may only be seen when all come at once.
    require(last.state == at_once.state && last.status == at_once.status && last.size == at_once.size &&
            last.request.body == at_once.request.body && last.request.target == at_once.request.target);
    if (at_once.state != State::complete) return 0;
    require(at_once.size <= size);

    static pdns::Call call;
    const auto read = pdns::read_http_call(at_once.request, call);
    if (!read) {
        require(read.error().status >= 400 && read.error().status < 500 && !read.error().detail.empty());
        return 0;
    }
    require(!call.method_name.empty());
    // Decoding only shortens.
    require(call.name.size() + call.qtype.size() + call.kind.size() + call.text.size() <= size);
    // A command changes things, so nothing that a browser sends unasked may be one.
    if (call.method == pdns::Method::direct_backend_cmd) require(at_once.request.method == "POST");
    return 0;
}
