// SPDX-License-Identifier: Apache-2.0
#pragma once
// Durations and instants as people write them.

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace fairway {

/// Parses "200ms", "5s", "1.5h", "1h30m", "2d"; units ns us ms s m h d w. A bare number is an error (no
/// unit).
[[nodiscard]] Result<nanoseconds> parse_duration(std::string_view text);
/// The shortest text that parse_duration() reads back as the same value: "1m30s", "200ms", "0s". A negative
/// value gets a minus, which only people read.
[[nodiscard]] std::string format_duration(nanoseconds value);
/// RFC 3339 in UTC with milliseconds: "2026-01-31T09:30:00.000Z".
[[nodiscard]] std::string format_rfc3339(WallTime time);
/// Reads RFC 3339 with any offset, with or without a fraction of a second, from 1678 to 2261.
[[nodiscard]] Result<WallTime> parse_rfc3339(std::string_view text);

}  // namespace fairway
