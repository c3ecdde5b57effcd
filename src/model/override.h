// SPDX-License-Identifier: Apache-2.0
#pragma once
// An operator's decision about a target, with who, why and until when.

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "model/states.h"

namespace fairway {

struct Override {
    int64_t id = 0;                        // given by the store; never reused
    AdminState state = AdminState::drain;  // forced_up, forced_down, drain or maintenance
    bool maintenance_down = false;         // maintenance that counts as down rather than as a drain
    std::string target;  // as the operator wrote it; resolved against each configuration anew
    std::string actor;   // who
    std::string reason;
    std::string ticket;  // may be empty
    WallTime since;
    std::optional<WallTime> until;  // absent: permanent. Always set for forced_up
    int64_t revision = 1;           // grows with each change
};

}  // namespace fairway
