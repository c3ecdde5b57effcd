// SPDX-License-Identifier: Apache-2.0
// healthy: what may be answered now. Per endpoint, from the effective state (probes and overrides):
//
//     serving, up or suspect                     kept
//     of a gateway whose failover waits (held)   kept: it is answered as if it were up
//     serving, degraded                          kept if nothing above is left in the service
//     serving, not yet known                     kept if nothing above is left
//     not serving                                removed

#include <algorithm>

#include "model/states.h"
#include "steering/registry.h"

namespace fairway {
namespace {

enum class Grade : uint8_t { good, degraded, unknown, gone };

Grade grade_of(const ChainRun& run, const Candidate& candidate) {
    const EndpointStatus& status = run.health()[candidate.endpoint];
    const auto& held = run.health()[run.service().id].held;
    if (std::binary_search(held.begin(), held.end(), candidate.gateway)) return Grade::good;
    const bool in_doubt = status.in_doubt || run.health()[candidate.gateway].in_doubt;
    if (run.doubt() == ChainRun::Doubt::counts_as_up && in_doubt) return Grade::good;
    if (!status.serving) return Grade::gone;
    switch (status.effective) {
        case HealthState::up:
        case HealthState::suspect:
            return Grade::good;
        case HealthState::degraded:
            return Grade::degraded;
        case HealthState::unknown:
            return Grade::unknown;
        case HealthState::down:
            break;
    }
    return Grade::gone;
}

std::string why(const ChainRun& run, const Candidate& candidate, Grade best) {
    const EndpointStatus& status = run.health()[candidate.endpoint];
    std::string text(to_string(status.effective));
    if (status.effective == HealthState::down) return text;
    if (status.serving) return text + ", and there is something " + (best == Grade::good ? "up" : "degraded");
    return text + ", but its gateway is " + std::string(to_string(run.health()[candidate.gateway].effective));
}

class Healthy final : public Filter {
    void apply(ChainRun& run) const override {
        Grade best = Grade::unknown;
        for (const Candidate& candidate : run.candidates()) best = std::min(best, grade_of(run, candidate));
        run.remove_if([&](const Candidate& candidate) { return grade_of(run, candidate) != best; },
                      [&](const Candidate& candidate) { return why(run, candidate, best); });
        run.mark_all([&run](const Candidate& candidate) {
            const auto& held = run.health()[run.service().id].held;
            const bool waits = std::binary_search(held.begin(), held.end(), candidate.gateway);
            return waits ? std::string("failover waits")
                         : std::string(to_string(run.health()[candidate.endpoint].effective));
        });
    }
};

}  // namespace

std::unique_ptr<const Filter> make_healthy(const FilterSource&) {
    return std::make_unique<Healthy>();
}

}  // namespace fairway
