// SPDX-License-Identifier: Apache-2.0
// The prober as a whole, on a real loop with sockets on loopback.

#include <fcntl.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "probes/name_watch.h"
#include "support/name_server.h"
#include "unit/probes/fleet.h"
#include "unit/probes/sockets.h"

using namespace fairway;
using namespace fairway::test;

namespace {

Monitor tcp(const std::string& name, uint16_t port) {
    return monitor(name, TcpProbe{}, port);
}

size_t accepted(const TcpListener& listener) {
    size_t count = 0;
    while (true) {
        const int fd = ::accept4(listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK);
        if (fd < 0) return count;
        ::close(fd);
        ++count;
    }
}

/// Accepting must not block the test.
void unblock(const TcpListener& listener) {
    const int flags = ::fcntl(listener.fd.get(), F_GETFL);
    REQUIRE(::fcntl(listener.fd.get(), F_SETFL, flags | O_NONBLOCK) == 0);
}

std::string about(const Reported& reported) {
    return std::to_string(reported.endpoint.value) + "/" + std::to_string(reported.slot) + " " +
           describe(reported.result);
}

std::set<std::string> all_of(const std::vector<Reported>& results) {
    std::set<std::string> texts;
    for (const Reported& reported : results) texts.insert(about(reported));
    return texts;
}

}  // namespace

TEST_CASE("the first round ends once, when every check has reported") {
    const TcpListener up("0.0.0.0");
    const RefusingPort down;
    Harness harness;
    const auto results = harness.first_round(ModelBuilder()
                                                 .add(tcp("up", up.port))
                                                 .add(tcp("down", down.port))
                                                 .gateway("a", {"127.0.0.1", "127.0.0.2"}, {"up", "down"})
                                                 .gateway("b", {"127.0.0.1"}, {"down"})
                                                 .build());
    CHECK(all_of(results) == std::set<std::string>{"0/0 ok", "0/1 transport: connect refused", "1/0 ok",
                                                   "1/1 transport: connect refused",
                                                   "2/0 transport: connect refused"});
    const size_t reported = harness.results.size();
    harness.run_until([&] { return harness.results.size() >= reported + 10; });
    CHECK(harness.first_rounds == 1);
}

TEST_CASE("a model without checks has its first round too, but not inside configure") {
    Harness harness;
    harness.prober.configure(ModelBuilder().build());
    CHECK(harness.first_rounds == 0);
    harness.run_until([&] { return harness.first_rounds == 1; });
}

TEST_CASE("a check that cannot finish does not hold up the first round beyond its timeout") {
    const SilentListener silent;
    const TcpListener up;
    Harness harness;
    const MonotonicTime begun = harness.loop.now();
    const auto results = harness.first_round(ModelBuilder()
                                                 .add(tcp("silent", silent.port))
                                                 .add(tcp("up", up.port))
                                                 .gateway("a", {"127.0.0.1"}, {"silent", "up"})
                                                 .build());
    CHECK(all_of(results).count("0/0 transport: connect timed out after 150ms") == 1);
    CHECK(all_of(results).count("0/1 ok") == 1);
    CHECK(harness.loop.now() - begun < seconds{5});
}

TEST_CASE("identical checks are made once and reported to everybody who asked") {
    const TcpListener listener;
    unblock(listener);
    Harness harness;
    Monitor twin = tcp("twin", listener.port);
    twin.fall = 9;  // judged differently, probed the same
    Monitor other = tcp("other", listener.port);
    other.timeout = milliseconds{100};
    harness.first_round(ModelBuilder()
                            .add(tcp("tcp", listener.port))
                            .add(twin)
                            .add(other)
                            .gateway("a", {"127.0.0.1"}, {"tcp", "other"})
                            .gateway("b", {"127.0.0.1"}, {"twin", "tcp"})
                            .build());
    CHECK(harness.prober.stats().jobs == 2);
    CHECK(all_of(harness.results) == std::set<std::string>{"0/0 ok", "0/1 ok", "1/0 ok", "1/1 ok"});
    const uint64_t attempts = harness.prober.stats().finished;
    CHECK(harness.results.size() > attempts);
    CHECK(accepted(listener) <= harness.prober.stats().started);
}

