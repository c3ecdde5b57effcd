// SPDX-License-Identifier: Apache-2.0
// failover: gateways in the order of the service's configuration, once and for all: no ranking after it finds
// two that are equal.

#include "steering/registry.h"

namespace fairway {
namespace {

class Failover final : public Filter {
    void apply(ChainRun& run) const override {
        run.rank_gateways(
            [](std::span<const Candidate> gateway) { return gateway.front().gateway_position; });
    }
};

}  // namespace

std::unique_ptr<const Filter> make_failover(const FilterSource&) {
    return std::make_unique<Failover>();
}

}  // namespace fairway
