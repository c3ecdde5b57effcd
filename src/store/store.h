// SPDX-License-Identifier: Apache-2.0
#pragma once
// What must survive a restart: overrides, the audit trail, events, and the last known health of each
// endpoint, in one SQLite file (WAL). One thread of its own writes and reads the file; the loop's thread
// never waits for a disk. The store keeps serving when the file cannot be used: what was known stays known,
// new overrides are refused with the reason, and it says so.
//
// It is not a judge: whether an override is wise is decided before it gets here, and what it does to health
// is src/health's.
//
// Every public function is for one thread, the one that runs what `StoreOptions::post` posts ("the loop's
// thread"). Callbacks run there, each exactly once, never inside the call that was given it; those still
// outstanding when the store is destroyed are not run.

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/event.h"
#include "model/override.h"

namespace fairway {

namespace store {
class Database;
}

struct StoreError {
    enum class Kind : uint8_t {
        not_found,   // no such override (any more)
        conflict,    // someone else changed it first, or one like it stands
        unavailable  // the file cannot be written: read-only, full, damaged, or too much is waiting
    };
    Kind kind = Kind::unavailable;
    std::string message;      // one sentence for an operator
    int64_t override_id = 0;  // conflict: the one in the way; else 0
};

template <class T>
using StoreResult = tl::expected<T, StoreError>;

/// One change by a person or by the program itself; never altered or removed once written.
struct AuditEntry {
    int64_t id = 0;  // given by the store; grows
    WallTime time;
    std::string actor;  // who: "alice", "token", "fairwayd"
    std::string
        action;  // what: "override.set", "override.extend", "override.clear", "override.expire", "reload"
    std::string subject;  // the target as written, a file, a service
    std::string before;   // JSON, or empty
    std::string after;    // JSON, or empty
};

/// What is asked of the events or of the audit trail.
struct EventQuery {
    int64_t after_id = 0;                  // only ids beyond it
    std::optional<WallTime> since{};       // only this or later
    std::optional<std::string> subject{};  // only this one
    size_t limit = 1000;                   // the newest that match, oldest of them first
};

/// What is known of an endpoint across a restart, by its path ("fra1/203.0.113.10").
struct RememberedHealth {
    std::string endpoint;
    HealthState state = HealthState::unknown;
    WallTime at;  // when it was last known to be so: its age is what makes it stale
};

/// The serial that a zone was last served with.
struct RememberedSerial {
    std::string zone;  // lower case, without the trailing dot
    uint32_t serial = 0;
    uint64_t content = 0;  // hash of what the zone had then
    friend bool operator==(const RememberedSerial&, const RememberedSerial&) = default;
};

/// A TXT record that stands for a limited time (ACME, RFC 8555 section 8.4).
struct Challenge {
    std::string zone;  // both lower case, without the trailing dot
    std::string name;  // "_acme-challenge.vpn.gslb.example.com"
    std::string value;
    WallTime until;
    std::string actor;
    friend bool operator==(const Challenge&, const Challenge&) = default;
};

/// What is known of the zones across a restart.
struct ZoneMemory {
    std::vector<RememberedSerial> serials;
    std::vector<Challenge> challenges;
    friend bool operator==(const ZoneMemory&, const ZoneMemory&) = default;
};

struct StoreOptions {
    /// Made if it is absent; the file is `fairway.db` in it.
    std::filesystem::path folder;
    /// Runs a function on the loop's thread, soon. May be called from any thread, and until the store's
    /// destructor has returned.
    std::function<void(std::function<void()>)> post;
    /// Older events are removed beyond this many.
    size_t max_events = 100'000;
    /// Changes waiting for the disk; beyond it overrides are refused, and events are kept only in memory.
    size_t max_queue = 10'000;
    /// Events kept in memory, for followers and for when the file cannot be read.
    size_t recent_events = 1'000;
    /// Called on the loop's thread after overrides() has changed, before the callback of whoever changed it.
    std::function<void()> overrides_changed;
    /// Called on the loop's thread when the file stops or starts being usable, with a sentence.
    std::function<void(Severity, const std::string&)> trouble;
};

/// Keeps an event subscription alive; letting go ends it. Must not outlive the store.
class EventSubscription {
  public:
    EventSubscription() = default;
    explicit EventSubscription(std::function<void()> cancel) : cancel_(std::move(cancel)) {}
    EventSubscription(EventSubscription&& other) noexcept : cancel_(std::exchange(other.cancel_, nullptr)) {}
    EventSubscription& operator=(EventSubscription&& other) noexcept {
        if (this != &other) {
            reset();
            cancel_ = std::exchange(other.cancel_, nullptr);
        }
        return *this;
    }
    ~EventSubscription() { reset(); }
    void reset() {
        if (auto cancel = std::exchange(cancel_, nullptr)) cancel();
    }

