// SPDX-License-Identifier: Apache-2.0
// sticky: spreads client blocks evenly over the gateways and, within a gateway, over its endpoints, so that a
// block always comes back to the same one while that is there. Weights do not count.

#include <vector>

#include "steering/registry.h"
#include "steering/rendezvous.h"

namespace fairway {
namespace {

class Sticky final : public Filter {
  public:
    explicit Sticky(const FilterSource& source) {
        for (const GatewayId id : source.service.gateways) {
            gateways_.push_back(hash_candidate(source.service.name, source.model[id].name));
            for (const EndpointId endpoint : source.model[id].endpoints)
                endpoints_.push_back(
                    hash_candidate(source.service.name, endpoint_path(source.model, endpoint)));
        }
    }

  private:
    void apply(ChainRun& run) const override {
        if (!run.has_ties()) return;
        const uint64_t block = run.client_block();
        run.rank_gateways([&](std::span<const Candidate> gateway) {
            return rendezvous_key(gateways_[gateway.front().gateway_position], block, 1);
        });
        run.rank_endpoints([&](const Candidate& candidate) {
            return rendezvous_key(endpoints_[candidate.endpoint_position], block, 1);
        });
    }

    std::vector<uint64_t> gateways_;   // hashes by position
    std::vector<uint64_t> endpoints_;  // hashes by position
};

}  // namespace

std::unique_ptr<const Filter> make_sticky(const FilterSource& source) {
    return std::make_unique<Sticky>(source);
}

}  // namespace fairway
