// SPDX-License-Identifier: Apache-2.0
// nearest: gateways by the great-circle distance from the client to their region. Equally near regions stay
// equal; regions without coordinates come last. For a client whose place is not known nothing is reordered.

#include <algorithm>
#include <array>
#include <cstdio>

#include "steering/great_circle.h"
#include "steering/registry.h"

namespace fairway {
namespace {

std::string distance(const ChainRun& run, const Candidate& candidate) {
    const Region& region = run.model()[run.model()[candidate.gateway].region];
    if (run.location() == nullptr || !run.location()->coordinates || !region.location) return "";
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.0f km",
                  great_circle_km(*run.location()->coordinates, *region.location));
    return text.data();
}

class Nearest final : public Filter {
  public:
    explicit Nearest(uint32_t facet) : facet_(facet) {}

  private:
    void apply(ChainRun& run) const override {
        const auto region = [&run](const Candidate& candidate) {
            return run.model()[candidate.gateway].region;
        };
        const auto& candidates = run.candidates();
        const bool one_region = std::all_of(candidates.begin(), candidates.end(), [&](const Candidate& c) {
            return region(c) == region(candidates.front());
        });
        if (!one_region) {
            const auto ranks = run.outcome(facet_);
            run.rank_gateways([&](std::span<const Candidate> gateway) {
                return uint64_t{ranks[region(gateway.front()).index()]};
            });
        }
        run.mark_all([&run](const Candidate& candidate) { return distance(run, candidate); });
    }

    uint32_t facet_;
};

}  // namespace

std::unique_ptr<const Filter> make_nearest(const FilterSource& source) {
    Facet facet;
    for (const GatewayId gateway : source.service.gateways)
        facet.regions.push_back(source.model[gateway].region);
    std::sort(facet.regions.begin(), facet.regions.end());
    facet.regions.erase(std::unique(facet.regions.begin(), facet.regions.end()), facet.regions.end());
    return std::make_unique<Nearest>(source.add(std::move(facet)));
}

}  // namespace fairway
