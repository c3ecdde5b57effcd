// SPDX-License-Identifier: Apache-2.0
// The servers over real sockets on loopback: the same answers by every way in, and TCP that survives its
// clients.
#include <fcntl.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <thread>

#include "dns/server.h"
#include "unit/dns/responder.h"
#include "unit/dns/wire_client.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

SocketAddress any_port(std::string_view address) {
    return {IpAddress::parse(address).value(), 0};
}

struct Running {
    explicit Running(ServerOptions options = {}, const World& world = make_world())
        : serving(std::make_shared<Serving>(world.serving())) {
        if (options.listen.empty()) options.listen = {any_port("127.0.0.1"), any_port("::1")};
        if (options.threads == 0) options.threads = 2;
        auto opened = Server::open(options, serving);
        REQUIRE(opened);
        server = std::move(*opened);
        server->start();
    }
    [[nodiscard]] SocketAddress v4() const { return server->addresses().at(0); }
    [[nodiscard]] SocketAddress v6() const { return server->addresses().at(1); }

    Published<Serving> serving;
    std::unique_ptr<Server> server;
};

const Ask host{"host.gslb.test"};
const std::string host_answer =
    "4660 NOERROR qr aa\nquestion host.gslb.test. IN A\nanswer host.gslb.test. 60 IN A 192.0.2.70";

/// The number that the next descriptor gets. A limit of it leaves none, whatever this process inherited:
/// descriptors above it stay, and there is no gap below it.
rlim_t lowest_free_descriptor() {
    const UniqueFd next(open("/", O_PATH | O_CLOEXEC));
    REQUIRE(next.get() >= 0);
    return static_cast<rlim_t>(next.get());
}

}  // namespace

TEST_CASE("UDP and TCP over IPv4 and IPv6 carry the same answers") {
    Running running;
    Responder direct(make_world());
    const std::vector<Ask> asks{
        {"host.gslb.test"},
        {"vpn.gslb.test"},
        Ask{"vpn.gslb.test", RecordType::aaaa}.with(subnet("198.51.100.0", 24)),
        {"missing.gslb.test"},
        {"mail.gslb.test", RecordType::mx},
        {"x.deleg.gslb.test"},
        Ask{"many.gslb.test"}.with_edns(4096),
        {"many.gslb.test"},
        Ask{"gslb.test", RecordType::soa}.with({3, {}}),
        {"example.net"},
        Ask{"host.gslb.test"}.with(subnet(3, 0, 0, {})),
        {"id.server", RecordType::txt, 3},
        {"_fairway.vpn.gslb.test", RecordType::txt},
    };
    for (const Ask& ask : asks) {
        INFO(ask.name);
        const Bytes message = to_bytes(ask);
        direct.ask(message, Transport::udp, "127.0.0.1");
        CHECK(ask_udp(running.v4(), message) == direct.bytes);
        direct.ask(message, Transport::udp, "::1");
        CHECK(ask_udp(running.v6(), message) == direct.bytes);
        direct.ask(message, Transport::tcp, "127.0.0.1");
        CHECK(ask_tcp(running.v4(), message) == direct.bytes);
        direct.ask(message, Transport::tcp, "::1");
        CHECK(ask_tcp(running.v6(), message) == direct.bytes);
    }
}

