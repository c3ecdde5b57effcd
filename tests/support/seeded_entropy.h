// SPDX-License-Identifier: Apache-2.0
#pragma once
// Randomness for IKE that repeats from its seed.

#include "base/random.h"
#include "ipsec/entropy.h"

namespace fairway::test {

class SeededEntropy final : public ipsec::Entropy {
  public:
    explicit SeededEntropy(uint64_t seed) : random_(seed) {}
    void fill(std::span<uint8_t> bytes) override {
        for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random_.next());
    }

  private:
    Random random_;
};

}  // namespace fairway::test
