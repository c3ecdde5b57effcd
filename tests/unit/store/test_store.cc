// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "store/database.h"
#include "unit/store/posted.h"

using namespace fairway;
using std::chrono::hours;

namespace {

struct Fixture {
    TemporaryFolder folder;
    Posted loop;
    int changed = 0;

    Store open(WallTime now = noon) { return Store(options(), now); }
    StoreOptions options() {
        StoreOptions options;
        options.folder = folder.path / "state";
        options.post = loop.post();
        options.overrides_changed = [this] { ++changed; };
        return options;
    }
};

Event event_of(const std::string& subject, WallTime time = noon) {
    Event event;
    event.time = time;
    event.kind = EventKind::gateway;
    event.severity = Severity::warning;
    event.subject = subject;
    event.from = "up";
    event.to = "down";
    event.message = subject + " is down";
    return event;
}

std::vector<int64_t> ids(const std::vector<Event>& events) {
    std::vector<int64_t> ids;
    for (const Event& event : events) ids.push_back(event.id);
    return ids;
}

}  // namespace

TEST_CASE("an override is in force and in the trail once it is acknowledged, and survives a restart") {
    Fixture f;
    int64_t id = 0;
    {
        Store store(f.options(), noon);
        REQUIRE(store.problems().empty());
        const auto made = set(store, f.loop, {drain_of("fra1", noon + hours(2)), drain_of("sin1")});
        REQUIRE(made);
        REQUIRE(made->size() == 2);
        CHECK(f.changed == 1);
        CHECK(store.overrides().size() == 2);
        id = made->front().id;
        CHECK(made->front().revision == 1);
    }
    Store store(f.options(), noon + hours(1));
    REQUIRE(store.overrides().size() == 2);
    const Override& item = store.overrides().front();
    CHECK(item.id == id);
    CHECK(item.state == AdminState::drain);
    CHECK(item.target == "fra1");
    CHECK(item.actor == "alice");
    CHECK(item.reason == "kernel update");
    CHECK(item.ticket == "OPS-1");
    CHECK(item.since == noon);
    CHECK(item.until == noon + hours(2));
    CHECK(item.revision == 1);
    CHECK_FALSE(store.overrides().back().until);

    const auto trail = audit(store, f.loop);
    REQUIRE(trail.size() == 2);
    CHECK(trail[0].actor == "alice");
    CHECK(trail[0].action == "override.set");
    CHECK(trail[0].subject == "fra1");
    CHECK(trail[0].before.empty());
    CHECK(
        trail[0].after ==
        R"({"id":1,"target":"fra1","state":"drain","actor":"alice","reason":"kernel update","ticket":"OPS-1",)"
        R"("since":"2026-01-16T12:00:00.000Z","until":"2026-01-16T14:00:00.000Z","revision":1})");
}

TEST_CASE("of several overrides in one request all are set or none") {
    Fixture f;
    Store store(f.options(), noon);
    REQUIRE(set(store, f.loop, {drain_of("sin1")}));
    const auto refused = set(store, f.loop, {drain_of("fra1"), drain_of("sin1")});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == StoreError::Kind::conflict);
    CHECK(refused.error().override_id == 1);
    CHECK(refused.error().message == "override 1 is a drain of sin1 already");
    CHECK(store.overrides().size() == 1);
    CHECK(audit(store, f.loop).size() == 1);
}

TEST_CASE("of two operators who change the same override the second is told") {
    Fixture f;
    Store store(f.options(), noon);
    const int64_t id = set(store, f.loop, {drain_of("fra1", noon + hours(1))})->front().id;
    const auto extended = extend(store, f.loop, id, 1, noon + hours(5));
    REQUIRE(extended);
    CHECK(extended->revision == 2);
    CHECK(extended->until == noon + hours(5));
    const auto late = clear(store, f.loop, id, 1);
    REQUIRE_FALSE(late);
    CHECK(late.error().kind == StoreError::Kind::conflict);
    CHECK(late.error().message == "override 1 was changed in the meantime: it is at revision 2, not 1");
    CHECK(store.overrides().size() == 1);
    CHECK(clear(store, f.loop, id, 2));
    CHECK(store.overrides().empty());
    CHECK(clear(store, f.loop, id).error().kind == StoreError::Kind::not_found);

    std::vector<std::string> actions;
    for (const AuditEntry& entry : audit(store, f.loop))
        actions.push_back(entry.action + " by " + entry.actor);
    CHECK(actions == std::vector<std::string>{"override.set by alice", "override.extend by bob",
                                              "override.clear by bob"});
}