TEST_CASE("the most impatient answer to a shared result sets the pace") {
    const RefusingPort down;
    Harness harness;
    Monitor slow = tcp("tcp", down.port);
    slow.interval = seconds{60};
    slow.recheck = milliseconds{5};
    harness.judge = [](const Reported& reported) {
        return reported.endpoint == EndpointId(size_t{1}) ? Pace::recheck : Pace::interval;
    };
    harness.prober.configure(ModelBuilder()
                                 .add(slow)
                                 .gateway("a", {"127.0.0.1"}, {"tcp"})
                                 .gateway("b", {"127.0.0.1"}, {"tcp"})
                                 .build());
    harness.run_until([&] { return harness.results.size() >= 20; });
    CHECK(harness.prober.stats().finished >= 10);
}

TEST_CASE("explicit refusals are rechecked at once, within the rate of the gateway") {
    const RefusingPort down;
    Harness harness({.rate = 0, .rate_per_gateway = 50});
    harness.judge = [](const Reported&) { return Pace::at_once; };
    const MonotonicTime begun = harness.loop.now();
    harness.prober.configure(
        ModelBuilder().add(tcp("tcp", down.port)).gateway("a", {"127.0.0.1"}, {"tcp"}).build());
    harness.run_until([&] { return harness.results.size() >= 15; });
    // Five at once, then one every 20 ms.
    CHECK(harness.loop.now() - begun >= milliseconds{200});
    CHECK(harness.prober.stats().deferred >= 5);
}

TEST_CASE("a new configuration keeps what did not change, cancels what is gone and starts what is new") {
    const TcpListener listener("0.0.0.0");
    const SilentListener silent;
    Harness harness;
    Monitor hourly = tcp("hourly", listener.port);
    hourly.interval = std::chrono::hours{1};
    Monitor stuck = tcp("stuck", silent.port);
    stuck.timeout = seconds{60};
    stuck.interval = std::chrono::hours{1};
    harness.prober.configure(ModelBuilder()
                                 .add(hourly)
                                 .add(stuck)
                                 .gateway("a", {"127.0.0.1", "127.0.0.2"}, {"hourly", "stuck"})
                                 .build());
    harness.run_until([&] { return harness.results.size() == 2 && harness.prober.stats().in_flight == 2; });
    CHECK(harness.first_rounds == 0);
    harness.results.clear();

    // The first endpoint goes; the second is now the first; a third comes.
    harness.first_round(ModelBuilder()
                            .add(hourly)
                            .gateway("new", {"127.0.0.3"}, {"hourly"})
                            .gateway("a", {"127.0.0.2"}, {"hourly"})
                            .build());
    CHECK(harness.prober.stats().in_flight == 0);
    CHECK(harness.prober.stats().jobs == 2);
    CHECK(all_of(harness.results) == std::set<std::string>{"0/0 ok"});
    CHECK(harness.results.size() == 1);
    CHECK(harness.first_rounds == 1);

    // What was kept reports under its new place.
    std::optional<ProbeReport> report;
    REQUIRE(harness.prober.probe_now(EndpointId(size_t{1}), MonitorId(size_t{0}),
                                     [&](ProbeReport done) { report = std::move(done); }));
    harness.run_until([&] { return report.has_value(); });
    CHECK(about(harness.results.back()) == "1/0 ok");
}

TEST_CASE("a job in flight that a reload leaves alone reports to its new subscribers") {
    const SilentListener silent;
    Harness harness;
    Monitor stuck = tcp("stuck", silent.port);
    stuck.interval = seconds{60};
    stuck.timeout = milliseconds{300};
    harness.prober.configure(ModelBuilder().add(stuck).gateway("a", {"127.0.0.1"}, {"stuck"}).build());
    harness.run_until([&] { return harness.prober.stats().in_flight == 1; });
    harness.prober.configure(ModelBuilder()
                                 .add(stuck)
                                 .gateway("b", {"127.0.0.9"}, {})
                                 .gateway("a", {"127.0.0.1"}, {"stuck"})
                                 .build());
    CHECK(harness.prober.stats().in_flight == 1);
    harness.run_until([&] { return !harness.results.empty(); });
    CHECK(about(harness.results[0]) == "1/0 transport: connect timed out after 300ms");
}

