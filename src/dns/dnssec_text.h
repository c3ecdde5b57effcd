// SPDX-License-Identifier: Apache-2.0
#pragma once
// The spellings that key files and DNSSEC records share: base64 (RFC 4648 section 4), upper-case hexadecimal,
// and times as RFC 4034 section 3.2 writes them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace fairway::dns {

[[nodiscard]] std::string to_base64(ByteSpan data);
/// Strict: padded, no blanks, no stray bits. Nothing for anything else.
[[nodiscard]] std::optional<std::vector<uint8_t>> from_base64(std::string_view text);
[[nodiscard]] std::string to_hex(ByteSpan data);

/// Seconds since 1970 as "YYYYMMDDHHMMSS" in UTC.
[[nodiscard]] std::string to_time_text(int64_t unix_seconds);
/// The inverse; nothing when it is no time of the years 1970 to 2105.
[[nodiscard]] std::optional<int64_t> from_time_text(std::string_view text);

}  // namespace fairway::dns
