// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where probe results become states: probes report facts, this judges. It owns every endpoint's, gateway's
// and service's state and makes the snapshot that steering reads. It has no clock, no socket and no log: time
// comes in, transitions and deadlines go out, so that a simulator can drive it through days in seconds.
//
// Not thread-safe: one thread owns it; snapshots may be read by any.
//
// A monitor of an endpoint (monitor_state.h) counts consecutive results. The endpoint's measured state is its
// gateway's health expression over them. Hold-down (damping.h), isolation (isolation.h) and overrides
// (admin.h) make the effective state of it, and the gateway's mode decides which endpoints serve
// (composition.h).
//
// Before the first decision an endpoint is `unknown`: it serves, because a node that has just started must
// not withdraw what it has not looked at, but it is in doubt and every known usable one is better. The first
// result decides at once.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "health/admin.h"
#include "health/composition.h"
#include "health/damping.h"
#include "health/isolation.h"
#include "health/monitor_state.h"
#include "health/snapshot.h"
#include "model/event.h"
#include "model/model.h"
#include "model/override.h"
#include "model/probe_result.h"

namespace fairway {

struct HealthSettings {
    DampingSettings damping;
    IsolationSettings isolation;
    friend bool operator==(const HealthSettings&, const HealthSettings&) = default;
};

/// Something that changed, for people. Per subject they follow each other: one's `from` is the previous `to`.
/// `suspect` makes none: it is `up` here, for a single lost packet is no event.
struct Transition {
    enum class Subject : uint8_t { endpoint, gateway, zone, region, service, node };
    Subject subject = Subject::endpoint;
    uint32_t id = 0;   // EndpointId, GatewayId, RegionId, ServiceId by subject; a zone's position in zones()
    std::string name;  // "fra1/203.0.113.10", "fra1", "fra1-az1", "eu-central", "vpn"; empty for the node
    /// Endpoints and gateways: a HealthState by name, or for a gateway that an operator withholds his
    /// AdminState. Zones and regions: up (all its gateways usable), degraded (some), down (none), unknown.
    /// Services: the same, and "waiting" while a failover waits. The node: "connected" and "isolated".
    std::string from;
    std::string to;
    Severity severity = Severity::info;
    std::string reason;                   // "ike: down after 3 failures: transport: connect refused"
    ProbeLayer layer = ProbeLayer::none;  // that decided, where a probe did
    MonotonicTime at;
};

/// An override whose target matches nothing in the model; it stays and may match after a reload.
struct UnresolvedOverride {
    int64_t id = 0;
    std::string message;  // `no gateway "fra" (did you mean "fra1"?)`
};

/// For people; pointers and views live until the engine is next changed.
struct MonitorReport {
    MonitorId monitor;
    HealthState state = HealthState::unknown;
    bool in_doubt = false;
    uint32_t failures = 0;   // consecutive, up to now
    uint32_t successes = 0;  // consecutive, degraded ones included
    MonotonicTime since;     // when the state began
    std::optional<MonotonicTime> last_at;
    const ProbeResult* last = nullptr;  // null before the first
    std::string_view last_change;       // "down after 3 failures: transport: connect refused"
};

struct EndpointReport {
    EndpointStatus status;
    MonotonicTime since;           // of the effective state
    MonotonicTime measured_since;  // of the measured state, suspect counted as up
    std::string_view last_change;  // why the effective state is what it is
    double penalty = 0;            // for flapping; beyond DampingSettings::threshold returns are held
    std::optional<MonotonicTime> held_until;  // probes say it is up, hold-down says not yet
    bool frozen = false;                  // our own network is suspected: the last state stands for answering
    std::vector<MonitorReport> monitors;  // in the order of the gateway's
};

struct GatewayReport {
    GatewayStatus status;
    MonotonicTime since;  // of what the last transition told
    std::string_view last_change;
    size_t up = 0;  // endpoints that are effectively not down
    size_t serving = 0;
    size_t total = 0;
    EndpointId active;  // active_standby: the one that serves, or invalid
    std::optional<MonotonicTime> failback_at;
};

/// A zone or a region.
struct AreaReport {
    std::string_view name;
    size_t up = 0;  // usable gateways
    size_t total = 0;
    HealthState worst = HealthState::unknown;      // of its gateways' effective states
    HealthState effective = HealthState::unknown;  // up: all usable, degraded: some, down: none
};

struct ServiceReport {
    size_t serving = 0;  // endpoints
    size_t up = 0;       // usable gateways
    size_t total = 0;
    struct Held {
        GatewayId gateway;
        MonotonicTime since;
        std::optional<MonotonicTime> until;  // absent: until confirm()
    };
    std::vector<Held> held;
};

class HealthEngine {
  public:
    explicit HealthEngine(HealthSettings settings = {});
    ~HealthEngine();
    HealthEngine(const HealthEngine&) = delete;
    HealthEngine& operator=(const HealthEngine&) = delete;

    /// Takes a new model. What did not change keeps its state: endpoints by gateway, name and host; monitors
    /// of an endpoint by name and equal settings. An endpoint that was known stays what it was until its
    /// changed monitors have decided. Ids of the old model are void from here on. Overrides are resolved
    /// anew.
    std::vector<UnresolvedOverride> configure(std::shared_ptr<const Model> model, MonotonicTime now);
    /// Takes effect with the next fall of an endpoint; running holds end as they would have.
    void set_settings(const HealthSettings& settings, MonotonicTime now);

    /// One result of the gateway's monitor at position `slot`; says when to ask again. A failure of layer
    /// `internal` is kept for people but decides nothing: our own trouble says nothing about the peer.
    Pace record(EndpointId endpoint, size_t slot, const ProbeResult& result, MonotonicTime now);
    /// What the endpoint's host name resolves to now.
    void set_address(EndpointId endpoint, std::optional<IpAddress> address, MonotonicTime now);
    /// All overrides in force; replaces the previous ones. Expiry is the caller's: he knows the wall clock.
    std::vector<UnresolvedOverride> set_overrides(std::span<const Override> overrides, MonotonicTime now);
    /// Lets a waiting failover of the service happen; returns how many gateways it had been holding.
    size_t confirm(ServiceId service, MonotonicTime now);
    /// Every endpoint had its first result, or the deadline for it has passed.
    void finish_first_round(MonotonicTime now);

    /// When advance() has something to do next.
    [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;
    void advance(MonotonicTime now);

    /// What changed since the last call, in order. To be called regularly: they add up.
    [[nodiscard]] std::vector<Transition> take_transitions();
    /// The same object as before unless something in it changed since. Costs one copy of the compact vectors
    /// (32 octets an endpoint); call it once per batch of results. configure() must have been called.
    [[nodiscard]] std::shared_ptr<const HealthSnapshot> snapshot();

    [[nodiscard]] const Model& model() const { return *model_; }
    [[nodiscard]] EndpointReport report(EndpointId id, MonotonicTime now) const;
    [[nodiscard]] GatewayReport report(GatewayId id) const;
    [[nodiscard]] ServiceReport report(ServiceId id) const;
    [[nodiscard]] AreaReport report(RegionId id) const;
    /// In alphabetical order.
    [[nodiscard]] std::vector<AreaReport> zones() const;
    /// Our own network is suspected.
    [[nodiscard]] bool isolated() const noexcept { return isolated_; }

  private:
    std::shared_ptr<const Model> model_;
    bool isolated_ = false;
};

}  // namespace fairway
