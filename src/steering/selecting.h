// SPDX-License-Identifier: Apache-2.0
#pragma once
// One question on its way from the client's address to the answer:
//
//     client        which address decides
//     overrides     all endpoints of the service but those an operator withholds
//     the chain     each filter in its turn
//     all_down      when nothing is left
//     ttl, scope
//
// With a trace every stage leaves a step in it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "steering/compiled.h"
#include "steering/selection.h"

namespace fairway {

class Selecting {
  public:
    Selecting(const CompiledSteering& compiled, const HealthSnapshot& health, const Client& client,
              Selection& out, Trace* trace)
        : compiled_(compiled),
          model_(*compiled.model),
          health_(health),
          client_(client),
          out_(out),
          trace_(trace) {}

    void run(ServiceId service);

  private:
    enum class Resort : uint8_t { normal, last };

    void locate();
    [[nodiscard]] ChainRun chain_run(const Service& service, Trace* trace);
    void start(ChainRun& run, Resort resort);
    void apply_chain(ChainRun& run, const CompiledService& compiled, Resort resort);
    void keep_result(const ChainRun& run);
    void answer(const Service& service, const ChainRun& run);
    [[nodiscard]] bool may_change(const Service& service, const ChainRun& run);
    void serve_all(const Service& service);
    void note(std::string_view filter, std::string text);

    const CompiledSteering& compiled_;
    const Model& model_;
    const HealthSnapshot& health_;
    const Client& client_;
    Selection& out_;
    Trace* trace_;
    ClientView view_;
    Location location_;  // filled for traces only
    Steering::Decider decider_;
    uint8_t scope_ = 0;
    bool doubt_ = false;  // about some endpoint of the service at work
};

}  // namespace fairway
