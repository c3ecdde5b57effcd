// SPDX-License-Identifier: Apache-2.0
// Connections turn by turn and in virtual time: how much one turn does and for whom, who makes room, and when
// patience ends.
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "dns/server_sockets.h"
#include "dns/tcp.h"
#include "dns/worker_share.h"
#include "unit/dns/responder.h"
#include "unit/dns/running_dot.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

const Ask host{"host.gslb.test"};
const std::string host_answer =
    "4660 NOERROR qr aa\nquestion host.gslb.test. IN A\nanswer host.gslb.test. 60 IN A 192.0.2.70";

class Turns {
  public:
    explicit Turns(const ServerLimits& limits = {}) {
        const SocketAddress any{IpAddress::v4(0x7f000001), 0};
        auto opened = open_sockets({any}, {any}, 1, nullptr);
        REQUIRE(opened);
        sockets_ = std::move(*opened);
        tls_.context.publish(dot_context());
        connections = std::make_unique<TcpConnections>(limits, counters, &tls_);
        for (const ListenSocket& socket : sockets_.of_thread.at(0))
            if (socket.transport != Transport::udp) connections->listen(socket.fd.get(), socket.transport);
    }
    [[nodiscard]] SocketAddress plain() const { return sockets_.addresses.at(0); }
    [[nodiscard]] SocketAddress secure() const { return sockets_.tls_addresses.at(0); }
    [[nodiscard]] int plain_listener() const {
        for (const ListenSocket& socket : sockets_.of_thread.at(0))
            if (socket.transport == Transport::tcp) return socket.fd.get();
        return -1;
    }

    void turn() {
        counters.use_model(serving_->authority->model_pointer());
        connections->turn(serving_, answerer_, now, now_seconds);
    }
    /// Until nobody has anything to do at this time.
    void settle() {
        for (int i = 0; i < 10'000; ++i) {
            turn();
            const auto due = connections->deadline();
            if (!connections->is_pending() && !readable(connections->fd(), 0) && !(due && *due <= now))
                return;
        }
        FAIL("there is always something to do");
    }
    /// A connection that has asked and has its answer.
    UniqueFd asked() {
        UniqueFd fd = connect_to(plain(), SOCK_STREAM);
        send_all(fd.get(), framed(to_bytes(host)));
        settle();
        CHECK(render(receive_framed(fd.get())) == host_answer);
        return fd;
    }

    WorkerCounters counters;
    MonotonicTime now{std::chrono::hours(1)};

  private:
    ListenSockets sockets_;
    net::TlsServerSupply tls_{ticket_secret(1)};
    std::shared_ptr<const Serving> serving_ = std::make_shared<Serving>(make_world().serving());
    Answerer answerer_;

  public:
    std::unique_ptr<TcpConnections> connections;
};

Bytes pipeline(size_t questions, const Ask& ask = host) {
    Bytes all;
    for (size_t i = 0; i < questions; ++i) {
        const Bytes one = framed(to_bytes(ask));
        all.insert(all.end(), one.begin(), one.end());
    }
    return all;
}

/// Whether the server still has its side open, whatever waits to be read.
bool is_open(const UniqueFd& fd) {
    pollfd entry{fd.get(), POLLRDHUP, 0};
    return poll(&entry, 1, 0) == 0;
}

