// SPDX-License-Identifier: Apache-2.0
// The scheduler in virtual time.

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <queue>
#include <set>
#include <vector>

#include "base/random.h"
#include "probes/scheduler.h"
#include "probes/time_heap.h"

using namespace fairway;

namespace {

const MonotonicTime epoch{std::chrono::hours{1}};

struct Begun {
    MonotonicTime planned;
    MonotonicTime at;
    Scheduler::JobId job = 0;
};

/// Runs a scheduler with attempts that take as long as `duration` says, and checks on the way that no check
/// has two attempts at once and none starts early.
class Simulation {
  public:
    explicit Simulation(const Scheduler::Options& options) : scheduler(options) {}

    Scheduler scheduler;
    MonotonicTime now = epoch;
    std::vector<Begun> starts;
    std::function<nanoseconds(Scheduler::JobId)> duration = [](Scheduler::JobId) { return milliseconds{1}; };
    std::function<Pace(Scheduler::JobId)> pace = [](Scheduler::JobId) { return Pace::interval; };

    void run_until(MonotonicTime end) {
        while (true) {
            MonotonicTime next = end;
            if (const auto due = scheduler.next()) next = std::min(next, std::max(now, *due));
            if (!ends_.empty()) next = std::min(next, ends_.top().first);
            if (next >= end) break;
            now = next;
            while (!ends_.empty() && ends_.top().first <= now) {
                const auto job = ends_.top().second;
                ends_.pop();
                running_.erase(job);
                scheduler.finished(job, pace(job), now);
            }
            while (const auto start = scheduler.take(now)) {
                REQUIRE(start->planned <= now);
                REQUIRE(running_.insert(start->job).second);
                starts.push_back({start->planned, now, start->job});
                ends_.emplace(now + duration(start->job), start->job);
            }
        }
        now = end;
    }

    std::vector<MonotonicTime> starts_of(Scheduler::JobId job) const {
        std::vector<MonotonicTime> times;
        for (const Begun& begun : starts)
            if (begun.job == job) times.push_back(begun.at);
        return times;
    }

  private:
    using End = std::pair<MonotonicTime, Scheduler::JobId>;
    std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
    std::set<Scheduler::JobId> running_;
};

Scheduler::Job job_with(nanoseconds interval, uint64_t number, uint32_t group = 0) {
    return {.interval = interval,
            .recheck = interval / 4,
            .group = group,
            .hash = mix(number),
            .first_within = interval};
}

/// The most starts in any window of this length that begins with a start.
size_t most_within(const std::vector<Begun>& starts, nanoseconds window) {
    size_t most = 0;
    size_t first = 0;
    for (size_t last = 0; last < starts.size(); ++last) {
        while (starts[last].at - starts[first].at >= window) ++first;
        most = std::max(most, last - first + 1);
    }
    return most;
}

}  // namespace

