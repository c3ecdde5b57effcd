// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reproducible pseudo-random numbers and stable hashes. Not for secrets: those come from OpenSSL.

#include <cstdint>
#include <string_view>

namespace fairway {

/// xoshiro256** seeded by splitmix64: the same numbers from the same seed on every machine.
class Random {
  public:
    explicit Random(uint64_t seed) noexcept;
    uint64_t next() noexcept;
    /// Uniform in [0, bound); bound > 0.
    uint64_t below(uint64_t bound) noexcept;
    /// Uniform in [0, 1).
    double fraction() noexcept;

  private:
    uint64_t state_[4];
};

/// splitmix64's finaliser: spreads every input bit over the whole output.
[[nodiscard]] constexpr uint64_t mix(uint64_t x) noexcept {
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

/// FNV-1a, stable across runs and machines.
[[nodiscard]] constexpr uint64_t stable_hash(std::string_view text) noexcept {
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3ULL;
    return hash;
}

}  // namespace fairway
