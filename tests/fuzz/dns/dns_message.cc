// SPDX-License-Identifier: Apache-2.0
// The reader of queries: whatever it accepts must be inside the message and survive being written again.
#include <array>
#include <cstdint>
#include <cstdlib>

#include "dns/message.h"
#include "dns/quick_query.h"
#include "unit/dns/same_query.h"

using namespace fairway;
using namespace fairway::dns;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

bool is_inside(ByteSpan part, ByteSpan whole) {
    return part.empty() ||
           (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

// What the short cut accepts, the strict reader reads the same.
void compare(ByteSpan message) {
    if (peek_subnet(message) != 0) require(message.size() > header_size);
    Query quick;
    Query strict;
    require(parse_query(message, quick) == parse_query_strictly(message, strict));
    require(test::same_query(quick, strict));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const ByteSpan message(data, size);
    compare(message);
    Query query;
    const QueryFault fault = parse_query(message, query);
    if (fault == QueryFault::drop) return 0;
    require(is_inside(query.question, message));
    require(query.has_question == !query.question.empty());
    if (query.has_question) require(query.question.size() == query.name.size() + 4);
    if (query.edns.present && query.edns.has_subnet) {
        require(is_inside(query.edns.subnet.address, message));
        const auto prefix = query.edns.subnet.prefix();
        if (prefix) require(prefix->length() == query.edns.subnet.source);
    }
    if (query.edns.present && query.edns.has_cookie) require(is_inside(query.edns.server_cookie, message));

    // The question, echoed with nothing else, is a query again when the QR bit is taken off.
    std::array<uint8_t, 512> out{};
    ResponseWriter writer;
    writer.begin(out, query, 0);
    const size_t written = writer.finish(query, 0, Rcode::noerror, nullptr);
    require(written == header_size + query.question.size());
    if (fault != QueryFault::none || !query.has_question) return 0;
    out[2] = static_cast<uint8_t>(out[2] & 0x7f);
    Query again;
    require(parse_query(ByteSpan(out).first(written), again) == QueryFault::none);
    require(again.name == query.name && again.type == query.type && again.id == query.id);
    return 0;
}
