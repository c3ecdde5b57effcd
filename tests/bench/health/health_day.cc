// SPDX-License-Identifier: Apache-2.0
// 24 hours of virtual time of 1,000 endpoints probed every 2 seconds, with seeded faults and the referee's
// checks on: how long it takes, and whether memory stays where it was after the first hour.
#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>

#include "sim/fleet.h"

using namespace fairway;
using namespace fairway::sim;

int main(int argc, char** argv) {
    const uint64_t seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
    FleetOptions options;
    options.regions = 10;
    options.gateways_per_region = 50;
    options.services = 20;
    const auto begin = std::chrono::steady_clock::now();
    try {
        FleetSimulator simulator(options, Weather{}, seed);
        size_t first_hour = 0;
        for (int hour = 1; hour <= 24; ++hour) {
            simulator.run_until(FleetSimulator::start + std::chrono::hours{hour});
            const size_t in_use = mallinfo2().uordblks;
            if (hour == 1) first_hour = in_use;
            if (hour == 24)
                std::printf("memory in use: %zu KiB after the first hour, %zu KiB after the last\n",
                            first_hour / 1024, in_use / 1024);
        }
        const FleetSimulator::Counts& counts = simulator.counts();
        const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        const double cpu = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
        std::printf(
            "24 h of %zu endpoints in %.1f s (%.1f s of CPU): %llu results (%.0f ns of CPU each, referee "
            "included), %llu faults, "
            "%llu transitions, longest detection %.2f s\n",
            simulator.model().endpoints.size(), took, cpu, static_cast<unsigned long long>(counts.results),
            cpu * 1e9 / static_cast<double>(counts.results), static_cast<unsigned long long>(counts.faults),
            static_cast<unsigned long long>(counts.transitions),
            std::chrono::duration<double>(counts.longest_detection).count());
    } catch (const std::exception& violated) {
        std::fprintf(stderr, "seed %llu: violated: %s\n", static_cast<unsigned long long>(seed),
                     violated.what());
        return 1;
    }
    return 0;
}
