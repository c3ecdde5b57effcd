// SPDX-License-Identifier: Apache-2.0
// region(a, b*): only gateways of these regions (names or globs), for every client. Nothing is let through
// when all of them are down: that is for all_down to decide.

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "steering/registry.h"

namespace fairway {
namespace {

class InRegion final : public Filter {
  public:
    explicit InRegion(std::vector<bool> allowed) : allowed_(std::move(allowed)) {}

  private:
    void apply(ChainRun& run) const override {
        run.remove_if(
            [&](const Candidate& candidate) {
                return !allowed_[run.model()[candidate.gateway].region.index()];
            },
            [&run](const Candidate& candidate) {
                return "in region " + run.model()[run.model()[candidate.gateway].region].name;
            });
    }

    std::vector<bool> allowed_;  // by RegionId
};

}  // namespace

std::unique_ptr<const Filter> make_region(const FilterSource& source) {
    std::vector<bool> allowed;
    for (const Region& region : source.model.regions) {
        allowed.push_back(
            std::any_of(source.spec.arguments.begin(), source.spec.arguments.end(),
                        [&region](const std::string& pattern) { return glob_match(pattern, region.name); }));
    }
    return std::make_unique<InRegion>(std::move(allowed));
}

}  // namespace fairway
