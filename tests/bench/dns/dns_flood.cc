// SPDX-License-Identifier: Apache-2.0
// What attacks on TCP and TLS cost UDP: questions per second over UDP on loopback, the server on one core,
// the load and the attacker (a process of its own) on the other. Beside the same with a neighbour who only
// burns time, because the attacker takes half of the load's core whatever the server does. Medians of
// interleaved rounds; questions without an answer are counted.
//
//     bench_dns_flood [SECONDS_PER_ROUND [ROUNDS]]

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "bench/dns/bench_world.h"
#include "dns/server.h"
#include "net/tls_server.h"
#include "support/certificates.h"
#include "support/tls_client.h"

using namespace fairway;
using namespace fairway::dns;

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t window = 64;  // questions on their way

void pin_to(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<size_t>(cpu % std::max(1L, sysconf(_SC_NPROCESSORS_ONLN))), &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

std::shared_ptr<const net::TlsServerContext> make_context(test::KeyKind kind) {
    test::CertificateSpec spec;
    spec.name = "dns.example";
    spec.not_before = std::chrono::system_clock::now() - std::chrono::hours(1);
    spec.not_after = std::chrono::system_clock::now() + std::chrono::hours(1);
    spec.key = kind;
    const test::Certificate made = test::make_certificate(spec, nullptr);
    const test::TemporaryFolder folder;
    return net::TlsServerContext::open(
               {folder.write("cert.pem", made.pem()), folder.write("key.pem", made.key_pem()), {"dot"}})
        .value();
}

UniqueFd try_connect(const SocketAddress& to) {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_storage storage{};
    const socklen_t size = to.to_sockaddr(storage);
    (void)connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), size);
    return fd;
}

void try_send(int fd, ByteSpan bytes) {
    (void)send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

using Held = std::vector<UniqueFd>;

void keep(Held& held, UniqueFd fd) {
    held.push_back(std::move(fd));
    if (held.size() > 500) held.erase(held.begin(), held.begin() + 250);
}

struct Attack {
    const char* name;
    std::function<void(Held&)> round;
};

struct Score {
    double rate = 0;
    uint64_t lost = 0;
};

Score measure(const SocketAddress& server, double duration) {
    UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage storage{};
    const socklen_t size = server.to_sockaddr(storage);
    if (connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0) std::abort();
    Random random(7);
    std::vector<std::vector<uint8_t>> questions;
    for (uint16_t i = 0; i < 256; ++i) questions.push_back(bench::make_query(random, i));
    Score score;
    uint64_t answered = 0;
    std::array<uint8_t, 4096> buffer{};
    const auto start = Clock::now();
    const auto end =
        start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(duration));
    for (size_t next = 0; Clock::now() < end;) {
        for (size_t i = 0; i < window; ++i) {
            const auto& question = questions[next++ % questions.size()];
            if (send(fd.get(), question.data(), question.size(), 0) < 0) std::abort();
        }
        for (size_t i = 0; i < window; ++i) {
            pollfd entry{fd.get(), POLLIN, 0};
            if (poll(&entry, 1, 2000) != 1) {
                score.lost += window - i;
                break;
            }
            const ssize_t got = recv(fd.get(), buffer.data(), buffer.size(), 0);
            // NOERROR with an answer, or the measurement is worth nothing.
            if (got < 12 || (buffer[3] & 15) != 0 || buffer[7] == 0) std::abort();
            ++answered;
        }
    }
    score.rate = static_cast<double>(answered) / std::chrono::duration<double>(Clock::now() - start).count();
    return score;
}

