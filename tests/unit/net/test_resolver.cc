// SPDX-License-Identifier: Apache-2.0
// The resolver against a name server on the same loop.

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/loop.h"
#include "net/resolver.h"
#include "net/timer.h"
#include "support/name_server.h"

using namespace fairway;
using fairway::test::LocalNameServer;
using net::Resolver;

namespace {

struct Fixture {
    net::Loop loop;
    net::Timer deadline{loop, [] { FAIL("nothing happened for ten seconds"); }};
    LocalNameServer server{loop};
    std::optional<Resolver> resolver;

    Fixture() {
        deadline.start(seconds{10});
        resolver.emplace(loop, Resolver::Options{.servers = {server.address()},
                                                 .timeout = milliseconds{50},
                                                 .tries = 2,
                                                 .use_hosts_file = false});
    }
    /// "192.0.2.1/60 2001:db8::1/30" or "error: ...".
    std::string resolve(const std::string& name) {
        std::optional<std::string> text;
        bool inside = true;
        const auto query = resolver->resolve(name, [&](Result<std::vector<net::ResolvedAddress>> answer) {
            CHECK_FALSE(inside);
            CHECK_FALSE(text);
            text.emplace();
            if (!answer) {
                text = "error: " + answer.error().message;
                return;
            }
            for (const auto& entry : *answer)
                *text += (text->empty() ? "" : " ") + entry.address.to_string() + "/" +
                         std::to_string(entry.ttl.count());
        });
        inside = false;
        CHECK(query.pending());
        while (!text) loop.run_once();
        CHECK_FALSE(query.pending());
        return *text;
    }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "a name resolves to its A and AAAA records with their TTLs, IPv4 first") {
    server.records["gw.example.com"] = {{"2001:db8::1", 30}, {"192.0.2.1", 60}, {"192.0.2.2", 90}};
    CHECK(resolve("gw.example.com") == "192.0.2.1/60 192.0.2.2/90 2001:db8::1/30");
    CHECK(server.queries == 2);
}

TEST_CASE_METHOD(Fixture, "a name with addresses of one family only resolves") {
    server.records["six.example.com"] = {{"2001:db8::1", 30}};
    server.records["four.example.com"] = {{"192.0.2.1", 30}};
    CHECK(resolve("six.example.com") == "2001:db8::1/30");
    CHECK(resolve("four.example.com") == "192.0.2.1/30");
}

TEST_CASE_METHOD(Fixture, "failures say why") {
    server.records["empty.example.com"] = {};
    CHECK(resolve("missing.example.com") == "error: no such name");
    CHECK(resolve("empty.example.com") == "error: no address records");
    server.mood = LocalNameServer::Mood::failing;
    CHECK(resolve("missing.example.com") == "error: no name server gave an answer");
    server.mood = LocalNameServer::Mood::silent;
    CHECK(resolve("missing.example.com") == "error: timed out");
    CHECK(resolve(std::string(64, 'x') + ".example.com") == "error: malformed name");
}

TEST_CASE_METHOD(Fixture, "an address resolves to itself without a query") {
    CHECK(resolve("192.0.2.7") == "192.0.2.7/0");
    CHECK(resolve("2001:db8::7") == "2001:db8::7/0");
    CHECK(server.queries == 0);
}

TEST_CASE_METHOD(Fixture, "a query that is let go of is never heard of again, and others are not touched") {
    server.records["a.example.com"] = {{"192.0.2.1"}};
    server.records["b.example.com"] = {{"192.0.2.2"}};
    auto dropped = resolver->resolve("a.example.com", [](auto) { FAIL("called after it was dropped"); });
    std::optional<IpAddress> kept;
    const auto query =
        resolver->resolve("b.example.com", [&](auto answer) { kept = answer->front().address; });
    dropped = {};
    while (!kept) loop.run_once();
    CHECK(kept->to_string() == "192.0.2.2");
    loop.run_ready();
}

TEST_CASE_METHOD(Fixture, "a resolver that is destroyed calls nobody") {
    server.mood = LocalNameServer::Mood::silent;
    const auto waiting = resolver->resolve("a.example.com", [](auto) { FAIL("called after the end"); });
    const auto delivered = resolver->resolve("192.0.2.1", [](auto) { FAIL("called after the end"); });
    resolver.reset();
    for (int i = 0; i < 5; ++i) loop.run_ready();
}

TEST_CASE_METHOD(Fixture, "a dead server is left for one that answers") {
    server.records["gw.example.com"] = {{"192.0.2.1", 60}};
    SocketAddress closed;
    {
        const net::UdpSocket gone(loop, SocketAddress{IpAddress::v4({127, 0, 0, 1}), 0}, {});
        closed = gone.local();
    }
    resolver.emplace(loop, Resolver::Options{.servers = {closed, server.address()},
                                             .timeout = milliseconds{50},
                                             .tries = 2,
                                             .use_hosts_file = false});
    CHECK(resolve("gw.example.com") == "192.0.2.1/60");
}
