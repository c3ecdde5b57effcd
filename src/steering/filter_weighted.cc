// SPDX-License-Identifier: Apache-2.0
// weighted: spreads client blocks over the gateways in proportion to their weights and, within a gateway,
// over its endpoints in proportion to theirs. A gateway or endpoint of weight 0 is chosen only when there is
// no other; a gateway whose endpoints all have weight 0 counts as one.

#include <algorithm>
#include <vector>

#include "steering/registry.h"
#include "steering/rendezvous.h"

namespace fairway {
namespace {

struct Share {
    uint64_t hash = 0;
    uint32_t weight = 0;
    [[nodiscard]] uint64_t key(uint64_t block) const {
        return rendezvous_key(hash, block, std::max(weight, uint32_t{1}));
    }
};

class Weighted final : public Filter {
  public:
    explicit Weighted(const FilterSource& source) {
        const Model& model = source.model;
        for (const GatewayId id : source.service.gateways) {
            gateways_.push_back({hash_candidate(source.service.name, model[id].name), model[id].weight});
            for (const EndpointId endpoint : model[id].endpoints)
                endpoints_.push_back({hash_candidate(source.service.name, endpoint_path(model, endpoint)),
                                      model[id].weight == 0 ? 0U : model[endpoint].weight});
        }
    }

  private:
    [[nodiscard]] bool idle(const Candidate& candidate) const {
        return endpoints_[candidate.endpoint_position].weight == 0;
    }
    void apply(ChainRun& run) const override {
        const auto& candidates = run.candidates();
        if (!std::all_of(candidates.begin(), candidates.end(), [&](const Candidate& c) { return idle(c); }))
            run.remove_if([&](const Candidate& candidate) { return idle(candidate); },
                          [](const Candidate&) { return std::string("weight 0"); });
        if (run.has_ties()) {
            const uint64_t block = run.client_block();
            run.rank_gateways([&](std::span<const Candidate> gateway) {
                return gateways_[gateway.front().gateway_position].key(block);
            });
            run.rank_endpoints([&](const Candidate& candidate) {
                return endpoints_[candidate.endpoint_position].key(block);
            });
        }
        run.mark_all([&](const Candidate& candidate) {
            return "weight " + std::to_string(gateways_[candidate.gateway_position].weight) + "/" +
                   std::to_string(endpoints_[candidate.endpoint_position].weight);
        });
    }

    std::vector<Share> gateways_;   // by position
    std::vector<Share> endpoints_;  // by position
};

}  // namespace

std::unique_ptr<const Filter> make_weighted(const FilterSource& source) {
    return std::make_unique<Weighted>(source);
}

}  // namespace fairway
