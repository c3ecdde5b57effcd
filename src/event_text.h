// SPDX-License-Identifier: Apache-2.0
#pragma once
// Events out of what changed: the sentences that `fairway events` shows.

#include <string>
#include <string_view>

#include "base/clock.h"
#include "health/engine.h"
#include "model/event.h"
#include "model/override.h"

namespace fairway {

[[nodiscard]] Event event_of(const Transition& transition, WallTime now);

/// `what` is "set", "extended", "cleared" or "expired".
[[nodiscard]] Event event_of(const Override& override_, std::string_view what, std::string actor,
                             WallTime now);

}  // namespace fairway
