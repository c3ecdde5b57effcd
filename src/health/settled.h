// SPDX-License-Identifier: Apache-2.0
#pragma once
// Two words that the parts of the engine share.

#include "model/states.h"

namespace fairway {

/// Without the doubt: suspect is still up.
[[nodiscard]] constexpr HealthState settled(HealthState state) noexcept {
    return state == HealthState::suspect ? HealthState::up : state;
}

/// Known, and not down.
[[nodiscard]] constexpr bool is_usable(HealthState state) noexcept {
    return state != HealthState::down && state != HealthState::unknown;
}

}  // namespace fairway