TEST_CASE("probe now reports its steps, and its result is an ordinary one") {
    const TcpListener listener;
    Harness harness;
    Monitor hourly = tcp("tcp", listener.port);
    hourly.interval = std::chrono::hours{1};
    harness.first_round(ModelBuilder().add(hourly).gateway("a", {"127.0.0.1"}, {"tcp"}).build());
    std::vector<ProbeReport> reports;
    const auto keep = [&](ProbeReport report) { reports.push_back(std::move(report)); };
    REQUIRE(harness.prober.probe_now(EndpointId(size_t{0}), MonitorId(size_t{0}), keep));
    REQUIRE(harness.prober.probe_now(EndpointId(size_t{0}), MonitorId(size_t{0}), keep));
    CHECK(reports.empty());
    harness.run_until([&] { return reports.size() == 2; });
    CHECK(harness.results.size() == 2);  // both watched the same attempt
    for (const ProbeReport& report : reports) {
        CHECK(describe(report.result) == "ok");
        REQUIRE(report.steps.size() == 2);
        CHECK(report.steps[0].what == "connect 127.0.0.1:" + std::to_string(listener.port));
        CHECK(report.steps[1].what == "ok");
    }
    CHECK_FALSE(harness.prober.probe_now(EndpointId(size_t{0}), MonitorId(size_t{7}), keep));
    CHECK_FALSE(harness.prober.probe_now(EndpointId(size_t{5}), MonitorId(size_t{0}), keep));
}

TEST_CASE("probe now of a check that a reload removes says so") {
    const SilentListener silent;
    Harness harness;
    Monitor stuck = tcp("stuck", silent.port);
    stuck.timeout = seconds{60};
    stuck.interval = std::chrono::hours{1};
    harness.prober.configure(ModelBuilder().add(stuck).gateway("a", {"127.0.0.1"}, {"stuck"}).build());
    std::vector<std::string> ends;
    const auto keep = [&](const ProbeReport& report) { ends.push_back(describe(report.result)); };
    REQUIRE(harness.prober.probe_now(EndpointId(size_t{0}), MonitorId(size_t{0}), keep));
    harness.run_until([&] { return harness.prober.stats().in_flight == 1; });
    REQUIRE(harness.prober.probe_now(EndpointId(size_t{0}), MonitorId(size_t{0}), keep));
    harness.prober.configure(ModelBuilder().build());
    CHECK(ends.empty());
    harness.run_until([&] { return ends.size() == 2; });
    CHECK(ends[0] == "internal: the check was removed from the configuration");
}

