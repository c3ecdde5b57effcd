// SPDX-License-Identifier: Apache-2.0
#include "health/engine.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>
#include <utility>

#include "base/duration.h"
#include "health/settled.h"

namespace fairway {
namespace {

/// The last stretch of a hold-down during which the coming return is a doubt: the default largest TTL.
constexpr nanoseconds return_is_near = seconds{30};

/// Round trips jitter with every probe; readers of snapshots hear of them when they really moved.
bool moved(microseconds published, microseconds now) {
    const auto difference = std::abs((now - published).count());
    return (published.count() == 0) != (now.count() == 0) ||
           (difference >= 1000 && difference * 4 >= published.count());
}

}  // namespace

HealthEngine::HealthEngine(const HealthSettings& settings) : settings_(settings) {}

std::span<const MonitorState> HealthEngine::slots(EndpointId id) const {
    const size_t count = (*model_)[(*model_)[id].gateway].monitors.size();
    return std::span(monitors_).subspan(endpoints_[id.index()].first_slot, count);
}

Pace HealthEngine::record(EndpointId endpoint, size_t slot, const ProbeResult& result, MonotonicTime now) {
    const Gateway& gateway = (*model_)[(*model_)[endpoint].gateway];
    const Monitor& monitor = (*model_)[gateway.monitors.at(slot)];
    MonitorState& state = monitors_[endpoints_[endpoint.index()].first_slot + slot];
    const auto facts = [&state] {
        return std::tuple(state.state(), state.provisional(), state.in_doubt(), state.silent(),
                          state.last_at().has_value());
    };
    const auto before = facts();
    const Pace pace = state.apply(monitor, result, now);
    if (facts() == before) {
        update_rtt(endpoint);
    } else {
        // Rare enough to make a sentence of it even if it is not told in the end.
        const bool decided = std::pair(state.state(), state.provisional()) !=
                             std::pair(std::get<0>(before), std::get<1>(before));
        const std::string why = decided ? state.last_change() : describe(result);
        refresh(endpoint, Cause::measurement,
                {monitor.name + ": " + why, result.usable() ? ProbeLayer::none : result.layer}, now);
        settle(now);
    }
    return pace;
}

void HealthEngine::restore(EndpointId endpoint, HealthState last_known, MonotonicTime now) {
    endpoints_[endpoint.index()].remembered = settled(last_known);
    refresh(endpoint, Cause::measurement, {"remembered from before the restart", ProbeLayer::none}, now);
    settle(now);
}

void HealthEngine::set_address(EndpointId endpoint, std::optional<IpAddress> address, MonotonicTime now) {
    EndpointStatus& status = working_.endpoints[endpoint.index()];
    if (status.address == address) return;
    status.address = address;
    changed_ = true;
    refresh_gateway((*model_)[endpoint].gateway, Cause::measurement,
                    {address ? "resolved to " + address->to_string() : "has no address", ProbeLayer::resolve},
                    now);
    settle(now);
}

void HealthEngine::finish_first_round(MonotonicTime now) {
    if (working_.first_round_done) return;
    working_.first_round_done = true;
    changed_ = true;
    settle(now);
}

void HealthEngine::set_settings(const HealthSettings& settings, MonotonicTime now) {
    settings_ = settings;
    set_window();
    judge_isolation(now);
    settle(now);
}

HealthState HealthEngine::measure(EndpointId id) {
    // What is known is not forgotten because a new monitor has not decided yet, and its first failures do not
    // take an endpoint away that is known to work: the decision waits for a full count.
    HealthState known = working_.endpoints[id.index()].measured;
    if (known == HealthState::unknown) known = endpoints_[id.index()].remembered;
    states_.clear();
    for (const MonitorState& monitor : slots(id)) {
        states_.push_back(known != HealthState::unknown && monitor.provisional() ? HealthState::unknown
                                                                                 : monitor.state());
    }
    const HealthState state = (*model_)[(*model_)[id].gateway].health.evaluate(states_);
    return state == HealthState::unknown ? known : state;
}

void HealthEngine::refresh(EndpointId id, Cause cause, Note note, MonotonicTime now) {
    EndpointState& state = endpoints_[id.index()];
    EndpointStatus& status = working_.endpoints[id.index()];
    const HealthState before = status.measured;
    const HealthState after = measure(id);
    if (settled(before) != settled(after)) state.measured_since = now;
    if (is_usable(after)) state.settled = settled(after);
    damp(id, before, after, note, now);
    listen(id, before, after, now);

    // frozen        held          automatic
    // yes           -             as it was before its silence
    // no            yes           down
    // no            no            as measured
    HealthState automatic = after;
    if (state.frozen)
        automatic = state.settled;
    else if (state.held_until)
        automatic = HealthState::down;
    const Administered administered = administer(state.admin, automatic);
    const std::span<const MonitorState> monitors = slots(id);
    const bool return_near = state.held_until && *state.held_until - return_is_near <= now;

    EndpointStatus next = status;
    next.measured = after;
    next.effective = administered.effective;
    next.admin = state.admin.state;
    next.withheld = administered.withheld;
    next.in_doubt =
        state.frozen || return_near ||
        std::any_of(monitors.begin(), monitors.end(), [](const MonitorState& m) { return m.in_doubt(); });

    std::optional<MonotonicTime> wake = state.lost_until;
    if (state.held_until) {
        const MonotonicTime at = return_near ? *state.held_until : *state.held_until - return_is_near;
        if (!wake || at < *wake) wake = at;
    }
    set_timer(Timer::endpoint, id.index(), wake);

    const HealthState told = settled(status.effective);
    const HealthState news = settled(next.effective);
    const bool different = next.measured != status.measured || next.effective != status.effective ||
                           next.admin != status.admin || next.withheld != status.withheld ||
                           next.in_doubt != status.in_doubt;
    if (rank(automatic) < rank(HealthState::suspect))
        state.up_since = automatic == HealthState::unknown ? MonotonicTime::min() : MonotonicTime::max();
    else if (state.up_since == MonotonicTime::max())
        state.up_since = now;
    status = next;
    if (told != news) {
        state.effective_since = now;
        state.last_change = note.reason;
        const Severity severity =
            news == HealthState::up || news == HealthState::unknown ? Severity::info : Severity::warning;
        transitions_.push_back({Transition::Subject::endpoint, id.value, endpoint_path(*model_, id),
                                std::string(to_string(told)), std::string(to_string(news)), severity,
                                note.reason, note.layer, now});
    }
    update_rtt(id);
    if (!different || cause == Cause::configuration) return;
    changed_ = true;
    if (!note.reason.empty()) note.reason = endpoint_path(*model_, id) + ": " + note.reason;
    refresh_gateway((*model_)[id].gateway, cause, note, now);
}

void HealthEngine::update_rtt(EndpointId id) {
    microseconds best{0};
    for (const MonitorState& monitor : slots(id)) {
        if (monitor.rtt().count() != 0 && (best.count() == 0 || monitor.rtt() < best)) best = monitor.rtt();
    }
    EndpointStatus& status = working_.endpoints[id.index()];
    if (!moved(status.rtt, best)) return;
    status.rtt = best;
    changed_ = true;
}

// Falls are counted and returns are held by what is measured, whoever serves at the time:
//
//     before      after       then
//     usable      down        a fall; a hold that was running is over
//     down        usable      held for as long as the falls ask, unless a service would go without
//     else                    a hold that was running goes on until its time
void HealthEngine::damp(EndpointId id, HealthState before, HealthState after, Note& note, MonotonicTime now) {
    EndpointState& state = endpoints_[id.index()];
    if (is_usable(before) && after == HealthState::down) {
        state.held_until.reset();
        state.penalty_before_fall = state.penalty;
        state.up_since_before_fall = state.up_since;
        const nanoseconds wait = state.penalty.fall(settings_.damping, now);
        if (wait > nanoseconds{0})
            note.reason += "; it flaps: its return will be held for " + format_duration(wait);
    } else if (before == HealthState::down && is_usable(after)) {
        const nanoseconds wait = state.penalty.wait();
        if (wait > nanoseconds{0} && !state.frozen && !hold_would_starve((*model_)[id].gateway))
            state.held_until = now + wait;
    } else if (state.held_until && *state.held_until <= now) {
        state.held_until.reset();
        note.reason = "hold-down is over";
    }
}

// `heard` follows what the endpoint's monitors last got back. An endpoint that goes silent is remembered as
// lost for the length of the window; after that it is simply dead, and says nothing about our own network.
void HealthEngine::listen(EndpointId id, HealthState before, HealthState after, MonotonicTime now) {
    EndpointState& state = endpoints_[id.index()];
    bool asked = false;
    bool silent = true;
    bool refused = false;  // failed with a word
    for (const MonitorState& monitor : slots(id)) {
        if (!monitor.last_at()) continue;
        asked = true;
        silent = silent && monitor.silent();
        refused = refused || (monitor.failures() != 0 && !monitor.silent());
    }
    if (asked && !silent) {
        set_heard(state, Heard::answering);
        set_fell_silent(state, false);
        state.lost_until.reset();
    } else if (asked && state.heard == Heard::answering) {
        set_heard(state, Heard::silent);
        state.lost_until = now + isolation_window_;
    }
    if (state.heard == Heard::silent && is_usable(before) && after == HealthState::down) {
        set_fell_silent(state, true);
        state.lost_until = now + isolation_window_;
    }
    if (state.frozen && (after != HealthState::down || refused)) state.frozen = false;
    if (state.lost_until && *state.lost_until <= now) {
        state.lost_until.reset();
        if (after == HealthState::down && !isolated_ && !state.frozen) {
            set_heard(state, Heard::never);
            set_fell_silent(state, false);
        }
    }
    judge_isolation(now);
    if (isolated_ && state.fell_silent && !state.frozen) freeze(id);
}

void HealthEngine::set_heard(EndpointState& state, Heard heard) {
    if (state.heard == Heard::answering) --answering_;
    if (state.heard == Heard::silent) --silent_;
    state.heard = heard;
    if (state.heard == Heard::answering) ++answering_;
    if (state.heard == Heard::silent) ++silent_;
}

void HealthEngine::set_fell_silent(EndpointState& state, bool fell) {
    if (state.fell_silent) --fell_silent_;
    state.fell_silent = fell;
    if (state.fell_silent) ++fell_silent_;
}

void HealthEngine::judge_isolation(MonotonicTime now) {
    const bool looks = looks_isolated(settings_.isolation, silent_, answering_);
    if (!isolated_ && looks && fell_silent_ > 0) {
        isolated_ = working_.isolated = changed_ = true;
        set_timer(Timer::thaw, 0, std::nullopt);
        transitions_.push_back({Transition::Subject::node, 0, "", "connected", "isolated", Severity::critical,
                                "own network suspected: " + std::to_string(silent_) + " of " +
                                    std::to_string(silent_ + answering_) +
                                    " endpoints fell silent at once; answers keep the last state",
                                ProbeLayer::network, now});
        for (size_t i = 0; i < endpoints_.size(); ++i) {
            if (endpoints_[i].fell_silent && !endpoints_[i].frozen) freeze(EndpointId(i));
        }
    } else if (isolated_ && !looks) {
        isolated_ = working_.isolated = false;
        changed_ = true;
        // Those that are still silent get the time of one detection to be heard again.
        set_timer(Timer::thaw, 0, now + isolation_window_);
        transitions_.push_back({Transition::Subject::node, 0, "", "isolated", "connected", Severity::info,
                                "endpoints are heard again: " + std::to_string(answering_) + " of " +
                                    std::to_string(silent_ + answering_),
                                ProbeLayer::none, now});
    }
}

void HealthEngine::freeze(EndpointId id) {
    EndpointState& state = endpoints_[id.index()];
    state.frozen = true;
    state.penalty = state.penalty_before_fall;  // not its fault
    state.up_since = state.up_since_before_fall;
    revisit_.push_back(id);
}

void HealthEngine::thaw() {
    for (size_t i = 0; i < endpoints_.size(); ++i) {
        EndpointState& state = endpoints_[i];
        if (!state.frozen) continue;
        state.frozen = false;
        set_fell_silent(state, false);
        if (state.heard == Heard::silent) set_heard(state, Heard::never);
        revisit_.emplace_back(i);
    }
}

void HealthEngine::settle(MonotonicTime now) {
    while (!starved_.empty() || !revisit_.empty()) {
        for (const EndpointId id : std::exchange(revisit_, {})) {
            const EndpointState& state = endpoints_[id.index()];
            refresh(id, Cause::measurement,
                    {state.frozen ? "silent like all others: the last state is kept"
                                  : "still silent after the others are heard again",
                     ProbeLayer::network},
                    now);
        }
        for (const ServiceId service : std::exchange(starved_, {})) feed(service, now);
    }
    for (const Untold& untold : untold_) tell(untold.subject, untold.id, untold.note, now);
    untold_.clear();
}

void HealthEngine::set_timer(Timer timer, size_t id, std::optional<MonotonicTime> at) {
    const uint64_t key = uint64_t{static_cast<uint8_t>(timer)} << 32 | id;
    const auto found = timers_.find(key);
    if (found != timers_.end()) {
        if (at == found->second) return;
        deadlines_.erase({found->second, key});
        timers_.erase(found);
    }
    if (!at) return;
    timers_.emplace(key, *at);
    deadlines_.emplace(*at, key);
}

std::optional<MonotonicTime> HealthEngine::next_deadline() const {
    if (deadlines_.empty()) return std::nullopt;
    return deadlines_.begin()->first;
}

void HealthEngine::advance(MonotonicTime now) {
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        const uint64_t key = deadlines_.begin()->second;
        const size_t id = static_cast<uint32_t>(key);
        const auto timer = static_cast<Timer>(key >> 32);
        set_timer(timer, id, std::nullopt);
        switch (timer) {
            case Timer::endpoint:
                refresh(EndpointId(id), Cause::measurement, {}, now);
                break;
            case Timer::gateway:
                refresh_gateway(GatewayId(id), Cause::measurement, {}, now);
                break;
            case Timer::service:
                release_due(ServiceId(id), now);
                break;
            case Timer::thaw:
                thaw();
                break;
        }
        settle(now);
    }
}

std::vector<Transition> HealthEngine::take_transitions() {
    return std::exchange(transitions_, {});
}

std::shared_ptr<const HealthSnapshot> HealthEngine::snapshot() {
    if (changed_ || !published_) {
        ++working_.generation;
        published_ = std::make_shared<const HealthSnapshot>(working_);
        changed_ = false;
    }
    return published_;
}

}  // namespace fairway
