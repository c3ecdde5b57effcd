// SPDX-License-Identifier: Apache-2.0
#pragma once
// NOTIFY (RFC 1996): the message that tells a secondary that a zone has changed, and the answer to it.

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "dns/name.h"
#include "dns/types.h"

namespace fairway::dns {

/// Octets that a NOTIFY takes at most, without a signature.
inline constexpr size_t max_notify = 12 + 2 * (Name::max_size + 10) + 2 * Name::max_size + 20;

/// With the zone's SOA in the answer section (section 3.7). Returns the size; 0 when `out` is too small.
[[nodiscard]] size_t write_notify(std::span<uint8_t> out, uint16_t id, const Name& zone, ByteSpan soa_data,
                                  uint32_t soa_ttl) noexcept;
/// What a message says as the answer to that NOTIFY; nothing when it is not one. It may still be forged: only
/// its sender and its signature tell.
[[nodiscard]] std::optional<Rcode> read_notify_answer(ByteSpan message, uint16_t id,
                                                      const Name& zone) noexcept;

}  // namespace fairway::dns
