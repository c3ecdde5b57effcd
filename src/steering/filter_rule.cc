// SPDX-License-Identifier: Apache-2.0
// rule(country DE|AT -> fra*|ams1, ...): clients that match a clause go to its gateways, those of the first
// name before those of the second. The first clause decides that matches and has a gateway among the
// candidates; without one nothing changes. So a rule after `healthy` is a preference that gives way when its
// gateways are down, and a rule before `healthy` is a fence.

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "steering/registry.h"

namespace fairway {
namespace {

class Rule final : public Filter {
  public:
    /// ranks: by clause and position of the gateway in the service; none where the clause does not name it.
    Rule(uint32_t facet, std::vector<std::vector<uint32_t>> ranks, std::vector<std::string> texts)
        : facet_(facet), ranks_(std::move(ranks)), texts_(std::move(texts)) {}
    static constexpr uint32_t none = UINT32_MAX;

  private:
    void apply(ChainRun& run) const override {
        if (run.one_gateway()) return;
        for (const uint16_t clause : run.outcome(facet_)) {
            const std::vector<uint32_t>& ranks = ranks_[clause];
            const auto outside = [&ranks](const Candidate& candidate) {
                return ranks[candidate.gateway_position] == none;
            };
            if (std::all_of(run.candidates().begin(), run.candidates().end(), outside)) continue;
            run.remove_if(outside, [](const Candidate&) { return std::string("not in the clause"); });
            run.rank_gateways([&ranks](std::span<const Candidate> gateway) {
                return uint64_t{ranks[gateway.front().gateway_position]};
            });
            if (TraceStep* step = run.step()) step->note = texts_[clause];
            return;
        }
        if (TraceStep* step = run.step()) step->note = "no clause applies";
    }

    uint32_t facet_;
    std::vector<std::vector<uint32_t>> ranks_;
    std::vector<std::string> texts_;
};

}  // namespace

std::unique_ptr<const Filter> make_rule(const FilterSource& source) {
    std::vector<std::vector<uint32_t>> ranks;
    std::vector<std::string> texts;
    for (const RuleClause& clause : source.spec.rules) {
        std::vector<uint32_t>& rank = ranks.emplace_back();
        for (const GatewayId gateway : source.service.gateways) {
            const auto found = std::find_if(
                clause.gateways.begin(), clause.gateways.end(),
                [&](const std::string& pattern) { return glob_match(pattern, source.model[gateway].name); });
            rank.push_back(found == clause.gateways.end()
                               ? Rule::none
                               : static_cast<uint32_t>(found - clause.gateways.begin()));
        }
        FilterSpec alone;
        alone.name = source.spec.name;
        alone.rules = {clause};
        texts.push_back(alone.to_string());
    }
    // Without the gateways, so that services whose clauses only lead elsewhere share a facet.
    Facet facet;
    facet.clauses = source.spec.rules;
    for (RuleClause& clause : facet.clauses) clause.gateways.clear();
    return std::make_unique<Rule>(source.add(std::move(facet)), std::move(ranks), std::move(texts));
}

}  // namespace fairway
