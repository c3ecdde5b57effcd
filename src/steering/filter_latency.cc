// SPDX-License-Identifier: Apache-2.0
// latency: by the round trip that the probes of this node measured, in whole milliseconds: smaller
// differences are noise and would make answers jump. Gateways by their fastest endpoint, endpoints by their
// own; what was never measured comes last.

#include <algorithm>
#include <array>
#include <cstdio>

#include "steering/registry.h"

namespace fairway {
namespace {

uint64_t milliseconds_of(const ChainRun& run, const Candidate& candidate) {
    const microseconds rtt = run.health()[candidate.endpoint].rtt;
    if (rtt <= microseconds{0}) return UINT64_MAX;
    return static_cast<uint64_t>(std::chrono::round<milliseconds>(rtt).count());
}

std::string text_of(const ChainRun& run, const Candidate& candidate) {
    const microseconds rtt = run.health()[candidate.endpoint].rtt;
    if (rtt <= microseconds{0}) return "not measured";
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f ms", static_cast<double>(rtt.count()) / 1000);
    return text.data();
}

class Latency final : public Filter {
    void apply(ChainRun& run) const override {
        run.rank_gateways([&run](std::span<const Candidate> gateway) {
            uint64_t best = UINT64_MAX;
            for (const Candidate& candidate : gateway) best = std::min(best, milliseconds_of(run, candidate));
            return best;
        });
        run.rank_endpoints([&run](const Candidate& candidate) { return milliseconds_of(run, candidate); });
        run.mark_all([&run](const Candidate& candidate) { return text_of(run, candidate); });
    }
};

}  // namespace

std::unique_ptr<const Filter> make_latency(const FilterSource&) {
    return std::make_unique<Latency>();
}

}  // namespace fairway
