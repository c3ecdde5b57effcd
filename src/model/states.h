// SPDX-License-Identifier: Apache-2.0
#pragma once
// What is measured, and what operators decide. The effective state is computed from both; both are shown.

#include <cstdint>
#include <string_view>

namespace fairway {

/// Measured. `suspect` is up with a first failure behind it: still answered, rechecked fast, TTL shrunk.
/// `degraded` works but not well (certificate about to expire, loss): answered only when nothing better is.
enum class HealthState : uint8_t { unknown, up, suspect, degraded, down };

/// Decided by an operator. `maintenance` drains by default.
enum class AdminState : uint8_t { automatic, forced_up, forced_down, drain, maintenance };

/// Position in the order "worst first": down, unknown, degraded, suspect, up.
[[nodiscard]] constexpr int rank(HealthState state) noexcept {
    switch (state) {
        case HealthState::down:
            return 0;
        case HealthState::unknown:
            return 1;
        case HealthState::degraded:
            return 2;
        case HealthState::suspect:
            return 3;
        case HealthState::up:
            return 4;
    }
    return 1;
}

[[nodiscard]] std::string_view to_string(HealthState state) noexcept;
[[nodiscard]] std::string_view to_string(AdminState state) noexcept;

}  // namespace fairway
