// SPDX-License-Identifier: Apache-2.0
// Everything that is known, out of one engine and into another.
#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "health/engine.h"
#include "health/memory.h"

namespace fairway {
namespace {

/// Whom a monitor asks what, as far as it decides whether results of the one speak for the other. Settings of
/// a probe are not compared one by one: where they differ, the next results decide as they do in any doubt.
std::string question_of(const Monitor& monitor) {
    std::string text = std::to_string(monitor.probe.index());
    text += " port " + std::to_string(monitor.port);
    if (!monitor.address.empty()) text += " at " + monitor.address;
    return text;
}

/// One of the words that subjects are told to be in, with static storage.
std::string_view told_word(std::string_view text) {
    for (int i = 0; i <= static_cast<int>(HealthState::down); ++i) {
        if (const auto word = to_string(static_cast<HealthState>(i)); word == text) return word;
    }
    for (int i = 0; i <= static_cast<int>(AdminState::maintenance); ++i) {
        if (const auto word = to_string(static_cast<AdminState>(i)); word == text) return word;
    }
    return text == "waiting" ? std::string_view("waiting") : to_string(HealthState::unknown);
}

}  // namespace

HealthMemory HealthEngine::remember() const {
    HealthMemory memory;
    if (!model_) return memory;
    const Model& model = *model_;
    for (const Endpoint& endpoint : model.endpoints) {
        const EndpointState& state = endpoints_[endpoint.id.index()];
        const EndpointStatus& status = working_[endpoint.id];
        const Gateway& gateway = model[endpoint.gateway];
        auto& to = memory.endpoints.emplace_back();
        to.gateway = gateway.name;
        to.name = endpoint.name;
        to.host = endpoint.host;
        to.address = status.address;
        to.measured = status.measured;
        to.effective = status.effective;
        to.settled = state.settled;
        to.remembered = state.remembered;
        to.rtt = status.rtt;
        to.heard = static_cast<uint8_t>(state.heard);
        to.fell_silent = state.fell_silent;
        to.frozen = state.frozen;
        to.measured_since = state.measured_since;
        to.effective_since = state.effective_since;
        to.up_since = state.up_since;
        to.up_since_before_fall = state.up_since_before_fall;
        to.held_until = state.held_until;
        to.lost_until = state.lost_until;
        to.penalty = state.penalty;
        to.penalty_before_fall = state.penalty_before_fall;
        to.last_change = state.last_change;
        const std::span<const MonitorState> monitors = slots(endpoint.id);
        for (size_t i = 0; i < monitors.size(); ++i) {
            const Monitor& monitor = model[gateway.monitors[i]];
            to.monitors.push_back({monitor.name, question_of(monitor), monitors[i]});
        }
    }
    for (const Gateway& gateway : model.gateways) {
        const GatewayState& state = gateways_[gateway.id.index()];
        const GatewayStatus& status = working_[gateway.id];
        const bool has_active = state.active && *state.active < gateway.endpoints.size();
        memory.gateways.push_back(
            {gateway.name, has_active ? model[gateway.endpoints[*state.active]].name : std::string(),
             std::string(state.shown), state.last_change, state.since, status.usable, status.effective});
    }
    for (const AreaState& area : regions_)
        memory.regions.push_back({std::string(area.name), std::string(area.shown)});
    for (const AreaState& area : zones_)
        memory.zones.push_back({std::string(area.name), std::string(area.shown)});
    for (const Service& service : model.services) {
        const ServiceState& state = services_[service.id.index()];
        auto& to = memory.services.emplace_back();
        to.key = service.key;
        to.shown = std::string(state.shown);
        for (const ServiceReport::Held& held : state.held)
            to.held.push_back({model[held.gateway].name, held.since, held.until});
    }
    memory.isolated = isolated_;
    const auto thaw = timers_.find(uint64_t{static_cast<uint8_t>(Timer::thaw)} << 32);
    if (thaw != timers_.end()) memory.thaw_at = thaw->second;
    memory.first_round_done = working_.first_round_done;
    return memory;
}

void HealthEngine::recall(const HealthMemory& memory, MonotonicTime now) {
    const Model& model = *model_;
    std::map<std::pair<std::string_view, std::string_view>, const HealthMemory::Endpoint*> endpoints;
    for (const auto& endpoint : memory.endpoints)
        endpoints.emplace(std::pair(std::string_view(endpoint.gateway), std::string_view(endpoint.name)),
                          &endpoint);
    for (const Endpoint& endpoint : model.endpoints) {
        const Gateway& gateway = model[endpoint.gateway];
        const auto found = endpoints.find({gateway.name, endpoint.name});
        if (found == endpoints.end() || found->second->host != endpoint.host) continue;
        const HealthMemory::Endpoint& from = *found->second;
        EndpointState& state = endpoints_[endpoint.id.index()];
        EndpointStatus& status = working_.endpoints[endpoint.id.index()];
        if (!endpoint.address) status.address = from.address;
        status.measured = from.measured;
        status.effective = from.effective;
        status.rtt = from.rtt;
        state.settled = from.settled;
        state.remembered = from.remembered;
        state.heard = static_cast<Heard>(from.heard);
        state.fell_silent = from.fell_silent;
        state.frozen = from.frozen;
        state.measured_since = from.measured_since;
        state.effective_since = from.effective_since;
        state.up_since = from.up_since;
        state.up_since_before_fall = from.up_since_before_fall;
        state.held_until = from.held_until;
        state.lost_until = from.lost_until;
        state.penalty = from.penalty;
        state.penalty_before_fall = from.penalty_before_fall;
        state.last_change = from.last_change;
        for (size_t slot = 0; slot < gateway.monitors.size(); ++slot) {
            const Monitor& monitor = model[gateway.monitors[slot]];
            const auto same = std::find_if(
                from.monitors.begin(), from.monitors.end(), [&](const HealthMemory::Monitor& each) {
                    return each.name == monitor.name && each.question == question_of(monitor);
                });
            if (same != from.monitors.end()) monitors_[state.first_slot + slot] = same->state;
        }
    }

    std::map<std::string_view, GatewayId> gateway_ids;
    for (const Gateway& gateway : model.gateways) gateway_ids.emplace(gateway.name, gateway.id);
    for (const auto& from : memory.gateways) {
        const auto found = gateway_ids.find(from.name);
        if (found == gateway_ids.end()) continue;
        const Gateway& gateway = model[found->second];
        GatewayState& state = gateways_[gateway.id.index()];
        for (size_t i = 0; i < gateway.endpoints.size(); ++i) {
            if (!from.active.empty() && model[gateway.endpoints[i]].name == from.active)
                state.active = state.told_active = i;
        }
        state.shown = told_word(from.shown);
        state.last_change = from.last_change;
        state.since = from.since;
        GatewayStatus& status = working_.gateways[gateway.id.index()];
        status.usable = from.usable;
        status.effective = from.effective;
    }
    const auto recall_areas = [](std::vector<AreaState>& areas, const std::vector<HealthMemory::Area>& from) {
        std::map<std::string_view, std::string_view> shown;
        for (const auto& area : from) shown.emplace(area.name, area.shown);
        for (AreaState& area : areas) {
            if (const auto found = shown.find(area.name); found != shown.end())
                area.shown = told_word(found->second);
        }
    };
    recall_areas(regions_, memory.regions);
    recall_areas(zones_, memory.zones);
    std::map<std::string_view, const HealthMemory::Service*> services;
    for (const auto& service : memory.services) services.emplace(service.key, &service);
    for (const Service& service : model.services) {
        const auto found = services.find(service.key);
        if (found == services.end()) continue;
        ServiceState& state = services_[service.id.index()];
        state.shown = told_word(found->second->shown);
        if (service.failover == FailoverMode::automatic) continue;
        state.held.clear();
        for (const auto& held : found->second->held) {
            const auto gateway = gateway_ids.find(held.gateway);
            if (gateway == gateway_ids.end() || std::find(service.gateways.begin(), service.gateways.end(),
                                                          gateway->second) == service.gateways.end())
                continue;
            state.held.push_back({gateway->second, held.since, held.until});
        }
    }
    isolated_ = memory.isolated;
    set_timer(Timer::thaw, 0, memory.thaw_at);
    if (memory.first_round_done) working_.first_round_done = true;
    rebuild({"known from the process before", ProbeLayer::none}, now);
}

}  // namespace fairway
