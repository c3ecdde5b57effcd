// SPDX-License-Identifier: Apache-2.0
#pragma once
// The load of the DNS benchmarks: questions with random client subnets over UDP on loopback, a fixed number
// in flight, every answer checked; and the floor beside which answers are measured, a responder that only
// turns the question around (recvmmsg, set QR, sendmmsg).

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
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
#include <functional>
#include <thread>

#include "base/unique_fd.h"
#include "bench/dns/bench_world.h"

namespace fairway::dns::bench {

inline constexpr size_t batch = 32;
inline constexpr size_t outstanding = 128;
inline constexpr size_t sockets = 4;
inline constexpr size_t room = 1500;

using Clock = std::chrono::steady_clock;

inline void pin_to(size_t cpu) {
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

inline double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

struct Cpu {
    double user = 0;
    double system = 0;
};

inline Cpu used(int who) {
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

// Of all threads but this one.
inline Cpu other_threads() {
    const Cpu process = used(RUSAGE_SELF);
    const Cpu own = used(RUSAGE_THREAD);
    return {process.user - own.user, process.system - own.system};
}

// Keeps `outstanding` questions in flight for a while, and checks every answer: ID, QR, NOERROR, and how
// many answers there are (-1: any number).
inline Measured load(const SocketAddress& server, double duration, int answers_expected,
                     const std::function<Cpu()>& server_cpu) {
    static const auto queries = [] {
        Random random(3);
        std::vector<std::vector<uint8_t>> list;
        for (uint32_t i = 0; i < 100'000; ++i) list.push_back(make_query(random, 0));
        return list;
    }();
    std::array<UniqueFd, sockets> fds;
    for (UniqueFd& fd : fds) {
        fd.reset(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_storage to{};
        const socklen_t size = server.to_sockaddr(to);
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
    const Cpu before = server_cpu();
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
    const Cpu after = server_cpu();
    const auto count = static_cast<double>(std::max<size_t>(answered, 1));
    const double user = after.user - before.user;
    const double system = after.system - before.system;
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
    explicit Floor(const SocketAddress& at = {IpAddress::v4(0x7f000001), 0})
        : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_storage address{};
        const socklen_t size = at.to_sockaddr(address);
        const timeval wait{0, 20'000};
        setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        if (bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) std::abort();
        thread_ = std::thread([this] { run(); });
    }
    ~Floor() {
        stop_ = true;
        thread_.join();
    }
    [[nodiscard]] SocketAddress address() const {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        return SocketAddress::from_sockaddr(reinterpret_cast<sockaddr*>(&address)).value();
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

}  // namespace fairway::dns::bench
