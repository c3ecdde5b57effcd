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
    if (settled(state) != settled(state_)) since_ = now;
    state_ = state;
    last_change_ = std::move(why);
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
    last_ = result;
    last_at_ = now;
    if (!result.usable() && result.layer == ProbeLayer::internal)
        return in_doubt_ ? Pace::recheck : Pace::interval;
    const uint32_t fall = std::max(monitor.fall, 1U);
    const uint32_t rise = std::max(monitor.rise, 1U);
    const bool first_decision = state_ == HealthState::unknown;
    const bool undecided = first_decision || (state_ == HealthState::down && !confirmed_);
    silent_ = is_silence(result);

    if (!result.usable()) {
        ++failures_;
        successes_ = passes_ = degraded_ = 0;
        const bool enough = failures_ >= fall;
        if (first_decision) {
            become(HealthState::down, "down at the first result: " + describe(result), now);
            confirmed_ = enough;
        } else if (enough && !(state_ == HealthState::down && confirmed_)) {
            become(HealthState::down,
                   after("down", failures_, "failure", "failures") + ": " + describe(result), now);
            confirmed_ = true;
        } else if (state_ == HealthState::up) {
            become(HealthState::suspect,
                   after("suspect", failures_, "failure", "failures") + ": " + describe(result), now);
        }
        in_doubt_ = state_ == HealthState::down ? !confirmed_ : true;
        if (!in_doubt_) return Pace::interval;
        return result.explicit_refusal && failures_ == 1 ? Pace::at_once : Pace::recheck;
    }

    failures_ = 0;
    ++successes_;
    const bool pass = result.verdict == Verdict::pass;
    passes_ = pass ? passes_ + 1 : 0;
    degraded_ = pass ? 0 : degraded_ + 1;
    if (result.rtt) rtt_ = rtt_.count() == 0 ? *result.rtt : rtt_ + (*result.rtt - rtt_) / 8;
    in_doubt_ = false;
    const std::string_view word = pass ? "up" : "degraded";
    const HealthState better = pass ? HealthState::up : HealthState::degraded;
    const auto why = [&](std::string text) { return pass ? text : text + ": " + describe(result); };
    if (undecided) {
        become(better, why(std::string(word) + (first_decision ? " at the first result" : " after all")),
               now);
        confirmed_ = true;
    } else if (state_ == HealthState::down) {
        if (successes_ >= rise)
            become(better, why(after(word, successes_, "success", "successes")), now);
        else
            in_doubt_ = true;
    } else if (state_ == HealthState::degraded) {
        if (passes_ >= rise) become(HealthState::up, after("up", passes_, "pass", "passes"), now);
    } else if (degraded_ >= fall) {
        become(HealthState::degraded, why(after("degraded", degraded_, "result", "results")), now);
    } else if (state_ == HealthState::suspect) {
        become(HealthState::up, "up again after a doubt", now);
    }
    return in_doubt_ ? Pace::recheck : Pace::interval;
}

}  // namespace fairway
