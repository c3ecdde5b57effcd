// SPDX-License-Identifier: Apache-2.0
// One server goes on where another stops, on the same sockets: nothing that was asked goes unanswered,
// whatever the number of threads of either.
#include <fcntl.h>

#include <catch2/catch.hpp>

#include "dns/server.h"
#include "net/inherited_sockets.h"
#include "unit/dns/responder.h"
#include "unit/dns/wire_client.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

SocketAddress any_port(std::string_view address) {
    return {IpAddress::parse(address).value(), 0};
}

const Ask host{"host.gslb.test"};

struct World1 {
    World world = make_world();
    Published<Serving> serving{std::make_shared<Serving>(world.serving())};
    Responder direct{make_world()};

    Result<std::unique_ptr<Server>> try_open(std::vector<SocketAddress> listen, uint32_t threads,
                                             net::InheritedSockets* inherited = nullptr) {
        ServerOptions options;
        options.listen = std::move(listen);
        options.threads = threads;
        return Server::open(options, serving, inherited);
    }
    std::unique_ptr<Server> open(std::vector<SocketAddress> listen, uint32_t threads,
                                 net::InheritedSockets* inherited = nullptr) {
        auto opened = try_open(std::move(listen), threads, inherited);
        REQUIRE(opened);
        return std::move(*opened);
    }
    Bytes answer(std::string_view source = "127.0.0.1") {
        direct.ask(to_bytes(host), Transport::udp, source);
        return direct.bytes;
    }
};

/// What a server listens on, as the next process would get it.
net::InheritedSockets inherit(const Server& server) {
    std::vector<net::OfferedSocket> offered;
    server.offer(offered);
    net::InheritedSockets inherited;
    for (const net::OfferedSocket& socket : offered)
        inherited.add({socket.purpose, socket.kind, socket.address,
                       UniqueFd(::fcntl(socket.fd, F_DUPFD_CLOEXEC, 3)), socket.held_elsewhere});
    return inherited;
}

Bytes receive_datagram(int fd) {
    if (!readable(fd)) return {};
    Bytes bytes(65536);
    const ssize_t got = recv(fd, bytes.data(), bytes.size(), 0);
    bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return bytes;
}

}  // namespace

TEST_CASE("what waits in the sockets of a server that goes is answered by the next one") {
    for (const auto& [before, after] :
         std::vector<std::pair<uint32_t, uint32_t>>{{4, 4}, {4, 1}, {1, 4}, {3, 2}}) {
        CAPTURE(before, after);
        World1 world;
        auto old = world.open({any_port("127.0.0.1"), any_port("::1")}, before);
        const auto addresses = old->addresses();
        net::InheritedSockets inherited = inherit(*old);
        CHECK(inherited.left().size() == 4 * before);

        // The old one never starts: so all this waits in its sockets, in every one of them.
        std::vector<UniqueFd> clients, connections;
        for (int i = 0; i < 64; ++i) {
            clients.push_back(connect_to(addresses[static_cast<size_t>(i % 2)], SOCK_DGRAM));
            send_all(clients.back().get(), to_bytes(host));
        }
        for (int i = 0; i < 16; ++i) {
            connections.push_back(connect_to(addresses[static_cast<size_t>(i % 2)], SOCK_STREAM));
            send_all(connections.back().get(), framed(to_bytes(host)));
        }
        auto next = world.open({any_port("127.0.0.1"), any_port("::1")}, after, &inherited);
        CHECK(inherited.left().empty());
        CHECK(next->addresses() == addresses);
        old.reset();
        next->start();
        for (size_t i = 0; i < clients.size(); ++i)
            CHECK(receive_datagram(clients[i].get()) == world.answer(i % 2 == 0 ? "127.0.0.1" : "::1"));
        for (size_t i = 0; i < connections.size(); ++i)
            CHECK(receive_framed(connections[i].get()) == world.answer(i % 2 == 0 ? "127.0.0.1" : "::1"));
    }
}

TEST_CASE("connections at rest live on in the next server, with what was read of their next question") {
    World1 world;
    auto old = world.open({any_port("127.0.0.1")}, 2);
    old->start();
    const SocketAddress address = old->addresses().front();
    const Bytes question = framed(to_bytes(host));
    const Bytes answer = world.answer();
    std::vector<UniqueFd> idle, partial;
    for (int i = 0; i < 8; ++i) {
        idle.push_back(connect_to(address, SOCK_STREAM));
        send_all(idle.back().get(), question);
        CHECK(receive_framed(idle.back().get()) == answer);
        partial.push_back(connect_to(address, SOCK_STREAM));
        send_all(partial.back().get(), question);
        send_all(partial.back().get(), ByteSpan(question).first(7));
        CHECK(receive_framed(partial.back().get()) == answer);
    }
    net::InheritedSockets inherited = inherit(*old);
    auto next = world.open({address}, 3, &inherited);
    next->start();
    std::vector<HandedConnection> connections = old->leave(milliseconds{2000});
    CHECK(connections.size() == 16);
    next->adopt(std::move(connections));
    old->wait();
    CHECK(old->stats().connections_open == 0);
    old.reset();
    for (const UniqueFd& client : idle) {
        send_all(client.get(), question);
        CHECK(receive_framed(client.get()) == answer);
    }
    for (const UniqueFd& client : partial) {
        send_all(client.get(), ByteSpan(question).subspan(7));
        CHECK(receive_framed(client.get()) == answer);
    }
    CHECK(next->stats().connections_open == 16);
}

