// SPDX-License-Identifier: Apache-2.0
// first N: the best N endpoints. A client asks for IPv4 or for IPv6 addresses, so each family is counted for
// itself: a gateway with one of each is not halved.

#include <array>

#include "steering/registry.h"

namespace fairway {
namespace {

class First final : public Filter {
  public:
    explicit First(uint32_t count) : count_(count) {}

  private:
    void apply(ChainRun& run) const override {
        std::array<uint32_t, 3> seen{};
        run.remove_if([&](const Candidate& candidate) { return ++seen[family_of(run, candidate)] > count_; },
                      [this](const Candidate&) { return "not among the first " + std::to_string(count_); });
    }
    static size_t family_of(const ChainRun& run, const Candidate& candidate) {
        if (run.service().answer == AnswerKind::cname) return 2;
        const auto& address = run.health()[candidate.endpoint].address;
        if (!address) return 2;
        return address->is_v4() ? 0 : 1;
    }

    uint32_t count_;
};

}  // namespace

std::unique_ptr<const Filter> make_first(const FilterSource& source) {
    return std::make_unique<First>(source.spec.number.value_or(1));
}

}  // namespace fairway
