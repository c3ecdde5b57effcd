// SPDX-License-Identifier: Apache-2.0
// Hostile clients of every kind, on threads of their own, while others go on: every question over UDP is
// answered, whole, and well-behaved clients of TCP and TLS still get in.
#include <sys/socket.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <thread>

#include "unit/dns/responder.h"
#include "unit/dns/running_dot.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

const Ask host{"host.gslb.test"};

/// Nonblocking and without complaint: a server under attack may refuse anything.
UniqueFd try_connect(const SocketAddress& to, const char* from) {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_storage storage{};
    socklen_t size = SocketAddress{IpAddress::parse(from).value(), 0}.to_sockaddr(storage);
    (void)bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), size);
    size = to.to_sockaddr(storage);
    (void)connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), size);
    return fd;
}

void try_send(const UniqueFd& fd, ByteSpan bytes) {
    (void)send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

void reset(UniqueFd fd) {
    const linger now{1, 0};
    (void)setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

Bytes hello() {
    return fairway::test::MemoryTlsClient(dot_client()).take_output();
}

/// Runs `attack` again and again on a thread, from 127.0.0.66, until it goes out of scope.
class Attack {
  public:
    explicit Attack(std::function<void(std::vector<UniqueFd>& held)> attack)
        : thread_([this, attack = std::move(attack)] {
              std::vector<UniqueFd> held;
              while (!stop_) {
                  attack(held);
                  if (held.size() > 300) held.erase(held.begin(), held.begin() + 150);
                  ++rounds_;
              }
          }) {}
    ~Attack() {
        stop_ = true;
        thread_.join();
    }
    Attack(const Attack&) = delete;
    Attack& operator=(const Attack&) = delete;
    void wait_for(int rounds) const {
        while (rounds_ < rounds) std::this_thread::yield();
    }

  private:
    std::atomic<bool> stop_{false};
    std::atomic<int> rounds_{0};
    std::thread thread_;
};

/// Asks while the attack goes on, and nothing may be missing.
void others_go_on(const RunningDot& running, const Attack& attack) {
    Responder direct(make_world());
    const Bytes question = to_bytes(host);
    direct.ask(question, Transport::udp, "127.0.0.1");
    const Bytes udp_answer = direct.bytes;
    direct.ask(question, Transport::tcp, "127.0.0.1");
    const Bytes tcp_answer = direct.bytes;
    attack.wait_for(3);
    const UniqueFd udp = connect_to(running.udp(), SOCK_DGRAM);
    for (int round = 0; round < 30; ++round) {
        // A window of questions, all of them answered before the next.
        constexpr int window = 16;
        for (int i = 0; i < window; ++i) send_all(udp.get(), question);
        for (int i = 0; i < window; ++i) {
            REQUIRE(readable(udp.get()));
            Bytes bytes(4096);
            bytes.resize(static_cast<size_t>(recv(udp.get(), bytes.data(), bytes.size(), 0)));
            REQUIRE(bytes == udp_answer);
        }
        if (round % 10 != 0) continue;
        CHECK(ask_tcp(running.udp(), question) == tcp_answer);
        CHECK(ask_tls(running.v4(), question) == tcp_answer);
    }
}

ServerOptions small() {
    ServerOptions options;
    options.threads = 1;
    options.limits.connections = 200;
    options.limits.connections_per_client = 100;
    options.limits.handshakes = 60;
    return options;
}

constexpr const char* attacker = "127.0.0.66";

}  // namespace

TEST_CASE("a flood of connections that say nothing") {
    RunningDot running(small());
    const Attack attack([&](std::vector<UniqueFd>& held) {
        held.push_back(try_connect(running.udp(), attacker));
        held.push_back(try_connect(running.v4(), attacker));
    });
    others_go_on(running, attack);
}

TEST_CASE("a storm of connections that are reset, bare and in the middle of a handshake") {
    RunningDot running(small());
    const Bytes first = hello();
    const Bytes question = framed(to_bytes(host));
    const Attack attack([&](std::vector<UniqueFd>&) {
        UniqueFd plain = try_connect(running.udp(), attacker);
        try_send(plain, question);
        reset(std::move(plain));
        UniqueFd secure = try_connect(running.v4(), attacker);
        try_send(secure, first);
        reset(std::move(secure));
        reset(try_connect(running.v4(), attacker));
    });
    others_go_on(running, attack);
}

TEST_CASE("a flood of handshakes that cost the server a key's operation and never end") {
    RunningDot running(small());
    const Bytes first = hello();
    const Attack attack([&](std::vector<UniqueFd>& held) {
        held.push_back(try_connect(running.v4(), attacker));
        try_send(held.back(), first);
        // As fast as the server can be, and no faster: a full queue of the kernel's would be another test.
        if (held.size() % 8 == 0) (void)readable(held.back().get(), 20);
    });
    others_go_on(running, attack);
    CHECK(running.stop().tls_failures > 0);
}

TEST_CASE("huge pipelines whose answers nobody reads") {
    RunningDot running(small());
    Bytes questions;
    for (int i = 0; i < 400; ++i) {
        const Bytes one = framed(to_bytes(Ask{"many.gslb.test"}));
        questions.insert(questions.end(), one.begin(), one.end());
    }
    const Attack attack([&](std::vector<UniqueFd>& held) {
        if (held.size() < 40) held.push_back(try_connect(running.udp(), attacker));
        for (const UniqueFd& fd : held) try_send(fd, questions);
    });
    others_go_on(running, attack);
}

TEST_CASE("writers of one octet at a time, and readers of one") {
    RunningDot running(small());
    const Bytes question = framed(to_bytes(Ask{"many.gslb.test"}));
    const Bytes first = hello();
    size_t at = 0;
    const Attack attack([&](std::vector<UniqueFd>& held) {
        while (held.size() < 60)
            held.push_back(try_connect(held.size() % 2 == 0 ? running.udp() : running.v4(), attacker));
        for (size_t i = 0; i < held.size(); ++i) {
            const Bytes& said = i % 2 == 0 ? question : first;
            try_send(held[i], ByteSpan(said).subspan(at % said.size(), 1));
            uint8_t octet = 0;
            (void)recv(held[i].get(), &octet, 1, MSG_DONTWAIT);
        }
        ++at;
    });
    others_go_on(running, attack);
}

TEST_CASE("nonsense in place of TLS, and TLS full of records without content") {
    RunningDot running(small());
    const Bytes junk(512, 0x41);
    const Bytes empty_records{0x17, 0x03, 0x03, 0x00, 0x00};
    const Attack attack([&](std::vector<UniqueFd>&) {
        const UniqueFd fd = try_connect(running.v4(), attacker);
        try_send(fd, junk);
        const UniqueFd other = try_connect(running.v4(), attacker);
        try_send(other, empty_records);
        const UniqueFd plain = try_connect(running.udp(), attacker);
        try_send(plain, Bytes{0xff, 0xff, 0, 0});
    });
    others_go_on(running, attack);
}
