// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/duration.h"
#include "store/records.h"
#include "store/writer.h"

namespace fairway {

using store::Database;
using store::SqlError;
using store::Writer;

namespace {

constexpr std::string_view program = "fairwayd";

StoreError unavailable(const std::string& why) {
    return {StoreError::Kind::unavailable, why, 0};
}

StoreError not_found(int64_t id) {
    return {StoreError::Kind::not_found, "there is no override " + std::to_string(id), 0};
}

std::string state_and_target(const Override& item) {
    return std::string(store::override_word(item.state)) + " of " + item.target;
}

AuditEntry change_of(const Override* before, const Override* after, std::string action, std::string actor,
                     WallTime time) {
    AuditEntry entry;
    entry.time = time;
    entry.actor = std::move(actor);
    entry.action = std::move(action);
    entry.subject = before != nullptr ? before->target : after->target;
    if (before != nullptr) entry.before = store::to_json(*before).dump();
    if (after != nullptr) entry.after = store::to_json(*after).dump();
    return entry;
}

/// Removes the rows whose time is over; an override that was extended in the meantime stays.
void expire_rows(Database& database, WallTime now) {
    for (const Override& item : store::read_overrides(database)) {
        if (!item.until || *item.until > now) continue;
        store::delete_override(database, item.id);
        store::insert_audit(database,
                            change_of(&item, nullptr, "override.expire", std::string(program), *item.until));
    }
}

void put(std::vector<Override>& items, const Override& item) {
    const auto at = std::lower_bound(items.begin(), items.end(), item.id,
                                     [](const Override& a, int64_t id) { return a.id < id; });
    if (at != items.end() && at->id == item.id)
        *at = item;
    else
        items.insert(at, item);
}

void remove(std::vector<Override>& items, int64_t id) {
    std::erase_if(items, [id](const Override& item) { return item.id == id; });
}

}  // namespace

struct Store::Subscribers {
    uint64_t next = 0;
    std::vector<std::pair<uint64_t, std::function<void(const Event&)>>> heard;
};

/// What belongs to the writer's thread once it runs, and the thread itself (last, so that it ends first).
struct Store::Disk {
    std::vector<Override> written;  // what the file holds, to begin a new one with
    int64_t last_override = 0;
    size_t since_prune = 0;
    bool running = false;
    std::unique_ptr<Writer> writer;

