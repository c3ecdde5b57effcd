// SPDX-License-Identifier: Apache-2.0
#pragma once
// When which check is attempted. Pure: no clock, no I/O, no callbacks; time and randomness come in, decisions
// come out, so tests and simulations drive it through hours in milliseconds.
//
//   - A check's attempts lie on a grid of its own: one slot an interval, at a phase that depends on nothing
//     but the check's hash, so that many checks spread evenly and stay spread. Each start deviates from its
//     slot by a little jitter; the grid never drifts, however long attempts take.
//   - At most one attempt of a check is in flight. Slots that pass meanwhile are skipped, not made up for.
//   - Doubt (Pace::recheck) shortens the wait to the recheck interval, an explicit refusal (Pace::at_once) to
//     nothing.
//   - Rate caps, over all checks and per group (gateway), defer starts. Within a group, and over all groups
//     that may start, the longest due comes first, so nothing starves.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "model/probe_result.h"
#include "probes/time_heap.h"

namespace fairway {

/// Lets events pass at a steady rate with small bursts (the virtual scheduling algorithm of ITU-T I.371): one
/// instant is all its state.
class RateLimit {
  public:
    /// `per_second` zero: no limit. `burst`: how many may pass at once after a pause, at least 1.
    explicit RateLimit(uint32_t per_second = 0, uint32_t burst = 1) noexcept;

    /// The earliest instant at which the next event may pass.
    [[nodiscard]] MonotonicTime next() const noexcept { return full_at_ - tolerance_; }
    void pass(MonotonicTime now) noexcept { full_at_ = (full_at_ > now ? full_at_ : now) + increment_; }

  private:
    nanoseconds increment_{0};
    nanoseconds tolerance_{0};
    MonotonicTime full_at_{};  // when the bucket is full again, if nothing passes
};

class Scheduler {
  public:
    struct Options {
        uint32_t rate = 0;            // starts per second, all together; 0: no cap
        uint32_t rate_per_group = 0;  // and per group; 0: no cap
        uint64_t seed = 1;            // of the jitter
    };
    using JobId = uint32_t;  // small and reused

    struct Job {
        nanoseconds interval{};  // more than zero
        nanoseconds recheck{};
        uint32_t group = 0;  // small: memory grows with the largest
        uint64_t hash = 0;   // sets the phase: stable across restarts and well mixed
        /// The first attempts of a set of new checks spread over this time, instead of a whole interval.
        nanoseconds first_within{};
    };

    explicit Scheduler(const Options& options);

    JobId add(const Job& job, MonotonicTime now);
    /// In any state; the id may be given to another check from now on.
    void remove(JobId job);
    void set_group(JobId job, uint32_t group);
    void set_rates(uint32_t rate, uint32_t rate_per_group);

    struct Start {
        JobId job = 0;
        MonotonicTime planned;
    };
    /// The next check to start, which is in flight from now on; absent when nothing may start at `now`. Call
    /// until it is absent.
    std::optional<Start> take(MonotonicTime now);
    /// When to call take() again; absent when every check is in flight. May be in the past.
    [[nodiscard]] std::optional<MonotonicTime> next() const;

    /// The attempt in flight is over.
    void finished(JobId job, Pace pace, MonotonicTime now);
    /// Starts the check as soon as the caps and an attempt in flight allow, without moving its grid.
    void hurry(JobId job, MonotonicTime now);

    /// When the first attempt of a fresh job is due, jitter included.
    [[nodiscard]] MonotonicTime planned(JobId job) const { return jobs_[job].planned; }
    /// Starts that a rate cap held back, and slots that were skipped, since the beginning.
    [[nodiscard]] uint64_t deferred() const noexcept { return deferred_; }
    [[nodiscard]] uint64_t skipped() const noexcept { return skipped_; }
    /// Largest deviation from its slot of a check with this interval.
    [[nodiscard]] static nanoseconds jitter_of(nanoseconds interval) noexcept;

  private:
    enum class State : uint8_t { free, planned, waiting, running };
    struct Entry {
        MonotonicTime slot;     // on the grid: of the attempt planned or running, or the last one before it
        MonotonicTime planned;  // of the next start, or of the one running
        nanoseconds interval{};
        nanoseconds recheck{};
        uint32_t group = 0;
        JobId before = none, after = none;  // neighbours in the group's queue
        State state = State::free;
        bool hurried = false;
        bool deferred = false;  // already counted as such
    };
    /// Due checks of a group that has used up its rate wait in a queue, oldest first.
    struct Group {
        RateLimit limit;
        JobId first = none, last = none;
    };
    static constexpr JobId none = UINT32_MAX;

    void plan(JobId job, MonotonicTime when);
    void plan_on_grid(JobId job, MonotonicTime now);
    void defer(Entry& entry);
    void enqueue(JobId job);
    void unqueue(JobId job);
    void place_group(uint32_t group, MonotonicTime now);
    Start start(JobId job, MonotonicTime now);
    Group& group_of(JobId job);

    Options options_;
    Random random_;
    RateLimit limit_;
    MonotonicTime capped_at_{};  // when the cap over all last held something back
    std::vector<Entry> jobs_;
    std::vector<JobId> free_;
    std::vector<Group> groups_;
    TimeHeap due_;      // planned checks by their time
    TimeHeap capped_;   // groups with a queue, by when their rate allows the next
    TimeHeap allowed_;  // groups with a queue whose rate allows the next now, by how long that has been due
    uint64_t deferred_ = 0;
    uint64_t skipped_ = 0;
};

}  // namespace fairway
