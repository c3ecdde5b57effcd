// SPDX-License-Identifier: Apache-2.0
#include "probes/name_watch.h"

#include <algorithm>
#include <utility>

#include "net/loop.h"

namespace fairway {

namespace {

/// Queries at once: a reload with thousands of names must not flood the name server.
constexpr size_t asked_at_once = 64;

/// An address that is still among the answers stays: a rotating answer is no change.
IpAddress choose(const std::optional<IpAddress>& current, const std::vector<net::ResolvedAddress>& answers) {
    for (const auto& answer : answers)
        if (current == answer.address) return *current;
    return answers.front().address;
}

nanoseconds shortest_of(const std::vector<net::ResolvedAddress>& answers) {
    nanoseconds ttl = answers.front().ttl;
    for (const auto& answer : answers) ttl = std::min<nanoseconds>(ttl, answer.ttl);
    return ttl;
}

}  // namespace

NameWatch::NameWatch(net::Loop& loop, net::Resolver& resolver, const Limits& limits, uint64_t seed,
                     std::function<void(NameId)> on_change)
    : loop_(loop),
      resolver_(resolver),
      limits_(limits),
      random_(seed),
      on_change_(std::move(on_change)),
      timer_(loop, [this] { ask(); }) {}

NameWatch::NameId NameWatch::add(std::string name) {
    if (free_.empty()) {
        free_.push_back(static_cast<NameId>(entries_.size()));
        entries_.emplace_back();
    }
    const NameId id = free_.back();
    free_.pop_back();
    entries_[id] = std::make_unique<Entry>();
    entries_[id]->name = std::move(name);
    due_.set(id, loop_.now());
    timer_.start(nanoseconds{0});
    return id;
}

void NameWatch::remove(NameId id) {
    if (entries_[id]->query.pending()) {
        --asking_;
        timer_.start(nanoseconds{0});
    }
    due_.remove(id);
    entries_[id].reset();
    free_.push_back(id);
}

size_t NameWatch::failing() const {
    return static_cast<size_t>(std::count_if(entries_.begin(), entries_.end(), [](const auto& entry) {
        return entry && !entry->status.error.empty();
    }));
}

void NameWatch::ask() {
    const MonotonicTime now = loop_.now();
    while (!due_.empty() && due_.earliest_time() <= now && asking_ < asked_at_once) {
        const NameId id = due_.earliest();
        due_.remove(id);
        ++asking_;
        entries_[id]->query = resolver_.resolve(entries_[id]->name,
                                                [this, id](const Answer& answer) { on_answer(id, answer); });
    }
    if (!due_.empty() && asking_ < asked_at_once) timer_.start_at(due_.earliest_time());
}

void NameWatch::on_answer(NameId id, const Answer& answer) {
    --asking_;
    Entry& entry = *entries_[id];
    const Status before = entry.status;
    const MonotonicTime now = loop_.now();
    nanoseconds wait{};
    entry.status.answered = true;
    if (answer) {
        entry.failures = 0;
        entry.status.address = choose(before.address, *answer);
        entry.status.error.clear();
        entry.status.good_at = now;
        wait = std::clamp(shortest_of(*answer), limits_.shortest_ttl, limits_.longest_ttl);
    } else {
        entry.status.error = answer.error().message;
        wait = std::min(limits_.longest_retry,
                        limits_.first_retry * (int64_t{1} << std::min<uint32_t>(entry.failures, 5)));
        ++entry.failures;
    }
    // A little less than the time, so that names with equal TTLs drift apart.
    wait -= nanoseconds{static_cast<int64_t>(random_.below(static_cast<uint64_t>(wait.count() / 10 + 1)))};
    due_.set(id, now + wait);
    ask();
    if (!before.answered || before.address != entry.status.address || before.error != entry.status.error)
        on_change_(id);
}

}  // namespace fairway
