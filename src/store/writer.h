// SPDX-License-Identifier: Apache-2.0
#pragma once
// The store's thread and the file it owns: runs jobs on the file in the order in which they were submitted,
// lazy ones batched into one transaction. Opens the file again when it has become usable, and replaces one
// that is damaged.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "model/override.h"
#include "store/database.h"

namespace fairway::store {

class Writer {
  public:
    enum class Kind : uint8_t {
        read,    // no transaction: sees everything submitted before
        lazy,    // shares a transaction with its neighbours; a failure is the whole batch's
        durable  // a transaction of its own, on the disk before `done`
    };
    struct Job {
        Kind kind = Kind::lazy;
        /// On the writer's thread; may run twice, so it must set its results, not add to them.
        std::function<void(Database&)> work;
        /// On the writer's thread, once; may be empty.
        std::function<void(const std::optional<SqlError>&)> done;
    };

    /// Opens the file on the caller's thread. `restore` runs in the first transaction of a file that replaces
    /// a damaged one. `trouble` gets a sentence when the file stops being usable, an empty one when it is
    /// usable again, and any other news as a problem; it is called on either thread.
    struct Hooks {
        std::function<void(Database&)> restore;
        std::function<void(const std::string&)> outage;
        std::function<void(const std::string&)> problem;
    };
    Writer(std::filesystem::path file, size_t max_queue, Hooks hooks);
    /// Runs what is queued, then closes the file.
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    /// Before start(): runs a job at once, on the caller's thread.
    std::optional<SqlError> run_now(const Job& job);
    void start();
    /// Runs what is queued and closes the file; blocks until that is done. What is submitted from then on
    /// waits. Another process may write the file now.
    void suspend();
    /// Goes on with what has waited; the file is opened again.
    void resume();
    /// The file is another process' for good: what waits, and what is submitted from now on, fails with this
    /// reason. Only while suspended.
    void abandon(const std::string& why);

    /// Any thread. False when too much is waiting: nothing will be called.
    [[nodiscard]] bool submit(Job job);

  private:
    std::optional<SqlError> open();
    std::optional<SqlError> attempt(const std::function<std::optional<SqlError>()>& action);
    std::optional<SqlError> run_batch(const std::vector<const Job*>& batch, Kind kind);
    void replace_damaged(const SqlError& error);
    void report(const std::optional<SqlError>& error);
    void loop();

    const std::filesystem::path file_;
    const size_t max_queue_;
    const Hooks hooks_;
    std::optional<Database> database_;
    bool out_ = false;

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Job> queue_;
    bool stopping_ = false;
    bool suspending_ = false;  // nothing more is taken from the queue
    bool suspended_ = false;   // the thread has closed the file
    std::condition_variable was_suspended_;
    std::optional<std::string> abandoned_;  // why nothing is written any more
    std::thread thread_;
};

}  // namespace fairway::store
