// SPDX-License-Identifier: Apache-2.0
// The least that probing by TCP connections can cost: one epoll set, connect, wait, ask for the error, close,
// on an even schedule. And the peer of all that is measured beside it: a listener that accepts and closes.
//
//     bench_connect_floor probe ENDPOINTS INTERVAL_MS SECONDS PORT     prints one line of JSON
//     bench_connect_floor sink LISTENING_FD                            a line on stdin prints the count so
//     far

#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using Clock = std::chrono::steady_clock;

int sink(int listener) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    uint64_t count = 0;
    std::array<pollfd, 2> wait{{{.fd = listener, .events = POLLIN, .revents = 0},
                                {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0}}};
    while (true) {
        ::poll(wait.data(), wait.size(), -1);
        for (int i = 0; i < 64; ++i) {
            const int connection = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
            if (connection < 0) break;
            ::close(connection);
            ++count;
            // The listener blocks, as others' do: look again before each further one.
            if (::poll(wait.data(), 1, 0) != 1) break;
        }
        if ((wait[1].revents & (POLLIN | POLLHUP)) != 0 && ::poll(&wait[1], 1, 0) == 1) {
            std::array<char, 64> line{};
            if (::read(STDIN_FILENO, line.data(), line.size()) <= 0) return 0;
            std::printf("%lu\n", count);
            std::fflush(stdout);
        }
    }
}

int probe(uint32_t endpoints, double interval_ms, double duration_s, uint16_t port) {
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    const auto begun = Clock::now();
    const std::chrono::duration<double> step(interval_ms / 1e3 / endpoints);
    uint64_t started = 0;
    uint64_t done = 0;
    uint64_t failed = 0;
    rusage before{};
    rusage after{};
    ::getrusage(RUSAGE_SELF, &before);
    while (true) {
        const std::chrono::duration<double> elapsed = Clock::now() - begun;
        if (elapsed.count() >= duration_s) break;
        const auto due = static_cast<uint64_t>(elapsed / step) + 1;
        for (; started < due; ++started) {
            const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
            sockaddr_in peer{};
            peer.sin_family = AF_INET;
            peer.sin_port = htons(port);
            peer.sin_addr.s_addr = htonl(0x7f200001U + static_cast<uint32_t>(started % endpoints));
            epoll_event event{};
            event.events = EPOLLOUT;
            event.data.fd = fd;
            if (fd < 0 ||
                (::connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0 &&
                 errno != EINPROGRESS) ||
                ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
                ++failed;
                if (fd >= 0) ::close(fd);
            }
        }
        // A millisecond, as an event loop's timers have it.
        std::array<epoll_event, 256> events;
        const int ready = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 1);
        for (int i = 0; i < ready; ++i) {
            const int fd = events[static_cast<size_t>(i)].data.fd;
            int error = 0;
            socklen_t length = sizeof error;
            ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
            if (error != 0) ++failed;
            ::close(fd);
            ++done;
        }
    }
    ::getrusage(RUSAGE_SELF, &after);
    const auto microseconds = [](const rusage& usage) {
        return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
               static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    };
    const double cpu = microseconds(after) - microseconds(before);
    std::printf("{\"probes\":%lu,\"failed\":%lu,\"rate\":%.0f,\"cpu_us_per_probe\":%.2f,\"rss_kib\":%ld}\n",
                done, failed, static_cast<double>(done) / duration_s, cpu / static_cast<double>(done),
                after.ru_maxrss);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::string(argv[1]) == "sink") return sink(std::atoi(argv[2]));
    if (argc == 6 && std::string(argv[1]) == "probe")
        return probe(static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10)), std::strtod(argv[3], nullptr),
                     std::strtod(argv[4], nullptr),
                     static_cast<uint16_t>(std::strtoul(argv[5], nullptr, 10)));
    std::fprintf(stderr, "usage: %s probe ENDPOINTS INTERVAL_MS SECONDS PORT | sink LISTENING_FD\n", argv[0]);
    return 2;
}