TEST_CASE("an override's number is never given again") {
    Fixture f;
    {
        Store store(f.options(), noon);
        CHECK(set(store, f.loop, {drain_of("fra1")})->front().id == 1);
        REQUIRE(clear(store, f.loop, 1));
    }
    Store store(f.options(), noon);
    CHECK(set(store, f.loop, {drain_of("fra1")})->front().id == 2);
}

TEST_CASE("an override ends at its stored instant, also when nobody was running then") {
    Fixture f;
    {
        Store store(f.options(), noon);
        REQUIRE(
            set(store, f.loop,
                {drain_of("fra1", noon + hours(1)), drain_of("iad1", noon + hours(2)), drain_of("sin1")}));
        CHECK(store.next_expiry() == noon + hours(1));
        CHECK(store.expire(noon + hours(1) - seconds(1)).empty());
        f.changed = 0;
        const auto ended = store.expire(noon + hours(1));
        REQUIRE(ended.size() == 1);
        CHECK(ended[0].target == "fra1");
        CHECK(f.changed == 1);
        CHECK(store.next_expiry() == noon + hours(2));
        const auto late = extend(store, f.loop, ended[0].id, std::nullopt, noon + hours(3), noon + hours(1));
        REQUIRE_FALSE(late);
        CHECK(late.error().kind == StoreError::Kind::not_found);
    }
    Store store(f.options(), noon + hours(3));
    REQUIRE(store.overrides().size() == 1);
    CHECK(store.overrides()[0].target == "sin1");
    CHECK_FALSE(store.next_expiry());
    const auto trail = audit(store, f.loop);
    REQUIRE(trail.size() == 5);
    CHECK(trail[4].action == "override.expire");
    CHECK(trail[4].actor == "fairwayd");
    CHECK(trail[4].subject == "iad1");
    CHECK(trail[4].time == noon + hours(2));
}

TEST_CASE("an override whose end has come makes room for another like it") {
    Fixture f;
    Store store(f.options(), noon);
    REQUIRE(set(store, f.loop, {drain_of("fra1", noon + hours(1))}));
    Override next = drain_of("fra1");
    next.since = noon + hours(1);
    CHECK(set(store, f.loop, {next}));
}

TEST_CASE("the audit trail cannot be rewritten") {
    Fixture f;
    {
        Store store(f.options(), noon);
        store.record({0, noon, "alice", "reload", "fairway.toml", "", ""});
        REQUIRE(audit(store, f.loop).size() == 1);
    }
    for (const char* sql : {"DELETE FROM audit", "UPDATE audit SET actor = 'bob'"}) {
        store::Database database(f.folder.path / "state" / "fairway.db", store::Database::Mode::read_write);
        database.run(sql);
        REQUIRE(database.error());
        CHECK(database.error()->message == "the audit trail is append-only");
    }
    Store store(f.options(), noon);
    CHECK(audit(store, f.loop).size() == 1);
}

