// SPDX-License-Identifier: Apache-2.0
// 50,000 endpoints: what a result costs that changes nothing, what one costs that does, and what a new
// snapshot costs beside its floor, the bare copy of the endpoints' states. Medians of interleaved rounds.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "sim/fleet.h"

using namespace fairway;
using namespace fairway::sim;

namespace {

template <class Work>
double microseconds_of(Work work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2),
                     values.end());
    return values[values.size() / 2];
}

}  // namespace

int main() {
    FleetOptions options;
    options.regions = 10;
    options.gateways_per_region = 2500;
    options.services = 50;
    const auto model = make_fleet(options);
    HealthEngine engine;
    MonotonicTime now = FleetSimulator::start;
    (void)engine.configure(model, now);
    const ProbeResult good = pass(), bad = silence();
    for (const Endpoint& endpoint : model->endpoints) (void)engine.record(endpoint.id, 0, good, now);
    engine.finish_first_round(now);
    (void)engine.take_transitions();

    std::vector<double> steady, changing, snapshot, floor;
    size_t copied = 0;
    for (int round = 0; round < 101; ++round) {
        now += seconds{2};
        steady.push_back(microseconds_of([&] {
            for (size_t i = 0; i < 1000; ++i) (void)engine.record(EndpointId(i * 50), 0, good, now);
        }));
        changing.push_back(microseconds_of([&] {
            for (size_t i = 0; i < 500; ++i) (void)engine.record(EndpointId(i * 100), 0, bad, now);
            for (size_t i = 0; i < 500; ++i) (void)engine.record(EndpointId(i * 100), 0, good, now);
        }));
        std::shared_ptr<const HealthSnapshot> made;
        snapshot.push_back(microseconds_of([&] { made = engine.snapshot(); }));
        std::vector<EndpointStatus> copy;
        floor.push_back(microseconds_of([&] { copy = made->endpoints; }));
        copied += copy.size();
    }
    std::printf(
        "%zu endpoints (%zu copied): a result that changes nothing %.0f ns, one that does %.0f ns; snapshot "
        "%.0f us, "
        "copy of its endpoints %.0f us, ratio %.2f\n",
        model->endpoints.size(), copied / floor.size(), median(steady), median(changing), median(snapshot),
        median(floor), median(snapshot) / median(floor));
    return 0;
}
