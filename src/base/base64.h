// SPDX-License-Identifier: Apache-2.0
#pragma once
// Base64 (RFC 4648 section 4) as secrets and keys are written.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace fairway {

/// Strict: padded, no octet outside of the alphabet, the unused bits zero. Nothing when it is not base64.
[[nodiscard]] std::optional<std::vector<uint8_t>> decode_base64(std::string_view text);

}  // namespace fairway
