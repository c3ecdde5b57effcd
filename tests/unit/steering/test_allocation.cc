// SPDX-License-Identifier: Apache-2.0
// Selecting allocates nothing once a Selection has grown.

#include <catch2/catch.hpp>

#include <atomic>
#include <cstdlib>
#include <new>

#include "unit/steering/fleet.h"

namespace {

std::atomic<uint64_t> allocations{0};

void* counted(size_t size) {
    ++allocations;
    if (void* at = std::malloc(size == 0 ? 1 : size)) return at;
    throw std::bad_alloc();
}

}  // namespace

void* operator new(size_t size) {
    return counted(size);
}
void* operator new[](size_t size) {
    return counted(size);
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
    ++allocations;
    return std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* at, const std::nothrow_t&) noexcept {
    std::free(at);
}
void operator delete(void* at) noexcept {
    std::free(at);
}
void operator delete[](void* at) noexcept {
    std::free(at);
}
void operator delete(void* at, size_t) noexcept {
    std::free(at);
}
void operator delete[](void* at, size_t) noexcept {
    std::free(at);
}

using namespace fairway;
using namespace fairway::test;

TEST_CASE("selecting allocates nothing after the first answer, whatever the chain and the health") {
    const std::vector<std::vector<std::string>> policies{
        {"healthy", "nearest", "first 2"},
        {"healthy", "rule(country DE -> fra*, prefix 10.0.0.0/8 -> sin1)", "nearest", "weighted"},
        {"region(eu-*)", "healthy", "latency", "sticky", "failover", "all"}};
    for (const auto& policy : policies) {
        Fleet fleet = three_regions(policy);
        const Steering& steering = fleet.steering();
        Selection selection;
        const auto ask = [&](const Client& client) {
            steering.select(ServiceId(size_t{0}), fleet.health(), client, selection);
        };
        std::vector<Client> clients;
        for (const char* text : {"192.0.2.0/24", "203.0.113.7", "10.0.0.0/8", "2001:db8:1::/48", "0.0.0.0/0"})
            clients.push_back(Fleet::client_of(text));
        ask(clients[0]);
        const uint64_t before = allocations;
        for (int round = 0; round < 3; ++round) {
            for (const Client& client : clients) ask(client);
            if (round == 0) fleet.health().endpoints[0].in_doubt = true;
            if (round == 1) {
                for (EndpointStatus& status : fleet.health().endpoints) status.serving = false;
            }
        }
        const uint64_t after = allocations;
        CHECK(after == before);
    }
    CHECK(allocations > 0);
}