template <class T>
T median(std::vector<T> all) {
    std::sort(all.begin(), all.end());
    return all[all.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    const double duration = argc > 1 ? std::atof(argv[1]) : 1;
    const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
    signal(SIGPIPE, SIG_IGN);
    const auto model = bench::make_model();
    Published<Serving> serving(std::make_shared<Serving>(bench::make_serving(model, bench::make_locator())));
    net::TlsServerSupply ecdsa(net::make_ticket_secret().value());
    ecdsa.context.publish(make_context(test::KeyKind::p256));
    net::TlsServerSupply rsa(net::make_ticket_secret().value());
    rsa.context.publish(make_context(test::KeyKind::rsa2048));

    const SocketAddress any{IpAddress::v4(0x7f000001), 0};
    ServerOptions options;
    options.listen = options.tls_listen = {any};
    options.threads = 1;
    // Threads take over the affinity of who starts them.
    pin_to(0);
    auto first = Server::open(options, serving, nullptr, &ecdsa).value();
    auto second = Server::open(options, serving, nullptr, &rsa).value();
    first->start();
    second->start();
    pin_to(1);

    const SocketAddress udp = first->addresses().front();
    const SocketAddress tls = first->tls_addresses().front();
    const SocketAddress rsa_udp = second->addresses().front();
    const SocketAddress rsa_tls = second->tls_addresses().front();
    const std::vector<uint8_t> hello = test::MemoryTlsClient().take_output();
    Random random(1);
    std::vector<uint8_t> pipeline;
    for (uint16_t i = 0; i < 400; ++i) {
        const auto question = bench::make_query(random, i);
        pipeline.push_back(static_cast<uint8_t>(question.size() >> 8));
        pipeline.push_back(static_cast<uint8_t>(question.size()));
        pipeline.insert(pipeline.end(), question.begin(), question.end());
    }
    const auto handshakes = [&hello](const SocketAddress& to) {
        return [&hello, to](Held& held) {
            keep(held, try_connect(to));
            try_send(held.back().get(), hello);
        };
    };
    const std::vector<Attack> attacks{
        {"a neighbour who burns time", [](Held&) {}},
        {"connections that say nothing", [&](Held& held) { keep(held, try_connect(udp)); }},
        {"connections that are reset",
         [&](Held&) {
             const UniqueFd fd = try_connect(udp);
             const linger now{1, 0};
             (void)setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
         }},
        {"TCP pipelines, answers unread",
         [&](Held& held) {
             while (held.size() < 50) held.push_back(try_connect(udp));
             for (const UniqueFd& fd : held) try_send(fd.get(), pipeline);
         }},
        {"TCP pipelines, answers read",
         [&](Held& held) {
             static std::array<uint8_t, 65536> sink;
             while (held.size() < 50) held.push_back(try_connect(udp));
             for (const UniqueFd& fd : held) {
                 try_send(fd.get(), pipeline);
                 while (recv(fd.get(), sink.data(), sink.size(), MSG_DONTWAIT) > 0) {
                 }
             }
         }},
        {"TLS handshakes, ECDSA P-256", handshakes(tls)},
        {"TLS handshakes, RSA 2048", handshakes(rsa_tls)},
    };

    std::vector<std::vector<double>> rates(attacks.size());
    std::vector<double> alone;
    std::vector<uint64_t> lost(attacks.size());
    for (int round = 0; round < rounds; ++round) {
        alone.push_back(measure(udp, duration).rate);
        for (size_t i = 0; i < attacks.size(); ++i) {
            const pid_t child = fork();
            if (child == 0) {
                // The server's connections are not the attacker's.
                (void)close_range(3, ~0U, 0);
                Held held;
                while (true) attacks[i].round(held);
            }
            if (child < 0) std::abort();
            const Score score = measure(i + 1 == attacks.size() ? rsa_udp : udp, duration);
            kill(child, SIGKILL);
            (void)waitpid(child, nullptr, 0);
            rates[i].push_back(score.rate);
            lost[i] += score.lost;
        }
    }
    std::printf("%-32s %9.0f/s\n", "alone", median(alone));
    for (size_t i = 0; i < attacks.size(); ++i)
        std::printf("%-32s %9.0f/s  %.2f of the neighbour's  lost %llu\n", attacks[i].name, median(rates[i]),
                    median(rates[i]) / median(rates[0]), static_cast<unsigned long long>(lost[i]));
    for (const auto* server : {first.get(), second.get()}) {
        const ServerStats stats = server->stats();
        std::printf("connections %llu, closed for room %llu, handshakes begun and failed %llu\n",
                    static_cast<unsigned long long>(stats.connections_accepted),
                    static_cast<unsigned long long>(stats.connections_closed_for_room),
                    static_cast<unsigned long long>(stats.tls_failures));
    }
    return 0;
}
