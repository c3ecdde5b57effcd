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

#include <array>
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

struct HealthMemory;

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
    explicit HealthEngine(const HealthSettings& settings = {});
    HealthEngine(const HealthEngine&) = delete;
    HealthEngine& operator=(const HealthEngine&) = delete;

    /// Takes a new model. What did not change keeps its state: endpoints by gateway, name and host; monitors
    /// of an endpoint by name and equal settings. An endpoint that was known stays what it was until its
    /// changed monitors have decided. Ids of the old model are void from here on. Overrides are resolved
    /// anew.
    std::vector<UnresolvedOverride> configure(std::shared_ptr<const Model> model, MonotonicTime now);
    /// Takes effect with the next fall of an endpoint; running holds end as they would have.
    void set_settings(const HealthSettings& settings, MonotonicTime now);

    /// What an endpoint was before a restart: stands until its first results decide, and is in doubt until
    /// then. Ignored once anything is known of it.
    void restore(EndpointId endpoint, HealthState last_known, MonotonicTime now);
    /// Everything that is known, for the engine of the process that takes over.
    [[nodiscard]] HealthMemory remember() const;
    /// Goes on with what another engine knew, whatever its configuration was: once, after configure(). What
    /// exists under the same names is known from here on; what does not is as it was. Transitions from the
    /// one to the other are news only where the two differ.
    void recall(const HealthMemory& memory, MonotonicTime now);
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
    /// (40 octets an endpoint); call it once per batch of results. configure() must have been called.
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
    /// Why something is being looked at again: only what is measured may wait for a failover.
    enum class Cause : uint8_t { measurement, admin, configuration };
    /// What was last heard of an endpoint: nothing ever (or not for a long time), something, nothing any
    /// more.
    enum class Heard : uint8_t { never, answering, silent };
    /// How a gateway counts in its region, its zone and its services.
    enum class Standing : uint8_t { usable, unknown, down, withheld };
    enum class Timer : uint8_t { endpoint, gateway, service, thaw };

    struct EndpointState {
        size_t first_slot = 0;  // in monitors_; as many as its gateway has monitors
        AdminDecision admin;
        Heard heard = Heard::never;
        bool fell_silent = false;                       // down by silence, so recently that it counts as lost
        bool frozen = false;                            // answered as `settled` although it is down
        HealthState settled = HealthState::unknown;     // measured when it last was known and not down
        HealthState remembered = HealthState::unknown;  // from before a restart
        MonotonicTime measured_since, effective_since;
        MonotonicTime up_since = MonotonicTime::min();  // as Member::up_since
        std::optional<MonotonicTime> held_until, lost_until;
        FlapPenalty penalty;
        // As they were before the last fall, which may turn out to have been our own network's.
        FlapPenalty penalty_before_fall;
        MonotonicTime up_since_before_fall = MonotonicTime::min();
        std::string last_change;
    };
    struct GatewayState {
        std::optional<Standing> standing;  // as counted by its areas and services
        std::optional<size_t> active;      // position in its endpoints
        std::optional<size_t> told_active;
        std::optional<MonotonicTime> failback_at;
        std::string_view shown = "unknown";  // the last transition's `to`
        MonotonicTime since;
        std::string last_change;
        size_t serving = 0;
        size_t zone = SIZE_MAX;           // position in zones_
        std::vector<ServiceId> services;  // that name it
    };
    /// Of gateways, by standing.
    struct Tally {
        std::array<uint32_t, 4> counts{};
        [[nodiscard]] uint32_t operator[](Standing standing) const {
            return counts[static_cast<size_t>(standing)];
        }
        [[nodiscard]] uint32_t total() const { return counts[0] + counts[1] + counts[2] + counts[3]; }
        [[nodiscard]] HealthState state() const;
        void move(std::optional<Standing> from, Standing to);
    };
    struct AreaState {
        std::string_view name;  // in the model
        Tally tally;
        std::string_view shown = "unknown";
    };
    struct ServiceState {
        Tally tally;
        size_t serving = 0;  // endpoints
        std::string_view shown = "unknown";
        std::vector<ServiceReport::Held> held;
    };
    /// Why, for the transitions that follow from it.
    struct Note {
        std::string reason;
        ProbeLayer layer = ProbeLayer::none;
    };

    // Endpoints.
    void refresh(EndpointId id, Cause cause, Note note, MonotonicTime now);
    [[nodiscard]] HealthState measure(EndpointId id);
    void damp(EndpointId id, HealthState before, HealthState after, Note& note, MonotonicTime now);
    void listen(EndpointId id, HealthState before, HealthState after, MonotonicTime now);
    void set_heard(EndpointState& state, Heard heard);
    void set_fell_silent(EndpointState& state, bool fell);
    void set_window();
    void judge_isolation(MonotonicTime now);
    void freeze(EndpointId id);
    void thaw();
    void update_rtt(EndpointId id);
    [[nodiscard]] std::span<const MonitorState> slots(EndpointId id) const;

    // What is made of endpoints.
    void refresh_gateway(GatewayId id, Cause cause, const Note& note, MonotonicTime now);
    void restand(GatewayId id, std::optional<Standing> before, const Note& note);
    [[nodiscard]] std::string_view shown_of(GatewayId id) const;
    void hold_failover(ServiceId id, GatewayId gateway, bool starts, const Note& note, MonotonicTime now);
    void release_due(ServiceId id, MonotonicTime now);
    void publish_held(ServiceId id);
    void feed(ServiceId starved, MonotonicTime now);

    /// The subject may have changed: it is told of, if it has, when everything is settled.
    void tell_later(Transition::Subject subject, size_t id, const Note& note);
    void tell(Transition::Subject subject, size_t id, const Note& note, MonotonicTime now);
    void tell_gateway(GatewayId id, const Note& note, MonotonicTime now);
    void tell_area(AreaState& area, Transition::Subject subject, size_t id, const Note& note,
                   MonotonicTime now);
    void tell_service(ServiceId id, const Note& note, MonotonicTime now);
    [[nodiscard]] bool hold_would_starve(GatewayId gateway) const;
    [[nodiscard]] AreaReport report_area(const AreaState& area) const;

    /// Does what the changes so far have brought about; ends every public call that changes something.
    void settle(MonotonicTime now);
    void carry_over(HealthEngine& old);
    /// Makes gateways, areas and services of what is known of the endpoints, all of it anew.
    void rebuild(const Note& note, MonotonicTime now);
    std::vector<UnresolvedOverride> resolve_overrides(std::vector<AdminDecision>& decisions,
                                                      std::vector<const Override*>& reasons) const;
    void set_timer(Timer timer, size_t id, std::optional<MonotonicTime> at);

    HealthSettings settings_;
    nanoseconds isolation_window_{0};
    std::shared_ptr<const Model> model_;
    std::vector<MonitorState> monitors_;
    std::vector<EndpointState> endpoints_;
    std::vector<GatewayState> gateways_;
    std::vector<AreaState> regions_;
    std::vector<AreaState> zones_;  // by name
    std::vector<ServiceState> services_;
    std::vector<Override> overrides_;

    size_t silent_ = 0, answering_ = 0, fell_silent_ = 0;  // endpoints
    bool isolated_ = false;

    std::vector<ServiceId> starved_;   // lost their last serving endpoint
    std::vector<EndpointId> revisit_;  // were frozen or thawed
    struct Untold {
        Transition::Subject subject;
        size_t id;
        Note note;
    };
    std::vector<Untold> untold_;
    std::set<std::pair<MonotonicTime, uint64_t>> deadlines_;
    std::map<uint64_t, MonotonicTime> timers_;
    std::vector<Transition> transitions_;
    HealthSnapshot working_;
    bool changed_ = true;
    std::shared_ptr<const HealthSnapshot> published_;
    // Reused from call to call.
    std::vector<HealthState> states_;
    std::vector<Member> members_;
};

}  // namespace fairway
