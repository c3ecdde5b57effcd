// SPDX-License-Identifier: Apache-2.0
#include "health/monitor_state.h"

#include <algorithm>

#include "health/settled.h"

namespace fairway {
namespace {

/// Nothing at all came back. A router's "unreachable" (layer network) is no word of the peer: a node that has
/// lost its own way out hears exactly that for everybody.
bool is_silence(const ProbeResult& result) {
    if (result.usable() || result.rtt) return false;
    switch (result.layer) {
        case ProbeLayer::none:
        case ProbeLayer::resolve:
        case ProbeLayer::network:
            return true;
        case ProbeLayer::transport:
        case ProbeLayer::ike:
        case ProbeLayer::tunnel:
            return !result.explicit_refusal;
        case ProbeLayer::tls:
        case ProbeLayer::http:
        case ProbeLayer::application:
        case ProbeLayer::internal:
            return false;
    }
    return false;
}

std::string after(std::string_view state, uint32_t count, std::string_view one, std::string_view many) {
    return std::string(state) + " after " + std::to_string(count) + " " +
           std::string(count == 1 ? one : many);
}

}  // namespace

void MonitorState::become(HealthState state, std::string why, MonotonicTime now) {
    // Suspect is a doubt about up, not the end of it: "up since" goes on.
    if (settled(state) != settled(facts_.state)) facts_.since = now;
    facts_.state = state;
    facts_.last_change = std::move(why);
}

// What a result makes of the state. f and s are the consecutive failures and successes with this result in
// them, p and d the consecutive plain passes and degraded verdicts; "first" is a down that the very first
// results made, before `fall` of them were seen: it has served nobody, so that one success undoes it.
//
//     state       pass                          degraded                        fail
//     unknown     up                            degraded                        down (first)
//     up          up                            d = fall: degraded, else up     f = fall: down, else suspect
//     suspect     up                            d = fall: degraded, else up     f = fall: down, else suspect
//     degraded    p = rise: up, else degraded   degraded                        f = fall: down, else degraded
//     down first  up                            degraded                        down (f = fall: not first)
//     down        s = rise: up, else down       s = rise: degraded, else down   down
//
// In doubt, so that rechecks are made: usable or down (first) with 0 < f < fall; down with 0 < s < rise. A
// degraded verdict raises no doubt: it is not urgent, and asking an ailing gateway more often does not help
// it.
Pace MonitorState::apply(const Monitor& monitor, const ProbeResult& result, MonotonicTime now) {
    facts_.last = result;
    facts_.last_at = now;
    if (!result.usable() && result.layer == ProbeLayer::internal)
        return facts_.in_doubt ? Pace::recheck : Pace::interval;
    const uint32_t fall = std::max(monitor.fall, 1U);
    const uint32_t rise = std::max(monitor.rise, 1U);
    const bool first_decision = facts_.state == HealthState::unknown;
    const bool undecided = first_decision || (facts_.state == HealthState::down && !facts_.confirmed);
    facts_.silent = is_silence(result);

    if (!result.usable()) {
        ++facts_.failures;
        facts_.successes = facts_.passes = facts_.degraded = 0;
        const bool enough = facts_.failures >= fall;
        if (first_decision) {
            become(HealthState::down, "down at the first result: " + describe(result), now);
            facts_.confirmed = enough;
        } else if (enough && !(facts_.state == HealthState::down && facts_.confirmed)) {
            become(HealthState::down,
                   after("down", facts_.failures, "failure", "failures") + ": " + describe(result), now);
            facts_.confirmed = true;
        } else if (facts_.state == HealthState::up) {
            become(HealthState::suspect,
                   after("suspect", facts_.failures, "failure", "failures") + ": " + describe(result), now);
        }
        facts_.in_doubt = facts_.state == HealthState::down ? !facts_.confirmed : true;
        if (!facts_.in_doubt) return Pace::interval;
        return result.explicit_refusal && facts_.failures == 1 ? Pace::at_once : Pace::recheck;
    }

    facts_.failures = 0;
    ++facts_.successes;
    const bool pass = result.verdict == Verdict::pass;
    facts_.passes = pass ? facts_.passes + 1 : 0;
    facts_.degraded = pass ? 0 : facts_.degraded + 1;
    if (result.rtt)
        facts_.rtt = facts_.rtt.count() == 0 ? *result.rtt : facts_.rtt + (*result.rtt - facts_.rtt) / 8;
    facts_.in_doubt = false;
    const std::string_view word = pass ? "up" : "degraded";
    const HealthState better = pass ? HealthState::up : HealthState::degraded;
    const auto why = [&](std::string text) { return pass ? text : text + ": " + describe(result); };
    if (undecided) {
        become(better, why(std::string(word) + (first_decision ? " at the first result" : " after all")),
               now);
        facts_.confirmed = true;
    } else if (facts_.state == HealthState::down) {
        if (facts_.successes >= rise)
            become(better, why(after(word, facts_.successes, "success", "successes")), now);
        else
            facts_.in_doubt = true;
    } else if (facts_.state == HealthState::degraded) {
        if (facts_.passes >= rise) become(HealthState::up, after("up", facts_.passes, "pass", "passes"), now);
    } else if (facts_.degraded >= fall) {
        become(HealthState::degraded, why(after("degraded", facts_.degraded, "result", "results")), now);
    } else if (facts_.state == HealthState::suspect) {
        become(HealthState::up, "up again after a doubt", now);
    }
    return facts_.in_doubt ? Pace::recheck : Pace::interval;
}

}  // namespace fairway
