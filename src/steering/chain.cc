// SPDX-License-Identifier: Apache-2.0
#include "steering/chain.h"

#include <tuple>

#include "steering/rendezvous.h"

namespace fairway {

std::span<const uint16_t> ChainRun::outcome(uint32_t facet) {
    if (!client_class_) {
        const ClassHit hit = map_->find(client_.address);
        client_class_ = hit.value;
        depends_.maps = static_cast<uint8_t>(depends_.maps | 1U << map_number_);
        scope_ = std::max(scope_, hit.scope);
    }
    return map_->outcome(*client_class_, facets_[facet]);
}

uint64_t ChainRun::client_block() {
    depends_.block = true;
    scope_ = std::max(scope_, client_block_length(client_.address.family()));
    return hash_client_block(client_.address);
}

void ChainRun::begin_step(std::string_view name) {
    if (trace_ == nullptr) return;
    step_.emplace();
    step_->filter = name;
}

void ChainRun::end_step() {
    if (!step_) return;
    for (const Candidate& candidate : candidates_) step_->kept.push_back(candidate.endpoint);
    trace_->steps.push_back(std::move(*step_));
    step_.reset();
}

void ChainRun::settle() {
    // Positions make the order total, so it does not matter that the sort is not stable.
    const auto order = [](const Candidate& c) {
        return std::tuple(c.gateway_tier, c.gateway_key, c.gateway_position, c.endpoint_tier, c.endpoint_key,
                          c.endpoint_position);
    };
    const auto before = [&order](const Candidate& a, const Candidate& b) { return order(a) < order(b); };
    if (!std::is_sorted(candidates_.begin(), candidates_.end(), before))
        std::sort(candidates_.begin(), candidates_.end(), before);

    uint32_t gateway_tier = 0;
    uint32_t endpoint_tier = 0;
    Candidate last;
    for (size_t i = 0; i < candidates_.size(); ++i) {
        Candidate& candidate = candidates_[i];
        if (i > 0) {
            const bool same_gateway = candidate.gateway == last.gateway;
            if (candidate.gateway_tier != last.gateway_tier || candidate.gateway_key != last.gateway_key)
                ++gateway_tier;
            if (!same_gateway) {
                endpoint_tier = 0;
            } else if (candidate.endpoint_tier != last.endpoint_tier ||
                       candidate.endpoint_key != last.endpoint_key) {
                ++endpoint_tier;
            }
        }
        last = candidate;
        candidate.gateway_tier = gateway_tier;
        candidate.endpoint_tier = endpoint_tier;
        candidate.gateway_key = 0;
        candidate.endpoint_key = 0;
    }
}

uint32_t FilterSource::add(Facet facet) const {
    const auto found = std::find(facets.begin(), facets.end(), facet);
    if (found != facets.end()) return static_cast<uint32_t>(found - facets.begin());
    facets.push_back(std::move(facet));
    return static_cast<uint32_t>(facets.size() - 1);
}

}  // namespace fairway
