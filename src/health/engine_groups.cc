// SPDX-License-Identifier: Apache-2.0
// What endpoints make of their gateways, and gateways of zones, regions and services.
#include <algorithm>

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

    // Overrides count as what they are, then what serves, then what is known.
    std::string_view shown = to_string(
        next.usable || next.effective == HealthState::unknown ? settled(next.effective) : HealthState::down);
    Standing standing = next.usable ? Standing::usable : Standing::down;
    if (next.effective == HealthState::unknown) standing = Standing::unknown;
    if (withheld) {
        standing = Standing::withheld;
        const bool graceful = next.admin == AdminState::drain || next.admin == AdminState::maintenance;
        shown = to_string(graceful ? next.admin : AdminState::drain);
        if (next.effective == HealthState::down) shown = to_string(HealthState::down);
    }

    const std::optional<size_t> was_active = std::exchange(state.active, composition.active);
    if (shown != state.shown) {
        tell_gateway(id, shown, note, now);
    } else if (was_active && state.active && *was_active != *state.active) {
        const auto name = [&](size_t i) { return (*model_)[gateway.endpoints[i]].name; };
        tell_gateway(id, shown,
                     {because("active is now " + name(*state.active) + " instead of " + name(*was_active),
                              note.reason),
                      note.layer},
                     now);
    }
    restand(id, standing);
    if (cause != Cause::configuration) tell_areas(id, note, now);

    const bool falls = cause == Cause::measurement && was_usable && !next.usable && working_.first_round_done;
    for (const ServiceId service : state.services) hold_failover(service, id, falls && !withheld, now);
    if (cause == Cause::configuration) return;
    for (const ServiceId service : state.services) tell_service(service, note, now);
}

void HealthEngine::tell_gateway(GatewayId id, std::string_view shown, const Note& note, MonotonicTime now) {
    GatewayState& state = gateways_[id.index()];
    const Gateway& gateway = (*model_)[id];
    if (shown != state.shown) state.since = now;
    state.last_change =
        because(of_total(state.serving, gateway.endpoints.size(), "endpoints serve"), note.reason);
    transitions_.push_back({Transition::Subject::gateway, id.value, gateway.name, std::string(state.shown),
                            std::string(shown), shown == "down" ? Severity::warning : severity_of(shown),
                            state.last_change, note.layer, now});
    state.shown = shown;
}

void HealthEngine::restand(GatewayId id, Standing standing) {
    GatewayState& state = gateways_[id.index()];
    if (state.standing == standing) return;
    const RegionId region = (*model_)[id].region;
    if (state.zone != SIZE_MAX) zones_[state.zone].tally.move(state.standing, standing);
    if (region.valid()) regions_[region.index()].tally.move(state.standing, standing);
    for (const ServiceId service : state.services)
        services_[service.index()].tally.move(state.standing, standing);
    state.standing = standing;
}

void HealthEngine::tell_areas(GatewayId id, const Note& note, MonotonicTime now) {
    const size_t zone = gateways_[id.index()].zone;
    const RegionId region = (*model_)[id].region;
    if (zone != SIZE_MAX) tell_area(zones_[zone], Transition::Subject::zone, zone, note, now);
    if (region.valid())
        tell_area(regions_[region.index()], Transition::Subject::region, region.index(), note, now);
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
void HealthEngine::hold_failover(ServiceId id, GatewayId gateway, bool starts, MonotonicTime now) {
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
    tell_service(id, {"the delay of its failover is over", ProbeLayer::none}, now);
}

size_t HealthEngine::confirm(ServiceId service, MonotonicTime now) {
    std::vector<ServiceReport::Held>& held = services_[service.index()].held;
    const size_t count = held.size();
    if (count == 0) return 0;
    held.clear();
    publish_held(service);
    tell_service(service, {"its failover is confirmed", ProbeLayer::none}, now);
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

bool HealthEngine::hold_would_starve(GatewayId gateway) const {
    const std::vector<ServiceId>& services = gateways_[gateway.index()].services;
    return std::any_of(services.begin(), services.end(),
                       [&](ServiceId id) { return services_[id.index()].serving == 0; });
}

}  // namespace fairway
