// SPDX-License-Identifier: Apache-2.0
#include "health/composition.h"

#include <algorithm>
#include <array>

namespace fairway {
namespace {

/// May be answered as far as it is concerned.
bool eligible(const Member& member) {
    return !member.withheld && member.addressed && member.effective != HealthState::down;
}

/// An endpoint without an address is at best unknown.
HealthState seen(const Member& member, HealthState state) {
    return member.addressed || state == HealthState::down ? state : HealthState::unknown;
}

/// The n-th best (n from 1) of the states that `state_of` gives for members of which `counts` is true.
template <class Counts, class StateOf>
HealthState nth_best(std::span<const Member> members, size_t n, Counts counts, StateOf state_of) {
    constexpr std::array best_first{HealthState::up, HealthState::suspect, HealthState::degraded,
                                    HealthState::unknown, HealthState::down};
    std::array<size_t, best_first.size()> tally{};
    for (const Member& member : members) {
        if (counts(member)) ++tally[static_cast<size_t>(rank(state_of(member)))];
    }
    size_t so_far = 0;
    for (const HealthState state : best_first) {
        so_far += tally[static_cast<size_t>(rank(state))];
        if (so_far >= n) return state;
    }
    return HealthState::down;
}

/// active_standby takes a better tier at once: 0 up, 1 degraded, 2 unknown.
int tier(const Member& member) {
    if (rank(member.effective) >= rank(HealthState::suspect)) return 0;
    return member.effective == HealthState::degraded ? 1 : 2;
}

//     active so far     an earlier one           any other one        then active is
//     not eligible      -                        -                    the first of the best tier, or none
//     eligible          -                        of a better tier     the first of the best tier, at once
//     eligible          up for failback_delay    -                    the first such (forced up: at once)
//     eligible          up, but not so long      -                    as before; failback_at says when
//     eligible          not up                   not better           as before
void choose_active(const Gateway& gateway, std::span<Member> members, std::optional<size_t> previous,
                   MonotonicTime now, Composition& result) {
    std::optional<size_t> best;
    for (size_t i = 0; i < members.size(); ++i) {
        if (eligible(members[i]) && (!best || tier(members[i]) < tier(members[*best]))) best = i;
    }
    if (!best) return;
    result.active = best;
    if (!previous || *previous >= members.size() || !eligible(members[*previous])) return;
    if (tier(members[*best]) < tier(members[*previous])) return;
    result.active = previous;
    for (size_t i = 0; i < *previous; ++i) {
        const Member& earlier = members[i];
        if (!eligible(earlier) || tier(earlier) != 0) continue;
        if (earlier.forced_up || earlier.up_since == MonotonicTime::min() ||
            now >= earlier.up_since + gateway.failback_delay) {
            result.active = i;
            result.failback_at.reset();
            return;
        }
        const MonotonicTime at = earlier.up_since + gateway.failback_delay;
        if (!result.failback_at || at < *result.failback_at) result.failback_at = at;
    }
}

}  // namespace

// active_active: an endpoint serves if it is eligible and at least min_up of them are; one that is forced up
// serves whatever the others do.
Composition compose(const Gateway& gateway, std::span<Member> members, std::optional<size_t> previous,
                    MonotonicTime now) {
    Composition result;
    const bool standby = gateway.mode == GatewayMode::active_standby;
    const size_t wanted = standby ? 1 : std::max<size_t>(gateway.min_up, 1);
    const auto measured = [](const Member& member) { return seen(member, member.measured); };
    const auto effective = [](const Member& member) { return seen(member, member.effective); };
    const auto all = [](const Member&) { return true; };
    const auto offered = [](const Member& member) { return !member.withheld; };

    const bool withheld = std::none_of(members.begin(), members.end(), offered);
    result.measured = nth_best(members, wanted, all, measured);
    result.effective =
        withheld ? nth_best(members, wanted, all, effective) : nth_best(members, wanted, offered, effective);

    for (Member& member : members) member.serving = false;
    if (standby) {
        choose_active(gateway, members, previous, now, result);
        if (result.active) {
            members[*result.active].serving = true;
            result.effective = members[*result.active].effective;
        }
    } else {
        const auto usable = static_cast<size_t>(std::count_if(members.begin(), members.end(), eligible));
        for (Member& member : members)
            member.serving = eligible(member) && (usable >= wanted || member.forced_up);
    }
    result.usable =
        std::any_of(members.begin(), members.end(), [](const Member& member) { return member.serving; });
    // Fewer than min_up, but one of them is forced up.
    if (result.usable && result.effective == HealthState::down) result.effective = HealthState::degraded;
    return result;
}

}  // namespace fairway
