// SPDX-License-Identifier: Apache-2.0
// What people want to know of the engine.
#include <algorithm>

#include "health/engine.h"
#include "health/settled.h"

namespace fairway {

EndpointReport HealthEngine::report(EndpointId id, MonotonicTime now) const {
    const EndpointState& state = endpoints_[id.index()];
    EndpointReport report;
    report.status = working_[id];
    report.since = state.effective_since;
    report.measured_since = state.measured_since;
    report.last_change = state.last_change;
    report.penalty = state.penalty.at(settings_.damping, now);
    report.held_until = state.held_until;
    report.frozen = state.frozen;
    const Gateway& gateway = (*model_)[(*model_)[id].gateway];
    const std::span<const MonitorState> monitors = slots(id);
    for (size_t i = 0; i < monitors.size(); ++i) {
        const MonitorState& monitor = monitors[i];
        report.monitors.push_back({gateway.monitors[i], monitor.state(), monitor.in_doubt(),
                                   monitor.failures(), monitor.successes(), monitor.since(),
                                   monitor.last_at(), monitor.last_at() ? &monitor.last() : nullptr,
                                   monitor.last_change()});
    }
    return report;
}

GatewayReport HealthEngine::report(GatewayId id) const {
    const GatewayState& state = gateways_[id.index()];
    const Gateway& gateway = (*model_)[id];
    GatewayReport report;
    report.status = working_[id];
    report.since = state.since;
    report.last_change = state.last_change;
    report.serving = state.serving;
    report.total = gateway.endpoints.size();
    report.up = static_cast<size_t>(
        std::count_if(gateway.endpoints.begin(), gateway.endpoints.end(),
                      [this](EndpointId endpoint) { return is_usable(working_[endpoint].effective); }));
    if (state.active) report.active = gateway.endpoints[*state.active];
    report.failback_at = state.failback_at;
    return report;
}

ServiceReport HealthEngine::report(ServiceId id) const {
    const ServiceState& state = services_[id.index()];
    return {state.serving, state.tally[Standing::usable], state.tally.total(), state.held};
}

AreaReport HealthEngine::report_area(const AreaState& area) const {
    AreaReport report{area.name, area.tally[Standing::usable], area.tally.total(), HealthState::unknown,
                      area.tally.state()};
    bool first = true;
    for (const Gateway& gateway : model_->gateways) {
        const size_t zone = gateways_[gateway.id.index()].zone;
        const bool inside = (zone != SIZE_MAX && &zones_[zone] == &area) ||
                            (gateway.region.valid() && &regions_[gateway.region.index()] == &area);
        if (!inside) continue;
        const HealthState effective = working_[gateway.id].effective;
        if (first || rank(effective) < rank(report.worst)) report.worst = effective;
        first = false;
    }
    return report;
}

AreaReport HealthEngine::report(RegionId id) const {
    return report_area(regions_[id.index()]);
}

std::vector<AreaReport> HealthEngine::zones() const {
    std::vector<AreaReport> reports;
    for (const AreaState& zone : zones_) reports.push_back(report_area(zone));
    return reports;
}

}  // namespace fairway