TEST_CASE("an address in use is told, with the protocol, also when its owner would share it") {
    Running running;
    Published<Serving> serving(std::make_shared<Serving>(make_world().serving()));
    const auto second = Server::open({{running.v4()}, 1, {}}, serving);
    REQUIRE_FALSE(second);
    CHECK(second.error().message ==
          "cannot listen on " + running.v4().to_string() + " (UDP): Address already in use");

    const UniqueFd taken(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage storage{};
    socklen_t size = any_port("127.0.0.1").to_sockaddr(storage);
    REQUIRE(bind(taken.get(), reinterpret_cast<sockaddr*>(&storage), size) == 0);
    REQUIRE(listen(taken.get(), 1) == 0);
    size = sizeof storage;
    REQUIRE(getsockname(taken.get(), reinterpret_cast<sockaddr*>(&storage), &size) == 0);
    const auto address = SocketAddress::from_sockaddr(reinterpret_cast<sockaddr*>(&storage)).value();
    const auto third = Server::open({{address}, 1, {}}, serving);
    REQUIRE_FALSE(third);
    CHECK(third.error().message ==
          "cannot listen on " + address.to_string() + " (TCP): Address already in use");
}

TEST_CASE("on a wildcard address the answer comes from the address that was asked") {
    Running running({{any_port("0.0.0.0"), any_port("::")}, 2, {}});
    for (const char* asked : {"127.0.0.1", "127.0.0.2", "127.9.8.7"}) {
        // A connected socket hears nobody else.
        const SocketAddress to{IpAddress::parse(asked).value(), running.v4().port};
        CHECK(render(ask_udp(to, to_bytes(host))) == host_answer);
        CHECK(render(ask_tcp(to, to_bytes(host))) == host_answer);
    }
    const SocketAddress six{IpAddress::parse("::1").value(), running.v6().port};
    CHECK(render(ask_udp(six, to_bytes(host))) == host_answer);
}

TEST_CASE("responses and runts over UDP get no reply, and the next question does") {
    Running running;
    const UniqueFd fd = connect_to(running.v4(), SOCK_DGRAM);
    Ask response = host;
    response.flags = 0x8000;
    send_all(fd.get(), to_bytes(response));
    send_all(fd.get(), Bytes{1, 2, 3});
    send_all(fd.get(), Bytes(5000, 0));
    Ask question = host;
    question.id = 99;
    send_all(fd.get(), to_bytes(question));
    REQUIRE(readable(fd.get()));
    Bytes bytes(4096);
    bytes.resize(static_cast<size_t>(recv(fd.get(), bytes.data(), bytes.size(), 0)));
    CHECK(render(bytes).starts_with("99 NOERROR"));
    running.server->stop();
    const ServerStats stats = running.server->stats();
    CHECK(stats.dropped == 3);
    CHECK(stats.udp_queries == 3);
}

TEST_CASE("a TCP message may come in pieces of one octet") {
    Running running;
    const UniqueFd fd = connect_to(running.v4(), SOCK_STREAM);
    for (const uint8_t byte : framed(to_bytes(host))) send_all(fd.get(), Bytes{byte});
    CHECK(render(receive_framed(fd.get())) == host_answer);
    // The connection stays.
    send_all(fd.get(), framed(to_bytes(host)));
    CHECK(render(receive_framed(fd.get())) == host_answer);
}

TEST_CASE("many questions in one write get all their answers, also after the client closed its side") {
    Running running;
    const UniqueFd fd = connect_to(running.v6(), SOCK_STREAM);
    Bytes all;
    for (uint16_t id = 0; id < 200; ++id) {
        Ask ask = host;
        ask.id = id;
        const Bytes one = framed(to_bytes(ask));
        all.insert(all.end(), one.begin(), one.end());
    }
    send_all(fd.get(), all);
    REQUIRE(shutdown(fd.get(), SHUT_WR) == 0);
    for (uint16_t id = 0; id < 200; ++id)
        CHECK(render(receive_framed(fd.get())) == std::to_string(id) + host_answer.substr(4));
    CHECK(is_closed(fd.get()));
}

TEST_CASE("what is no question ends a TCP connection, after the answers before it") {
    Running running;
    Ask response = host;
    response.flags = 0x8000;
    const std::vector<Bytes> bad{framed(to_bytes(response)), Bytes{0, 0}, framed(Bytes{1, 2, 3}),
                                 Bytes{0xff, 0xff, 1}};
    for (const Bytes& end : bad) {
        const UniqueFd fd = connect_to(running.v4(), SOCK_STREAM);
        send_all(fd.get(), framed(to_bytes(host)));
        CHECK(render(receive_framed(fd.get())) == host_answer);
        send_all(fd.get(), end);
        CHECK(is_closed(fd.get()));
    }
    CHECK(render(ask_udp(running.v4(), to_bytes(host))) == host_answer);
}

TEST_CASE("an idle or trickling connection is closed in time, and one that asks is not") {
    ServerOptions options;
    options.threads = 1;
    options.limits.idle = milliseconds(300);
    options.limits.idle_least = milliseconds(300);
    Running running(options);
    const UniqueFd idle = connect_to(running.v4(), SOCK_STREAM);
    const UniqueFd trickling = connect_to(running.v4(), SOCK_STREAM);
    const UniqueFd busy = connect_to(running.v4(), SOCK_STREAM);
    const Bytes question = framed(to_bytes(host));
    const auto start = std::chrono::steady_clock::now();
    bool idle_closed = false;
    bool trickling_closed = false;
    size_t answers = 0;
    for (size_t i = 0; i < question.size() - 1 && !(idle_closed && trickling_closed); ++i) {
        if (!trickling_closed && send(trickling.get(), &question[i], 1, MSG_NOSIGNAL) <= 0)
            trickling_closed = true;
        send_all(busy.get(), question);
        if (render(receive_framed(busy.get())) == host_answer) ++answers;
        // Also paces the loop: nothing is readable until the server closes.
        if (!idle_closed && readable(idle.get(), 50)) idle_closed = is_closed(idle.get());
        if (!trickling_closed && readable(trickling.get(), 50)) trickling_closed = is_closed(trickling.get());
    }
    CHECK(idle_closed);
    CHECK(trickling_closed);
    CHECK(std::chrono::steady_clock::now() - start >= milliseconds(300));
    CHECK(answers >= 2);
    send_all(busy.get(), question);
    CHECK(render(receive_framed(busy.get())) == host_answer);
    CHECK(running.server->stats().connections_closed_idle == 2);
}

TEST_CASE("150 idle connections disturb neither UDP nor new connections") {
    Running running;
    std::vector<UniqueFd> idle;
    for (int i = 0; i < 150; ++i) idle.push_back(connect_to(running.v4(), SOCK_STREAM));
    CHECK(render(ask_udp(running.v4(), to_bytes(host))) == host_answer);
    CHECK(render(ask_tcp(running.v4(), to_bytes(host))) == host_answer);
    send_all(idle.front().get(), framed(to_bytes(host)));
    CHECK(render(receive_framed(idle.front().get())) == host_answer);
    CHECK(running.server->stats().connections_open >= 150);
}

TEST_CASE("beyond the limit the connection that was idle longest makes room") {
    ServerOptions options;
    options.threads = 1;
    options.limits.connections = 4;
    Running running(options);
    std::vector<UniqueFd> all;
    for (int i = 0; i < 4; ++i) {
        all.push_back(connect_to(running.v4(), SOCK_STREAM));
        send_all(all.back().get(), framed(to_bytes(host)));
        CHECK(render(receive_framed(all.back().get())) == host_answer);
    }
    // The first asks again: now the second is idle longest.
    send_all(all[0].get(), framed(to_bytes(host)));
    CHECK(render(receive_framed(all[0].get())) == host_answer);
    CHECK(render(ask_tcp(running.v4(), to_bytes(host))) == host_answer);
    CHECK(is_closed(all[1].get()));
    for (const size_t i : {size_t{0}, size_t{2}, size_t{3}}) {
        send_all(all[i].get(), framed(to_bytes(host)));
        CHECK(render(receive_framed(all[i].get())) == host_answer);
    }
    CHECK(running.server->stats().connections_closed_for_room == 1);
}

TEST_CASE("one client's connections cannot crowd out another's") {
    ServerOptions options;
    options.threads = 1;
    options.limits.connections_per_client = 3;
    Running running(options);
    const UniqueFd other = connect_to(running.v4(), SOCK_STREAM, IpAddress::parse("127.0.0.9").value());
    send_all(other.get(), framed(to_bytes(host)));
    CHECK(render(receive_framed(other.get())) == host_answer);
    std::vector<UniqueFd> greedy;
    for (int i = 0; i < 6; ++i) {
        greedy.push_back(connect_to(running.v4(), SOCK_STREAM));
        send_all(greedy.back().get(), framed(to_bytes(host)));
        CHECK(render(receive_framed(greedy.back().get())) == host_answer);
    }
    for (size_t i = 0; i < 3; ++i) CHECK(is_closed(greedy[i].get()));
    send_all(other.get(), framed(to_bytes(host)));
    CHECK(render(receive_framed(other.get())) == host_answer);
}

TEST_CASE("a client that never reads is bounded and does not delay others") {
    ServerOptions options;
    options.threads = 1;
    options.limits.idle = milliseconds(1500);
    options.limits.write_queue = 16 * 1024;
    Running running(options);
    const UniqueFd slow = connect_to(running.v4(), SOCK_STREAM);
    const Bytes question = framed(to_bytes(Ask{"many.gslb.test"}));
    // Until the kernel's buffers are full and the server reads no more.
    size_t sent = 0;
    while (true) {
        const ssize_t count = send(slow.get(), question.data(), question.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count > 0) {
            sent += static_cast<size_t>(count);
            if (static_cast<size_t>(count) == question.size()) continue;
        }
        break;
    }
    CHECK(sent > 10'000);
    for (int i = 0; i < 20; ++i) {
        CHECK(render(ask_udp(running.v4(), to_bytes(host))) == host_answer);
        CHECK(render(ask_tcp(running.v4(), to_bytes(host))) == host_answer);
    }
    CHECK(is_closed(slow.get()));
}

TEST_CASE("without file descriptors left, UDP goes on and TCP comes back") {
    ServerOptions options;
    options.threads = 1;
    Running running(options);
    // The answer says that the worker has opened all it needs: it does so on its own thread.
    CHECK(render(ask_udp(running.v4(), to_bytes(host))) == host_answer);
    std::vector<UniqueFd> clients;
    for (int i = 0; i < 8; ++i) clients.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const UniqueFd udp = connect_to(running.v4(), SOCK_DGRAM);
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit none{lowest_free_descriptor(), before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    sockaddr_storage storage{};
    const socklen_t size = running.v4().to_sockaddr(storage);
    for (const UniqueFd& client : clients)
        CHECK(connect(client.get(), reinterpret_cast<sockaddr*>(&storage), size) == 0);
    // Turned away, as there was nothing to make room with.
    for (const UniqueFd& client : clients) CHECK(is_closed(client.get()));
    send_all(udp.get(), to_bytes(host));
    CHECK(readable(udp.get()));
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(render(ask_tcp(running.v4(), to_bytes(host))) == host_answer);
}

TEST_CASE("300 connections that come and go leave nothing behind") {
    Running running;
    for (int i = 0; i < 300; ++i) connect_to(running.v4(), SOCK_STREAM);
    CHECK(render(ask_tcp(running.v4(), to_bytes(host))) == host_answer);
    running.server->stop();
    const ServerStats stats = running.server->stats();
    CHECK(stats.connections_open == 0);
    CHECK(stats.connections_accepted <= 301);
}

TEST_CASE("a new configuration is used from one answer to the next while questions keep coming") {
    Running running;
    World other = make_world();
    other.files[0] = "host 60 A 192.0.2.71\n";
    const auto first = std::make_shared<Serving>(make_world().serving());
    const auto second = std::make_shared<Serving>(other.serving());
    std::string other_answer = host_answer;
    other_answer.replace(other_answer.rfind("192.0.2.70"), 10, "192.0.2.71");
    for (int round = 0; round < 50; ++round) {
        running.serving.publish(round % 2 == 0 ? second : first);
        const std::string& expected = round % 2 == 0 ? other_answer : host_answer;
        CHECK(render(ask_udp(running.v4(), to_bytes(host))) == expected);
        CHECK(render(ask_tcp(running.v4(), to_bytes(host))) == expected);
    }
}

TEST_CASE("answers are counted by what they were and whom they steered to") {
    Running running;
    ask_udp(running.v4(), to_bytes(Ask{"vpn.gslb.test"}.with(subnet("198.51.100.0", 24))));
    ask_udp(running.v6(), to_bytes(Ask{"vpn.gslb.test"}));
    running.serving.publish(std::make_shared<Serving>(make_world().serving()));
    ask_tcp(running.v4(), to_bytes(Ask{"vpn.gslb.test"}));
    ask_udp(running.v4(), to_bytes(Ask{"missing.gslb.test"}));
    ask_udp(running.v4(), to_bytes(Ask{"many.gslb.test"}));
    running.server->stop();
    const ServerStats stats = running.server->stats();
    CHECK(stats.udp_queries == 4);
    CHECK(stats.tcp_queries == 1);
    CHECK(stats.rcodes.at(0) == 4);
    CHECK(stats.rcodes.at(3) == 1);
    CHECK(stats.with_edns == 1);
    CHECK(stats.with_ecs == 1);
    CHECK(stats.truncated == 1);
    CHECK(stats.services.at("vpn") == 3);
    CHECK(stats.services.at("six") == 0);
    CHECK(stats.endpoints.at("fra1/203.0.113.10") == 3);
}

TEST_CASE("stopping is prompt, with connections open and questions waiting") {
    Running running;
    std::vector<UniqueFd> clients;
    for (int i = 0; i < 20; ++i) clients.push_back(connect_to(running.v4(), SOCK_STREAM));
    running.server->stop();
    running.server->stop();
    for (const UniqueFd& client : clients) CHECK(is_closed(client.get()));
}