TEST_CASE("a stuck target never delays the others") {
    const SilentListener silent;
    const TcpListener listener("0.0.0.0");
    Harness harness({.rate = 0, .rate_per_gateway = 0});
    Monitor good = tcp("good", listener.port);
    good.interval = milliseconds{20};
    Monitor stuck = tcp("stuck", silent.port);
    stuck.interval = milliseconds{20};
    stuck.timeout = seconds{60};
    ModelBuilder builder;
    builder.add(good).add(stuck);
    for (int i = 1; i <= 20; ++i)
        builder.gateway("gw" + std::to_string(i), {"127.0.0." + std::to_string(i)},
                        {i % 2 == 0 ? "stuck" : "good"});
    harness.prober.configure(builder.build());
    // While ten attempts do not end, the ten other targets are probed a hundred times each.
    harness.run_until([&] { return harness.results.size() >= 1'000; });
    CHECK(harness.prober.stats().in_flight >= 10);
    std::map<uint32_t, int> counts;
    for (const Reported& reported : harness.results) {
        ++counts[reported.endpoint.value];
        CHECK(describe(reported.result) == "ok");
    }
    CHECK(counts.size() == 10);
}

TEST_CASE("a monitor that cannot be compiled fails as internal, with the reason") {
    Harness harness;
    UnfinishedProbe unfinished;
    unfinished.type = "quic";
    const auto results = harness.first_round(
        ModelBuilder().add(monitor("later", unfinished, 1)).gateway("a", {"127.0.0.1"}, {"later"}).build());
    REQUIRE(results.size() == 1);
    CHECK(results[0].result.layer == ProbeLayer::internal);
    CHECK(results[0].result.reason.find("quic") != std::string::npos);
}

TEST_CASE("the statistics add up") {
    const TcpListener listener;
    const RefusingPort down;
    Harness harness;
    harness.prober.configure(ModelBuilder()
                                 .add(tcp("up", listener.port))
                                 .add(tcp("down", down.port))
                                 .gateway("a", {"127.0.0.1"}, {"up", "down"})
                                 .build());
    harness.run_until([&] { return harness.results.size() >= 20; });
    const ProberStats stats = harness.prober.stats();
    CHECK(stats.finished == harness.results.size());
    CHECK(stats.started == stats.finished + stats.in_flight);
    CHECK(stats.failed == static_cast<uint64_t>(std::count_if(
                              harness.results.begin(), harness.results.end(),
                              [](const Reported& reported) { return !reported.result.usable(); })));
    uint64_t starts = 0;
    for (const uint64_t count : stats.lag) starts += count;
    CHECK(starts == stats.started);
    CHECK(stats.jobs == 2);
}

// ------------------------------------------------------------------------------------------------- names

TEST_CASE("a host name is resolved, reported and probed") {
    const TcpListener listener;
    Harness harness;
    harness.names.records["gw.example.com"] = {{"127.0.0.1", 3600}};
    const auto results = harness.first_round(
        ModelBuilder().add(tcp("tcp", listener.port)).gateway("a", {"GW.example.com"}, {"tcp"}).build());
    REQUIRE(results.size() == 1);
    CHECK(describe(results[0].result) == "ok");
    CHECK(harness.addresses ==
          std::vector<std::pair<EndpointId, std::string>>{{EndpointId(size_t{0}), "127.0.0.1"}});
    CHECK(harness.prober.stats().names == 1);
    CHECK(harness.prober.stats().names_failing == 0);

    std::optional<ProbeReport> report;
    harness.prober.probe_now(EndpointId(size_t{0}), MonitorId(size_t{0}),
                             [&](ProbeReport done) { report = std::move(done); });
    harness.run_until([&] { return report.has_value(); });
    REQUIRE(report->steps.size() == 3);
    CHECK(report->steps[0].what == "resolve gw.example.com: 127.0.0.1 (known for 0s)");
}

TEST_CASE("a name that cannot be resolved fails in the resolver while there is no address") {
    const TcpListener listener;
    Harness harness;
    const auto results = harness.first_round(
        ModelBuilder().add(tcp("tcp", listener.port)).gateway("a", {"missing.example.com"}, {"tcp"}).build());
    REQUIRE(results.size() == 1);
    CHECK(describe(results[0].result) == "resolve: cannot resolve missing.example.com: no such name");
    CHECK(harness.addresses ==
          std::vector<std::pair<EndpointId, std::string>>{{EndpointId(size_t{0}), "error: no such name"}});
    CHECK(harness.prober.stats().names_failing == 1);

    // It is asked for again, and heals.
    harness.names.records["missing.example.com"] = {{"127.0.0.1", 3600}};
    harness.run_until([&] { return harness.addresses.size() == 2; });
    CHECK(harness.addresses.back().second == "127.0.0.1");
    const size_t before = harness.results.size();
    harness.run_until([&] { return harness.results.size() > before + 1; });
    CHECK(describe(harness.results.back().result) == "ok");
}

TEST_CASE("a silent name server is a timeout of the check, not a hang") {
    const TcpListener listener;
    Harness harness;
    harness.names.mood = LocalNameServer::Mood::silent;
    Monitor hasty = tcp("tcp", listener.port);
    hasty.timeout = milliseconds{10};
    harness.prober.configure(ModelBuilder().add(hasty).gateway("a", {"gw.example.com"}, {"tcp"}).build());
    std::optional<ProbeReport> report;
    harness.prober.probe_now(EndpointId(size_t{0}), MonitorId(size_t{0}),
                             [&](ProbeReport done) { report = std::move(done); });
    harness.run_until([&] { return report.has_value(); });
    CHECK(describe(report->result) == "resolve: cannot resolve gw.example.com: no answer after 10ms");
}

TEST_CASE("the last good address outlives failures of the resolver, with a warning") {
    // Straight on the watch, with TTLs of a millisecond.
    net::Loop loop;
    net::Timer limit(loop, [] { FAIL("nothing happened for twenty seconds"); });
    limit.start(seconds{20});
    LocalNameServer names(loop);
    names.records["gw.example.com"] = {{"127.0.0.2", 0}, {"127.0.0.1", 0}};
    net::Resolver resolver(
        loop,
        {.servers = {names.address()}, .timeout = milliseconds{20}, .tries = 1, .use_hosts_file = false});
    int changes = 0;
    const NameWatch::Limits limits{.shortest_ttl = milliseconds{1},
                                   .longest_ttl = seconds{60},
                                   .first_retry = milliseconds{1},
                                   .longest_retry = milliseconds{4}};
    NameWatch watch(loop, resolver, limits, 1, [&](NameWatch::NameId) { ++changes; });
    const auto id = watch.add("gw.example.com");
    while (changes == 0) loop.run_once();
    CHECK(watch.status(id).address->to_string() == "127.0.0.2");

    // Rotated answers are no change; then the server fails.
    names.records["gw.example.com"] = {{"127.0.0.1", 0}, {"127.0.0.2", 0}};
    const size_t asked = names.queries;
    while (names.queries < asked + 2) loop.run_once();
    names.mood = LocalNameServer::Mood::failing;
    while (changes == 1) loop.run_once();
    CHECK(changes == 2);
    CHECK(watch.status(id).address->to_string() == "127.0.0.2");
    CHECK(watch.status(id).error == "no name server gave an answer");
    CHECK(watch.failing() == 1);
    names.mood = LocalNameServer::Mood::answering;
    names.records["gw.example.com"] = {{"127.0.0.3", 0}};
    while (changes == 2) loop.run_once();
    CHECK(watch.status(id).address->to_string() == "127.0.0.3");
    CHECK(watch.status(id).error.empty());
    watch.remove(id);
    CHECK(watch.size() == 0);
}

TEST_CASE("a monitor's own address is probed instead of the endpoint's, by name too") {
    const TcpListener listener("127.0.0.1");
    Harness harness;
    harness.names.records["admin.example.com"] = {{"127.0.0.1", 60}};
    Monitor elsewhere = tcp("elsewhere", listener.port);
    elsewhere.address = "admin.example.com";
    const auto results = harness.first_round(
        ModelBuilder().add(elsewhere).gateway("a", {"192.0.2.1", "192.0.2.2"}, {"elsewhere"}).build());
    CHECK(all_of(results) == std::set<std::string>{"0/0 ok", "1/0 ok"});
    CHECK(harness.prober.stats().jobs == 1);
    CHECK(harness.addresses.empty());  // only endpoints' own names are reported
}

TEST_CASE("addresses are reported again after a reload") {
    const TcpListener listener;
    Harness harness;
    harness.names.records["gw.example.com"] = {{"127.0.0.1", 3600}};
    const auto model = ModelBuilder()
                           .add(tcp("tcp", listener.port))
                           .gateway("x", {"127.0.0.7"}, {"tcp"})
                           .gateway("a", {"gw.example.com"}, {"tcp"})
                           .build();
    harness.first_round(model);
    REQUIRE(harness.addresses.size() == 1);
    const size_t queries = harness.names.queries;
    harness.prober.configure(
        ModelBuilder().add(tcp("tcp", listener.port)).gateway("a", {"gw.example.com"}, {"tcp"}).build());
    CHECK(harness.addresses.size() == 1);
    harness.run_until([&] { return harness.addresses.size() == 2; });
    CHECK(harness.addresses.back() == std::pair<EndpointId, std::string>{EndpointId(size_t{0}), "127.0.0.1"});
    CHECK(harness.names.queries == queries);
}
