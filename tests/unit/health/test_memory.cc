// SPDX-License-Identifier: Apache-2.0
// An engine that goes on with what another knew is, from then on, the same engine.
#include <catch2/catch.hpp>
#include <random>
#include <sstream>

#include "health/engine.h"
#include "health/memory.h"
#include "sim/results.h"
#include "unit/health/small_model.h"

using namespace fairway;
using namespace fairway::sim;

namespace {

const MonotonicTime start{std::chrono::hours{1}};

std::string told(HealthEngine& engine) {
    std::ostringstream text;
    for (const Transition& t : engine.take_transitions())
        text << static_cast<int>(t.subject) << ' ' << t.name << ' ' << t.from << '>' << t.to << ": "
             << t.reason << '\n';
    return text.str();
}

std::string picture(HealthEngine& engine, MonotonicTime now) {
    std::ostringstream text;
    const auto snapshot = engine.snapshot();
    text << snapshot->first_round_done << '\n';
    for (const Endpoint& endpoint : engine.model().endpoints) {
        const EndpointReport report = engine.report(endpoint.id, now);
        const EndpointStatus& status = (*snapshot)[endpoint.id];
        text << endpoint.name << ' ' << (status.address ? status.address->to_string() : "-") << ' '
             << to_string(status.measured) << ' ' << to_string(status.effective) << ' ' << status.serving
             << status.withheld << status.in_doubt << ' ' << status.rtt.count() << ' ' << report.frozen << ' '
             << report.penalty << ' ' << report.since.time_since_epoch().count() << ' ' << report.last_change
             << (report.held_until ? " held" : "");
        for (const MonitorReport& monitor : report.monitors)
            text << " | " << to_string(monitor.state) << monitor.in_doubt << ' ' << monitor.failures << ' '
                 << monitor.successes << ' ' << (monitor.last ? describe(*monitor.last) : "-") << ' '
                 << monitor.last_change;
        text << '\n';
    }
    for (const Gateway& gateway : engine.model().gateways) {
        const GatewayReport report = engine.report(gateway.id);
        text << gateway.name << ' ' << to_string(report.status.effective) << report.status.usable << ' '
             << (report.active.valid() ? static_cast<int>(report.active.value) : -1) << ' '
             << report.since.time_since_epoch().count() << ' ' << report.last_change << '\n';
    }
    for (const Service& service : engine.model().services) {
        for (const auto& held : engine.report(service.id).held)
            text << service.key << " holds " << held.gateway.value << (held.until ? " for a time" : "")
                 << '\n';
    }
    text << engine.isolated() << '\n';
    return text.str();
}

HealthMemory through_text(const HealthEngine& engine) {
    const std::string text = to_text(engine.remember());
    auto memory = parse_health_memory(text);
    REQUIRE(memory);
    CHECK(to_text(*memory) == text);
    return std::move(*memory);
}

}  // namespace

