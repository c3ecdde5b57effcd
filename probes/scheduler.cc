// SPDX-License-Identifier: Apache-2.0
#include "probes/scheduler.h"

#include <algorithm>
#include <cassert>

namespace fairway {

namespace {

/// Bursts of a tenth of a second's worth per group, of ten milliseconds' worth over all: enough that turns of
/// the loop, a millisecond or more apart, do not lose rate; little enough to be no storm.
uint32_t group_burst(uint32_t rate) {
    return std::max<uint32_t>(1, rate / 10);
}
uint32_t total_burst(uint32_t rate) {
    return std::max<uint32_t>(1, rate / 100);
}

/// `hash` as a share of `whole`, in [0, whole).
nanoseconds share_of(nanoseconds whole, uint64_t hash) {
    const double fraction = static_cast<double>(hash >> 11) * 0x1.0p-53;
    return nanoseconds{static_cast<int64_t>(fraction * static_cast<double>(whole.count()))};
}

}  // namespace

RateLimit::RateLimit(uint32_t per_second, uint32_t burst) noexcept {
    if (per_second == 0) return;
    increment_ = nanoseconds{seconds{1}} / per_second;
    tolerance_ = increment_ * (std::max<uint32_t>(1, burst) - 1);
    full_at_ = MonotonicTime{} + tolerance_;  // so that next() is the clock's beginning, not before it
}

nanoseconds Scheduler::jitter_of(nanoseconds interval) noexcept {
    // Small, because it adds to the time in which a failure is found; it only has to keep nodes and targets
    // with equal intervals from falling into step.
    return std::min<nanoseconds>(interval / 100, milliseconds{20});
}

Scheduler::Scheduler(const Options& options)
    : options_(options), random_(options.seed), limit_(options.rate, total_burst(options.rate)) {}

Scheduler::JobId Scheduler::add(const Job& job, MonotonicTime now) {
    assert(job.interval > nanoseconds{0});
    JobId id = none;
    if (free_.empty()) {
        id = static_cast<JobId>(jobs_.size());
        jobs_.emplace_back();
    } else {
        id = free_.back();
        free_.pop_back();
    }
    if (job.group >= groups_.size())
        groups_.resize(size_t{job.group} + 1,
                       {RateLimit(options_.rate_per_group, group_burst(options_.rate_per_group))});
    Entry& entry = jobs_[id];
    entry = {};
    entry.interval = job.interval;
    entry.recheck = job.recheck;
    entry.group = job.group;
    // The grid begins at once; the first attempt comes earlier than its slot, and takes the place of that
    // slot when the two would be less than half an interval apart.
    const MonotonicTime first = now + share_of(std::min(job.first_within, job.interval), job.hash);
    const MonotonicTime slot = now + share_of(job.interval, job.hash);
    entry.slot = slot - first < job.interval / 2 ? slot : slot - job.interval;
    plan(id, first);
    return id;
}

void Scheduler::remove(JobId job) {
    Entry& entry = jobs_[job];
    assert(entry.state != State::free);
    if (entry.state == State::waiting) unqueue(job);
    due_.remove(job);
    entry.state = State::free;
    free_.push_back(job);
}

void Scheduler::set_group(JobId job, uint32_t group) {
    Entry& entry = jobs_[job];
    if (entry.group == group) return;
    if (group >= groups_.size())
        groups_.resize(size_t{group} + 1,
                       {RateLimit(options_.rate_per_group, group_burst(options_.rate_per_group))});
    const bool waiting = entry.state == State::waiting;
    if (waiting) unqueue(job);
    entry.group = group;
    if (waiting) plan(job, entry.planned);
}

void Scheduler::set_rates(uint32_t rate, uint32_t rate_per_group) {
    options_.rate = rate;
    options_.rate_per_group = rate_per_group;
    limit_ = RateLimit(rate, total_burst(rate));
    for (uint32_t i = 0; i < groups_.size(); ++i) {
        groups_[i].limit = RateLimit(rate_per_group, group_burst(rate_per_group));
        if (groups_[i].first != none) place_group(i, MonotonicTime::min());
    }
}

void Scheduler::plan(JobId job, MonotonicTime when) {
    Entry& entry = jobs_[job];
    entry.state = State::planned;
    entry.planned = when;
    entry.deferred = false;
    due_.set(job, when);
}

void Scheduler::plan_on_grid(JobId job, MonotonicTime now) {
    Entry& entry = jobs_[job];
    entry.slot += entry.interval;
    // A slot that has only just passed is used late rather than lost: with a timeout as long as the interval
    // every other one would be.
    const MonotonicTime oldest = now - entry.interval / 4;
    if (entry.slot < oldest) {
        const auto missed = (oldest - entry.slot) / entry.interval + 1;
        entry.slot += entry.interval * missed;
        skipped_ += static_cast<uint64_t>(missed);
    }
    const nanoseconds jitter = jitter_of(entry.interval);
    const auto deviation = static_cast<int64_t>(random_.below(static_cast<uint64_t>(2 * jitter.count() + 1)));
    plan(job, std::max(now, entry.slot - jitter + nanoseconds{deviation}));
}

Scheduler::Group& Scheduler::group_of(JobId job) {
    return groups_[jobs_[job].group];
}

void Scheduler::defer(Entry& entry) {
    if (!entry.deferred) ++deferred_;
    entry.deferred = true;
}

void Scheduler::enqueue(JobId job) {
    Entry& entry = jobs_[job];
    Group& group = group_of(job);
    entry.state = State::waiting;
    entry.before = group.last;
    entry.after = none;
    if (group.last == none) {
        group.first = job;
    } else {
        jobs_[group.last].after = job;
    }
    group.last = job;
}

void Scheduler::unqueue(JobId job) {
    Entry& entry = jobs_[job];
    Group& group = group_of(job);
    (entry.before == none ? group.first : jobs_[entry.before].after) = entry.after;
    (entry.after == none ? group.last : jobs_[entry.after].before) = entry.before;
    entry.before = entry.after = none;
    // Later is safe for a group that stays: it is looked at again when its rate allows.
    place_group(entry.group, MonotonicTime::min());
}

void Scheduler::place_group(uint32_t index, MonotonicTime now) {
    const Group& group = groups_[index];
    capped_.remove(index);
    allowed_.remove(index);
    if (group.first == none) return;
    if (group.limit.next() > now) {
        capped_.set(index, group.limit.next());
    } else {
        allowed_.set(index, jobs_[group.first].planned);
    }
}

Scheduler::Start Scheduler::start(JobId job, MonotonicTime now) {
    Entry& entry = jobs_[job];
    entry.state = State::running;
    limit_.pass(now);
    group_of(job).limit.pass(now);
    if (entry.planned <= capped_at_) defer(entry);
    return {job, entry.planned};
}

std::optional<Scheduler::Start> Scheduler::take(MonotonicTime now) {
    while (true) {
        while (!capped_.empty() && capped_.earliest_time() <= now) place_group(capped_.earliest(), now);
        const bool due = !due_.empty() && due_.earliest_time() <= now;
        if (!due && allowed_.empty()) return std::nullopt;
        if (limit_.next() > now) {
            capped_at_ = now;
            return std::nullopt;
        }
        if (!allowed_.empty() && (!due || allowed_.earliest_time() <= due_.earliest_time())) {
            const uint32_t group = allowed_.earliest();
            const JobId job = groups_[group].first;
            unqueue(job);
            const Start started = start(job, now);
            place_group(group, now);
            return started;
        }
        const JobId job = due_.earliest();
        due_.remove(job);
        Group& group = group_of(job);
        if (group.first == none && group.limit.next() <= now) return start(job, now);
        enqueue(job);
        defer(jobs_[job]);
        place_group(jobs_[job].group, now);
    }
}

std::optional<MonotonicTime> Scheduler::next() const {
    std::optional<MonotonicTime> earliest;
    for (const TimeHeap* heap : {&due_, &capped_, &allowed_})
        if (!heap->empty() && (!earliest || heap->earliest_time() < *earliest))
            earliest = heap->earliest_time();
    if (!earliest) return std::nullopt;
    return std::max(*earliest, limit_.next());
}

void Scheduler::finished(JobId job, Pace pace, MonotonicTime now) {
    Entry& entry = jobs_[job];
    assert(entry.state == State::running);
    if (entry.hurried) {
        entry.hurried = false;
        pace = Pace::at_once;
    }
    if (pace == Pace::interval) {
        plan_on_grid(job, now);
        return;
    }
    plan(job, pace == Pace::recheck ? std::max(now, entry.planned + entry.recheck) : now);
    // The slots that are spent in doubt count as used.
    if (entry.planned > entry.slot)
        entry.slot += (entry.planned - entry.slot) / entry.interval * entry.interval;
}

void Scheduler::hurry(JobId job, MonotonicTime now) {
    Entry& entry = jobs_[job];
    if (entry.state == State::running) entry.hurried = true;
    if (entry.state == State::planned && entry.planned > now) plan(job, now);
}

}  // namespace fairway
