// SPDX-License-Identifier: Apache-2.0
// The connectors on real sockets: what PowerDNS does, and what it never should.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "base/unique_fd.h"
#include "net/inherited_sockets.h"
#include "net/loop.h"
#include "pdns/server.h"
#include "unit/dns/world.h"

using namespace fairway;
using namespace fairway::pdns;
using fairway::dns::test::make_world;

namespace {

struct Folder {
    std::filesystem::path path;
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "fairway-pdns-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
        path = name;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
};

const std::string hello = R"({"method":"initialize","parameters":{"path":"x","timeout":"2000"}})";
const std::string lookup =
    R"({"method":"lookup","parameters":{"qname":"host.gslb.test.","qtype":"A","zone-id":-1}})";

/// A server on both sockets, and the loop that a client has to turn while it waits.
struct Running {
    Folder folder;
    dns::test::World world = make_world();
    net::Loop loop;
    Published<dns::Serving> serving{std::make_shared<const dns::Serving>(world.serving())};
    std::unique_ptr<Server> server;

    explicit Running(nanoseconds patience = seconds{5}, size_t max_connections = 256,
                     RunCommand run_command = {}) {
        ServerOptions options;
        options.unix_path = folder.path / "pdns.sock";
        options.http = SocketAddress{*IpAddress::parse("127.0.0.1"), 0};
        options.patience = patience;
        options.max_connections = max_connections;
        options.run_command = std::move(run_command);
        server = std::make_unique<Server>(loop, serving, options);
    }

    UniqueFd connect_unix() {
        UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        (folder.path / "pdns.sock").string().copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        return fd;
    }
    UniqueFd connect_http() {
        UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
        sockaddr_storage storage{};
        const socklen_t size = server->http_address()->to_sockaddr(storage);
        REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) == 0);
        return fd;
    }

    /// Turns the loop until `done` says so; 10 seconds are more than any of this takes.
    template <class Done>
    bool turn_until(Done done) {
        const MonotonicTime limit = loop.now() + seconds{10};
        while (!done()) {
            if (loop.now() > limit) return false;
            loop.run_ready();
        }
        return true;
    }
    void send(const UniqueFd& fd, std::string_view text) {
        size_t sent = 0;
        REQUIRE(turn_until([&] {
            const ssize_t n =
                ::send(fd.get(), text.data() + sent, text.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n > 0) sent += static_cast<size_t>(n);
            return sent == text.size();
        }));
    }
    /// What comes until `end` does; with an empty `end`, until the server closes.
    std::string receive(const UniqueFd& fd, std::string_view end) {
        std::string got;
        bool closed = false;
        const bool came = turn_until([&] {
            char buffer[4096];
            const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
            if (n > 0) got.append(buffer, static_cast<size_t>(n));
            closed = n == 0 || (n < 0 && errno == ECONNRESET);
            return closed ||
                   (!end.empty() && got.size() >= end.size() && got.substr(got.size() - end.size()) == end);
        });
        CHECK(came);
        if (!end.empty()) CHECK_FALSE(closed);
        return got;
    }
    std::string ask(const UniqueFd& fd, const std::string& request) {
        send(fd, request);
        return receive(fd, "\n");
    }
};

