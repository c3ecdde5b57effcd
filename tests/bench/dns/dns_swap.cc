// SPDX-License-Identifier: Apache-2.0
// What replacing the data costs an answer: one thread answers without pause, another publishes new health
// every 2 ms, or whole new tables of 10,000 names every 20 ms, beside nothing at all. The longest answers are
// what matters; CPU time tells them apart from the scheduler's interruptions. Medians of interleaved rounds.
//
//     bench_dns_swap [SECONDS_PER_ROUND [ROUNDS]]

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>

#include "base/published.h"
#include "bench/dns/bench_world.h"

using namespace fairway;
using namespace fairway::dns;

namespace {

constexpr size_t services = 10'000;

using Clock = std::chrono::steady_clock;

double cpu_us() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

struct Longest {
    double wall_us = 0;
    double cpu_us = 0;
    double p999_us = 0;
    size_t swaps = 0;
};

enum class Swap { nothing, health, tables };

Longest run(Swap swap, double duration, const std::vector<std::shared_ptr<const Serving>>& made) {
    Published<Serving> published(made[0]);
    std::atomic<bool> stop{false};
    Longest longest;
    std::thread answering([&] {
        Published<Serving>::Reader reader(published);
        Answerer answerer;
        std::vector<uint8_t> out(Answerer::max_udp_answer);
        Random random(5);
        std::vector<std::vector<uint8_t>> queries;
        for (uint16_t i = 0; i < 1000; ++i) queries.push_back(bench::make_query(random, i));
        std::vector<double> wall;
        wall.reserve(20'000'000);
        for (size_t i = 0; !stop; ++i) {
            const auto start = Clock::now();
            const double cpu = cpu_us();
            Request request;
            request.message = queries[i % queries.size()];
            request.source = IpAddress::v4(0x7f000001);
            request.unix_seconds = bench::unix_seconds;
            if (answerer.answer(reader.get(), request, out) == 0) std::abort();
            // Warm-up is not what is measured.
            if (i < 10'000) continue;
            longest.cpu_us = std::max(longest.cpu_us, cpu_us() - cpu);
            wall.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
        }
        std::sort(wall.begin(), wall.end());
        if (!wall.empty()) {
            longest.wall_us = wall.back();
            longest.p999_us = wall[wall.size() * 999 / 1000];
        }
    });
    const auto end =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(duration));
    while (Clock::now() < end) {
        std::this_thread::sleep_for(swap == Swap::tables ? milliseconds(20) : milliseconds(2));
        if (swap == Swap::nothing) continue;
        ++longest.swaps;
        if (swap == Swap::tables) {
            published.publish(made[longest.swaps % made.size()]);
            continue;
        }
        auto next = std::make_shared<Serving>(*made[0]);
        next->health = bench::make_health(made[0]->health->model, longest.swaps);
        published.publish(std::move(next));
    }
    stop = true;
    answering.join();
    return longest;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    const double duration = argc > 1 ? std::atof(argv[1]) : 1.0;
    const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
    const auto locator = bench::make_locator();
    std::vector<std::shared_ptr<const Serving>> made;
    for (int i = 0; i < 2; ++i) {
        const auto model = bench::make_model(services);
        const auto start = Clock::now();
        const auto built = Authority::build(model, 1);
        if (i == 0)
            std::printf("authority of %zu steered names built in %.0f ms\n", services,
                        std::chrono::duration<double, std::milli>(Clock::now() - start).count());
        made.push_back(std::make_shared<Serving>(bench::make_serving(model, locator)));
    }
    struct Kind {
        const char* name;
        Swap swap;
        std::vector<double> wall, cpu, p999;
        size_t swaps = 0;
    };
    std::vector<Kind> kinds{{"nothing", Swap::nothing, {}, {}, {}},
                            {"health", Swap::health, {}, {}, {}},
                            {"tables", Swap::tables, {}, {}, {}}};
    for (int round = 0; round < rounds; ++round)
        for (Kind& kind : kinds) {
            const Longest longest = run(kind.swap, duration, made);
            kind.wall.push_back(longest.wall_us);
            kind.cpu.push_back(longest.cpu_us);
            kind.p999.push_back(longest.p999_us);
            kind.swaps += longest.swaps;
        }
    for (const Kind& kind : kinds)
        std::printf(
            "%-8s %6zu swaps: longest answer %8.1f us (CPU %7.1f us), p99.9 %6.2f us (medians of %d)\n",
            kind.name, kind.swaps, median(kind.wall), median(kind.cpu), median(kind.p999), rounds);
    return 0;
}
