// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the DNS threads know about health: small, immutable, indexed by the ids of its model, published at
// most once per batch of changes. It holds nothing that only people read (reasons, histories): those stay in
// the engine.

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "model/model.h"
#include "model/states.h"

namespace fairway {

struct EndpointStatus {
    /// What to answer with; absent while a host name has never been resolved.
    std::optional<IpAddress> address;
    HealthState measured = HealthState::unknown;
    /// After overrides: never `suspect` or worse under forced_up, `down` under forced_down.
    HealthState effective = HealthState::unknown;
    AdminState admin = AdminState::automatic;
    /// May be answered to clients now: effectively not down, its gateway usable, and (active_standby) the one
    /// endpoint that is active. False under drain, maintenance and forced_down.
    bool serving = false;
    /// Withheld by an operator (drain, maintenance, forced_down): not even a last resort unless nothing else
    /// is.
    bool withheld = false;
    /// A change is in the air (suspect, first success, hold-down about to end): answers get the minimum TTL.
    bool in_doubt = false;
    /// Smoothed; for `latency`. Zero: not measured.
    microseconds rtt{0};
};

struct GatewayStatus {
    HealthState measured = HealthState::unknown;
    HealthState effective = HealthState::unknown;
    AdminState admin = AdminState::automatic;
    bool usable = false;  // at least one endpoint serves
    bool in_doubt = false;
};

struct ServiceStatus {
    /// Gateways that are down by measurement but whose failover waits (delay, confirm): answered as if up.
    /// Sorted. Empty for automatic failover.
    std::vector<GatewayId> held;
};

struct HealthSnapshot {
    uint64_t generation = 0;
    std::shared_ptr<const Model> model;
    std::vector<EndpointStatus> endpoints;  // by EndpointId
    std::vector<GatewayStatus> gateways;    // by GatewayId
    std::vector<ServiceStatus> services;    // by ServiceId
    /// False until the first probe round has completed or its deadline has passed.
    bool first_round_done = false;
    /// Our own network is suspected: states of endpoints that fell silent are those of before.
    bool isolated = false;

    [[nodiscard]] const EndpointStatus& operator[](EndpointId id) const { return endpoints[id.index()]; }
    [[nodiscard]] const GatewayStatus& operator[](GatewayId id) const { return gateways[id.index()]; }
    [[nodiscard]] const ServiceStatus& operator[](ServiceId id) const { return services[id.index()]; }
};

}  // namespace fairway
