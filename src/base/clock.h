// SPDX-License-Identifier: Apache-2.0
#pragma once
// The two times of the project. Pure code never reads a clock: it is handed one of these.

#include <chrono>

namespace fairway {

/// For intervals, deadlines and ages: never jumps, means nothing outside this boot.
using MonotonicTime = std::chrono::steady_clock::time_point;
/// For what people read and what is stored: expiry of overrides, events, certificates. May jump.
using WallTime = std::chrono::system_clock::time_point;

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

}  // namespace fairway