TEST_CASE("a reader too slow to be handed on gets its answers from the one who began them") {
    World1 world;
    ServerOptions options;
    options.listen = {any_port("127.0.0.1")};
    options.threads = 1;
    options.limits.write_queue = 64 * 1024;
    auto old = Server::open(options, world.serving);
    REQUIRE(old);
    (*old)->start();
    UniqueFd client = connect_to((*old)->addresses().front(), SOCK_STREAM);
    const Ask many{"many.gslb.test"};
    world.direct.ask(to_bytes(many), Transport::tcp, "127.0.0.1");
    const Bytes answer = world.direct.bytes;
    const Bytes question = framed(to_bytes(many));
    // More answers than all buffers between hold.
    (void)fcntl(client.get(), F_SETFL, O_NONBLOCK);
    size_t asked = 0;
    while (send(client.get(), question.data(), question.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(question.size()))
        ++asked;
    (void)fcntl(client.get(), F_SETFL, 0);
    CHECK((*old)->leave(milliseconds{10'000}).empty());
    // What the server had read is answered in whole messages; then comes the end.
    size_t answered = 0;
    for (Bytes got = receive_framed(client.get()); !got.empty(); got = receive_framed(client.get())) {
        REQUIRE((got == answer));
        ++answered;
    }
    client.reset();
    (*old)->wait();
    CHECK(answered > 0);
    CHECK(answered <= asked);
}

TEST_CASE("sockets that a service manager holds keep their questions while nobody serves") {
    World1 world;
    auto manager = world.open({any_port("127.0.0.1")}, 1);  // stands for it: binds and never answers
    const SocketAddress address = manager->addresses().front();
    const auto activated = [&] {
        net::InheritedSockets inherited = inherit(*manager);
        net::InheritedSockets held;
        for (net::InheritedSocket& socket : inherited.take("dns", net::SocketKind::datagram, address))
            held.add({"", socket.kind, socket.address, std::move(socket.fd), true});
        for (net::InheritedSocket& socket : inherited.take("dns", net::SocketKind::stream, address))
            held.add({"", socket.kind, socket.address, std::move(socket.fd), true});
        return held;
    };
    for (int restart = 0; restart < 3; ++restart) {
        net::InheritedSockets held = activated();
        auto server = world.open({address}, 3, &held);
        // Three threads, one socket of each kind.
        std::vector<net::OfferedSocket> offered;
        server->offer(offered);
        REQUIRE(offered.size() == 2);
        CHECK(offered[0].held_elsewhere);
        if (restart > 0) server->start();
        std::vector<UniqueFd> clients;
        for (int i = 0; i < 20; ++i) {
            clients.push_back(connect_to(address, SOCK_DGRAM));
            send_all(clients.back().get(), to_bytes(host));
        }
        const UniqueFd connection = connect_to(address, SOCK_STREAM);
        send_all(connection.get(), framed(to_bytes(host)));
        if (restart == 0) {
            server->stop();  // before it answered anything
            held = activated();
            server = world.open({address}, 2, &held);
            server->start();
        }
        for (const UniqueFd& client : clients) CHECK(receive_datagram(client.get()) == world.answer());
        CHECK(receive_framed(connection.get()) == world.answer());
        server->stop();
    }
}

TEST_CASE("an address that is new is bound beside inherited ones, one that is gone is left") {
    World1 world;
    auto old = world.open({any_port("127.0.0.1"), any_port("127.0.0.2")}, 2);
    const SocketAddress kept = old->addresses()[0];
    net::InheritedSockets inherited = inherit(*old);
    auto next = world.open({any_port("127.0.0.3"), kept}, 2, &inherited);
    next->start();
    CHECK(inherited.left().size() == 4);
    CHECK(next->addresses()[1] == kept);
    old.reset();
    CHECK(ask_udp(next->addresses()[0], to_bytes(host)) == world.answer());
    CHECK(ask_udp(kept, to_bytes(host)) == world.answer());
}

TEST_CASE("a wildcard address takes over from one of its own while that is still open") {
    World1 world;
    // A port that is free on one address need not be on all of them: others may have it elsewhere.
    for (int attempt = 0;; ++attempt) {
        auto old = world.open({any_port("127.0.0.1")}, 1);
        const SocketAddress address = old->addresses().front();
        old->start();
        net::InheritedSockets inherited = inherit(*old);
        auto opened = world.try_open({SocketAddress{IpAddress(), address.port}}, 1, &inherited);
        if (!opened && attempt < 50) continue;
        REQUIRE(opened);
        const std::unique_ptr<Server> next = std::move(*opened);
        next->start();
        old->stop();
        for (const net::InheritedSocket& socket : inherited.left())
            CHECK(socket.address == net::ListenAddress(address));
        inherited = {};
        CHECK(ask_udp(address, to_bytes(host)) == world.answer());
        CHECK(ask_tcp(address, to_bytes(host)) == world.answer());
        return;
    }
}
