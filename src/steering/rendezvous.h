// SPDX-License-Identifier: Apache-2.0
#pragma once
// Weighted rendezvous hashing: every client block gives every candidate a score, the lowest wins. When a
// candidate goes, only its clients move; when one comes, only the clients it wins move. The hashes are
// stable, so every node gives a client the same answer.

#include <cstdint>
#include <string_view>

#include "base/ip.h"

namespace fairway {

/// The blocks that clients are taken by: all of a block get the same answer, so that caches of resolvers that
/// send whole blocks cannot disagree.
inline constexpr uint8_t client_block_v4 = 24;
inline constexpr uint8_t client_block_v6 = 48;

[[nodiscard]] constexpr uint8_t client_block_length(IpFamily family) noexcept {
    return family == IpFamily::v4 ? client_block_v4 : client_block_v6;
}
[[nodiscard]] uint64_t hash_client_block(const IpAddress& address) noexcept;
/// What stands for one candidate of one service.
[[nodiscard]] uint64_t hash_candidate(std::string_view service, std::string_view candidate) noexcept;
/// Orders candidates: lower is better. Over all blocks a candidate is first in proportion to its weight,
/// which must not be 0.
[[nodiscard]] uint64_t rendezvous_key(uint64_t candidate, uint64_t block, uint32_t weight) noexcept;

}  // namespace fairway