TEST_CASE("an engine that recalls another one tells nothing, and then tells what the other one tells") {
    for (unsigned seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        const auto model = test::small_model();
        MonotonicTime now = start;
        HealthEngine one;
        (void)one.configure(model, now);
        std::vector<Override> overrides;
        std::unique_ptr<HealthEngine> other;
        for (int step = 0; step < 200; ++step) {
            now += milliseconds{50 + random() % 3000};
            if (step == 40) {
                one.finish_first_round(now);
                if (other) other->finish_first_round(now);
            }
            // Bad times and good ones, for all at once too, so that everything happens: flaps, isolation.
            const bool bad_times = (step / 25) % 2 == 1;
            const auto all = [&](const auto& act) {
                act(one);
                if (other) act(*other);
            };
            all([&](HealthEngine& engine) { engine.advance(now); });
            const EndpointId id(random() % model->endpoints.size());
            const Gateway& gateway = (*model)[(*model)[id].gateway];
            const size_t slot = random() % gateway.monitors.size();
            ProbeResult result =
                random() % 10 < (bad_times ? 8U : 1U) ? (random() % 3 != 0 ? silence() : refused()) : pass();
            if (result.usable()) result.rtt = microseconds{1000 + random() % 50'000};
            if (random() % 30 == 0) result = degraded();
            Pace first{};
            all([&](HealthEngine& engine) { first = engine.record(id, slot, result, now); });
            if (other)
                CHECK(other->record(id, slot, own_trouble(), now) ==
                      one.record(id, slot, own_trouble(), now));
            if (step % 20 == 7) {
                const auto address = IpAddress::v4(static_cast<uint32_t>(0x0a000100 + step));
                all([&](HealthEngine& engine) { engine.set_address(EndpointId(3), address, now); });
            }
            if (step % 30 == 11) {
                overrides.clear();
                if (random() % 2 == 0) {
                    Override entry;
                    entry.id = step;
                    entry.target = "fra";
                    entry.state = random() % 2 == 0 ? AdminState::drain : AdminState::forced_down;
                    entry.actor = "alice";
                    overrides.push_back(entry);
                }
                all([&](HealthEngine& engine) { (void)engine.set_overrides(overrides, now); });
            }
            if (other) {
                CHECK(told(*other) == told(one));
                REQUIRE(picture(*other, now) == picture(one, now));
            } else {
                (void)one.take_transitions();
            }
            if (step % 17 != 3) continue;
            other = std::make_unique<HealthEngine>();
            (void)other->configure(model, now);
            (void)other->set_overrides(overrides, now);
            (void)other->take_transitions();
            other->recall(through_text(one), now);
            (void)other->take_transitions();
            REQUIRE(picture(*other, now) == picture(one, now));
            CHECK(other->next_deadline() == one.next_deadline());
        }
    }
}

TEST_CASE("with another configuration, what exists under the same names is known, the rest is not") {
    const auto model = test::small_model();
    MonotonicTime now = start;
    HealthEngine one;
    (void)one.configure(model, now);
    for (const Endpoint& endpoint : model->endpoints) {
        for (size_t slot = 0; slot < (*model)[endpoint.gateway].monitors.size(); ++slot)
            (void)one.record(endpoint.id, slot, endpoint.name == "b" ? refused() : pass(), now += seconds{1});
    }
    one.finish_first_round(now);
    auto changed = std::make_shared<Model>(*model);
    changed->gateways[0].name = "fra2";         // another gateway
    changed->endpoints[2].host = "192.0.2.99";  // another host under the same name
    changed->monitors[1].port = 443;            // another question
    changed->services.pop_back();
    HealthEngine next;
    (void)next.configure(changed, now);
    next.recall(through_text(one), now);
    const auto snapshot = next.snapshot();
    CHECK(snapshot->first_round_done);
    CHECK((*snapshot)[EndpointId(0)].measured == HealthState::unknown);
    CHECK((*snapshot)[EndpointId(2)].measured == HealthState::unknown);
    // Stays what it was until the changed monitor has decided.
    CHECK((*snapshot)[EndpointId(3)].measured == HealthState::up);
    CHECK(next.report(EndpointId(3), now).monitors[0].state == HealthState::up);
    CHECK(next.report(EndpointId(3), now).monitors[1].state == HealthState::unknown);
    CHECK((*snapshot)[EndpointId(4)].measured == HealthState::up);
}

TEST_CASE("a memory with values out of their ranges is refused") {
    CHECK(parse_health_memory("{}"));
    CHECK(parse_health_memory(R"({"later":{"news":[1]},"isolated":true})")->isolated);
    for (const char* text :
         {"", "[]", "nonsense", R"({"isolated":1})", R"({"endpoints":{}})", R"({"endpoints":[7]})",
          R"({"endpoints":[{"measured":5}]})", R"({"endpoints":[{"measured":-1}]})",
          R"({"endpoints":[{"rtt":-1}]})", R"({"endpoints":[{"held_until":"never"}]})",
          R"({"endpoints":[{"held_until":9223372036854775807}]})", R"({"endpoints":[{"address":"nowhere"}]})",
          R"({"endpoints":[{"penalty":{"penalty":1e300}}]})",
          R"({"endpoints":[{"monitors":[{"failures":-1}]}]})",
          R"({"endpoints":[{"monitors":[{"last":{"layer":99}}]}]})", R"({"thaw_at":1.5})"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_health_memory(text));
    }
}
