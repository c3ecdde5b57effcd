// SPDX-License-Identifier: Apache-2.0
// The zeromq connector, asked by REQ sockets as PowerDNS has them.
#include <zmq.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "net/loop.h"
#include "pdns/server.h"
#include "unit/dns/world.h"

using namespace fairway;
using namespace fairway::pdns;
using fairway::dns::test::make_world;

namespace {

const std::string hello = R"({"method":"initialize","parameters":{"endpoint":"x","timeout":"2000"}})";
const std::string lookup =
    R"({"method":"lookup","parameters":{"qname":"host.gslb.test.","qtype":"A","zone-id":-1}})";

struct Running {
    dns::test::World world = make_world();
    net::Loop loop;
    Published<dns::Serving> serving{std::make_shared<const dns::Serving>(world.serving())};
    std::unique_ptr<Server> server;
    std::string endpoint;

    explicit Running(RunCommand run_command = {}) {
        ServerOptions options;
        options.zeromq = SocketAddress{*IpAddress::parse("127.0.0.1"), 0};
        options.run_command = std::move(run_command);
        server = std::make_unique<Server>(loop, serving, options);
        endpoint = "tcp://" + net::to_string(*server->zeromq_address());
    }
};

/// A client's socket of any kind.
class Peer {
  public:
    Peer(Running& running, int kind = ZMQ_REQ) : running_(running), socket_(zmq_socket(context_, kind)) {
        const int none = 0;
        zmq_setsockopt(socket_, ZMQ_LINGER, &none, sizeof none);
        REQUIRE(zmq_connect(socket_, running.endpoint.c_str()) == 0);
    }
    ~Peer() {
        zmq_close(socket_);
        zmq_ctx_term(context_);
    }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    void send(std::string_view text, int flags = 0) {
        REQUIRE(zmq_send(socket_, text.data(), text.size(), flags) == static_cast<int>(text.size()));
    }
    /// The next message, while the server's loop turns; "nothing" after 10 seconds.
    std::string receive() {
        const MonotonicTime limit = running_.loop.now() + seconds{10};
        char buffer[65536];
        while (running_.loop.now() < limit) {
            running_.loop.run_ready();
            const int size = zmq_recv(socket_, buffer, sizeof buffer, ZMQ_DONTWAIT);
            if (size >= 0) return {buffer, static_cast<size_t>(size)};
        }
        return "nothing";
    }
    std::string ask(std::string_view text) {
        send(text);
        return receive();
    }

  private:
    Running& running_;
    void* context_ = zmq_ctx_new();
    void* socket_;
};

}  // namespace

TEST_CASE(
    "the zeromq connector answers PowerDNS 4.7, which ends requests with a NUL, and 5.0, which does not") {
    Running running;
    Peer old(running), recent(running);
    for (int i = 0; i < 3; ++i) {
        CHECK(old.ask(hello + std::string(1, '\0')) == R"({"result":true})");
        CHECK(recent.ask(hello) == R"({"result":true})");
        const std::string answer = old.ask(lookup + std::string(1, '\0'));
        CHECK(answer.find("\"192.0.2.70\"") != std::string::npos);
        CHECK(answer.back() == '}');
        CHECK(recent.ask(lookup) == answer);
    }
    CHECK(running.server->counters().calls == 12);
    CHECK(running.server->counters().junk == 0);
}

TEST_CASE("many zeromq peers that ask at once are all answered") {
    Running running;
    std::vector<std::unique_ptr<Peer>> peers;
    for (int i = 0; i < 100; ++i) peers.push_back(std::make_unique<Peer>(running));
    for (int round = 0; round < 3; ++round) {
        for (const auto& peer : peers) peer->send(lookup);
        for (const auto& peer : peers) CHECK(peer->receive().find("\"192.0.2.70\"") != std::string::npos);
    }
    CHECK(running.server->counters().lookups == 300);
}

TEST_CASE("what is no call is refused, and messages of other sockets than REQ are dropped") {
    Running running;
    Peer peer(running);
    CHECK(peer.ask("junk") == R"({"result":false})");
    CHECK(peer.ask("") == R"({"result":false})");
    CHECK(peer.ask(std::string(1, '\0')) == R"({"result":false})");
    CHECK(running.server->counters().junk == 3);
    Peer dealer(running, ZMQ_DEALER);
    dealer.send(hello);
    dealer.send("", ZMQ_SNDMORE);
    dealer.send(hello, ZMQ_SNDMORE);
    dealer.send(hello);
    dealer.send("", ZMQ_SNDMORE);
    dealer.send(hello);
    CHECK(dealer.receive().empty());  // of the last: the delimiter, then the reply
    CHECK(dealer.receive() == R"({"result":true})");
    CHECK(running.server->counters().junk == 5);
    CHECK(peer.ask(hello) == R"({"result":true})");
}

TEST_CASE("a zeromq request that is too long costs its sender the connection and nobody else anything") {
    Running running;
    Peer peer(running), other(running);
    CHECK(other.ask(hello) == R"({"result":true})");
    peer.send(std::string(size_t{65536} + 1, ' '));
    CHECK(other.ask(hello) == R"({"result":true})");
    CHECK(running.server->counters().calls == 2);
}

TEST_CASE("before the first round of probes is done the zeromq connector reports trouble at once") {
    Running running;
    running.world.health = std::make_shared<HealthSnapshot>(*running.world.health);
    running.world.health->first_round_done = false;
    running.serving.publish(std::make_shared<const dns::Serving>(running.world.serving()));
    Peer peer(running);
    CHECK(peer.ask(R"({"method":"lookup","parameters":{"qname":"vpn.gslb.test.","qtype":"A"}})") ==
          R"({"result":null})");
    CHECK(running.server->counters().unable == 1);
}

TEST_CASE("a command over zeromq is answered when it is done, and others do not wait for it") {
    std::function<void(std::string)> done;
    std::vector<std::string> commands;
    Running running([&](const OperatorCommand& command, std::function<void(std::string)> reply) {
        CHECK(command.reach == Reach::network);
        commands.push_back(command.text);
        done = std::move(reply);
    });
    Peer peer(running), other(running);
    peer.send(R"({"method":"directBackendCmd","parameters":{"query":"status"}})");
    while (commands.empty()) running.loop.run_ready();
    CHECK(other.ask(hello) == R"({"result":true})");
    done("all is well\n");
    CHECK(peer.receive() == R"({"result":"all is well\u000a"})");
    CHECK(commands == std::vector<std::string>{"status"});
    // Done after the server is gone: nothing happens.
    peer.send(R"({"method":"directBackendCmd","parameters":{"query":"again"}})");
    while (commands.size() == 1) running.loop.run_ready();
    running.server.reset();
    done("too late");
    running.loop.run_ready();
}
