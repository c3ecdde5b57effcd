// SPDX-License-Identifier: Apache-2.0
// The remote backend's calls: framing, reading, answering. Whatever comes, a reply is one JSON object.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "pdns/json_reader.h"
#include "pdns/responder.h"
#include "unit/dns/world.h"

using namespace fairway;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const dns::Serving serving = dns::test::make_world().serving();
    static pdns::Responder responder;
    static pdns::Call call;
    const std::string_view text = as_text({data, size});

    // However the bytes are cut, the frame is the same.
    pdns::JsonFramer whole, halves;
    (void)halves.look(text.substr(0, size / 2));
    require(whole.look(text) == halves.look(text));
    require(whole.end() == halves.end());

    // What is JSON to a full parser is JSON to ours, but for nesting beyond our limit and for a NUL, which
    // the other one takes for the end.
    pdns::JsonReader reader(text);
    reader.skip_value();
    reader.expect_end();
    const bool comparable = size < pdns::JsonFramer::max_depth && text.find('\0') == std::string_view::npos;
    if (comparable && nlohmann::json::accept(text)) require(reader.ok());

    if (!pdns::parse_call(text, call)) return 0;
    std::string reply;
    if (responder.respond(serving, call, reply) == pdns::Responder::Outcome::unable) return 0;
    pdns::JsonFramer framer;
    require(framer.look(reply) == pdns::JsonFramer::State::complete && framer.end() == reply.size());
    pdns::JsonReader check(reply);
    check.skip_value();
    check.expect_end();
    require(check.ok());
    return 0;
}
