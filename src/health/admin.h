// SPDX-License-Identifier: Apache-2.0
#pragma once
// What operators decide about an endpoint, and what that makes of what is measured. Pure functions.

#include <cstdint>

#include "model/override.h"
#include "model/states.h"

namespace fairway {

/// The decision in force for one endpoint.
struct AdminDecision {
    AdminState state = AdminState::automatic;
    bool maintenance_down = false;  // maintenance that counts as down
    friend bool operator==(const AdminDecision&, const AdminDecision&) = default;
};

/// Which of two decisions about the same endpoint holds; `first` where they rank alike.
/// Down > maintenance(down) > drain = maintenance(drain) > up > probes.
[[nodiscard]] AdminDecision stronger(const AdminDecision& first, const AdminDecision& second) noexcept;

struct Administered {
    HealthState effective = HealthState::unknown;
    bool withheld = false;  // by an operator: no new answers
};

/// `automatic` is the state without operators: measured, after hold-down and isolation.
[[nodiscard]] Administered administer(const AdminDecision& decision, HealthState automatic) noexcept;

}  // namespace fairway
