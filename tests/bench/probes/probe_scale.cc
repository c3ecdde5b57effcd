// SPDX-License-Identifier: Apache-2.0
// What the probe engine costs: N endpoints on loopback addresses, one TCP monitor each, and how many of their
// probes start on time, what CPU one takes and how much memory the process holds.
//
//     bench_probe_scale ENDPOINTS INTERVAL_MS SECONDS [PORT]
//
// Endpoints are 127.32.0.1 upwards. With PORT, something listens there already (tests/bench/probe_scale.py);
// without, a process of its own is forked to accept and close. Prints one line of JSON.

#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "model/model.h"
#include "net/loop.h"
#include "net/open_files.h"
#include "net/resolver.h"
#include "net/timer.h"
#include "probes/prober.h"

using namespace fairway;

namespace {

/// A listener on every loopback address, and a child that accepts and closes. The parent ends it.
struct Sink {
    uint16_t port = 0;
    pid_t child = -1;

    Sink() {
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in any{};
        any.sin_family = AF_INET;
        socklen_t length = sizeof any;
        const int one = 1;
        ::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
        ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (::bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0 || ::listen(fd, 4096) != 0 ||
            ::getsockname(fd, reinterpret_cast<sockaddr*>(&any), &length) != 0) {
            std::perror("sink");
            std::exit(1);
        }
        port = ntohs(any.sin_port);
        child = ::fork();
        if (child == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            while (true) {
                const int connection = ::accept(fd, nullptr, nullptr);
                if (connection >= 0) ::close(connection);
            }
        }
        ::close(fd);
    }
    ~Sink() {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    }
};

std::shared_ptr<const Model> fleet(size_t endpoints, milliseconds interval, uint16_t port) {
    auto model = std::make_shared<Model>();
    Monitor monitor;
    monitor.id = MonitorId(size_t{0});
    monitor.name = "tcp";
    monitor.interval = interval;
    monitor.timeout = interval / 2;
    monitor.recheck = interval / 4;
    monitor.port = port;
    monitor.probe = TcpProbe{};
    model->monitors.push_back(monitor);
    for (size_t i = 0; i < endpoints; ++i) {
        if (i % 8 == 0) {
            Gateway gateway;
            gateway.id = GatewayId(i / 8);
            gateway.name = "gw" + std::to_string(i / 8);
            gateway.monitors = {MonitorId(size_t{0})};
            model->gateways.push_back(std::move(gateway));
        }
        Endpoint endpoint;
        endpoint.id = EndpointId(i);
        endpoint.gateway = GatewayId(i / 8);
        endpoint.address = IpAddress::v4(0x7f200001U + static_cast<uint32_t>(i));
        endpoint.name = endpoint.host = endpoint.address->to_string();
        model->gateways.back().endpoints.push_back(endpoint.id);
        model->endpoints.push_back(std::move(endpoint));
    }
    return model;
}

/// "VmRSS" or "VmHWM" of this process, in KiB.
long memory(const std::string& field) {
    std::ifstream status("/proc/self/status");
    std::string word;
    while (status >> word)
        if (word == field + ":") {
            long value = 0;
            status >> value;
            return value;
        }
    return 0;
}

double cpu_microseconds(const rusage& usage) {
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/// The upper bound of the bucket in which this share of the starts lies, in ms; -1 for beyond all bounds.
double percentile(const ProberStats& before, const ProberStats& after, double share) {
    const uint64_t total = after.started - before.started;
    uint64_t seen = 0;
    for (size_t i = 0; i < ProberStats::lag_bounds.size(); ++i) {
        seen += after.lag[i] - before.lag[i];
        if (static_cast<double>(seen) >= share * static_cast<double>(total))
            return static_cast<double>(ProberStats::lag_bounds[i].count()) / 1e3;
    }
    return -1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: %s ENDPOINTS INTERVAL_MS SECONDS [PORT]\n", argv[0]);
        return 2;
    }
    const size_t endpoints = std::strtoul(argv[1], nullptr, 10);
    const milliseconds interval{std::strtol(argv[2], nullptr, 10)};
    const seconds duration{std::strtol(argv[3], nullptr, 10)};
    std::unique_ptr<Sink> sink;
    uint16_t port = argc > 4 ? static_cast<uint16_t>(std::strtoul(argv[4], nullptr, 10)) : 0;
    if (port == 0) {
        sink = std::make_unique<Sink>();
        port = sink->port;
    }
    net::raise_open_file_limit();

    net::Loop loop;
    net::Resolver resolver(loop, {});
    uint64_t passed = 0;
    uint64_t failed = 0;
    Prober prober(loop, resolver, {.rate = 100'000, .rate_per_gateway = 1'000, .seed = 1},
                  {.on_result =
                       [&](EndpointId, size_t, const ProbeResult& result) {
                           ++(result.usable() ? passed : failed);
                           return Pace::interval;
                       },
                   .on_address = {},
                   .on_first_round = {}});
    prober.configure(fleet(endpoints, interval, port));

    rusage usage_before{};
    rusage usage_after{};
    ProberStats before;
    MonotonicTime begun;
    net::Timer warm(loop, [&] {
        ::getrusage(RUSAGE_SELF, &usage_before);
        before = prober.stats();
        passed = failed = 0;
        begun = loop.now();
    });
    net::Timer end(loop, [&] { loop.stop(); });
    const nanoseconds warm_up = 2 * interval + seconds{1};
    warm.start(warm_up);
    end.start(warm_up + duration);
    loop.run();

    ::getrusage(RUSAGE_SELF, &usage_after);
    const ProberStats after = prober.stats();
    const double elapsed = std::chrono::duration<double>(loop.now() - begun).count();
    const uint64_t started = after.started - before.started;
    const uint64_t finished = after.finished - before.finished;
    const double cpu = cpu_microseconds(usage_after) - cpu_microseconds(usage_before);
    std::printf(
        "{\"endpoints\":%zu,\"interval_ms\":%ld,\"seconds\":%.2f,\"probes\":%lu,\"passed\":%lu,\"failed\":%"
        "lu,"
        "\"rate\":%.0f,\"expected_rate\":%.0f,\"cpu_pct\":%.2f,\"cpu_us_per_probe\":%.2f,\"user_us_per_"
        "probe\":%.2f,"
        "\"on_time_50ms_pct\":%.3f,\"lag_p50_ms\":%.2f,\"lag_p99_ms\":%.2f,\"lag_mean_ms\":%.3f,\"skipped\":%"
        "lu,"
        "\"deferred\":%lu,\"rss_kib\":%ld,\"peak_kib\":%ld}\n",
        endpoints, static_cast<long>(interval.count()), elapsed, finished, passed, failed,
        static_cast<double>(finished) / elapsed,
        static_cast<double>(endpoints) * 1e3 / static_cast<double>(interval.count()), cpu / elapsed / 1e4,
        cpu / static_cast<double>(finished),
        (static_cast<double>(usage_after.ru_utime.tv_sec - usage_before.ru_utime.tv_sec) * 1e6 +
         static_cast<double>(usage_after.ru_utime.tv_usec - usage_before.ru_utime.tv_usec)) /
            static_cast<double>(finished),
        100.0 * (1.0 - static_cast<double>(after.late - before.late) / static_cast<double>(started)),
        percentile(before, after, 0.5), percentile(before, after, 0.99),
        std::chrono::duration<double, std::milli>(after.lag_sum - before.lag_sum).count() /
            static_cast<double>(started),
        after.skipped - before.skipped, after.deferred - before.deferred, memory("VmRSS"), memory("VmHWM"));
    return 0;
}
