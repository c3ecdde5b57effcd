// SPDX-License-Identifier: Apache-2.0
// The IKE probe's factory: what all exchanges of equal settings share.

#include <memory>
#include <utility>
#include <vector>

#include "ipsec/entropy.h"
#include "probes/ike_exchange.h"
#include "probes/registry.h"

namespace fairway {

namespace {

class IkeProbeFactory final : public DatagramProbe {
  public:
    IkeProbeFactory(const Monitor& monitor, std::shared_ptr<IkeBudget> budget)
        : settings_(std::get<IkeProbe>(monitor.probe)),
          ports_(ike_ports(monitor)),
          budget_(std::move(budget)) {}

    [[nodiscard]] std::vector<uint16_t> ports() const override { return ports_; }
    [[nodiscard]] std::unique_ptr<DatagramExchange> make_exchange(const ProbeTarget&) const override {
        return std::make_unique<IkeExchange>(settings_, ports_, *requests_, *budget_);
    }

  private:
    IkeProbe settings_;
    std::vector<uint16_t> ports_;
    std::shared_ptr<IkeBudget> budget_;
    std::unique_ptr<ipsec::SystemEntropy> entropy_ = std::make_unique<ipsec::SystemEntropy>();
    std::unique_ptr<IkeRequests> requests_ = std::make_unique<IkeRequests>(settings_, *entropy_);
};

}  // namespace

Result<CompiledProbe> compile_ike(const Monitor& monitor, std::shared_ptr<IkeBudget> budget) {
    return std::make_unique<IkeProbeFactory>(monitor, std::move(budget));
}

}  // namespace fairway