size_t waiting(const UniqueFd& fd) {
    Bytes bytes(1 << 20);
    const ssize_t count = recv(fd.get(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
    return count > 0 ? static_cast<size_t>(count) : 0;
}

}  // namespace

TEST_CASE("a long pipeline does not hold up a question behind it") {
    Turns turns;
    const UniqueFd greedy = connect_to(turns.plain(), SOCK_STREAM);
    const UniqueFd modest = connect_to(turns.plain(), SOCK_STREAM);
    turns.settle();
    constexpr size_t many = 400;
    send_all(greedy.get(), pipeline(many));
    send_all(modest.get(), framed(to_bytes(host)));
    turns.turn();
    REQUIRE(readable(modest.get(), 0));
    CHECK(render(receive_framed(modest.get())) == host_answer);
    const size_t answer_size = framed(receive_framed(greedy.get())).size();
    CHECK(waiting(greedy) < many / 2 * answer_size);
    CHECK(turns.connections->is_pending());
    // A second modest client comes in the middle.
    const UniqueFd late = connect_to(turns.plain(), SOCK_STREAM);
    send_all(late.get(), framed(to_bytes(host)));
    turns.turn();
    turns.turn();
    CHECK(readable(late.get(), 0));
    turns.settle();
    for (size_t i = 1; i < many; ++i) CHECK(render(receive_framed(greedy.get())) == host_answer);
}

TEST_CASE("a turn answers a bounded number of questions, however many connections ask") {
    Turns turns;
    std::vector<UniqueFd> all;
    for (int i = 0; i < 20; ++i) all.push_back(connect_to(turns.plain(), SOCK_STREAM));
    turns.settle();
    for (const UniqueFd& fd : all) send_all(fd.get(), pipeline(100));
    uint64_t before = 0;
    int count = 0;
    do {
        turns.turn();
        ServerStats stats;
        turns.counters.add_to(stats);
        CHECK(stats.tcp_queries - before <= 256);
        before = stats.tcp_queries;
        ++count;
    } while (turns.connections->is_pending() || readable(turns.connections->fd(), 0));
    CHECK(before == 2000);
    CHECK(count >= 8);
}

TEST_CASE("a turn does one handshake at most, and whoever is heard is not pushed out by newcomers") {
    ServerLimits limits;
    limits.handshakes = 80;  // 20 for one client
    Turns turns(limits);
    constexpr size_t count = 60;
    std::vector<std::unique_ptr<DotClient>> clients;
    for (size_t i = 0; i < count; ++i) {
        clients.push_back(std::make_unique<DotClient>(turns.secure()));
        clients.back()->say();
    }
    size_t heard = 0;
    size_t established = 0;
    for (int i = 0; i < 2000 && established < count; ++i) {
        turns.turn();
        size_t replies = 0;
        established = 0;
        for (const auto& client : clients) {
            if (readable(client->fd.get(), 0)) {
                const bool was_established = client->tls.established();
                REQUIRE(client->pump());
                client->say();
                if (!was_established && client->tls.established()) ++replies;
            }
            if (client->tls.established()) ++established;
        }
        // In TLS 1.3 the client is through with the server's first flight: the costly one.
        CHECK(replies <= 1);
        heard += replies;
    }
    CHECK(established == count);
    CHECK(heard == count);
    turns.settle();
    CHECK(turns.counters.tls_handshakes.get() == count);
    CHECK(turns.counters.tls_failures.get() == 0);
}

TEST_CASE("many connections whose time is over end a few a turn") {
    Turns turns;
    std::vector<UniqueFd> idle;
    for (int i = 0; i < 150; ++i) idle.push_back(connect_to(turns.plain(), SOCK_STREAM));
    turns.settle();
    CHECK(turns.counters.connections_open.get() == 150);
    CHECK(turns.connections->deadline() == turns.now + seconds(10));
    turns.now += seconds(10) - milliseconds(1);
    turns.settle();
    CHECK(turns.counters.connections_open.get() == 150);
    turns.now += milliseconds(1);
    int count = 0;
    for (uint64_t before = 150; before > 0; before = turns.counters.connections_open.get(), ++count) {
        CHECK(turns.connections->deadline() <= turns.now);
        turns.turn();
        CHECK(before - turns.counters.connections_open.get() <= 64);
    }
    CHECK(count >= 3);
    CHECK_FALSE(turns.connections->deadline());
    CHECK(turns.counters.connections_closed_idle.get() == 150);
    for (const UniqueFd& fd : idle) CHECK_FALSE(is_open(fd));
}

TEST_CASE("a handshake that trickles ends at its deadline") {
    Turns turns;
    DotClient client(turns.secure());
    const Bytes hello = client.tls.take_output();
    for (size_t second = 0; second < 5; ++second) {
        send_all(client.fd.get(), Bytes{hello[second]});
        turns.settle();
        CHECK(is_open(client.fd));
        turns.now += seconds(1);
    }
    turns.settle();
    CHECK_FALSE(is_open(client.fd));
    CHECK(turns.counters.tls_failures.get() == 1);
}

TEST_CASE("whoever never asked makes room before whoever did, however long ago") {
    ServerLimits limits;
    limits.connections = 8;
    Turns turns(limits);
    std::vector<UniqueFd> known;
    for (int i = 0; i < 3; ++i) known.push_back(turns.asked());
    turns.now += milliseconds(100);
    std::vector<UniqueFd> silent;
    for (int i = 0; i < 40; ++i) {
        silent.push_back(connect_to(turns.plain(), SOCK_STREAM));
        turns.settle();
    }
    for (const UniqueFd& fd : known) {
        send_all(fd.get(), framed(to_bytes(host)));
        turns.settle();
        CHECK(render(receive_framed(fd.get())) == host_answer);
    }
    CHECK(turns.counters.connections_open.get() == 8);
    const auto open =
        std::count_if(silent.begin(), silent.end(), [](const UniqueFd& fd) { return is_open(fd); });
    CHECK(open == 5);
    CHECK(is_open(silent.back()));
    // And a newcomer gets in.
    CHECK(turns.asked());
}

TEST_CASE("readers who take nothing are bounded one by one and all together") {
    ServerLimits limits;
    limits.write_queue = 64 * 1024;
    limits.queued = 32 * 1024;
    Turns turns(limits);
    // Accepted sockets have the listener's: the kernel takes little, so the queues fill.
    const int small = 4096;
    REQUIRE(setsockopt(turns.plain_listener(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
    const Bytes questions = pipeline(200, Ask{"many.gslb.test"});
    std::vector<UniqueFd> slow;
    for (int i = 0; i < 30; ++i) {
        UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0);
        sockaddr_storage storage{};
        const socklen_t size = turns.plain().to_sockaddr(storage);
        REQUIRE(connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) == 0);
        (void)send(fd.get(), questions.data(), questions.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        turns.settle();
        slow.push_back(std::move(fd));
    }
    CHECK(turns.counters.connections_closed_for_room.get() > 0);
    CHECK(turns.counters.connections_open.get() >= 2);
    CHECK(turns.counters.connections_open.get() < 30);
    CHECK(turns.asked());
}

TEST_CASE("a connection that is closed while a forked process has its descriptor tells nothing any more") {
    Turns turns;
    const UniqueFd first = turns.asked();
    const UniqueFd second = turns.asked();
    int hold[2];
    REQUIRE(pipe(hold) == 0);
    const UniqueFd keep_reading(hold[0]);
    UniqueFd keep_writing(hold[1]);
    const pid_t child = fork();
    if (child == 0) {
        // Until the test is through: the other end of the pipe closes.
        (void)close(hold[1]);
        uint8_t octet = 0;
        (void)!read(hold[0], &octet, 1);
        _exit(0);
    }
    REQUIRE(child > 0);
    turns.now += seconds(10);
    turns.settle();
    CHECK(turns.counters.connections_open.get() == 0);
    // What the peer does now is no concern of ours, and no event comes for what has been freed.
    (void)send(first.get(), "x", 1, MSG_NOSIGNAL);
    CHECK(shutdown(second.get(), SHUT_WR) == 0);
    CHECK_FALSE(readable(turns.connections->fd(), 0));
    turns.settle();
    CHECK(turns.asked());
    keep_writing.reset();
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
}

TEST_CASE("connections get one part in eight of the time while UDP waits, and all of it else") {
    WorkerShare share;
    MonotonicTime now{seconds(100)};
    CHECK(share.may_serve_connections(now, true));
    share.served_connections(now, now + milliseconds(1));
    now += milliseconds(1);
    CHECK_FALSE(share.may_serve_connections(now, true));
    CHECK(share.may_serve_connections(now, false));
    CHECK_FALSE(share.may_serve_connections(now + milliseconds(7) - nanoseconds(1), true));
    CHECK(share.may_serve_connections(now + milliseconds(7), true));
}
