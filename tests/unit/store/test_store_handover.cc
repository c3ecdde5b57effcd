// SPDX-License-Identifier: Apache-2.0
// The file changes hands between two stores: what was acknowledged is in it, and nobody writes it unasked.
#include <catch2/catch.hpp>

#include "unit/store/posted.h"

using namespace fairway;

namespace {

StoreOptions options_of(const TemporaryFolder& folder, Posted& loop) {
    StoreOptions options;
    options.folder = folder.path / "state";
    options.post = loop.post();
    return options;
}

Event event_named(const std::string& subject) {
    Event event;
    event.time = noon;
    event.kind = EventKind::gateway;
    event.subject = subject;
    return event;
}

std::string subjects(const std::vector<Event>& events) {
    std::string all;
    for (const Event& event : events) all += event.subject + " ";
    return all;
}

std::vector<Event> events_of(Store& store, Posted& loop) {
    std::optional<StoreResult<std::vector<Event>>> done;
    store.events({}, [&](StoreResult<std::vector<Event>> events) { done = std::move(events); });
    return loop.until(done).value();
}

}  // namespace

TEST_CASE("a store that is taken over has written everything, and writes nothing more") {
    const TemporaryFolder folder;
    Posted loop;
    Store old(options_of(folder, loop), noon);
    REQUIRE(set(old, loop, {drain_of("fra1")}));
    old.append(event_named("before"));
    old.suspend();
    old.append(event_named("meanwhile"));
    std::optional<StoreResult<std::vector<Override>>> waiting;
    old.set_overrides({drain_of("iad1")},
                      [&](StoreResult<std::vector<Override>> outcome) { waiting = std::move(outcome); });

    Store next(options_of(folder, loop), noon);
    CHECK(next.problems().empty());
    REQUIRE(next.overrides().size() == 1);
    CHECK(next.overrides()[0].target == "fra1");
    CHECK(subjects(events_of(next, loop)) == "before ");

    old.abandon("process 4712 has just taken over: ask again");
    const auto refused = loop.until(waiting);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == StoreError::Kind::unavailable);
    CHECK(refused.error().message ==
          "the change cannot be kept: process 4712 has just taken over: ask again");
    const auto later = set(old, loop, {drain_of("sin1")});
    REQUIRE_FALSE(later);
    CHECK(later.error().message == refused.error().message);
    REQUIRE(set(next, loop, {drain_of("iad1")}));
}

TEST_CASE("a store that is not taken over in the end goes on with what has waited") {
    const TemporaryFolder folder;
    Posted loop;
    {
        Store store(options_of(folder, loop), noon);
        store.append(event_named("before"));
        store.suspend();
        store.append(event_named("meanwhile"));
        std::optional<StoreResult<std::vector<Override>>> waiting;
        store.set_overrides({drain_of("fra1")}, [&](StoreResult<std::vector<Override>> outcome) {
            waiting = std::move(outcome);
        });
        store.resume();
        REQUIRE(loop.until(waiting));
        // And again: a handover may fail any number of times.
        store.suspend();
        store.resume();
        REQUIRE(set(store, loop, {drain_of("iad1")}));
    }
    Store store(options_of(folder, loop), noon);
    CHECK(store.overrides().size() == 2);
    CHECK(subjects(events_of(store, loop)) == "before meanwhile ");
    // Ended in order: ids go on without a gap.
    CHECK(store.append(event_named("after")).id == 3);
}

TEST_CASE("a store that ends while it is suspended leaves the file to the other one") {
    const TemporaryFolder folder;
    Posted loop;
    auto old = std::make_unique<Store>(options_of(folder, loop), noon);
    old->append(event_named("before"));
    old->suspend();
    Store next(options_of(folder, loop), noon);
    next.append(event_named("mine"));
    old->append(event_named("nobody's"));
    old.reset();
    CHECK(subjects(events_of(next, loop)) == "before mine ");
}