    void restore(Database& database) const {
        for (Override item : written) store::insert_override(database, item);
        database.run("DELETE FROM sqlite_sequence WHERE name = 'override'");
        store::Statement(database, "INSERT INTO sqlite_sequence (name, seq) VALUES ('override', ?)")
            .bind(last_override)
            .run();
    }
};

Store::Store(StoreOptions options, WallTime now)
    : options_(std::move(options)),
      subscribers_(std::make_shared<Subscribers>()),
      self_(std::make_shared<Store*>(this)),
      disk_(std::make_unique<Disk>()) {
    Writer::Hooks hooks;
    hooks.restore = [disk = disk_.get()](Database& database) { disk->restore(database); };
    hooks.outage = [this](const std::string& why) { on_outage(why); };
    hooks.problem = [this](const std::string& what) { on_problem(what); };
    disk_->writer =
        std::make_unique<Writer>(options_.folder / "fairway.db", options_.max_queue, std::move(hooks));
    read_all(now);
    disk_->written = overrides_;
    disk_->last_override = overrides_.empty() ? 0 : overrides_.back().id;
    disk_->running = true;
    disk_->writer->start();
}

Store::~Store() {
    // Says to the next run that no event went missing after the last one in the file. Where it cannot be
    // said, that run leaves a gap.
    (void)disk_->writer->submit(
        {Writer::Kind::lazy, [](Database& database) { store::set_fact(database, "clean", 1); }, nullptr});
    disk_->writer.reset();
}

void Store::suspend() {
    (void)disk_->writer->submit(
        {Writer::Kind::lazy, [](Database& database) { store::set_fact(database, "clean", 1); }, nullptr});
    disk_->writer->suspend();
}

void Store::resume() {
    disk_->writer->resume();
    (void)disk_->writer->submit(
        {Writer::Kind::lazy, [](Database& database) { store::set_fact(database, "clean", 0); }, nullptr});
}

void Store::abandon(const std::string& why) {
    disk_->writer->abandon(why);
}

/// Called by the writer: on the constructor's thread first, on its own later.
void Store::on_outage(const std::string& why) {
    if (!disk_->running) {
        outage_ = why;
        if (!why.empty()) problems_.push_back("overrides cannot be kept: " + why);
        return;
    }
    soon([this, why] {
        outage_ = why;
        if (!options_.trouble) return;
        if (why.empty())
            options_.trouble(Severity::info, "the store can be written again");
        else
            options_.trouble(Severity::critical, "the store cannot be written: " + why);
    });
}

void Store::on_problem(const std::string& what) {
    if (!disk_->running) {
        problems_.push_back(what);
        return;
    }
    soon([this, what] {
        if (options_.trouble) options_.trouble(Severity::critical, what);
    });
}

void Store::soon(std::function<void()> action) {
    options_.post([self = std::weak_ptr<Store*>(self_), action = std::move(action)] {
        if (self.lock()) action();
    });
}

void Store::read_all(WallTime now) {
    bool clean = false;
    const auto read = [&](Database& database) {
        overrides_ = store::read_overrides(database);
        std::erase_if(overrides_, [now](const Override& item) { return item.until && *item.until <= now; });
        remembered_ = store::read_health(database);
        zones_ = store::read_zones(database);
        last_event_ = store::last_event(database);
        clean = store::fact(database, "clean").value_or(1) != 0;
    };
    const auto error = disk_->writer->run_now({Writer::Kind::durable,
                                               [&](Database& database) {
                                                   expire_rows(database, now);
                                                   read(database);
                                                   store::set_fact(database, "clean", 0);
                                               },
                                               nullptr});
    if (error) {
        if (outage_.empty()) on_outage(error->message);
        read_copy(read);
    }
    // Ids that were given out but not written before a crash must not be given out again.
    if (!clean) last_event_ += static_cast<int64_t>(2 * options_.max_queue);
}

/// A file that cannot be opened for writing cannot be opened for reading either while its log needs
/// replaying: so a copy is read.
void Store::read_copy(const std::function<void(Database&)>& read) {
    std::error_code error;
    std::string folder = (std::filesystem::temp_directory_path(error) / "fairway-XXXXXX").string();
    if (error || ::mkdtemp(folder.data()) == nullptr) return;
    const auto file = options_.folder / "fairway.db";
    const auto copy = std::filesystem::path(folder) / "fairway.db";
    if (std::filesystem::copy_file(file, copy, error)) {
        std::filesystem::copy_file(file.string() + "-wal", copy.string() + "-wal", error);
        Database database(copy, Database::Mode::read_write);
        read(database);
        if (!database.error())
            problems_.push_back(std::to_string(overrides_.size()) + " overrides were read from a copy of " +
                                file.string());
    }
    std::filesystem::remove_all(folder, error);
}

std::optional<WallTime> Store::next_expiry() const {
    std::optional<WallTime> next;
    for (const Override& item : overrides_)
        if (item.until && (!next || *item.until < *next)) next = item.until;
    return next;
}

std::vector<Override> Store::expire(WallTime now) {
    std::vector<Override> ended;
    std::erase_if(overrides_, [&](const Override& item) {
        if (!item.until || *item.until > now) return false;
        ended.push_back(item);
        return true;
    });
    if (ended.empty()) return ended;
    // Where this cannot be written the rows stay, are ignored at the next start, and removed by the next
    // change.
    (void)disk_->writer->submit(
        {Writer::Kind::durable, [now](Database& database) { expire_rows(database, now); },
         [disk = disk_.get(), now](const std::optional<SqlError>& error) {
             if (error) return;
             std::erase_if(disk->written,
                           [now](const Override& item) { return item.until && *item.until <= now; });
         }});
    if (options_.overrides_changed) options_.overrides_changed();
    return ended;
}

/// Submits a durable change to overrides. `work` returns what to answer; an error rolls back. `apply` puts
/// the outcome into a list of overrides: the writer's own and the loop's.
template <class Value>
void Store::change(std::function<StoreResult<Value>(Database&)> work,
                   std::function<void(const Value&, std::vector<Override>&)> apply, Done<Value> done) {
    auto outcome = std::make_shared<StoreResult<Value>>(tl::unexpected(unavailable("")));
    const auto shared_done = std::make_shared<Done<Value>>(std::move(done));
    Writer::Job job;
    job.kind = Writer::Kind::durable;
    job.work = [outcome, work = std::move(work)](Database& database) {
        *outcome = work(database);
        if (!*outcome) database.abandon();
    };
    job.done = [this, outcome, shared_done, apply](const std::optional<SqlError>& error) {
        if (error) *outcome = tl::unexpected(unavailable("the change cannot be kept: " + error->message));
        if (*outcome) apply(**outcome, disk_->written);
        soon([this, outcome, shared_done, apply] {
            if (*outcome) {
                apply(**outcome, overrides_);
                if (options_.overrides_changed) options_.overrides_changed();
            }
            (*shared_done)(std::move(*outcome));
        });
    };
    if (!disk_->writer->submit(std::move(job)))
        soon([shared_done] {
            (*shared_done)(tl::unexpected(unavailable("too many changes are waiting for the disk")));
        });
}

void Store::set_overrides(std::vector<Override> overrides, Done<std::vector<Override>> done) {
    for (Override& item : overrides) {
        item.since = store::stored(item.since);
        if (item.until) item.until = store::stored(*item.until);
        item.revision = 1;
        item.id = 0;
    }
    change<std::vector<Override>>(
        [overrides = std::move(overrides),
         disk = disk_.get()](Database& database) -> StoreResult<std::vector<Override>> {
            std::vector<Override> made = overrides;
            for (Override& item : made) {
                expire_rows(database, item.since);
                if (const int64_t there = store::find_override(database, item.target, item.state))
                    return tl::unexpected(StoreError{
                        StoreError::Kind::conflict,
                        "override " + std::to_string(there) + " is a " + state_and_target(item) + " already",
                        there});
                store::insert_override(database, item);
                store::insert_audit(database,
                                    change_of(nullptr, &item, "override.set", item.actor, item.since));
            }
            if (!made.empty() && made.back().id > disk->last_override) disk->last_override = made.back().id;
            return made;
        },
        [](const std::vector<Override>& made, std::vector<Override>& items) {
            for (const Override& item : made) put(items, item);
        },
        std::move(done));
}

namespace {

/// The row, if it is there and as the caller saw it.
StoreResult<Override> expected_row(Database& database, int64_t id, std::optional<int64_t> revision,
                                   WallTime now) {
    const auto row = store::read_override(database, id);
    if (!row || (row->until && *row->until <= now)) return tl::unexpected(not_found(id));
    if (revision && *revision != row->revision)
        return tl::unexpected(
            StoreError{StoreError::Kind::conflict,
                       "override " + std::to_string(id) + " was changed in the meantime: it is at revision " +
                           std::to_string(row->revision) + ", not " + std::to_string(*revision),
                       id});
    return *row;
}

}  // namespace

void Store::extend_override(int64_t id, std::optional<int64_t> revision, std::optional<WallTime> until,
                            std::string actor, WallTime now, Done<Override> done) {
    if (until) until = store::stored(*until);
    change<Override>(
        [=, actor = std::move(actor)](Database& database) -> StoreResult<Override> {
            auto row = expected_row(database, id, revision, now);
            if (!row) return row;
            const Override before = *row;
            row->until = until;
            ++row->revision;
            store::update_override(database, *row);
            store::insert_audit(database, change_of(&before, &*row, "override.extend", actor, now));
            return row;
        },
        [](const Override& item, std::vector<Override>& items) { put(items, item); }, std::move(done));
}

void Store::clear_override(int64_t id, std::optional<int64_t> revision, std::string actor, WallTime now,
                           Done<Override> done) {
    change<Override>(
        [=, actor = std::move(actor)](Database& database) -> StoreResult<Override> {
            auto row = expected_row(database, id, revision, now);
            if (!row) return row;
            store::delete_override(database, id);
            store::insert_audit(database, change_of(&*row, nullptr, "override.clear", actor, now));
            return row;
        },
        [](const Override& item, std::vector<Override>& items) { remove(items, item.id); }, std::move(done));
}

Event Store::append(Event event) {
    event.id = ++last_event_;
    event.time = store::stored(event.time);
    recent_.push_back(event);
    if (recent_.size() > options_.recent_events) recent_.pop_front();
    // A full queue loses nothing but the copy on disk.
    (void)disk_->writer->submit({Writer::Kind::lazy,
                                 [event, disk = disk_.get(), keep = options_.max_events](Database& database) {
                                     store::insert_event(database, event);
                                     if (++disk->since_prune <= keep / 100) return;
                                     disk->since_prune = 0;
                                     store::prune_events(database, keep);
                                 },
                                 nullptr});
    // A subscriber may let go of its subscription, or another's, while it hears.
    const auto subscribers = subscribers_;
    for (size_t i = 0; i < subscribers->heard.size(); ++i) {
        const auto heard = subscribers->heard[i].second;
        if (heard) heard(event);
    }
    std::erase_if(subscribers->heard, [](const auto& item) { return !item.second; });
    return event;
}

EventSubscription Store::subscribe(std::function<void(const Event&)> heard) {
    const uint64_t id = subscribers_->next++;
    subscribers_->heard.emplace_back(id, std::move(heard));
    return EventSubscription([weak = std::weak_ptr<Subscribers>(subscribers_), id] {
        const auto subscribers = weak.lock();
        if (!subscribers) return;
        // Emptied, not erased: append() may be walking the list.
        for (auto& [other, function] : subscribers->heard)
            if (other == id) function = nullptr;
    });
}

std::vector<Event> Store::recent_events() const {
    return {recent_.begin(), recent_.end()};
}

void Store::events(EventQuery query, Done<std::vector<Event>> done) {
    const auto shared_done = std::make_shared<Done<std::vector<Event>>>(std::move(done));
    auto found = std::make_shared<std::vector<Event>>();
    const auto answer = [this, query, found, shared_done] {
        // What the disk did not take is still in memory.
        for (const Event& event : recent_) {
            if (event.id <= query.after_id || (query.since && event.time < *query.since) ||
                (query.subject && event.subject != *query.subject))
                continue;
            const auto at = std::lower_bound(found->begin(), found->end(), event.id,
                                             [](const Event& a, int64_t id) { return a.id < id; });
            if (at == found->end() || at->id != event.id) found->insert(at, event);
        }
        if (found->size() > query.limit)
            found->erase(found->begin(), found->end() - static_cast<std::ptrdiff_t>(query.limit));
        (*shared_done)(std::move(*found));
    };
    if (!disk_->writer->submit(
            {Writer::Kind::read,
             [query, found](Database& database) { *found = store::read_events(database, query); },
             [this, answer](const std::optional<SqlError>&) { soon(answer); }}))
        soon(answer);
}

void Store::record(AuditEntry entry) {
    (void)disk_->writer->submit(
        {Writer::Kind::lazy,
         [entry = std::move(entry)](Database& database) { store::insert_audit(database, entry); }, nullptr});
}

void Store::audit(EventQuery query, Done<std::vector<AuditEntry>> done) {
    const auto shared_done = std::make_shared<Done<std::vector<AuditEntry>>>(std::move(done));
    auto found = std::make_shared<std::vector<AuditEntry>>();
    const auto refuse = [shared_done](const std::string& why) {
        (*shared_done)(tl::unexpected(unavailable("the audit trail cannot be read: " + why)));
    };
    if (!disk_->writer->submit(
            {Writer::Kind::read,
             [query, found](Database& database) { *found = store::read_audit(database, query); },
             [this, found, shared_done, refuse](const std::optional<SqlError>& error) {
                 soon([found, shared_done, refuse, error] {
                     if (error)
                         refuse(error->message);
                     else
                         (*shared_done)(std::move(*found));
                 });
             }}))
        soon([refuse] { refuse("too much is waiting for the disk"); });
}

void Store::remember(std::vector<RememberedHealth> health) {
    (void)disk_->writer->submit(
        {Writer::Kind::lazy,
         [health = std::move(health)](Database& database) { store::replace_health(database, health); },
         nullptr});
}

void Store::remember_zones(ZoneMemory zones) {
    zones_ = zones;
    (void)disk_->writer->submit(
        {Writer::Kind::durable,
         [zones = std::move(zones)](Database& database) { store::replace_zones(database, zones); }, nullptr});
}

}  // namespace fairway
