// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "net/loop.h"
#include "net/timer.h"
#include "net/udp.h"

using namespace fairway;
using net::Loop;
using net::UdpSocket;

namespace {

const SocketAddress any_port{IpAddress::v4({127, 0, 0, 1}), 0};

}  // namespace

TEST_CASE("datagrams are answered to where they came from") {
    Loop loop;
    std::vector<std::string> answers;
    UdpSocket* echo = nullptr;
    UdpSocket server(loop, any_port,
                     [&](ByteSpan bytes, const SocketAddress& from) { echo->send(bytes, from); });
    echo = &server;
    UdpSocket client(loop, any_port, [&](ByteSpan bytes, const SocketAddress& from) {
        CHECK(from == server.local());
        answers.emplace_back(as_text(bytes));
    });
    client.send(as_bytes("one"), server.local());
    client.send(as_bytes(""), server.local());
    while (answers.size() < 2) loop.run_once();
    CHECK(answers == std::vector<std::string>{"one", ""});
}

TEST_CASE("a UDP socket works over IPv6 and refuses an address in use") {
    Loop loop;
    const SocketAddress local{IpAddress::parse("::1").value(), 0};
    std::string got;
    UdpSocket server(loop, local, [&](ByteSpan bytes, const SocketAddress&) { got = as_text(bytes); });
    server.send(as_bytes("to myself"), server.local());
    while (got.empty()) loop.run_once();
    CHECK(got == "to myself");
    CHECK_THROWS_WITH(UdpSocket(loop, server.local(), {}),
                      Catch::Contains("UDP " + server.local().to_string()));
}

TEST_CASE("a UDP socket may be destroyed by its own callback, with datagrams still waiting") {
    Loop loop;
    int received = 0;
    std::unique_ptr<UdpSocket> server;
    server = std::make_unique<UdpSocket>(loop, any_port, [&](ByteSpan, const SocketAddress&) {
        ++received;
        server.reset();
    });
    UdpSocket client(loop, any_port, {});
    const SocketAddress to = server->local();
    for (int i = 0; i < 3; ++i) client.send(as_bytes("x"), to);
    while (server) loop.run_once();
    for (int i = 0; i < 3; ++i) loop.run_ready();
    CHECK(received == 1);
}

TEST_CASE("a datagram to a closed port does not lose the next one") {
    Loop loop;
    SocketAddress closed;
    {
        const UdpSocket gone(loop, any_port, {});
        closed = gone.local();
    }
    std::string got;
    UdpSocket server(loop, any_port, [&](ByteSpan bytes, const SocketAddress&) { got = as_text(bytes); });
    UdpSocket client(loop, any_port, {});
    client.send(as_bytes("lost"), closed);
    client.send(as_bytes("kept"), server.local());
    while (got.empty()) loop.run_once();
    CHECK(got == "kept");
}