TEST_CASE("a heap of instants gives them back in order, whatever was moved and removed") {
    Random random(7);
    TimeHeap heap;
    std::map<uint32_t, MonotonicTime> model;
    for (int i = 0; i < 20'000; ++i) {
        const auto index = static_cast<uint32_t>(random.below(300));
        if (random.below(3) == 0) {
            heap.remove(index);
            model.erase(index);
        } else {
            const MonotonicTime time = epoch + nanoseconds{random.below(1'000)};
            heap.set(index, time);
            model[index] = time;
        }
        REQUIRE(heap.size() == model.size());
        if (model.empty()) continue;
        const auto least = std::min_element(model.begin(), model.end(),
                                            [](const auto& a, const auto& b) { return a.second < b.second; });
        REQUIRE(heap.earliest_time() == least->second);
        REQUIRE(model.at(heap.earliest()) == least->second);
    }
    MonotonicTime last = MonotonicTime::min();
    while (!heap.empty()) {
        CHECK(heap.earliest_time() >= last);
        last = heap.earliest_time();
        heap.remove(heap.earliest());
    }
}

TEST_CASE("fifty thousand checks spread evenly over every ten milliseconds") {
    Simulation simulation({.seed = 3});
    for (uint64_t i = 0; i < 50'000; ++i) simulation.scheduler.add(job_with(seconds{2}, i), epoch);
    simulation.run_until(epoch + seconds{6});
    std::vector<size_t> slots(600);
    for (const Begun& begun : simulation.starts)
        ++slots[static_cast<size_t>((begun.at - epoch) / milliseconds{10})];
    CHECK(simulation.starts.size() >= 149'000);
    CHECK(simulation.starts.size() <= 151'000);
    const double mean = static_cast<double>(simulation.starts.size()) / 600;
    const size_t most = *std::max_element(slots.begin() + 2, slots.end() - 2);
    CHECK(static_cast<double>(most) / mean < 1.5);
}

TEST_CASE("after a restart no second sees twice the mean rate of starts") {
    // As the prober does it: the first round is pressed into a little more than half an interval.
    Simulation simulation({.seed = 3});
    for (uint64_t i = 0; i < 5'000; ++i) {
        auto job = job_with(seconds{5}, i);
        job.first_within = job.interval * 11 / 20;
        simulation.scheduler.add(job, epoch);
    }
    simulation.run_until(epoch + seconds{60});
    CHECK(most_within(simulation.starts, seconds{1}) < 2 * 1'000);
}

TEST_CASE("a check keeps its phase: the schedule never drifts, however long attempts take") {
    Simulation simulation({.seed = 5});
    const auto job = simulation.scheduler.add(job_with(seconds{1}, 42), epoch);
    simulation.duration = [random = Random(9)](Scheduler::JobId) mutable {
        return nanoseconds{static_cast<int64_t>(random.below(900'000'000))};
    };
    simulation.run_until(epoch + std::chrono::hours{3});
    const auto times = simulation.starts_of(job);
    REQUIRE(times.size() >= 10'799);
    for (size_t i = 1; i < times.size(); ++i) {
        const nanoseconds off = times[i] - (times[0] + seconds{1} * static_cast<int64_t>(i));
        // Phase of the first start, jitter of both, and an attempt that ends at the very slot.
        CHECK(std::chrono::abs(off) <= 2 * Scheduler::jitter_of(seconds{1}));
    }
}

TEST_CASE("slots that pass during an attempt are skipped, not made up for") {
    Simulation simulation({.seed = 5});
    const auto job = simulation.scheduler.add(job_with(seconds{1}, 42), epoch);
    simulation.duration = [](Scheduler::JobId) { return milliseconds{3'500}; };
    simulation.run_until(epoch + seconds{41});
    const auto times = simulation.starts_of(job);
    REQUIRE(times.size() >= 10);
    for (size_t i = 1; i < times.size(); ++i) CHECK(times[i] - times[i - 1] >= milliseconds{3'900});
    CHECK(simulation.scheduler.skipped() >= 3 * (times.size() - 2));
}

TEST_CASE("an attempt as long as the interval does not cost every other slot") {
    Simulation simulation({.seed = 5});
    const auto job = simulation.scheduler.add(job_with(seconds{1}, 42), epoch);
    simulation.duration = [](Scheduler::JobId) { return milliseconds{1'001}; };
    simulation.run_until(epoch + seconds{60});
    CHECK(simulation.starts_of(job).size() >= 58);
}

TEST_CASE("doubt is rechecked fast and an explicit refusal at once, and then the grid goes on") {
    Simulation simulation({.seed = 5});
    auto settings = job_with(seconds{10}, 42);
    settings.recheck = milliseconds{200};
    const auto job = simulation.scheduler.add(settings, epoch);
    int attempt = 0;
    simulation.pace = [&](Scheduler::JobId) {
        ++attempt;
        return attempt == 2 ? Pace::recheck : attempt == 3 ? Pace::at_once : Pace::interval;
    };
    simulation.run_until(epoch + seconds{60});
    const auto times = simulation.starts_of(job);
    REQUIRE(times.size() >= 6);
    CHECK(times[2] - times[1] == milliseconds{200});
    CHECK(times[3] - times[2] == milliseconds{1});
    const nanoseconds jitter = 2 * Scheduler::jitter_of(seconds{10});
    CHECK(std::chrono::abs(times[4] - times[1] - seconds{10}) <= jitter);
    CHECK(simulation.scheduler.skipped() == 0);
}

TEST_CASE("the gap between two attempts is never longer than the interval and its jitter") {
    // Detection times rest on this. Paces at random.
    Simulation simulation({.seed = 11});
    std::vector<Scheduler::JobId> jobs;
    for (uint64_t i = 0; i < 50; ++i)
        jobs.push_back(simulation.scheduler.add(job_with(seconds{1}, i), epoch));
    simulation.pace = [random = Random(1)](Scheduler::JobId) mutable {
        return static_cast<Pace>(random.below(3));
    };
    simulation.run_until(epoch + seconds{300});
    for (const auto job : jobs) {
        const auto times = simulation.starts_of(job);
        // After the first: that one makes way for the grid.
        for (size_t i = 2; i < times.size(); ++i)
            REQUIRE(times[i] - times[i - 1] <= seconds{1} + 2 * Scheduler::jitter_of(seconds{1}));
    }
}

TEST_CASE("rate caps hold in every window, over all and per group, and lose nothing") {
    const Scheduler::Options options{.rate = 1'000, .rate_per_group = 50, .seed = 13};
    Simulation simulation(options);
    // Group 0 wants 400 a second, three others 20 each; together they fit the total.
    std::vector<Scheduler::JobId> jobs;
    for (uint64_t i = 0; i < 400; ++i)
        jobs.push_back(simulation.scheduler.add(job_with(seconds{1}, i, 0), epoch));
    for (uint64_t i = 400; i < 460; ++i)
        jobs.push_back(
            simulation.scheduler.add(job_with(seconds{1}, i, static_cast<uint32_t>(1 + i % 3)), epoch));
    simulation.run_until(epoch + seconds{60});

    std::vector<Begun> of_group;
    for (const Begun& begun : simulation.starts)
        if (begun.job < 400) of_group.push_back(begun);
    CHECK(most_within(of_group, seconds{1}) <= 50 + 5);
    CHECK(of_group.size() >= 59 * 50);
    CHECK(most_within(simulation.starts, seconds{1}) <= 1'000 + 10);
    CHECK(simulation.scheduler.deferred() > 2'000);
    // Nobody starves: the crowded group shares its rate evenly, the others never notice.
    for (const auto job : jobs) {
        const size_t count = simulation.starts_of(job).size();
        if (job < 400) {
            CHECK(count >= 6);
            CHECK(count <= 9);
        } else {
            CHECK(count >= 59);
        }
    }
}

TEST_CASE("a cap over all shares what there is between groups, with nobody left out") {
    Simulation simulation({.rate = 100, .rate_per_group = 1'000, .seed = 17});
    for (uint64_t i = 0; i < 1'000; ++i)
        simulation.scheduler.add(job_with(seconds{1}, i, static_cast<uint32_t>(i % 7)), epoch);
    // Some of them always in a hurry.
    simulation.pace = [](Scheduler::JobId job) { return job % 10 == 0 ? Pace::at_once : Pace::interval; };
    simulation.run_until(epoch + seconds{100});
    CHECK(most_within(simulation.starts, seconds{1}) <= 101);
    CHECK(simulation.starts.size() >= 9'900);
    std::map<Scheduler::JobId, size_t> counts;
    for (const Begun& begun : simulation.starts) ++counts[begun.job];
    REQUIRE(counts.size() == 1'000);
    for (const auto& [job, count] : counts) CHECK(count >= 5);
}

TEST_CASE("a check can be hurried, moved to another group and removed in any state") {
    Scheduler scheduler({.rate = 0, .rate_per_group = 10, .seed = 1});
    std::vector<Scheduler::JobId> jobs;
    for (uint64_t i = 0; i < 30; ++i) {
        auto settings = job_with(seconds{10}, i);
        settings.first_within = nanoseconds{0};
        jobs.push_back(scheduler.add(settings, epoch));
    }
    const auto first = scheduler.take(epoch);
    REQUIRE(first);
    CHECK_FALSE(scheduler.take(epoch));  // burst of one; 29 wait in the group's queue
    REQUIRE(scheduler.next());
    CHECK(*scheduler.next() == epoch + milliseconds{100});

    // Moved to an idle group, a waiting check starts at once; the queue it left is intact.
    const Scheduler::JobId moved = first->job == jobs[7] ? jobs[8] : jobs[7];
    scheduler.set_group(moved, 5);
    const auto other = scheduler.take(epoch);
    REQUIRE(other);
    CHECK(other->job == moved);

    for (const auto job : jobs)
        if (job != first->job && job != moved) scheduler.remove(job);
    CHECK_FALSE(scheduler.next());

    // In flight: the hurry comes after the end. Planned: now.
    scheduler.hurry(first->job, epoch);
    scheduler.finished(first->job, Pace::interval, epoch + milliseconds{300});
    auto again = scheduler.take(epoch + milliseconds{300});
    REQUIRE(again);
    CHECK(again->job == first->job);
    scheduler.finished(first->job, Pace::interval, epoch + milliseconds{500});
    CHECK_FALSE(scheduler.take(epoch + milliseconds{500}));
    scheduler.hurry(first->job, epoch + milliseconds{600});
    again = scheduler.take(epoch + milliseconds{600});
    REQUIRE(again);
    CHECK(again->job == first->job);
    scheduler.remove(moved);
    scheduler.remove(first->job);
    CHECK_FALSE(scheduler.next());
}

TEST_CASE("lifting a cap lets waiting checks go") {
    Scheduler scheduler({.rate = 0, .rate_per_group = 1, .seed = 1});
    for (uint64_t i = 0; i < 10; ++i) {
        auto settings = job_with(seconds{10}, i);
        settings.first_within = nanoseconds{0};
        scheduler.add(settings, epoch);
    }
    REQUIRE(scheduler.take(epoch));
    REQUIRE_FALSE(scheduler.take(epoch));
    scheduler.set_rates(0, 0);
    int started = 0;
    while (scheduler.take(epoch)) ++started;
    CHECK(started == 9);
}

TEST_CASE("the same seed and checks make the same schedule") {
    std::vector<MonotonicTime> planned[2];
    for (auto& times : planned) {
        Simulation simulation({.seed = 21});
        for (uint64_t i = 0; i < 100; ++i) simulation.scheduler.add(job_with(seconds{1}, i), epoch);
        simulation.run_until(epoch + seconds{10});
        for (const Begun& begun : simulation.starts) times.push_back(begun.planned);
    }
    CHECK(planned[0] == planned[1]);
    CHECK(planned[0].size() >= 900);
}
