// SPDX-License-Identifier: Apache-2.0
// Questions per second over UDP on loopback: our server on one core, the load on another, beside the floor of
// a responder that only turns the question around (recvmmsg, set QR, sendmmsg). Every answer is checked.
// Medians of interleaved rounds.
//
//     bench_dns_load [SECONDS_PER_ROUND [ROUNDS]]
//     bench_dns_load serve ADDRESS:PORT          answer until killed, for dig, resolvers and foreign load
//     generators

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>

#include "base/unique_fd.h"
#include "bench/dns/bench_world.h"
#include "dns/server.h"

using namespace fairway;
using namespace fairway::dns;

namespace {

constexpr size_t batch = 32;
constexpr size_t outstanding = 128;
constexpr size_t sockets = 4;
constexpr size_t room = 1500;

using Clock = std::chrono::steady_clock;

void pin_to(size_t cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu % static_cast<size_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN))), &set);
    (void)pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

struct Batch {
    std::array<mmsghdr, batch> headers{};
    std::array<iovec, batch> vectors{};
    std::array<sockaddr_storage, batch> peers{};
    std::array<std::array<uint8_t, room>, batch> bytes{};

    Batch() {
        for (size_t i = 0; i < batch; ++i) {
            vectors[i] = {bytes[i].data(), room};
            headers[i].msg_hdr.msg_iov = &vectors[i];
            headers[i].msg_hdr.msg_iovlen = 1;
        }
    }
};

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

struct Cpu {
    double user = 0;
    double system = 0;
};

Cpu used(int who) {
    rusage usage{};
    getrusage(who, &usage);
    return {seconds_of(usage.ru_utime), seconds_of(usage.ru_stime)};
}

struct Measured {
    double rate = 0;     // answers per second
    double user_ns = 0;  // server's CPU per answer
    double total_ns = 0;
    double p50_us = 0;
    double p99_us = 0;
    size_t wrong = 0;
    size_t lost = 0;
};

