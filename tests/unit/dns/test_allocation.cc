// SPDX-License-Identifier: Apache-2.0
// Replaces the global allocator of this test program by one that counts, per thread.
#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <new>

#include "dns/udp_gate.h"
#include "unit/dns/responder.h"

namespace {

thread_local size_t allocations = 0;

void* counted(size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc();
}

}  // namespace

// Out of line, or the compiler pairs an inlined free() with a new that it did not inline, and complains.
[[gnu::noinline]] void* operator new(size_t size) {
    return counted(size);
}
[[gnu::noinline]] void* operator new[](size_t size) {
    return counted(size);
}
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
    ++allocations;
    return std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void* operator new[](size_t size, const std::nothrow_t& tag) noexcept {
    return operator new(size, tag);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, const std::nothrow_t&) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, size_t) noexcept {
    std::free(memory);
}

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

TEST_CASE("after the first answers nothing is allocated any more") {
    World world = make_world();
    world.add_service("made", "made.gslb.test", {GatewayId(0), GatewayId(1)}).records = {
        {"SRV", {"{rank} {weight} 443 host.gslb.test"}}, {"HTTPS", {"1 . alpn=h2 ipv4hint={addresses}"}}};
    world.all_up();
    world.set_down(GatewayId(2));
    world.settings.limiter = std::make_shared<RateLimiter>(RateLimitSettings{.responses = 1}, CookieSecret{});
    const Serving serving = world.serving();
    Answerer answerer;
    const std::vector<Ask> asks{
        {"vpn.gslb.test"},
        Ask{"vpn.gslb.test"}.with(subnet("198.51.100.0", 24)).with({10, Bytes(8, 1)}).with({3, {}}),
        Ask{"vpn.gslb.test", RecordType::aaaa}.with(subnet("2001:db8:1::", 48)),
        {"x.steer.gslb.test"},
        {"many.gslb.test"},
        {"named.gslb.test"},
        {"servfail.gslb.test", RecordType::aaaa},
        {"fallback.gslb.test", RecordType::aaaa},
        {"nodata.gslb.test", RecordType::aaaa},
        {"chain.gslb.test"},
        {"missing.gslb.test"},
        {"x.deleg.gslb.test"},
        {"mail.gslb.test", RecordType::mx},
        {"made.gslb.test", RecordType::srv},
        {"made.gslb.test", RecordType::https},
        {"gslb.test", RecordType::soa},
        {"gslb.test", RecordType::any},
        {"example.net"},
        {"id.server", RecordType::txt, 3},
        Ask{"host.gslb.test"}.with(subnet(3, 0, 0, {})),
    };
    std::vector<Bytes> messages;
    for (const Ask& ask : asks) messages.push_back(to_bytes(ask));
    std::array<uint8_t, Answerer::max_udp_answer> out;
    UdpGate gate;
    WorkerCounters counters;
    const auto answer_all = [&] {
        size_t octets = 0;
        for (const Bytes& message : messages) {
            Request request;
            request.message = message;
            request.source = IpAddress::v4(0xc0000201);
            request.unix_seconds = now_seconds;
            const size_t size = answerer.answer(serving, request, out);
            octets += size;
            // What is sent of it, with most held back, takes no memory either.
            (void)gate.pass(serving, request.source, answerer.outcome(), std::span(out).first(size),
                            MonotonicTime(seconds{1000}), counters);
        }
        return octets;
    };
    const size_t octets = answer_all();
    const size_t before = allocations;
    size_t sum = 0;
    for (int i = 0; i < 100; ++i) sum += answer_all();
    const size_t during = allocations - before;
    CHECK(sum == 100 * octets);
    CHECK(during == 0);
    // The counter counts; a call, unlike a new-expression, cannot be optimised away.
    const size_t start = allocations;
    ::operator delete(::operator new(1));
    CHECK(allocations == start + 1);
}
