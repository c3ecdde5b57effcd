// SPDX-License-Identifier: Apache-2.0
#include "api/what_if.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "geoip/locator.h"
#include "health/admin.h"
#include "health/composition.h"
#include "model/target.h"
#include "steering/steering.h"

namespace fairway::api {
namespace {

constexpr size_t max_samples = 8192;  // addresses looked up, each about a microsecond

/// Proportional to the square of the chord between two places: orders them by distance.
double apart(const Coordinates& a, const Coordinates& b) {
    const auto point = [](const Coordinates& place, double(&xyz)[3]) {
        const double latitude = place.latitude * std::numbers::pi / 180;
        const double longitude = place.longitude * std::numbers::pi / 180;
        xyz[0] = std::cos(latitude) * std::cos(longitude);
        xyz[1] = std::cos(latitude) * std::sin(longitude);
        xyz[2] = std::sin(latitude);
    };
    double p[3], q[3];
    point(a, p);
    point(b, q);
    double sum = 0;
    for (int i = 0; i < 3; ++i) sum += (p[i] - q[i]) * (p[i] - q[i]);
    return sum;
}

/// Addresses of which the locator knows the place: every block in turn while those are few, else evenly
/// spread.
template <class Function>
void for_each_sample(const geoip::Locator& locator, Function visit) {
    for (const geoip::OwnPrefix& own : locator.sources().own)
        visit(own.prefix.address(), locator.locate(own.prefix.address()));
    uint64_t next = uint64_t{1} << 24;  // 0.0.0.0/8 is nobody
    for (size_t i = 0; i < max_samples / 2 && next < uint64_t{1} << 32; ++i) {
        const IpAddress address = IpAddress::v4(static_cast<uint32_t>(next));
        const geoip::Located located = locator.locate(address);
        visit(address, located);
        next += uint64_t{1} << (32 - std::min<unsigned>(located.network.length(), 32));
        next &= ~((uint64_t{1} << (32 - std::min<unsigned>(located.network.length(), 32))) - 1);
    }
    if (next >= uint64_t{1} << 32) return;
    const uint64_t step = (uint64_t{1} << 32) / (max_samples / 2);
    for (uint64_t at = step; at < uint64_t{1} << 32; at += step) {
        const IpAddress address = IpAddress::v4(static_cast<uint32_t>(at | 1));
        visit(address, locator.locate(address));
    }
}

}  // namespace

HealthSnapshot with_overrides(const HealthSnapshot& health, std::span<const Override> overrides) {
    HealthSnapshot after = health;
    const Model& model = *health.model;
    std::vector<AdminDecision> decisions(model.endpoints.size());
    for (const Override& item : overrides) {
        const auto resolved = resolve_target(model, item.target);
        if (!resolved) continue;
        for (const EndpointId id : endpoints_of(model, *resolved)) {
            AdminDecision& decision = decisions[id.index()];
            decision = stronger(decision, {item.state, item.maintenance_down});
        }
    }
    std::vector<Member> members;
    for (const Gateway& gateway : model.gateways) {
        members.clear();
        std::optional<size_t> active;
        bool all_alike = true;
        for (size_t i = 0; i < gateway.endpoints.size(); ++i) {
            const EndpointStatus& status = health[gateway.endpoints[i]];
            const AdminDecision& decision = decisions[gateway.endpoints[i].index()];
            const HealthState automatic =
                status.admin == AdminState::automatic ? status.effective : status.measured;
            const Administered outcome = administer(decision, automatic);
            Member member;
            member.measured = status.measured;
            member.effective = outcome.effective;
            member.withheld = outcome.withheld;
            member.forced_up = decision.state == AdminState::forced_up;
            member.addressed = status.address.has_value();
            members.push_back(member);
            if (status.serving && gateway.mode == GatewayMode::active_standby) active = i;
            all_alike = all_alike && decision.state == decisions[gateway.endpoints[0].index()].state;
        }
        // "Up since now" for all: whoever is active stays so while it can.
        const Composition composed = compose(gateway, members, active, MonotonicTime());
        for (size_t i = 0; i < members.size(); ++i) {
            EndpointStatus& status = after.endpoints[gateway.endpoints[i].index()];
            status.effective = members[i].effective;
            status.admin = decisions[gateway.endpoints[i].index()].state;
            status.withheld = members[i].withheld;
            status.serving = members[i].serving;
        }
        GatewayStatus& status = after.gateways[gateway.id.index()];
        status.effective = composed.effective;
        status.usable = composed.usable;
        status.admin = all_alike && !members.empty() ? decisions[gateway.endpoints[0].index()].state
                                                     : AdminState::automatic;
    }
    return after;
}

std::vector<std::string> emptied_services(const HealthSnapshot& before, const HealthSnapshot& after) {
    const Model& model = *before.model;
    std::vector<std::string> emptied;
    for (const Service& service : model.services) {
        const auto any_usable = [&](const HealthSnapshot& health) {
            return std::any_of(service.gateways.begin(), service.gateways.end(),
                               [&](GatewayId id) { return health[id].usable; });
        };
        // The last resort answers with what is down, but not with what an operator withholds.
        const auto any_offered = [&](const HealthSnapshot& health) {
            for (const GatewayId id : service.gateways)
                for (const EndpointId endpoint : model[id].endpoints)
                    if (!health[endpoint].withheld) return true;
            return false;
        };
        if ((any_usable(before) && !any_usable(after)) || (any_offered(before) && !any_offered(after)))
            emptied.push_back(service.key);
    }
    return emptied;
}

std::vector<SampleClient> sample_clients(const Model& model, const geoip::Locator& locator) {
    struct Best {
        double distance = 1;  // of at most 4: beyond 60 degrees an address says nothing about the region
        std::optional<IpAddress> address;
    };
    std::vector<Best> best(model.regions.size());
    std::optional<IpAddress> unknown;
    for_each_sample(locator, [&](const IpAddress& address, const geoip::Located& located) {
        if (!located.location.coordinates) {
            if (!unknown && located.origin == geoip::Origin::nothing && !address.is_private())
                unknown = address;
            return;
        }
        for (const Region& region : model.regions) {
            if (!region.location) continue;
            Best& so_far = best[region.id.index()];
            const double distance = apart(*region.location, *located.location.coordinates);
            if (distance >= so_far.distance) continue;
            so_far = {distance, address};
        }
    });
    std::vector<SampleClient> clients;
    for (const Region& region : model.regions)
        if (best[region.id.index()].address)
            clients.push_back({region.name, *best[region.id.index()].address});
    if (unknown) clients.push_back({"", *unknown});
    return clients;
}

bool Effect::differs() const {
    return before.kind != after.kind || before.endpoints != after.endpoints ||
           before.last_resort != after.last_resort || before.service != after.service;
}

std::vector<Effect> effects(const Steering& steering, const HealthSnapshot& before,
                            const HealthSnapshot& after, std::span<const SampleClient> clients) {
    std::vector<Effect> all;
    for (const Service& service : before.model->services)
        for (const SampleClient& client : clients) {
            Effect effect{service.id, client, {}, {}};
            const Client asking{client.address, std::nullopt};
            steering.select(service.id, before, asking, effect.before);
            steering.select(service.id, after, asking, effect.after);
            all.push_back(std::move(effect));
        }
    return all;
}

}  // namespace fairway::api
