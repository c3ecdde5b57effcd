// SPDX-License-Identifier: Apache-2.0
// CPU time of one answer without sockets: a steered A with a random client subnet, beside a static answer,
// NXDOMAIN, and the floor of copying the question; as a worker answers, who keeps what it has answered, and
// afresh, as after a health change. Medians of interleaved rounds.
//
//     bench_answer_cpu [ROUNDS [KIND]]           only the kinds whose name begins with KIND, for a profiler

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string_view>

#include "bench/dns/bench_world.h"

using namespace fairway;
using namespace fairway::dns;

namespace {

constexpr size_t queries = 200'000;

double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

std::vector<uint8_t> renamed(const std::vector<uint8_t>& query, const char* label) {
    std::vector<uint8_t> copy = query;
    std::copy_n(label, 3, copy.begin() + 13);  // over "vpn"
    return copy;
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
    const auto model = bench::make_model();
    const Serving serving = bench::make_serving(model, bench::make_locator());
    Random random(2);
    std::vector<std::vector<uint8_t>> steered;
    std::vector<std::vector<uint8_t>> missing;
    std::vector<std::vector<uint8_t>> fixed;
    for (uint32_t i = 0; i < 50'000; ++i) {
        steered.push_back(bench::make_query(random, static_cast<uint16_t>(i)));
        missing.push_back(renamed(steered.back(), "nix"));
        fixed.push_back(renamed(steered.back(), "ns1"));
    }
    Answerer afresh;
    Answerer keeping(4096);
    keeping.set_version(1);
    std::vector<uint8_t> out(Answerer::max_udp_answer);
    size_t wrong = 0;
    const auto answer_all = [&](Answerer& answerer, const std::vector<std::vector<uint8_t>>& list,
                                Rcode expected) {
        // In batches, as they come from a socket.
        std::array<Request, 32> batch;
        for (size_t i = 0; i < queries; i += batch.size()) {
            for (size_t k = 0; k < batch.size(); ++k) {
                batch[k].message = list[(i + k) % list.size()];
                batch[k].source = IpAddress::v4(0x7f000001);
                batch[k].unix_seconds = bench::unix_seconds;
            }
            Answerer::expect(serving, batch);
            for (const Request& request : batch) {
                const size_t size = answerer.answer(serving, request, out);
                if (size == 0 || answerer.outcome().rcode != expected) ++wrong;
            }
        }
    };
    struct Kind {
        const char* name;
        std::function<void()> run;
        std::vector<double> ns;
    };
    volatile uint8_t sink = 0;
    // What the rate limit adds to each answer: clients that are all different, and one that gets nothing.
    RateLimiter limiter({.responses = 200}, CookieSecret{1});
    const auto judge_all = [&](uint32_t step) {
        uint32_t turn = 0;
        for (uint32_t i = 0; i < queries; ++i) {
            const MonotonicTime now{seconds{1000} + microseconds{i}};
            sink = static_cast<uint8_t>(
                limiter.judge(IpAddress::v4(0x0a000000U + i * step), ResponseKind::data, now, turn));
        }
    };
    std::vector<Kind> kinds{
        {"floor: copy the question",
         [&] {
             for (size_t i = 0; i < queries; ++i) {
                 const auto& query = steered[i % steered.size()];
                 std::copy(query.begin(), query.end(), out.begin());
                 sink = out[i % query.size()];
             }
         },
         {}},
        {"steered A with ECS", [&] { answer_all(keeping, steered, Rcode::noerror); }, {}},
        {"static A with ECS", [&] { answer_all(keeping, fixed, Rcode::noerror); }, {}},
        {"NXDOMAIN with ECS", [&] { answer_all(keeping, missing, Rcode::nxdomain); }, {}},
        {"steered A, afresh", [&] { answer_all(afresh, steered, Rcode::noerror); }, {}},
        {"static A, afresh", [&] { answer_all(afresh, fixed, Rcode::noerror); }, {}},
        {"NXDOMAIN, afresh", [&] { answer_all(afresh, missing, Rcode::nxdomain); }, {}},
        {"rate limit, random client", [&] { judge_all(0x9e3779b9U); }, {}},
        {"rate limit, one floods", [&] { judge_all(0); }, {}},
    };
    if (argc > 2)
        std::erase_if(kinds,
                      [&](const Kind& kind) { return !std::string_view(kind.name).starts_with(argv[2]); });
    for (int round = 0; round < rounds + 1; ++round)
        for (Kind& kind : kinds) {
            const double start = thread_seconds();
            kind.run();
            // The first round warms up.
            if (round > 0) kind.ns.push_back((thread_seconds() - start) / static_cast<double>(queries) * 1e9);
        }
    for (const Kind& kind : kinds)
        std::printf("%-26s %7.1f ns CPU (median of %d; %.1f to %.1f)\n", kind.name, median(kind.ns), rounds,
                    *std::min_element(kind.ns.begin(), kind.ns.end()),
                    *std::max_element(kind.ns.begin(), kind.ns.end()));
    std::printf("wrong answers: %zu\n", wrong);
    return wrong == 0 ? 0 : 1;
}