  private:
    std::function<void()> cancel_;
};

class Store {
  public:
    /// Opens or creates the file, brings it to the current schema, and reads overrides and health: blocks, so
    /// it belongs to start-up. Never fails: a damaged file is moved aside to `fairway.db.corrupt-TIME` and a
    /// new one begun; one that cannot be opened for writing is read if possible and tried again with each
    /// change. `problems()` says so. Overrides that ended before `now` are not among overrides().
    Store(StoreOptions options, WallTime now);
    /// Writes what is queued, then closes the file.
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    /// What went wrong while opening, for the log and the first events; empty when all is well.
    [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return problems_; }
    /// Why the file cannot be written at present; empty while it can.
    [[nodiscard]] const std::string& outage() const noexcept { return outage_; }

    /// The overrides in force, by id.
    [[nodiscard]] const std::vector<Override>& overrides() const noexcept { return overrides_; }
    /// The next instant at which expire() has something to do.
    [[nodiscard]] std::optional<WallTime> next_expiry() const;
    /// Ends every override whose `until` has come, at once in memory and soon on disk, with an audit entry by
    /// "fairwayd"; returns them.
    std::vector<Override> expire(WallTime now);

    /// All of them or none. Ids and revisions are given here. A conflict when an override of the same state
    /// stands on the same target. Durable when the callback says so.
    void set_overrides(std::vector<Override> overrides,
                       std::function<void(StoreResult<std::vector<Override>>)> done);
    /// `revision` is the one the caller saw; absent: whatever it is now. `until` absent: permanent.
    void extend_override(int64_t id, std::optional<int64_t> revision, std::optional<WallTime> until,
                         std::string actor, WallTime now, std::function<void(StoreResult<Override>)> done);
    /// The callback gets the override as it stood.
    void clear_override(int64_t id, std::optional<int64_t> revision, std::string actor, WallTime now,
                        std::function<void(StoreResult<Override>)> done);

    /// Gives the event its id, tells subscribers, and queues it for the disk.
    Event append(Event event);
    /// `heard` runs for each event appended from now on.
    [[nodiscard]] EventSubscription subscribe(std::function<void(const Event&)> heard);
    /// The newest events, oldest first: at most StoreOptions::recent_events of this run.
    [[nodiscard]] std::vector<Event> recent_events() const;
    /// Everything appended before this call is seen, whether or not the disk took it.
    void events(EventQuery query, std::function<void(StoreResult<std::vector<Event>>)> done);

    /// For changes that are not overrides (those write their own entry in the same transaction).
    void record(AuditEntry entry);
    void audit(EventQuery query, std::function<void(StoreResult<std::vector<AuditEntry>>)> done);

    /// What the last run knew when it last called remember(); as read at start.
    [[nodiscard]] const std::vector<RememberedHealth>& remembered() const noexcept { return remembered_; }
    /// Replaces what is remembered; not durable at once.
    void remember(std::vector<RememberedHealth> health);

    /// Of the last run, as read at start.
    [[nodiscard]] const ZoneMemory& zones() const noexcept { return zones_; }
    /// Replaces that; durable soon, without waiting for it.
    void remember_zones(ZoneMemory zones);

    // While another process takes the file over.

    /// Writes what is queued and closes the file. Changes wait from now on, without their callbacks.
    void suspend();
    /// The file stays ours: what has waited is written.
    void resume();
    /// The file is the other process' from now on: changes that have waited fail with this reason, nothing
    /// is written any more.
    void abandon(const std::string& why);

  private:
    struct Disk;
    struct Subscribers;

    template <class Value>
    using Done = std::function<void(StoreResult<Value>)>;
    /// On the loop's thread, unless the store is gone by then.
    void soon(std::function<void()> action);
    void on_outage(const std::string& why);
    void on_problem(const std::string& what);
    void read_all(WallTime now);
    void read_copy(const std::function<void(store::Database&)>& read);
    template <class Value>
    void change(std::function<StoreResult<Value>(store::Database&)> work,
                std::function<void(const Value&, std::vector<Override>&)> apply, Done<Value> done);

    StoreOptions options_;
    std::vector<std::string> problems_;
    std::string outage_;
    std::vector<Override> overrides_;
    std::vector<RememberedHealth> remembered_;
    ZoneMemory zones_;
    std::deque<Event> recent_;
    int64_t last_event_ = 0;
    std::shared_ptr<Subscribers> subscribers_;
    std::shared_ptr<Store*> self_;  // expires with the store; what was posted looks at it first
    std::unique_ptr<Disk> disk_;
};

}  // namespace fairway
