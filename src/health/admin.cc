// SPDX-License-Identifier: Apache-2.0
#include "health/admin.h"

namespace fairway {
namespace {

constexpr int precedence(const AdminDecision& decision) {
    switch (decision.state) {
        case AdminState::forced_down:
            return 4;
        case AdminState::maintenance:
            return decision.maintenance_down ? 3 : 2;
        case AdminState::drain:
            return 2;
        case AdminState::forced_up:
            return 1;
        case AdminState::automatic:
            return 0;
    }
    return 0;
}

}  // namespace

AdminDecision stronger(const AdminDecision& first, const AdminDecision& second) noexcept {
    return precedence(second) > precedence(first) ? second : first;
}

//     decision            effective    withheld
//     automatic           automatic    no
//     forced_up           up           no
//     drain               automatic    yes
//     maintenance         automatic    yes
//     maintenance(down)   down         yes
//     forced_down         down         yes
Administered administer(const AdminDecision& decision, HealthState automatic) noexcept {
    switch (decision.state) {
        case AdminState::automatic:
            return {automatic, false};
        case AdminState::forced_up:
            return {HealthState::up, false};
        case AdminState::drain:
            return {automatic, true};
        case AdminState::maintenance:
            return {decision.maintenance_down ? HealthState::down : automatic, true};
        case AdminState::forced_down:
            return {HealthState::down, true};
    }
    return {automatic, false};
}

}  // namespace fairway