// Keeps `outstanding` questions in flight for a while, and checks every answer: ID, QR, NOERROR, and for ours
// that there are two addresses.
Measured load(uint16_t port, double duration, int answers_expected) {
    static const auto queries = [] {
        Random random(3);
        std::vector<std::vector<uint8_t>> list;
        for (uint32_t i = 0; i < 100'000; ++i) list.push_back(bench::make_query(random, 0));
        return list;
    }();
    std::array<UniqueFd, sockets> fds;
    for (UniqueFd& fd : fds) {
        fd.reset(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_storage to{};
        const socklen_t size = SocketAddress{IpAddress::v4(0x7f000001), port}.to_sockaddr(to);
        if (connect(fd.get(), reinterpret_cast<sockaddr*>(&to), size) != 0) std::abort();
    }
    auto in = std::make_unique<Batch>();
    auto out = std::make_unique<Batch>();
    std::vector<Clock::time_point> sent_at(65536);
    std::vector<uint8_t> waiting(65536);
    std::vector<double> latencies;
    latencies.reserve(4'000'000);
    Measured result;
    uint16_t next_id = 0;
    size_t next_query = 0;
    std::array<size_t, sockets> in_flight{};
    size_t answered = 0;
    const Cpu process_before = used(RUSAGE_SELF);
    const Cpu own_before = used(RUSAGE_THREAD);
    const auto start = Clock::now();
    const auto end =
        start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(duration));
    for (size_t turn = 0; Clock::now() < end; ++turn) {
        const size_t s = turn % sockets;
        const size_t free = outstanding / sockets - in_flight[s];
        const size_t count = std::min(free, batch);
        for (size_t i = 0; i < count; ++i) {
            const auto& query = queries[next_query++ % queries.size()];
            std::memcpy(out->bytes[i].data(), query.data(), query.size());
            const uint16_t id = next_id++;
            out->bytes[i][0] = static_cast<uint8_t>(id >> 8);
            out->bytes[i][1] = static_cast<uint8_t>(id);
            out->vectors[i].iov_len = query.size();
            sent_at[id] = Clock::now();
            waiting[id] = 1;
        }
        if (count > 0) {
            const int sent = sendmmsg(fds[s].get(), out->headers.data(), static_cast<unsigned>(count), 0);
            if (sent > 0) in_flight[s] += static_cast<size_t>(sent);
        }
        pollfd entry{fds[s].get(), POLLIN, 0};
        if (poll(&entry, 1, 200) == 0) {
            result.lost += in_flight[s];
            in_flight[s] = 0;
            continue;
        }
        for (size_t i = 0; i < batch; ++i) in->headers[i].msg_hdr.msg_namelen = 0;
        const int got = recvmmsg(fds[s].get(), in->headers.data(), batch, MSG_DONTWAIT, nullptr);
        const auto now = Clock::now();
        for (size_t i = 0; got > 0 && i < static_cast<size_t>(got); ++i) {
            const auto& bytes = in->bytes[i];
            const size_t id = size_t{bytes[0]} << 8 | bytes[1];
            const bool good = waiting[id] != 0 && (bytes[2] & 0x80) != 0 && (bytes[3] & 0x0f) == 0 &&
                              (answers_expected < 0 || bytes[7] == answers_expected);
            if (!good) ++result.wrong;
            waiting[id] = 0;
            if (in_flight[s] > 0) --in_flight[s];
            ++answered;
            latencies.push_back(std::chrono::duration<double, std::micro>(now - sent_at[id]).count());
        }
    }
    const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    const Cpu process = used(RUSAGE_SELF);
    const Cpu own = used(RUSAGE_THREAD);
    const auto count = static_cast<double>(std::max<size_t>(answered, 1));
    const double user = process.user - process_before.user - (own.user - own_before.user);
    const double system = process.system - process_before.system - (own.system - own_before.system);
    result.rate = count / elapsed;
    result.user_ns = user / count * 1e9;
    result.total_ns = (user + system) / count * 1e9;
    std::sort(latencies.begin(), latencies.end());
    if (!latencies.empty()) {
        result.p50_us = latencies[latencies.size() / 2];
        result.p99_us = latencies[latencies.size() * 99 / 100];
    }
    return result;
}

class Floor {
  public:
    Floor() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_storage address{};
        const socklen_t size = SocketAddress{IpAddress::v4(0x7f000001), 0}.to_sockaddr(address);
        const timeval wait{0, 20'000};
        setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        if (bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) std::abort();
        thread_ = std::thread([this] { run(); });
    }
    ~Floor() {
        stop_ = true;
        thread_.join();
    }
    [[nodiscard]] uint16_t port() const {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        return SocketAddress::from_sockaddr(reinterpret_cast<sockaddr*>(&address))->port;
    }

  private:
    void run() {
        auto buffers = std::make_unique<Batch>();
        while (!stop_) {
            for (size_t i = 0; i < batch; ++i) {
                buffers->headers[i].msg_hdr.msg_name = &buffers->peers[i];
                buffers->headers[i].msg_hdr.msg_namelen = sizeof buffers->peers[i];
                buffers->vectors[i].iov_len = room;
            }
            const int got = recvmmsg(fd_.get(), buffers->headers.data(), batch, MSG_WAITFORONE, nullptr);
            if (got <= 0) continue;
            for (size_t i = 0; i < static_cast<size_t>(got); ++i) {
                buffers->bytes[i][2] |= 0x84;
                // As long as a real answer with two addresses.
                buffers->vectors[i].iov_len = buffers->headers[i].msg_len + 32;
            }
            sendmmsg(fd_.get(), buffers->headers.data(), static_cast<unsigned>(got), 0);
        }
    }

    UniqueFd fd_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

void print(const char* name, std::vector<Measured>& rounds) {
    std::sort(rounds.begin(), rounds.end(),
              [](const Measured& a, const Measured& b) { return a.rate < b.rate; });
    const Measured& middle = rounds[rounds.size() / 2];
    size_t wrong = 0;
    size_t lost = 0;
    for (const Measured& one : rounds) {
        wrong += one.wrong;
        lost += one.lost;
    }
    std::printf(
        "%-8s %9.0f q/s  user %6.0f ns  CPU %6.0f ns  p50 %6.0f us  p99 %6.0f us  wrong %zu  lost %zu\n",
        name, middle.rate, middle.user_ns, middle.total_ns, middle.p50_us, middle.p99_us, wrong, lost);
}

int serve(const char* address, const Serving& serving) {
    const auto listen = SocketAddress::parse(address, 53);
    if (!listen) {
        std::fprintf(stderr, "%s\n", listen.error().message.c_str());
        return 2;
    }
    Published<Serving> published(std::make_shared<Serving>(serving));
    auto server = Server::open({{*listen}, 1, {}}, published);
    if (!server) {
        std::fprintf(stderr, "%s\n", server.error().message.c_str());
        return 1;
    }
    (*server)->start();
    std::printf("answering vpn.gslb.example.com on %s\n", (*server)->addresses().front().to_string().c_str());
    std::fflush(stdout);
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    int signal = 0;
    sigwait(&ends, &signal);
    (*server)->stop();
    const ServerStats stats = (*server)->stats();
    std::printf("%llu questions over UDP, %llu over TCP\n",
                static_cast<unsigned long long>(stats.udp_queries),
                static_cast<unsigned long long>(stats.tcp_queries));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::string_view(argv[1]) == "serve") {
        // Before any thread, so that all inherit it and the signals come to sigwait().
        sigset_t ends;
        sigemptyset(&ends);
        sigaddset(&ends, SIGINT);
        sigaddset(&ends, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &ends, nullptr);
    }
    const auto model = bench::make_model();
    const Serving serving = bench::make_serving(model, bench::make_locator());
    if (argc == 3 && std::string_view(argv[1]) == "serve") return serve(argv[2], serving);

    const double duration = argc > 1 ? std::atof(argv[1]) : 1.0;
    const int rounds = argc > 2 ? std::atoi(argv[2]) : 7;
    Published<Serving> published(std::make_shared<Serving>(serving));
    std::vector<Measured> floor;
    std::vector<Measured> ours;
    for (int round = 0; round < rounds; ++round) {
        {
            pin_to(0);
            const Floor responder;
            pin_to(1);
            floor.push_back(load(responder.port(), duration, -1));
        }
        pin_to(0);
        auto server = Server::open({{{IpAddress::v4(0x7f000001), 0}}, 1, {}}, published);
        if (!server) return 1;
        (*server)->start();
        pin_to(1);
        ours.push_back(load((*server)->addresses().front().port, duration, 2));
    }
    print("floor", floor);
    print("fairway", ours);
    const double ratio = ours[ours.size() / 2].rate / floor[floor.size() / 2].rate;
    std::printf("fairway / floor: %.3f of the rate\n", ratio);
    size_t wrong = 0;
    for (const Measured& one : ours) wrong += one.wrong;
    return wrong == 0 ? 0 : 1;
}
