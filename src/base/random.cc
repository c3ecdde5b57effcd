// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <bit>

namespace fairway {

Random::Random(uint64_t seed) noexcept {
    for (uint64_t& word : state_) {
        word = mix(seed);
        seed += 0x9e3779b97f4a7c15ULL;
    }
}

uint64_t Random::next() noexcept {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

uint64_t Random::below(uint64_t bound) noexcept {
    // Rejection keeps it uniform; the loop runs less than twice on average.
    const uint64_t threshold = (0 - bound) % bound;
    for (;;) {
        const uint64_t value = next();
        if (value >= threshold) return value % bound;
    }
}

double Random::fraction() noexcept {
    return static_cast<double>(next() >> 11) * 0x1.0p-53;
}

}  // namespace fairway
