// SPDX-License-Identifier: Apache-2.0
#pragma once
// All that the API's routes may touch: what the running server knows, and what it can be told to do. The
// server implements it; tests compose one from the same real parts. Not thread-safe: the loop's thread only.
//
// Completion callbacks run on the loop's thread, exactly once, never inside the call that was given them.
// References are good until control returns to the loop.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "health/snapshot.h"
#include "model/override.h"
#include "model/probe_result.h"
#include "store/store.h"

namespace fairway {

class HealthEngine;
namespace dns {
struct Serving;
struct ZoneKeyring;
enum class RollKind : uint8_t;
}  // namespace dns
namespace geoip {
class Locator;
}

/// Names and counts in the order in which they are shown: {"queries", 1200}, {"answered", 1190}, ...
using Counters = std::vector<std::pair<std::string, uint64_t>>;

/// What a node says of itself.
struct NodeInfo {
    std::string name;     // nsid, or the host's name
    std::string version;  // FAIRWAY_VERSION
    WallTime started;
    nanoseconds uptime{0};
    nanoseconds loop_lag{0};  // how late the loop's timers are, recently
    /// The first probe round is over and the DNS listeners are open. Never withdrawn because gateways fail.
    bool ready = false;
    int64_t pid = 0;
    /// The process that this one took over from without a lost query; 0: this one was started afresh.
    int64_t took_over_from = 0;
    /// How many processes have taken over from each other since the last start, and when that was.
    uint64_t takeovers = 0;
    WallTime since;
    std::vector<SocketAddress> dns;  // where DNS is answered
    Counters dns_counters;
    Counters probe_counters;
};

struct ReloadOutcome {
    bool accepted = false;
    std::vector<config::Diagnostic> diagnostics;  // all of them; warnings when accepted
    std::vector<std::string> changes;             // config::diff() of what ran and what runs now
};

class Control {
  public:
    virtual ~Control() = default;

    /// The same instant by both clocks: what people read, and what the health engine counts in.
    [[nodiscard]] virtual WallTime now() const = 0;
    [[nodiscard]] virtual MonotonicTime monotonic_now() const = 0;
    [[nodiscard]] virtual const config::Config& config() const = 0;
    /// The compiled model in force; the same as config().model.
    [[nodiscard]] virtual std::shared_ptr<const Model> model() const = 0;
    [[nodiscard]] virtual const HealthEngine& health() const = 0;
    /// The snapshot the DNS answers are made from.
    [[nodiscard]] virtual std::shared_ptr<const HealthSnapshot> snapshot() const = 0;
    /// What answers DNS, for `explain` and for previews.
    [[nodiscard]] virtual std::shared_ptr<const dns::Serving> serving() const = 0;
    [[nodiscard]] virtual const geoip::Locator& locator() const = 0;
    [[nodiscard]] virtual Store& store() = 0;
    [[nodiscard]] virtual NodeInfo node() const = 0;

    /// Makes the overrides durable, then puts them in force, then calls back. See Store::set_overrides().
    virtual void set_overrides(std::vector<Override> overrides,
                               std::function<void(StoreResult<std::vector<Override>>)> done) = 0;
    virtual void extend_override(int64_t id, std::optional<int64_t> revision, std::optional<WallTime> until,
                                 std::string actor, std::function<void(StoreResult<Override>)> done) = 0;
    virtual void clear_override(int64_t id, std::optional<int64_t> revision, std::string actor,
                                std::function<void(StoreResult<Override>)> done) = 0;

    /// TXT records that stand for a limited time, by name and value.
    [[nodiscard]] virtual const std::vector<Challenge>& challenges() const = 0;
    /// In force when it returns.
    virtual StoreResult<Challenge> set_challenge(const std::string& name, const std::string& value,
                                                 WallTime until, const std::string& actor) = 0;
    /// One value, or, where that is empty, all at the name; those that stood.
    virtual StoreResult<std::vector<Challenge>> clear_challenge(const std::string& name,
                                                                const std::string& value,
                                                                const std::string& actor) = 0;

    /// Lets a failover that waits for a human happen; returns the gateways that were held. An error when
    /// nothing waits.
    virtual Result<std::vector<GatewayId>> confirm(ServiceId service, const std::string& actor) = 0;

    /// The keys of a zone by its name; null when it is not served or not signed.
    [[nodiscard]] virtual const dns::ZoneKeyring* keyring(const std::string& zone) const = 0;
    /// Starts a rollover; the strings say what was done, for people.
    virtual void roll_keys(const std::string& zone, dns::RollKind kind, const std::string& actor,
                           std::function<void(Result<std::vector<std::string>>)> done) = 0;
    /// The operator says that the parent has the new DS: the rollover goes on.
    virtual void note_ds_seen(const std::string& zone, const std::string& actor,
                              std::function<void(Result<std::vector<std::string>>)> done) = 0;

    /// Reads the configuration again, on a thread of its own (a large one takes seconds); refused, it changes
    /// nothing. While one runs, another waits for it and reads afresh.
    virtual void reload(const std::string& actor, std::function<void(ReloadOutcome)> done) = 0;
    /// Reads the configuration as reload() would and says what that would change; changes nothing.
    virtual void check_config(std::function<void(ReloadOutcome)> done) = 0;
    /// Opens the geo databases again, likewise; refused, the old ones stay.
    virtual void reload_geoip(const std::string& actor, std::function<void(Result<void>)> done) = 0;

    /// Probes once, outside the schedule, without touching health. The strings are the steps, for people:
    /// "connect 127.0.0.1:443: 0.2 ms".
    virtual void probe_now(EndpointId endpoint, MonitorId monitor,
                           std::function<void(ProbeResult, std::vector<std::string>)> done) = 0;
};

}  // namespace fairway
