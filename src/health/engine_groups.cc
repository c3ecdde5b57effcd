// SPDX-License-Identifier: Apache-2.0
// What endpoints make of their gateways, and gateways of zones, regions and services.
#include <algorithm>
#include <utility>

#include "base/duration.h"
#include "health/engine.h"
#include "health/settled.h"

namespace fairway {
namespace {

Severity severity_of(std::string_view state) {
    if (state == "down") return Severity::critical;
    return state == "degraded" || state == "waiting" ? Severity::warning : Severity::info;
}

std::string because(std::string text, const std::string& reason) {
    if (!reason.empty()) text += "; " + reason;
    return text;
}

std::string of_total(size_t count, size_t total, std::string_view what) {
    return std::to_string(count) + " of " + std::to_string(total) + " " + std::string(what);
}

}  // namespace

// Of the gateways that no operator withholds (u usable, n unknown, d down):
//
//     all withheld      down: nobody is answered
//     u = 0, n = 0      down
//     u = 0, n > 0      unknown
//     u > 0, d > 0      degraded
//     u > 0, d = 0      up
HealthState HealthEngine::Tally::state() const {
    const Tally& tally = *this;
    if (tally.total() == 0) return HealthState::unknown;
    if (tally[Standing::usable] == 0)
        return tally[Standing::unknown] == 0 ? HealthState::down : HealthState::unknown;
    return tally[Standing::down] == 0 ? HealthState::up : HealthState::degraded;
}

void HealthEngine::Tally::move(std::optional<Standing> from, Standing to) {
    if (from) --counts[static_cast<size_t>(*from)];
    ++counts[static_cast<size_t>(to)];
}

void HealthEngine::refresh_gateway(GatewayId id, Cause cause, const Note& note, MonotonicTime now) {
    const Gateway& gateway = (*model_)[id];
    GatewayState& state = gateways_[id.index()];
    members_.clear();
    bool in_doubt = false;
    bool withheld = !gateway.endpoints.empty();
    std::optional<AdminState> admin;
    for (const EndpointId endpoint : gateway.endpoints) {
        const EndpointStatus& status = working_[endpoint];
        members_.push_back({status.measured, status.effective, status.withheld,
                            status.admin == AdminState::forced_up, status.address.has_value(),
                            endpoints_[endpoint.index()].up_since});
        in_doubt = in_doubt || (status.in_doubt && !status.withheld);
        withheld = withheld && status.withheld;
        admin = !admin || *admin == status.admin ? status.admin : AdminState::automatic;
    }
    const Composition composition = compose(gateway, members_, state.active, now);
    size_t serving = 0;
    for (size_t i = 0; i < members_.size(); ++i) {
        EndpointStatus& status = working_.endpoints[gateway.endpoints[i].index()];
        serving += members_[i].serving ? 1 : 0;
        if (status.serving == members_[i].serving) continue;
        status.serving = members_[i].serving;
        changed_ = true;
    }
    for (const ServiceId service : state.services) {
        size_t& count = services_[service.index()].serving;
        const size_t before = count;
        count = count + serving - state.serving;
        if (before != 0 && count == 0) starved_.push_back(service);
    }
    state.serving = serving;

    const GatewayStatus next{composition.measured, composition.effective,
                             admin.value_or(AdminState::automatic), composition.usable,
                             in_doubt || composition.failback_at.has_value()};
    GatewayStatus& status = working_.gateways[id.index()];
    const bool was_usable = status.usable && is_usable(status.effective);
    if (next.measured != status.measured || next.effective != status.effective ||
        next.admin != status.admin || next.usable != status.usable || next.in_doubt != status.in_doubt) {
        status = next;
        changed_ = true;
    }
    state.failback_at = composition.failback_at;
    set_timer(Timer::gateway, id.index(), composition.failback_at);

    Standing standing = next.usable ? Standing::usable : Standing::down;
    if (next.effective == HealthState::unknown) standing = Standing::unknown;
    if (withheld) standing = Standing::withheld;
    state.active = composition.active;
    const std::optional<Standing> before = std::exchange(state.standing, standing);
    if (shown_of(id) != state.shown || state.active != state.told_active)
        tell_later(Transition::Subject::gateway, id.index(), note);
    if (standing != before) restand(id, before, note);

    const bool falls =
        cause == Cause::measurement && was_usable && !next.usable && !withheld && working_.first_round_done;
    for (const ServiceId service : state.services) hold_failover(service, id, falls, note, now);
}

void HealthEngine::restand(GatewayId id, std::optional<Standing> before, const Note& note) {
    const GatewayState& state = gateways_[id.index()];
    const RegionId region = (*model_)[id].region;
    if (state.zone != SIZE_MAX) {
        zones_[state.zone].tally.move(before, *state.standing);
        tell_later(Transition::Subject::zone, state.zone, note);
    }
    if (region.valid()) {
        regions_[region.index()].tally.move(before, *state.standing);
        tell_later(Transition::Subject::region, region.index(), note);
    }
    for (const ServiceId service : state.services) {
        services_[service.index()].tally.move(before, *state.standing);
        tell_later(Transition::Subject::service, service.index(), note);
    }
}

// What operators withhold shows why, unless it is down anyway; else what does not serve is down.
std::string_view HealthEngine::shown_of(GatewayId id) const {
    const GatewayStatus& status = working_[id];
    if (gateways_[id.index()].standing == Standing::withheld && status.effective != HealthState::down)
        return to_string(status.admin == AdminState::maintenance ? AdminState::maintenance
                                                                 : AdminState::drain);
    const bool as_it_is = status.usable || status.effective == HealthState::unknown;
    return to_string(as_it_is ? settled(status.effective) : HealthState::down);
}

void HealthEngine::tell_later(Transition::Subject subject, size_t id, const Note& note) {
    untold_.push_back({subject, id, note});
}

void HealthEngine::tell(Transition::Subject subject, size_t id, const Note& note, MonotonicTime now) {
    switch (subject) {
        case Transition::Subject::gateway:
            return tell_gateway(GatewayId(id), note, now);
        case Transition::Subject::zone:
            return tell_area(zones_[id], subject, id, note, now);
        case Transition::Subject::region:
            return tell_area(regions_[id], subject, id, note, now);
        case Transition::Subject::service:
            return tell_service(ServiceId(id), note, now);
        case Transition::Subject::endpoint:
        case Transition::Subject::node:
            return;  // these are told at once
    }
}

void HealthEngine::tell_gateway(GatewayId id, const Note& note, MonotonicTime now) {
    GatewayState& state = gateways_[id.index()];
    const Gateway& gateway = (*model_)[id];
    const std::string_view shown = shown_of(id);
    const std::optional<size_t> was_active = std::exchange(state.told_active, state.active);
    const bool switched = was_active && state.active && *was_active != *state.active;
    if (shown == state.shown && !switched) return;
    if (shown != state.shown) state.since = now;
    state.last_change = of_total(state.serving, gateway.endpoints.size(), "endpoints serve");
    if (switched) {
        const auto name = [&](size_t i) { return (*model_)[gateway.endpoints[i]].name; };
        state.last_change = "active is now " + name(*state.active) + " instead of " + name(*was_active);
    }
    state.last_change = because(std::move(state.last_change), note.reason);
    const Severity severity = shown == "down" ? Severity::warning : severity_of(shown);
    transitions_.push_back({Transition::Subject::gateway, id.value, gateway.name, std::string(state.shown),
                            std::string(shown), severity, state.last_change, note.layer, now});
    state.shown = shown;
}

void HealthEngine::tell_area(AreaState& area, Transition::Subject subject, size_t id, const Note& note,
                             MonotonicTime now) {
    const std::string_view shown = to_string(area.tally.state());
    if (shown == area.shown) return;
    transitions_.push_back(
        {subject, static_cast<uint32_t>(id), std::string(area.name), std::string(area.shown),
         std::string(shown), severity_of(shown),
         because(of_total(area.tally[Standing::usable], area.tally.total(), "gateways usable"), note.reason),
         note.layer, now});
    area.shown = shown;
}

// The failover of a gateway in a service that does not fail over by itself:
//
//     gateway                             then
//     falls by measurement                held until the delay is over, or until it is confirmed
//     usable again, or withheld           not held
//     down since before, or by an         as before: held stays held, not held stays not held
//     operator or a new configuration
void HealthEngine::hold_failover(ServiceId id, GatewayId gateway, bool starts, const Note& note,
                                 MonotonicTime now) {
    const Service& service = (*model_)[id];
    std::vector<ServiceReport::Held>& held = services_[id.index()].held;
    const auto found = std::find_if(held.begin(), held.end(),
                                    [&](const ServiceReport::Held& h) { return h.gateway == gateway; });
    const std::optional<Standing> standing = gateways_[gateway.index()].standing;
    if (found != held.end()) {
        if (standing != Standing::usable && standing != Standing::withheld) return;
        held.erase(found);
    } else {
        if (!starts || service.failover == FailoverMode::automatic) return;
        const bool delayed = service.failover == FailoverMode::delay;
        held.push_back({gateway, now, delayed ? std::optional(now + service.failover_delay) : std::nullopt});
    }
    publish_held(id);
    tell_later(Transition::Subject::service, id.index(), note);
}

void HealthEngine::publish_held(ServiceId id) {
    std::vector<ServiceReport::Held>& held = services_[id.index()].held;
    std::sort(held.begin(), held.end(), [](const auto& a, const auto& b) { return a.gateway < b.gateway; });
    std::vector<GatewayId>& published = working_.services[id.index()].held;
    published.clear();
    std::optional<MonotonicTime> earliest;
    for (const ServiceReport::Held& h : held) {
        published.push_back(h.gateway);
        if (h.until && (!earliest || *h.until < *earliest)) earliest = h.until;
    }
    set_timer(Timer::service, id.index(), earliest);
    changed_ = true;
}

void HealthEngine::release_due(ServiceId id, MonotonicTime now) {
    std::erase_if(services_[id.index()].held,
                  [now](const ServiceReport::Held& h) { return h.until && *h.until <= now; });
    publish_held(id);
    tell_later(Transition::Subject::service, id.index(),
               {"the delay of its failover is over", ProbeLayer::none});
}

size_t HealthEngine::confirm(ServiceId service, MonotonicTime now) {
    std::vector<ServiceReport::Held>& held = services_[service.index()].held;
    const size_t count = held.size();
    if (count == 0) return 0;
    held.clear();
    publish_held(service);
    tell_later(Transition::Subject::service, service.index(),
               {"its failover is confirmed", ProbeLayer::none});
    settle(now);
    return count;
}

void HealthEngine::tell_service(ServiceId id, const Note& note, MonotonicTime now) {
    ServiceState& state = services_[id.index()];
    const Service& service = (*model_)[id];
    const std::string_view shown = state.held.empty() ? to_string(state.tally.state()) : "waiting";
    if (shown == state.shown) return;
    std::string reason = of_total(state.tally[Standing::usable], state.tally.total(), "gateways usable");
    if (!state.held.empty()) {
        reason += "; failover from " + (*model_)[state.held.front().gateway].name + " waits for " +
                  (service.failover == FailoverMode::delay ? format_duration(service.failover_delay)
                                                           : std::string("confirmation"));
    }
    transitions_.push_back({Transition::Subject::service, id.value, service.key, std::string(state.shown),
                            std::string(shown), severity_of(shown), because(std::move(reason), note.reason),
                            note.layer, now});
    state.shown = shown;
}

// What is held for flapping is better than nothing: the one whose time comes first is let go, and the next
// only if that did not help.
void HealthEngine::feed(ServiceId starved, MonotonicTime now) {
    const Service& service = (*model_)[starved];
    while (services_[starved.index()].serving == 0) {
        EndpointId first;
        for (const GatewayId gateway : service.gateways) {
            for (const EndpointId id : (*model_)[gateway].endpoints) {
                const std::optional<MonotonicTime>& until = endpoints_[id.index()].held_until;
                if (until && (!first.valid() || *until < *endpoints_[first.index()].held_until)) first = id;
            }
        }
        if (!first.valid()) return;
        endpoints_[first.index()].held_until.reset();
        refresh(first, Cause::measurement,
                {"hold-down is lifted: nothing else serves " + service.key, ProbeLayer::none}, now);
    }
}

bool HealthEngine::hold_would_starve(GatewayId gateway) const {
    const std::vector<ServiceId>& services = gateways_[gateway.index()].services;
    return std::any_of(services.begin(), services.end(),
                       [&](ServiceId id) { return services_[id.index()].serving == 0; });
}

}  // namespace fairway
