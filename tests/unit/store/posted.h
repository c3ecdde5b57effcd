// SPDX-License-Identifier: Apache-2.0
#pragma once
// A loop of the simplest kind for tests of the store: what is posted runs when the test says so.

#include <stdlib.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "store/store.h"

namespace fairway {

class Posted {
  public:
    std::function<void(std::function<void()>)> post() {
        return [this](std::function<void()> action) {
            const std::lock_guard lock(mutex_);
            waiting_.push_back(std::move(action));
            wake_.notify_one();
        };
    }
    /// Runs what is posted, waiting for it, until `done` is filled.
    template <class Value>
    Value until(std::optional<Value>& done) {
        while (!done) next()();
        return std::move(*done);
    }

  private:
    std::function<void()> next() {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return !waiting_.empty(); });
        auto action = std::move(waiting_.front());
        waiting_.pop_front();
        return action;
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> waiting_;
};

/// A folder of its own, gone afterwards.
class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "fairway-test-XXXXXX").string();
        if (::mkdtemp(name.data()) != nullptr) path = name;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        if (!path.empty()) std::filesystem::remove_all(path, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    std::filesystem::path path;
};

inline const WallTime noon{std::chrono::seconds{1'768'564'800}};  // 2026-01-16T12:00:00Z

inline Override drain_of(const std::string& target, std::optional<WallTime> until = std::nullopt) {
    Override item;
    item.state = AdminState::drain;
    item.target = target;
    item.actor = "alice";
    item.reason = "kernel update";
    item.ticket = "OPS-1";
    item.since = noon;
    item.until = until;
    return item;
}

inline StoreResult<std::vector<Override>> set(Store& store, Posted& loop, std::vector<Override> items) {
    std::optional<StoreResult<std::vector<Override>>> done;
    store.set_overrides(std::move(items), [&](auto outcome) { done = std::move(outcome); });
    return loop.until(done);
}
inline StoreResult<Override> clear(Store& store, Posted& loop, int64_t id,
                                   std::optional<int64_t> revision = {}) {
    std::optional<StoreResult<Override>> done;
    store.clear_override(id, revision, "bob", noon, [&](auto outcome) { done = std::move(outcome); });
    return loop.until(done);
}
inline StoreResult<Override> extend(Store& store, Posted& loop, int64_t id, std::optional<int64_t> revision,
                                    std::optional<WallTime> until, WallTime now = noon) {
    std::optional<StoreResult<Override>> done;
    store.extend_override(id, revision, until, "bob", now, [&](auto outcome) { done = std::move(outcome); });
    return loop.until(done);
}
inline std::vector<Event> events(Store& store, Posted& loop, EventQuery query = {}) {
    std::optional<StoreResult<std::vector<Event>>> done;
    store.events(std::move(query), [&](auto outcome) { done = std::move(outcome); });
    return *loop.until(done);
}
inline std::vector<AuditEntry> audit(Store& store, Posted& loop, EventQuery query = {}) {
    std::optional<StoreResult<std::vector<AuditEntry>>> done;
    store.audit(std::move(query), [&](auto outcome) { done = std::move(outcome); });
    return *loop.until(done);
}

}  // namespace fairway