std::string post(const std::string& body, const std::string& target = "/pdns") {
    return "POST " + target +
           " HTTP/1.1\r\nHost: x\r\nContent-Type: text/javascript; charset=utf-8\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

TEST_CASE("the unix connector answers call after call on one connection") {
    Running running;
    const UniqueFd peer = running.connect_unix();
    CHECK(running.ask(peer, hello + "\n") == "{\"result\":true}\n");
    const std::string answer = running.ask(peer, lookup + "\n");
    CHECK(answer.find("\"192.0.2.70\"") != std::string::npos);
    // Without a newline, in one piece with another call, or octet by octet: the same.
    CHECK(running.ask(peer, lookup) == answer);
    running.send(peer, lookup + lookup + "\n" + hello);
    CHECK(running.receive(peer, "{\"result\":true}\n") == answer + answer + "{\"result\":true}\n");
    for (const char c : lookup) running.send(peer, std::string(1, c));
    CHECK(running.receive(peer, "\n") == answer);
    CHECK(running.server->counters().calls == 7);
    CHECK(running.server->counters().lookups == 5);
    CHECK(running.server->counters().connections == 1);
    CHECK(running.server->counters().junk == 0);
}

TEST_CASE("the next call sees what was published since") {
    Running running;
    const UniqueFd peer = running.connect_unix();
    const std::string vpn = R"({"method":"lookup","parameters":{"qname":"vpn.gslb.test.","qtype":"A"}})";
    CHECK(running.ask(peer, vpn).find("203.0.113.10") != std::string::npos);
    running.world.health = std::make_shared<HealthSnapshot>(*running.world.health);
    running.world.set_down(GatewayId(0));
    running.serving.publish(std::make_shared<const dns::Serving>(running.world.serving()));
    CHECK(running.ask(peer, vpn).find("203.0.113.10") == std::string::npos);
}

TEST_CASE("junk on the unix connector is refused and closed, and changes nothing for others") {
    Running running;
    const UniqueFd good = running.connect_unix();
    CHECK(running.ask(good, hello) == "{\"result\":true}\n");
    uint64_t count = 0;
    for (const std::string& junk :
         {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("[]"), std::string("{}"),
          std::string("{\"method\":}"), std::string("{\"method\":\"lookup\",\"parameters\":{}}"),
          std::string("\0\0\0", 3), std::string(65, '{'), std::string("}")}) {
        const UniqueFd peer = running.connect_unix();
        running.send(peer, junk);
        CHECK(running.receive(peer, "") == "{\"result\":false}\n");
        CHECK(running.server->counters().junk == ++count);
        CHECK(running.ask(good, hello) == "{\"result\":true}\n");
    }
    // A request without end: what is unread at the close may cost the sender our last words.
    const UniqueFd peer = running.connect_unix();
    running.send(peer, "{\"method\":\"" + std::string(70000, 'x'));
    (void)running.receive(peer, "");
    CHECK(running.server->counters().junk == ++count);
    CHECK(running.ask(good, hello) == "{\"result\":true}\n");
}

TEST_CASE("before the first round of probes is done steered names get no answer") {
    Running running;
    running.world.health = std::make_shared<HealthSnapshot>(*running.world.health);
    running.world.health->first_round_done = false;
    running.serving.publish(std::make_shared<const dns::Serving>(running.world.serving()));
    const std::string vpn = R"({"method":"lookup","parameters":{"qname":"vpn.gslb.test.","qtype":"A"}})";
    const UniqueFd peer = running.connect_unix();
    CHECK(running.ask(peer, hello) == "{\"result\":true}\n");
    running.send(peer, vpn);
    CHECK(running.receive(peer, "").empty());
    const UniqueFd web = running.connect_http();
    running.send(web, post(vpn));
    CHECK(running.receive(web, "}").substr(0, 12) == "HTTP/1.1 503");
    CHECK(running.server->counters().unable == 2);
}

TEST_CASE("the http connector answers on a connection that stays open") {
    Running running;
    const UniqueFd peer = running.connect_http();
    for (int i = 0; i < 3; ++i) {
        running.send(peer, post(lookup));
        const std::string response = running.receive(peer, "]}");
        CHECK(response.substr(0, 47) == "HTTP/1.1 200 OK\r\nContent-Type: application/json");
        CHECK(response.find("\"192.0.2.70\"") != std::string::npos);
    }
    running.send(peer, post(lookup) + post(hello, "/"));
    const std::string both = running.receive(peer, "{\"result\":true}");
    CHECK(both.find("\"192.0.2.70\"") != std::string::npos);
    CHECK(running.server->counters().accepted == 1);
}

TEST_CASE("wrong requests to the http connector are told what is wrong") {
    Running running;
    const auto status = [&](const std::string& request, bool closes) {
        const UniqueFd peer = running.connect_http();
        running.send(peer, request);
        const std::string response = running.receive(peer, closes ? "" : "}");
        CHECK(response.find("application/problem+json") != std::string::npos);
        return response.substr(9, 3);
    };
    CHECK(status(post(lookup, "/~"), false) == "404");
    CHECK(status("GET /pdns HTTP/1.1\r\n\r\n", false) == "405");
    CHECK(status(post("{\"method\":}"), false) == "400");
    CHECK(status(post(""), false) == "400");
    CHECK(status(lookup + "\r\n\r\n", true) == "400");
    CHECK(status("POST /pdns HTTP/1.1\r\nContent-Length: 70000\r\n\r\n", true) == "413");
    CHECK(status("POST /pdns HTTP/1.1\r\n\r\n", true) == "411");
    CHECK(status("POST /pdns HTTP/1.1\r\nX: " + std::string(9000, 'x'), true) == "431");
    const UniqueFd peer = running.connect_http();
    running.send(peer, post(lookup));
    CHECK(running.receive(peer, "]}").substr(0, 12) == "HTTP/1.1 200");
}

TEST_CASE("a peer that stops in the middle of a request is dropped, one that is merely idle is not") {
    Running running(milliseconds{80});
    const UniqueFd idle = running.connect_unix();
    CHECK(running.ask(idle, hello) == "{\"result\":true}\n");
    const UniqueFd half = running.connect_unix();
    running.send(half, "{\"method\":\"look");
    const UniqueFd half_http = running.connect_http();
    running.send(half_http, "POST /pdns HTTP/1.1\r\nContent-Le");
    CHECK(running.receive(half, "").empty());
    CHECK(running.receive(half_http, "").empty());
    CHECK(running.server->counters().stalled == 2);
    CHECK(running.ask(idle, hello) == "{\"result\":true}\n");
    CHECK(running.server->counters().connections == 1);
}

TEST_CASE("a peer that does not read its replies is dropped") {
    Running running(milliseconds{80});
    const UniqueFd peer = running.connect_unix();
    const std::string list = R"({"method":"list","parameters":{"zonename":"gslb.test."}})";
    // Until the kernel's buffers are full and ours holds something.
    std::string many;
    for (int i = 0; i < 100; ++i) many += list;
    CHECK(running.turn_until([&] {
        (void)!::send(peer.get(), many.data(), many.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        return running.server->counters().stalled == 1;
    }));
    CHECK(running.turn_until([&] { return running.server->counters().connections == 0; }));
    const UniqueFd other = running.connect_unix();
    CHECK(running.ask(other, hello) == "{\"result\":true}\n");
}

TEST_CASE("more connections than allowed are turned away, and there is room again when one ends") {
    Running running(seconds{5}, 2);
    UniqueFd first = running.connect_unix();
    const UniqueFd second = running.connect_http();
    CHECK(running.ask(first, hello) == "{\"result\":true}\n");
    REQUIRE(running.turn_until([&] { return running.server->counters().connections == 2; }));
    const UniqueFd third = running.connect_unix();
    CHECK(running.receive(third, "").empty());
    CHECK(running.server->counters().turned_away == 1);
    first.reset();
    REQUIRE(running.turn_until([&] { return running.server->counters().connections == 1; }));
    const UniqueFd fourth = running.connect_unix();
    CHECK(running.ask(fourth, hello) == "{\"result\":true}\n");
}

namespace {

/// What the server listens on, as another process would get it.
net::InheritedSockets copy_of_sockets(const Server& server) {
    std::vector<net::OfferedSocket> offered;
    server.offer(offered);
    net::InheritedSockets inherited;
    for (const net::OfferedSocket& socket : offered)
        inherited.add(
            {socket.purpose, socket.kind, socket.address, UniqueFd(::dup(socket.fd)), socket.held_elsewhere});
    return inherited;
}

}  // namespace

TEST_CASE("another server goes on with the sockets and with connections in any state of a request") {
    Running running;
    const UniqueFd idle = running.connect_unix();
    const UniqueFd partial = running.connect_unix();
    const UniqueFd waiting = running.connect_unix();
    const UniqueFd http = running.connect_http();
    running.ask(idle, hello);
    running.ask(partial, hello);
    running.ask(waiting, hello);
    const std::string first = running.ask(idle, lookup);
    running.send(http, post(lookup).substr(0, 30));
    running.send(partial, lookup.substr(0, 20));
    REQUIRE(running.turn_until([&] { return running.server->counters().connections == 4; }));
    for (int i = 0; i < 5; ++i) running.loop.run_ready();

    running.server->pause();
    CHECK(running.server->quiet());
    running.send(waiting, lookup);  // arrives while nobody reads
    const UniqueFd late = running.connect_unix();
    for (int i = 0; i < 5; ++i) running.loop.run_ready();
    CHECK(running.server->counters().accepted == 4);

    net::InheritedSockets inherited = copy_of_sockets(*running.server);
    std::vector<HandedConnection> connections = running.server->hand_over();
    REQUIRE(connections.size() == 4);
    ServerOptions options;
    options.unix_path = running.folder.path / "pdns.sock";
    options.http = SocketAddress{*IpAddress::parse("127.0.0.1"), 0};
    options.inherited = &inherited;
    const auto http_address = running.server->http_address();
    auto next = std::make_unique<Server>(running.loop, running.serving, options);
    CHECK(inherited.left().empty());
    CHECK(next->http_address() == http_address);
    next->adopt(std::move(connections));
    running.server->leave();
    running.server.reset();
    CHECK(std::filesystem::exists(options.unix_path));

    CHECK(running.receive(waiting, "\n") == first);
    CHECK(running.ask(partial, lookup.substr(20)) == first);
    CHECK(running.ask(idle, lookup) == first);
    CHECK(running.ask(late, hello).find("true") != std::string::npos);
    running.send(http, post(lookup).substr(30));
    CHECK(running.receive(http, "}").find("200 OK") != std::string::npos);
    CHECK(next->counters().connections == 5);
    CHECK(next->counters().junk == 0);
    next.reset();
    CHECK_FALSE(std::filesystem::exists(options.unix_path));
}

TEST_CASE("a server that resumes after a pause has lost nothing") {
    Running running;
    const UniqueFd client = running.connect_unix();
    running.ask(client, hello);
    const std::string answer = running.ask(client, lookup);
    running.server->pause();
    (void)running.server->hand_over();
    running.send(client, lookup);
    for (int i = 0; i < 5; ++i) running.loop.run_ready();
    running.server->resume();
    CHECK(running.receive(client, "\n") == answer);
    CHECK(running.server->counters().connections == 1);
}

TEST_CASE("what cannot be gone on with is closed: a connector that is not known") {
    Running running;
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    const UniqueFd peer(pair[0]);
    std::vector<HandedConnection> connections;
    connections.push_back({"pigeon", UniqueFd(pair[1]), ""});
    running.server->adopt(std::move(connections));
    CHECK(running.receive(peer, "").empty());
    CHECK(running.server->counters().connections == 0);
}

namespace {

const std::string command = R"({"method":"directBackendCmd","parameters":{"query":"drain fra1"}})";

/// Commands that are done when the test says so.
struct Operator {
    std::vector<OperatorCommand> given;
    std::vector<std::function<void(std::string)>> done;
    RunCommand run = [this](const OperatorCommand& order, std::function<void(std::string)> reply) {
        given.push_back(order);
        done.push_back(std::move(reply));
    };
};

}  // namespace

TEST_CASE("a command is answered when it is done, and what its connection asks meanwhile comes after it") {
    Operator people;
    Running running(seconds{5}, 256, people.run);
    const UniqueFd peer = running.connect_unix();
    const UniqueFd web = running.connect_http();
    const UniqueFd other = running.connect_unix();
    running.send(peer, command + lookup + "\n");
    REQUIRE(running.turn_until([&] { return people.given.size() == 1; }));
    CHECK(people.given[0].text == "drain fra1");
    CHECK(people.given[0].reach == Reach::local);
    running.send(web, "POST /directBackendCmd HTTP/1.1\r\nContent-Length: 12\r\n\r\nquery=status");
    REQUIRE(running.turn_until([&] { return people.given.size() == 2; }));
    CHECK(people.given[1].text == "status");
    CHECK(people.given[1].reach == Reach::network);

    const std::string answer = running.ask(other, lookup);  // others do not wait
    people.done[0]("fra1 is \"drained\"\n");
    CHECK(running.receive(peer, "]}\n") == "{\"result\":\"fra1 is \\\"drained\\\"\\u000a\"}\n" + answer);
    people.done[1]("well");
    CHECK(running.receive(web, "\"}").find("\r\n\r\n{\"result\":\"well\"}") != std::string::npos);
    CHECK(running.ask(peer, lookup) == answer);
}

TEST_CASE("a command that is done after its connection or the server is gone harms nobody") {
    Operator people;
    Running running(seconds{5}, 256, people.run);
    UniqueFd gone = running.connect_unix();
    const UniqueFd peer = running.connect_unix();
    running.send(gone, command);
    running.send(peer, command);
    REQUIRE(running.turn_until([&] { return people.given.size() == 2; }));
    gone.reset();
    REQUIRE(running.turn_until([&] { return running.server->counters().connections == 1; }));
    people.done[0]("too late");
    people.done[1](std::string(100'000, 'x'));
    CHECK(running.receive(peer, "\"}\n").find("the rest is cut off") != std::string::npos);
    running.send(peer, command);
    REQUIRE(running.turn_until([&] { return people.given.size() == 3; }));
    running.server.reset();
    people.done[2]("too late");
    running.loop.run_ready();
}

TEST_CASE(
    "a connection with a command under way is not quiet, and gets its answer before another server goes on") {
    Operator people;
    Running running(seconds{5}, 256, people.run);
    const UniqueFd peer = running.connect_unix();
    running.send(peer, command);
    REQUIRE(running.turn_until([&] { return people.given.size() == 1; }));
    running.server->pause();
    CHECK_FALSE(running.server->quiet());
    CHECK(running.server->hand_over().empty());
    running.server->leave();
    people.done[0]("done");
    CHECK(running.receive(peer, "") == "{\"result\":\"done\"}\n");
}

TEST_CASE("without anybody to carry them out commands are refused in words") {
    Running running;
    const UniqueFd peer = running.connect_unix();
    CHECK(running.ask(peer, command) == "{\"result\":\"fairway: commands are not taken here\\u000a\"}\n");
}
