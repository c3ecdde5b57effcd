// SPDX-License-Identifier: Apache-2.0
#include "store/writer.h"

#include <system_error>
#include <utility>

#include "base/duration.h"
#include "store/schema.h"

namespace fairway::store {

Writer::Writer(std::filesystem::path file, size_t max_queue, Hooks hooks)
    : file_(std::move(file)), max_queue_(max_queue), hooks_(std::move(hooks)) {
    report(attempt([] { return std::nullopt; }));
}

Writer::~Writer() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void Writer::start() {
    thread_ = std::thread([this] { loop(); });
}

void Writer::suspend() {
    std::unique_lock lock(mutex_);
    suspending_ = true;
    wake_.notify_one();
    was_suspended_.wait(lock, [this] { return suspended_; });
}

void Writer::resume() {
    {
        const std::lock_guard lock(mutex_);
        suspending_ = suspended_ = false;
    }
    wake_.notify_one();
}

void Writer::abandon(const std::string& why) {
    std::deque<Job> jobs;
    {
        const std::lock_guard lock(mutex_);
        jobs.swap(queue_);
        abandoned_ = why;
    }
    for (const Job& job : jobs)
        if (job.done) job.done(SqlError{0, why});
}

bool Writer::submit(Job job) {
    {
        std::unique_lock lock(mutex_);
        if (abandoned_) {
            const SqlError error{0, *abandoned_};
            lock.unlock();
            if (job.done) job.done(error);
            return true;
        }
        if (queue_.size() >= max_queue_) return false;
        queue_.push_back(std::move(job));
    }
    wake_.notify_one();
    return true;
}

std::optional<SqlError> Writer::run_now(const Job& job) {
    auto error = run_batch({&job}, job.kind);
    if (job.done) job.done(error);
    return error;
}

std::optional<SqlError> Writer::open() {
    std::error_code ignored;  // opening says more
    std::filesystem::create_directories(file_.parent_path(), ignored);
    database_.emplace(file_, Database::Mode::read_write);
    database_->run("PRAGMA journal_mode=WAL");
    database_->run("PRAGMA synchronous=NORMAL");
    database_->run("PRAGMA journal_size_limit=4194304");
    std::string verdict;
    if (Statement check(*database_, "PRAGMA quick_check(1)"); check.step()) verdict = check.text(0);
    migrate(*database_);
    auto error = database_->take_error();
    if (!error && verdict != "ok") error = SqlError::damage(verdict);
    if (error) database_.reset();
    return error;
}

/// Runs the action on an open file; when the file turns out damaged, once more on the one that replaces it.
std::optional<SqlError> Writer::attempt(const std::function<std::optional<SqlError>()>& action) {
    for (int round = 0;; ++round) {
        std::optional<SqlError> error;
        if (!database_) error = open();
        if (!error) error = action();
        if (!error || !error->damaged() || round == 1) return error;
        replace_damaged(*error);
    }
}

void Writer::replace_damaged(const SqlError& error) {
    database_.reset();
    const std::string aside = file_.string() + ".corrupt-" + format_rfc3339(std::chrono::system_clock::now());
    std::error_code failed;
    std::filesystem::rename(file_, aside, failed);
    std::error_code ignored;  // absent as a rule
    for (const char* companion : {"-wal", "-shm"})
        std::filesystem::rename(file_.string() + companion, aside + companion, ignored);
    if (failed) {
        hooks_.problem(file_.string() + " is damaged (" + error.message +
                       ") and cannot be moved aside: " + failed.message());
        return;
    }
    hooks_.problem(file_.string() + " is damaged (" + error.message + "): moved to " + aside +
                   " and begun anew");
    if (open()) return;  // the next attempt says why
    database_->begin(Database::Sync::durable);
    hooks_.restore(*database_);
    if (const auto lost = database_->commit())
        hooks_.problem("what was known could not be written to the new " + file_.string() + ": " +
                       lost->message);
}

std::optional<SqlError> Writer::run_batch(const std::vector<const Job*>& batch, Kind kind) {
    return attempt([&]() -> std::optional<SqlError> {
        if (kind == Kind::read) {
            for (const Job* job : batch) job->work(*database_);
            return database_->take_error();
        }
        database_->begin(kind == Kind::durable ? Database::Sync::durable : Database::Sync::lazy);
        for (const Job* job : batch) job->work(*database_);
        return database_->commit();
    });
}

void Writer::report(const std::optional<SqlError>& error) {
    if (error.has_value() == out_) return;
    out_ = error.has_value();
    hooks_.outage(error ? file_.string() + ": " + error->message : std::string());
}

void Writer::loop() {
    std::deque<Job> jobs;
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [this] { return stopping_ || (suspending_ ? !suspended_ : !queue_.empty()); });
            // What waits while the file is another process' is never written to it.
            if (suspended_ || (queue_.empty() && !suspending_)) break;
            jobs.swap(queue_);
            if (jobs.empty()) {
                database_.reset();
                suspended_ = true;
                was_suspended_.notify_all();
                continue;
            }
        }
        for (size_t at = 0; at < jobs.size();) {
            std::vector<const Job*> batch{&jobs[at]};
            const Kind kind = jobs[at].kind;
            for (++at; kind == Kind::lazy && at < jobs.size() && jobs[at].kind == kind; ++at)
                batch.push_back(&jobs[at]);
            const auto error = run_batch(batch, kind);
            // A read may succeed on a file that cannot be written.
            if (kind != Kind::read || error) report(error);
            for (const Job* job : batch)
                if (job->done) job->done(error);
        }
        jobs.clear();
    }
    database_.reset();
}

}  // namespace fairway::store
