// SPDX-License-Identifier: Apache-2.0
// What the engine takes from outside besides probe results: a new model, and overrides.
#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "health/engine.h"
#include "health/settled.h"
#include "model/target.h"

namespace fairway {
namespace {

using Positions = std::unordered_map<std::string_view, size_t>;

template <class Named, class NameOf>
Positions positions_by(const std::vector<Named>& all, NameOf name_of) {
    Positions positions;
    for (size_t i = 0; i < all.size(); ++i) positions.emplace(name_of(all[i]), i);
    return positions;
}

std::optional<size_t> find(const Positions& positions, std::string_view name) {
    const auto found = positions.find(name);
    return found == positions.end() ? std::nullopt : std::optional(found->second);
}

/// Whether results of the one speak for the other: the same question. How often it is asked, and how many
/// answers decide, may differ.
bool asks_the_same(const Monitor& a, const Monitor& b) {
    return a.port == b.port && a.address == b.address && a.probe == b.probe;
}

/// From which a result of the slowest monitor that goes silent has surely led to down.
nanoseconds slowest_detection(const Model& model) {
    nanoseconds slowest{0};
    for (const Monitor& monitor : model.monitors)
        slowest = std::max(slowest, monitor.interval + (monitor.timeout + monitor.recheck) * monitor.fall);
    return slowest;
}

}  // namespace

void HealthEngine::set_window() {
    isolation_window_ = settings_.isolation.window;
    if (isolation_window_ <= nanoseconds{0} && model_) isolation_window_ = slowest_detection(*model_);
}

std::vector<UnresolvedOverride> HealthEngine::configure(std::shared_ptr<const Model> model,
                                                        MonotonicTime now) {
    HealthEngine old(settings_);
    std::swap(old.model_, model_);
    std::swap(old.monitors_, monitors_);
    std::swap(old.endpoints_, endpoints_);
    std::swap(old.gateways_, gateways_);
    std::swap(old.regions_, regions_);
    std::swap(old.zones_, zones_);
    std::swap(old.services_, services_);
    std::swap(old.working_, working_);
    const auto thaw_at = timers_.find(uint64_t{static_cast<uint8_t>(Timer::thaw)} << 32);
    const auto thaw = thaw_at == timers_.end() ? std::nullopt : std::optional(thaw_at->second);
    timers_.clear();
    deadlines_.clear();
    set_timer(Timer::thaw, 0, thaw);

    model_ = std::move(model);
    const Model& next = *model_;
    set_window();
    working_.generation = old.working_.generation;
    working_.first_round_done = old.working_.first_round_done;
    working_.isolated = isolated_;
    working_.model = model_;
    working_.endpoints.resize(next.endpoints.size());
    working_.gateways.resize(next.gateways.size());
    working_.services.resize(next.services.size());
    endpoints_.resize(next.endpoints.size());
    gateways_.resize(next.gateways.size());
    regions_.resize(next.regions.size());
    services_.resize(next.services.size());
    for (const Region& region : next.regions) regions_[region.id.index()].name = region.name;

    std::map<std::string_view, size_t> zone_names;
    for (const Gateway& gateway : next.gateways) {
        gateways_[gateway.id.index()].since = now;
        if (!gateway.zone.empty()) zone_names.emplace(gateway.zone, 0);
    }
    for (auto& [name, position] : zone_names) {
        position = zones_.size();
        zones_.emplace_back().name = name;
    }
    for (const Gateway& gateway : next.gateways) {
        if (!gateway.zone.empty()) gateways_[gateway.id.index()].zone = zone_names.at(gateway.zone);
    }
    for (const Service& service : next.services) {
        for (const GatewayId gateway : service.gateways)
            gateways_[gateway.index()].services.push_back(service.id);
    }
    for (const Endpoint& endpoint : next.endpoints) {
        EndpointState& state = endpoints_[endpoint.id.index()];
        state.first_slot = monitors_.size();
        state.measured_since = state.effective_since = now;
        working_.endpoints[endpoint.id.index()].address = endpoint.address;
        for (size_t i = 0; i < next[endpoint.gateway].monitors.size(); ++i) monitors_.emplace_back(now);
    }
    if (old.model_) carry_over(old);

    std::vector<AdminDecision> decisions(endpoints_.size());
    std::vector<const Override*> reasons(endpoints_.size());
    auto unresolved = resolve_overrides(decisions, reasons);
    for (size_t i = 0; i < endpoints_.size(); ++i) endpoints_[i].admin = decisions[i];

    rebuild({"the configuration has changed", ProbeLayer::none}, now);
    return unresolved;
}

void HealthEngine::rebuild(const Note& note, MonotonicTime now) {
    silent_ = answering_ = fell_silent_ = 0;
    for (const EndpointState& state : endpoints_) {
        silent_ += state.heard == Heard::silent ? 1 : 0;
        answering_ += state.heard == Heard::answering ? 1 : 0;
        fell_silent_ += state.fell_silent ? 1 : 0;
    }
    changed_ = true;
    // From the bottom up, each level once, so that nothing is told of a picture half drawn.
    for (const Endpoint& endpoint : model_->endpoints) refresh(endpoint.id, Cause::configuration, note, now);
    for (const Gateway& gateway : model_->gateways)
        refresh_gateway(gateway.id, Cause::configuration, note, now);
    for (const Service& service : model_->services) {
        publish_held(service.id);
        tell_later(Transition::Subject::service, service.id.index(), note);
        if (services_[service.id.index()].serving == 0) starved_.push_back(service.id);
    }
    settle(now);
}

void HealthEngine::carry_over(HealthEngine& old) {
    const Model& before = *old.model_;
    const Model& next = *model_;
    const Positions old_gateways =
        positions_by(before.gateways, [](const auto& g) { return std::string_view(g.name); });
    for (const Gateway& gateway : next.gateways) {
        const auto position = find(old_gateways, gateway.name);
        if (!position) continue;
        const Gateway& was = before.gateways[*position];
        GatewayState& old_state = old.gateways_[*position];
        GatewayState& state = gateways_[gateway.id.index()];
        state.shown = old_state.shown;
        state.since = old_state.since;
        state.last_change = std::move(old_state.last_change);
        working_.gateways[gateway.id.index()] = old.working_.gateways[*position];
        for (size_t i = 0; i < gateway.endpoints.size(); ++i) {
            const Endpoint& endpoint = next[gateway.endpoints[i]];
            const auto same = std::find_if(was.endpoints.begin(), was.endpoints.end(), [&](EndpointId id) {
                return before[id].name == endpoint.name && before[id].host == endpoint.host;
            });
            if (same == was.endpoints.end()) continue;
            if (old_state.active == static_cast<size_t>(same - was.endpoints.begin()))
                state.active = state.told_active = i;
            EndpointState& from = old.endpoints_[same->index()];
            const size_t first_slot = endpoints_[endpoint.id.index()].first_slot;
            for (size_t slot = 0; slot < gateway.monitors.size(); ++slot) {
                const Monitor& monitor = next[gateway.monitors[slot]];
                for (size_t j = 0; j < was.monitors.size(); ++j) {
                    const Monitor& candidate = before[was.monitors[j]];
                    if (candidate.name != monitor.name || !asks_the_same(candidate, monitor)) continue;
                    monitors_[first_slot + slot] = std::move(old.monitors_[from.first_slot + j]);
                    break;
                }
            }
            EndpointStatus& status = working_.endpoints[endpoint.id.index()];
            status = old.working_.endpoints[same->index()];
            status.serving = false;  // counted anew
            EndpointState& to = endpoints_[endpoint.id.index()];
            to = std::move(from);
            to.first_slot = first_slot;
        }
    }
    const auto carry_area = [](std::vector<AreaState>& areas, const std::vector<AreaState>& old_areas) {
        const Positions positions = positions_by(old_areas, [](const auto& area) { return area.name; });
        for (AreaState& area : areas) {
            if (const auto position = find(positions, area.name)) area.shown = old_areas[*position].shown;
        }
    };
    carry_area(regions_, old.regions_);
    carry_area(zones_, old.zones_);
    const Positions old_services =
        positions_by(before.services, [](const auto& s) { return std::string_view(s.key); });
    const Positions gateways =
        positions_by(next.gateways, [](const auto& g) { return std::string_view(g.name); });
    for (const Service& service : next.services) {
        const auto position = find(old_services, service.key);
        if (!position) continue;
        services_[service.id.index()].shown = old.services_[*position].shown;
        if (service.failover == FailoverMode::automatic) continue;
        for (ServiceReport::Held held : old.services_[*position].held) {
            const auto gateway = find(gateways, before[held.gateway].name);
            if (!gateway) continue;
            held.gateway = GatewayId(*gateway);
            const bool member = std::find(service.gateways.begin(), service.gateways.end(), held.gateway) !=
                                service.gateways.end();
            if (member) services_[service.id.index()].held.push_back(held);
        }
    }
}

std::vector<UnresolvedOverride> HealthEngine::set_overrides(std::span<const Override> overrides,
                                                            MonotonicTime now) {
    overrides_.assign(overrides.begin(), overrides.end());
    if (!model_) return {};
    std::vector<AdminDecision> decisions(endpoints_.size());
    std::vector<const Override*> reasons(endpoints_.size());
    auto unresolved = resolve_overrides(decisions, reasons);
    for (size_t i = 0; i < endpoints_.size(); ++i) {
        if (decisions[i] == endpoints_[i].admin) continue;
        endpoints_[i].admin = decisions[i];
        std::string reason = "an override ended";
        if (reasons[i] != nullptr) {
            reason = std::string(to_string(decisions[i].state)) + " by " + reasons[i]->actor;
            if (!reasons[i]->reason.empty()) reason += ": " + reasons[i]->reason;
        }
        refresh(EndpointId(i), Cause::admin, {std::move(reason), ProbeLayer::none}, now);
    }
    settle(now);
    return unresolved;
}

std::vector<UnresolvedOverride> HealthEngine::resolve_overrides(std::vector<AdminDecision>& decisions,
                                                                std::vector<const Override*>& reasons) const {
    std::vector<UnresolvedOverride> unresolved;
    for (const Override& entry : overrides_) {
        const auto target = resolve_target(*model_, entry.target);
        if (!target) {
            unresolved.push_back({entry.id, target.error().message});
            continue;
        }
        for (const EndpointId id : endpoints_of(*model_, *target)) {
            AdminDecision& decision = decisions[id.index()];
            const AdminDecision winner = stronger(decision, {entry.state, entry.maintenance_down});
            if (winner == decision) continue;
            decision = winner;
            reasons[id.index()] = &entry;
        }
    }
    return unresolved;
}

}  // namespace fairway
