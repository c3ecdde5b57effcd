// SPDX-License-Identifier: Apache-2.0
// The short cut for ordinary queries beside the strict reader: whatever it accepts must be read the same.
#include <array>
#include <catch2/catch.hpp>

#include "base/random.h"
#include "dns/quick_query.h"
#include "unit/dns/packet.h"
#include "unit/dns/same_query.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

// Whether the short cut took it; both readers agree, or the test fails.
bool is_quick(const Bytes& message) {
    Query quick;
    const bool taken = read_ordinary_query(message, quick);
    Query strict;
    const QueryFault fault = parse_query_strictly(message, strict);
    CAPTURE(to_hex(message));
    if (taken) {
        REQUIRE(fault == QueryFault::none);
        REQUIRE(same_query(quick, strict));
    }
    return taken;
}

bool is_quick(const Ask& ask) {
    return is_quick(to_bytes(ask));
}

}  // namespace

TEST_CASE("ordinary queries take the short cut") {
    const Ask plain{"www.Example.com"};
    CHECK(is_quick(plain));
    CHECK(is_quick(Ask{"."}));
    CHECK(is_quick(plain.with_edns(1232, 0x8000)));
    CHECK(is_quick(plain.with(subnet("198.51.100.0", 24))));
    CHECK(is_quick(plain.with(subnet("198.51.100.128", 25)).with({10, Bytes(8, 1)})));
    CHECK(is_quick(plain.with({10, Bytes(24, 1)}).with(subnet("2001:db8::", 48))));
    CHECK(is_quick(plain.with(subnet(1, 0, 0, {}))));
    CHECK(is_quick(plain.with(subnet(2, 128, 0, Bytes(16, 1)))));
}

TEST_CASE("everything unusual is left to the strict reader") {
    const Ask plain{"www.example.com"};
    const auto changed = [&](size_t at, uint8_t value) {
        Bytes bytes = to_bytes(plain);
        bytes[at] = value;
        return bytes;
    };
    CHECK_FALSE(is_quick(changed(2, 0x80)));   // a response
    CHECK_FALSE(is_quick(changed(2, 0x20)));   // another opcode
    CHECK_FALSE(is_quick(changed(5, 2)));      // two questions
    CHECK_FALSE(is_quick(changed(7, 1)));      // an answer
    CHECK_FALSE(is_quick(changed(9, 1)));      // authority
    CHECK_FALSE(is_quick(changed(11, 2)));     // two in the additional section
    CHECK_FALSE(is_quick(changed(12, 0xc0)));  // a pointer
    CHECK_FALSE(is_quick(changed(12, 0x40)));
    CHECK_FALSE(is_quick(changed(12, 60)));  // a label beyond the end
    CHECK_FALSE(is_quick(Bytes{}));
    Bytes longer = to_bytes(plain);
    longer.push_back(0);
    CHECK_FALSE(is_quick(longer));
    CHECK_FALSE(is_quick(plain.with_edns(1232, 0x00010000)));
    CHECK_FALSE(is_quick(plain.with({3, {}})));
    CHECK_FALSE(is_quick(plain.with({12, Bytes(3, 0)})));
    CHECK_FALSE(is_quick(plain.with(subnet(0, 0, 0, {}))));
    CHECK_FALSE(is_quick(plain.with(subnet(3, 0, 0, {}))));
    CHECK_FALSE(is_quick(plain.with(subnet(1, 24, 1, {1, 2, 3}))));
    CHECK_FALSE(is_quick(plain.with(subnet(1, 24, 0, {1, 2}))));
    CHECK_FALSE(is_quick(plain.with(subnet(1, 23, 0, {1, 2, 3}))));
    CHECK_FALSE(is_quick(plain.with(subnet(1, 33, 0, {1, 2, 3, 4, 0}))));
    CHECK_FALSE(is_quick(plain.with(subnet("192.0.2.0", 24)).with(subnet("192.0.2.0", 24))));
    CHECK_FALSE(is_quick(plain.with({10, Bytes(8, 1)}).with({10, Bytes(8, 2)})));
    for (const size_t size : {0U, 7U, 9U, 15U, 41U}) CHECK_FALSE(is_quick(plain.with({10, Bytes(size, 1)})));
}

TEST_CASE("the guess at the client's subnet is right for ordinary queries and harmless for others") {
    const Ask plain{"www.example.com"};
    const auto peek = [](const Ask& ask) { return peek_subnet(to_bytes(ask)); };
    CHECK(peek(plain) == 0);
    CHECK(peek(plain.with_edns(1232)) == 0);
    CHECK(peek(plain.with(subnet("198.51.100.0", 24))) == 0xc6336400);
    CHECK(peek(plain.with({10, Bytes(8, 1)}).with(subnet("198.51.100.128", 25))) == 0xc6336480);
    CHECK(peek(plain.with(subnet("192.0.0.0", 8))) == 0xc0000000);
    CHECK(peek(plain.with(subnet("2001:db8::", 48))) == 0);
    // Cut anywhere: the sanitizers see a read beyond the end.
    const Bytes whole = to_bytes(plain.with({10, Bytes(8, 1)}).with(subnet("198.51.100.128", 25)));
    for (size_t size = 0; size < whole.size(); ++size) {
        const Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
        CHECK((peek_subnet(cut) & ~0xc6336480U) == 0);
    }
}

TEST_CASE("names of every length up to the limit are read the same") {
    for (size_t octets = 1; octets <= 260; ++octets) {
        Bytes bytes = to_bytes(Ask{"."});
        Bytes name;
        while (name.size() + 1 < octets) {
            const size_t label = std::min<size_t>(octets - name.size() - 2, 63);
            if (label == 0) break;
            name.push_back(static_cast<uint8_t>(label));
            name.insert(name.end(), label, 'x');
        }
        bytes.insert(bytes.begin() + 12, name.begin(), name.end());
        CHECK(is_quick(bytes) == (name.size() + 1 <= 255));
    }
}

TEST_CASE("queries damaged at random are read the same or left to the strict reader") {
    Random random(4);
    const std::array<Bytes, 4> good{
        to_bytes(Ask{"www.example.com"}),
        to_bytes(Ask{"www.example.com"}.with(subnet("198.51.100.0", 24)).with({10, Bytes(8, 1)})),
        to_bytes(Ask{"a.b"}.with({10, Bytes(16, 1)}).with(subnet("2001:db8:1::", 47))),
        to_bytes(Ask{"x"}.with_edns(512)),
    };
    size_t taken = 0;
    for (int i = 0; i < 200'000; ++i) {
        Bytes bytes = good[random.below(good.size())];
        for (uint64_t left = random.below(3); left > 0; --left) {
            const size_t at = random.below(bytes.size());
            bytes[at] = random.below(2) == 0 ? static_cast<uint8_t>(random.next())
                                             : static_cast<uint8_t>(bytes[at] ^ 1U << random.below(8));
        }
        if (random.below(8) == 0) bytes.resize(random.below(bytes.size() + 1));
        if (random.below(16) == 0) bytes.push_back(static_cast<uint8_t>(random.below(2)));
        taken += is_quick(bytes) ? 1 : 0;
        (void)peek_subnet(bytes);
    }
    CHECK(taken > 50'000);
}