TEST_CASE("events get growing numbers, reach subscribers at once and can be asked for afterwards") {
    Fixture f;
    std::vector<int64_t> heard;
    {
        Store store(f.options(), noon);
        auto subscription = store.subscribe([&](const Event& event) { heard.push_back(event.id); });
        store.append(event_of("fra1"));
        store.append(event_of("sin1", noon + hours(1)));
        const Event last = store.append(event_of("fra1", noon + hours(2)));
        CHECK(last.id == 3);
        subscription.reset();
        store.append(event_of("iad1", noon + hours(3)));
        CHECK(heard == std::vector<int64_t>{1, 2, 3});
        CHECK(ids(events(store, f.loop)) == std::vector<int64_t>{1, 2, 3, 4});
        CHECK(ids(events(store, f.loop, {.after_id = 2})) == std::vector<int64_t>{3, 4});
        CHECK(ids(events(store, f.loop, {.since = noon + hours(1)})) == std::vector<int64_t>{2, 3, 4});
        CHECK(ids(events(store, f.loop, {.subject = "fra1"})) == std::vector<int64_t>{1, 3});
        CHECK(ids(events(store, f.loop, {.limit = 2})) == std::vector<int64_t>{3, 4});
    }
    Store store(f.options(), noon);
    CHECK(store.append(event_of("fra1")).id == 5);
    const auto all = events(store, f.loop);
    CHECK(ids(all) == std::vector<int64_t>{1, 2, 3, 4, 5});
    CHECK(all[1].subject == "sin1");
    CHECK(all[1].time == noon + hours(1));
    CHECK(all[1].kind == EventKind::gateway);
    CHECK(all[1].severity == Severity::warning);
    CHECK(all[1].from == "up");
    CHECK(all[1].to == "down");
    CHECK(all[1].message == "sin1 is down");
}

TEST_CASE("a subscriber may let go while it hears") {
    Fixture f;
    Store store(f.options(), noon);
    int heard = 0;
    EventSubscription first, second;
    first = store.subscribe([&](const Event&) {
        ++heard;
        first.reset();
        second.reset();
    });
    second = store.subscribe([&](const Event&) { ++heard; });
    store.append(event_of("fra1"));
    store.append(event_of("fra1"));
    CHECK(heard == 1);
}

TEST_CASE("the number of stored events is bounded") {
    Fixture f;
    StoreOptions options = f.options();
    options.max_events = 100;
    options.recent_events = 10;
    Store store(options, noon);
    for (int i = 0; i < 1000; ++i) store.append(event_of("fra1"));
    const auto kept = events(store, f.loop, {.limit = 5000});
    CHECK(kept.size() >= 100);
    CHECK(kept.size() <= 102);
    CHECK(kept.back().id == 1000);
    CHECK(store.recent_events().size() == 10);
}

TEST_CASE("last known health comes back with its age") {
    Fixture f;
    {
        Store store(f.options(), noon);
        CHECK(store.remembered().empty());
        store.remember({{"fra1/203.0.113.10", HealthState::down, noon}, {"iad1/a", HealthState::up, noon}});
        store.remember({{"fra1/203.0.113.10", HealthState::up, noon + hours(1)}});
    }
    Store store(f.options(), noon + hours(4));
    REQUIRE(store.remembered().size() == 1);
    CHECK(store.remembered()[0].endpoint == "fra1/203.0.113.10");
    CHECK(store.remembered()[0].state == HealthState::up);
    CHECK(store.remembered()[0].at == noon + hours(1));
}

TEST_CASE("text is stored as text, whatever is in it") {
    Fixture f;
    Override item = drain_of("fra1");
    item.reason = "it's \"odd\"; DROP TABLE override; -- \xc3\xa4\n";
    {
        Store store(f.options(), noon);
        REQUIRE(set(store, f.loop, {item}));
    }
    Store store(f.options(), noon);
    REQUIRE(store.overrides().size() == 1);
    CHECK(store.overrides()[0].reason == item.reason);
}

TEST_CASE("serials and challenges of the zones survive a restart") {
    Fixture f;
    ZoneMemory zones;
    zones.serials = {{"gslb.example.com", 4'000'000'000, 0xffff'0000'1111'2222}};
    zones.challenges = {
        {"gslb.example.com", "_acme-challenge.vpn.gslb.example.com", "a\"b", noon + hours(1), "alice"}};
    {
        Store store(f.options(), noon);
        CHECK(store.zones() == ZoneMemory{});
        store.remember_zones(zones);
        CHECK(store.zones() == zones);
    }
    {
        Store store(f.options(), noon);
        CHECK(store.zones() == zones);
        store.remember_zones({zones.serials, {}});
    }
    CHECK(Store(f.options(), noon).zones() == ZoneMemory{zones.serials, {}});
}
