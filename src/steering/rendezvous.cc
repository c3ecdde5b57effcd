// SPDX-License-Identifier: Apache-2.0
#include "steering/rendezvous.h"

#include <bit>
#include <cmath>

#include "base/random.h"

namespace fairway {

uint64_t hash_client_block(const IpAddress& address) noexcept {
    return mix(stable_hash(address.masked(client_block_length(address.family()))));
}

uint64_t hash_candidate(std::string_view service, std::string_view candidate) noexcept {
    return mix(stable_hash(service)) ^ stable_hash(candidate);
}

uint64_t rendezvous_key(uint64_t candidate, uint64_t block, uint32_t weight) noexcept {
    // The time until the first event of a Poisson process with the weight as its rate: the least of several
    // is a candidate's with probability weight / sum of weights. 53 bits, never 0 and never 1.
    const double uniform = (static_cast<double>(mix(candidate ^ block) >> 12) + 0.5) * 0x1.0p-52;
    const double time = -std::log(uniform) / weight;
    // Positive doubles sort like their bits.
    return std::bit_cast<uint64_t>(time);
}

}  // namespace fairway
