// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <sstream>

#include "health/engine.h"
#include "sim/results.h"

using namespace fairway;
using namespace fairway::sim;

namespace {

const MonotonicTime start{std::chrono::hours{1}};

/// "fra" has endpoints a and b, "iad" c, "sin" d (active-standby, with e behind it); service "vpn" has all
/// three. fra and sin have the monitor ike, iad ike and portal.
struct World {
    std::shared_ptr<Model> model = std::make_shared<Model>();
    HealthEngine engine;
    MonotonicTime now = start;

    explicit World(const HealthSettings& settings = {}) : engine(settings) {
        add_monitor("ike");
        add_monitor("portal");
        add_gateway("fra", {"a", "b"}, {MonitorId(0)});
        add_gateway("iad", {"c"}, {MonitorId(0), MonitorId(1)});
        add_gateway("sin", {"d", "e"}, {MonitorId(0)});
        model->gateways[2].mode = GatewayMode::active_standby;
        Service service;
        service.id = ServiceId(0);
        service.key = "vpn";
        service.gateways = {GatewayId(0), GatewayId(1), GatewayId(2)};
        model->services.push_back(service);
    }

    void add_monitor(const std::string& name) {
        Monitor monitor;
        monitor.id = MonitorId(model->monitors.size());
        monitor.name = name;
        monitor.interval = seconds{2};
        monitor.port = 500;
        model->monitors.push_back(monitor);
    }
    void add_gateway(const std::string& name, const std::vector<std::string>& endpoints,
                     std::vector<MonitorId> monitors) {
        Gateway gateway;
        gateway.id = GatewayId(model->gateways.size());
        gateway.name = name;
        gateway.region = RegionId(model->regions.size());
        gateway.zone = name + "-az1";
        model->regions.push_back({gateway.region, "region-" + name, std::nullopt});
        gateway.health = HealthExpression::all_of(monitors.size());
        gateway.monitors = std::move(monitors);
        for (const std::string& host : endpoints) {
            Endpoint endpoint;
            endpoint.id = EndpointId(model->endpoints.size());
            endpoint.gateway = gateway.id;
            endpoint.name = endpoint.host = host;
            endpoint.address = IpAddress::v4(0x0a000001U + endpoint.id.value);
            gateway.endpoints.push_back(endpoint.id);
            model->endpoints.push_back(endpoint);
        }
        model->gateways.push_back(gateway);
    }

    void configure() { (void)engine.configure(model, now); }
    /// A copy with the changes of `edit`, taken over.
    template <class Edit>
    std::vector<UnresolvedOverride> reconfigure(Edit edit) {
        model = std::make_shared<Model>(*model);
        edit(*model);
        return engine.configure(model, now);
    }
    EndpointId find(const std::string& name) const {
        for (const Endpoint& endpoint : model->endpoints) {
            if (endpoint.name == name) return endpoint.id;
        }
        throw std::out_of_range(name);
    }
    /// `count` results for every monitor of the endpoint, 100 ms apart.
    void feed(const std::string& name, const ProbeResult& result, int count = 1) {
        const EndpointId id = find(name);
        for (int i = 0; i < count; ++i) {
            now += milliseconds{100};
            engine.advance(now);
            for (size_t slot = 0; slot < (*model)[(*model)[id].gateway].monitors.size(); ++slot)
                (void)engine.record(id, slot, result, now);
        }
    }
    void pass_time(nanoseconds time) {
        now += time;
        engine.advance(now);
    }
    /// Everything configured, all up, first round done, transitions taken.
    void bring_up() {
        configure();
        for (const Endpoint& endpoint : model->endpoints) feed(endpoint.name, pass());
        engine.finish_first_round(now);
        (void)engine.take_transitions();
    }
    std::shared_ptr<const HealthSnapshot> snapshot() { return engine.snapshot(); }
    /// Names of what serves: "a b c d".
    std::string serving() {
        std::string names;
        for (const Endpoint& endpoint : model->endpoints) {
            if ((*snapshot())[endpoint.id].serving) names += (names.empty() ? "" : " ") + endpoint.name;
        }
        return names;
    }
    /// "endpoint fra/a up>down; gateway fra up>degraded": what was told since the last call.
    std::string told() {
        static constexpr std::array words{"endpoint", "gateway", "zone", "region", "service", "node"};
        std::string text;
        for (const Transition& t : engine.take_transitions()) {
            text += (text.empty() ? "" : "; ") + std::string(words[static_cast<size_t>(t.subject)]) +
                    (t.name.empty() ? "" : " ") + t.name + " " + t.from + ">" + t.to;
        }
        return text;
    }
    std::vector<UnresolvedOverride> decide(const std::vector<std::pair<std::string, AdminState>>& decisions) {
        std::vector<Override> overrides;
        for (const auto& [target, state] : decisions) {
            Override entry;
            entry.id = static_cast<int64_t>(overrides.size()) + 1;
            entry.state = state;
            entry.target = target;
            entry.actor = "alice";
            entry.reason = "patching";
            overrides.push_back(entry);
        }
        return engine.set_overrides(overrides, now);
    }
};

}  // namespace

TEST_CASE(
    "before the first result everything is unknown, in doubt and served; then the first result decides") {
    World world;
    world.configure();
    CHECK(world.serving() == "a b c d");
    CHECK_FALSE(world.snapshot()->first_round_done);
    const EndpointStatus before = (*world.snapshot())[world.find("a")];
    CHECK(before.measured == HealthState::unknown);
    CHECK(before.in_doubt);

    world.feed("a", pass());
    world.feed("b", silence());
    CHECK((*world.snapshot())[world.find("a")].measured == HealthState::up);
    CHECK_FALSE((*world.snapshot())[world.find("a")].in_doubt);
    CHECK((*world.snapshot())[world.find("b")].measured == HealthState::down);
    CHECK(world.serving() == "a c d");
    world.engine.finish_first_round(world.now);
    CHECK(world.snapshot()->first_round_done);
    CHECK(world.told() ==
          "endpoint fra/a unknown>up; gateway fra unknown>up; zone fra-az1 unknown>up; region region-fra "
          "unknown>up; service vpn unknown>up; endpoint fra/b unknown>down");
}

TEST_CASE("a failure is told bottom up, with the reason of the probe, and so is the recovery") {
    World world;
    world.bring_up();
    world.feed("c", refused(), 2);
    CHECK(world.told().empty());  // suspect is no event
    CHECK((*world.snapshot())[world.find("c")].measured == HealthState::suspect);
    CHECK((*world.snapshot())[world.find("c")].in_doubt);
    CHECK(world.serving() == "a b c d");

    world.feed("c", refused());
    const std::vector<Transition> told = world.engine.take_transitions();
    REQUIRE(told.size() == 5);
    CHECK(told[0].name == "iad/c");
    CHECK(told[0].reason == "ike: down after 3 failures: transport: connect refused");
    CHECK(told[0].layer == ProbeLayer::transport);
    CHECK(told[0].severity == Severity::warning);
    CHECK(told[0].at == world.now);
    CHECK(told[1].name == "iad");
    CHECK(told[1].reason ==
          "0 of 1 endpoints serve; iad/c: ike: down after 3 failures: transport: connect refused");
    CHECK(told[2].subject == Transition::Subject::zone);
    CHECK(told[3].subject == Transition::Subject::region);
    CHECK(told[3].severity == Severity::critical);
    CHECK(told[4].name == "vpn");
    CHECK(told[4].to == "degraded");
    CHECK(world.serving() == "a b d");

    world.feed("c", pass(), 2);
    CHECK(world.told() ==
          "endpoint iad/c down>up; gateway iad down>up; zone iad-az1 down>up; region region-iad down>up; "
          "service vpn degraded>up");
    CHECK(world.serving() == "a b c d");
}

TEST_CASE("an endpoint is what its gateway's expression makes of its monitors") {
    World world;
    world.bring_up();
    const EndpointId c = world.find("c");
    for (int i = 0; i < 3; ++i) (void)world.engine.record(c, 1, silence(), world.now);
    CHECK((*world.snapshot())[c].measured == HealthState::down);
    world.reconfigure([](Model& model) {
        model.gateways[1].health = HealthExpression::parse("ike or portal", {"ike", "portal"}).value();
    });
    CHECK((*world.snapshot())[c].measured == HealthState::up);
    CHECK(world.serving() == "a b c d");
}

TEST_CASE("a snapshot is replaced only when something in it has changed") {
    World world;
    world.bring_up();
    const auto first = world.snapshot();
    CHECK(world.snapshot() == first);
    world.feed("a", pass(), 10);
    CHECK(world.snapshot() == first);
    world.feed("a", silence());
    const auto second = world.snapshot();
    CHECK(second != first);
    CHECK(second->generation == first->generation + 1);
    CHECK((*first)[world.find("a")].measured == HealthState::up);
    CHECK(second->model == world.model);
}

TEST_CASE("round trips are published when they really moved") {
    World world;
    world.bring_up();
    ProbeResult result = pass();
    result.rtt = milliseconds{20};
    world.feed("a", result);
    const auto first = world.snapshot();
    CHECK((*first)[world.find("a")].rtt == milliseconds{20});
    result.rtt = milliseconds{22};
    world.feed("a", result, 50);
    CHECK(world.snapshot() == first);
    result.rtt = milliseconds{90};
    world.feed("a", result, 50);
    CHECK((*world.snapshot())[world.find("a")].rtt > milliseconds{60});
}

TEST_CASE("min_up takes the whole gateway out when too few endpoints are left") {
    World world;
    world.model->gateways[0].min_up = 2;
    world.bring_up();
    world.feed("b", silence(), 3);
    CHECK(world.serving() == "c d");
    CHECK_FALSE((*world.snapshot())[GatewayId(0)].usable);
    CHECK((*world.snapshot())[GatewayId(0)].effective == HealthState::down);
    const GatewayReport report = world.engine.report(GatewayId(0));
    CHECK(report.up == 1);
    CHECK(report.serving == 0);
    CHECK(report.total == 2);
}

TEST_CASE("a standby takes over at once, and the primary returns after its delay") {
    World world;
    world.bring_up();
    CHECK(world.engine.report(GatewayId(2)).active == world.find("d"));
    world.feed("d", silence(), 3);
    CHECK(world.serving() == "a b c e");
    CHECK(world.told() == "endpoint sin/d up>down; gateway sin up>up");
    CHECK(world.engine.report(GatewayId(2)).last_change.substr(0, 31) == "active is now e instead of d; s");

    world.feed("d", pass(), 2);
    CHECK(world.serving() == "a b c e");
    CHECK((*world.snapshot())[GatewayId(2)].in_doubt);
    const auto failback = world.engine.report(GatewayId(2)).failback_at;
    REQUIRE(failback == world.now + seconds{60});
    CHECK(world.engine.next_deadline() == failback);
    world.pass_time(seconds{59});
    CHECK(world.serving() == "a b c e");
    world.pass_time(seconds{1});
    CHECK(world.serving() == "a b c d");
    CHECK(world.told() == "endpoint sin/d down>up; gateway sin up>up");
}

TEST_CASE("the standby that is looked at first hands over as soon as the primary is known to be up") {
    World world;
    world.configure();
    world.feed("e", pass());
    CHECK(world.serving() == "a b c e");
    world.feed("d", pass());
    CHECK(world.serving() == "a b c d");
}

TEST_CASE("overrides act at once, rank by their precedence, and end without a trace") {
    World world;
    world.bring_up();
    CHECK(world.decide({{"fra", AdminState::drain}}).empty());
    CHECK(world.serving() == "c d");
    const auto drained = world.snapshot();
    CHECK((*drained)[GatewayId(0)].admin == AdminState::drain);
    CHECK((*drained)[GatewayId(0)].effective == HealthState::up);
    CHECK((*drained)[world.find("a")].withheld);
    CHECK((*drained)[world.find("a")].effective == HealthState::up);
    CHECK(world.told() == "gateway fra up>drain; zone fra-az1 up>down; region region-fra up>down");

    // Down beats drain, whatever their order and breadth.
    (void)world.decide(
        {{"fra", AdminState::drain}, {"fra/a", AdminState::forced_down}, {"*", AdminState::forced_up}});
    CHECK((*world.snapshot())[world.find("a")].admin == AdminState::forced_down);
    CHECK((*world.snapshot())[world.find("a")].effective == HealthState::down);
    CHECK((*world.snapshot())[world.find("b")].admin == AdminState::drain);
    CHECK((*world.snapshot())[world.find("c")].admin == AdminState::forced_up);
    CHECK((*world.snapshot())[GatewayId(0)].admin == AdminState::automatic);

    // Up beats the probes.
    world.feed("c", silence(), 3);
    CHECK((*world.snapshot())[world.find("c")].measured == HealthState::down);
    CHECK((*world.snapshot())[world.find("c")].effective == HealthState::up);
    CHECK(world.serving() == "c d");

    (void)world.decide({});
    CHECK(world.serving() == "a b d");
    CHECK((*world.snapshot())[world.find("c")].effective == HealthState::down);
}

TEST_CASE("maintenance drains, or counts as down where it says so") {
    World world;
    world.bring_up();
    Override entry;
    entry.id = 7;
    entry.state = AdminState::maintenance;
    entry.target = "region:region-iad";
    entry.actor = "bob";
    (void)world.engine.set_overrides(std::array{entry}, world.now);
    CHECK(world.serving() == "a b d");
    CHECK((*world.snapshot())[world.find("c")].effective == HealthState::up);
    entry.maintenance_down = true;
    (void)world.engine.set_overrides(std::array{entry}, world.now);
    CHECK((*world.snapshot())[world.find("c")].effective == HealthState::down);
    CHECK(world.engine.report(world.find("c"), world.now).last_change == "maintenance by bob");
}

TEST_CASE("an override whose target is unknown is reported and applies once a reload brings it") {
    World world;
    world.bring_up();
    const auto unresolved = world.decide({{"nyc", AdminState::drain}, {"iad", AdminState::drain}});
    REQUIRE(unresolved.size() == 1);
    CHECK(unresolved[0].id == 1);
    CHECK(unresolved[0].message.find("nyc") != std::string::npos);
    CHECK(world.serving() == "a b d");
    world.reconfigure([](Model& model) { model.gateways[0].name = "nyc"; });
    CHECK(world.serving() == "d");
}

TEST_CASE("a delayed failover holds the gateway for the service until the delay is over") {
    World world;
    world.model->services[0].failover = FailoverMode::delay;
    world.model->services[0].failover_delay = seconds{30};
    world.bring_up();
    world.feed("c", silence(), 3);
    const MonotonicTime fell = world.now;
    CHECK((*world.snapshot())[ServiceId(0)].held == std::vector{GatewayId(1)});
    CHECK_FALSE((*world.snapshot())[world.find("c")].serving);
    CHECK(world.told().find("service vpn up>waiting") != std::string::npos);
    CHECK(world.engine.next_deadline() <= fell + seconds{30});
    world.pass_time(seconds{29});
    CHECK((*world.snapshot())[ServiceId(0)].held == std::vector{GatewayId(1)});
    world.pass_time(seconds{1});
    CHECK((*world.snapshot())[ServiceId(0)].held.empty());
    CHECK(world.told() == "service vpn waiting>degraded");
    // It comes back at once, and a second fall waits anew.
    world.feed("c", pass(), 2);
    CHECK(world.told().find("service vpn degraded>up") != std::string::npos);
    world.feed("c", silence(), 3);
    CHECK((*world.snapshot())[ServiceId(0)].held == std::vector{GatewayId(1)});
    world.feed("c", pass(), 2);
    CHECK((*world.snapshot())[ServiceId(0)].held.empty());
}

TEST_CASE("a failover that wants confirmation waits for it, but not when operators act") {
    World world;
    world.model->services[0].failover = FailoverMode::confirm;
    world.bring_up();
    world.feed("c", silence(), 3);
    world.pass_time(std::chrono::hours{5});
    const ServiceReport report = world.engine.report(ServiceId(0));
    REQUIRE(report.held.size() == 1);
    CHECK(report.held[0].gateway == GatewayId(1));
    CHECK_FALSE(report.held[0].until.has_value());
    CHECK(world.engine.confirm(ServiceId(0), world.now) == 1);
    CHECK(world.engine.confirm(ServiceId(0), world.now) == 0);
    CHECK((*world.snapshot())[ServiceId(0)].held.empty());

    (void)world.decide({{"fra", AdminState::forced_down}});
    CHECK((*world.snapshot())[ServiceId(0)].held.empty());
    world.feed("d", silence(), 3);
    world.feed("e", silence(), 3);
    CHECK((*world.snapshot())[ServiceId(0)].held == std::vector{GatewayId(2)});
    (void)world.decide({{"sin", AdminState::drain}});
    CHECK((*world.snapshot())[ServiceId(0)].held.empty());
}

TEST_CASE("what was down from the start is nobody's failover") {
    World world;
    world.model->services[0].failover = FailoverMode::confirm;
    world.configure();
    world.feed("c", silence(), 3);
    world.engine.finish_first_round(world.now);
    CHECK((*world.snapshot())[ServiceId(0)].held.empty());
}

TEST_CASE("an endpoint that flaps is held down, shows why, and comes back after its time") {
    World world;
    world.bring_up();
    for (int fall = 0; fall < 3; ++fall) {
        world.feed("a", silence(), 3);
        world.feed("a", pass(), 2);
    }
    EndpointReport report = world.engine.report(world.find("a"), world.now);
    CHECK(report.held_until == world.now + seconds{10});
    CHECK(report.penalty > 2.5);
    CHECK(report.status.measured == HealthState::up);
    CHECK(report.status.effective == HealthState::down);
    CHECK(report.last_change ==
          "ike: down after 3 failures: transport: timeout; it flaps: its return will be held for 10s");
    CHECK(world.serving() == "b c d");
    world.pass_time(seconds{10});
    CHECK(world.serving() == "a b c d");
    CHECK(world.engine.report(world.find("a"), world.now).last_change == "hold-down is over");

    // A real down is never hidden: held or not, it goes at once; the next return waits twice as long.
    world.feed("a", silence(), 3);
    CHECK(world.serving() == "b c d");
    world.feed("a", pass(), 2);
    CHECK(world.engine.report(world.find("a"), world.now).held_until == world.now + seconds{20});
}

TEST_CASE("hold-down never leaves a service without an answer") {
    World world;
    world.bring_up();
    const auto flap = [&](const std::string& name) {
        for (int fall = 0; fall < 3; ++fall) {
            world.feed(name, refused(), 3);
            world.feed(name, pass(), 2);
        }
    };
    flap("a");
    flap("b");
    CHECK(world.serving() == "c d");
    for (const char* name : {"c", "d", "e"}) world.feed(name, refused(), 3);
    // Of the two that are held, the one whose time would have come first.
    CHECK(world.serving() == "a");
    CHECK(world.told().find("service vpn down") == std::string::npos);
    // And what returns while nothing else serves is not held in the first place.
    world.feed("a", refused(), 3);
    CHECK(world.serving() == "b");
    world.feed("b", refused(), 3);
    CHECK(world.serving().empty());
    CHECK(world.told().find("service vpn degraded>down") != std::string::npos);
    world.feed("b", pass(), 2);
    CHECK(world.serving() == "b");
}

TEST_CASE("when all fall silent at once our own network is suspected, and the last answers stay") {
    World world;
    world.bring_up();
    const std::array names{"a", "b", "c", "d", "e"};
    for (int round = 0; round < 3; ++round) {
        for (const char* name : names) world.feed(name, silence());
    }
    CHECK(world.engine.isolated());
    CHECK(world.serving() == "a b c d");
    const EndpointReport report = world.engine.report(world.find("a"), world.now);
    CHECK(report.frozen);
    CHECK(report.status.measured == HealthState::down);
    CHECK(report.status.effective == HealthState::up);
    CHECK(report.status.in_doubt);
    CHECK(report.penalty == 0);
    const std::string told = world.told();
    CHECK(told.find("node connected>isolated") != std::string::npos);
    CHECK(told.find("service") == std::string::npos);
    world.pass_time(std::chrono::hours{3});
    CHECK(world.serving() == "a b c d");

    // Heard again: those that answer are up, the others get one detection's time before they are called down.
    for (const char* name : {"a", "c"}) world.feed(name, pass(), 2);
    CHECK_FALSE(world.engine.isolated());
    CHECK(world.told() == "node isolated>connected");
    CHECK(world.serving() == "a b c d");
    CHECK_FALSE(world.engine.report(world.find("a"), world.now).frozen);
    world.pass_time(seconds{20});
    CHECK(world.serving() == "a c");
    CHECK(world.told().find("gateway sin up>down") != std::string::npos);
}

TEST_CASE("an endpoint that refuses while all others are silent is down at once, and proves our network") {
    World world;
    world.bring_up();
    for (const char* name : {"a", "b", "c", "d", "e"}) world.feed(name, silence(), 3);
    REQUIRE(world.engine.isolated());
    world.feed("c", refused());
    CHECK_FALSE(world.engine.isolated());
    CHECK(world.serving() == "a b d");
    CHECK(world.engine.report(world.find("c"), world.now).last_change == "ike: transport: connect refused");
    CHECK(world.engine.report(world.find("a"), world.now).frozen);
}

TEST_CASE("a fall before the silence of all was seen is taken back when it is") {
    World world;
    world.bring_up();
    world.feed("a", silence(), 3);
    CHECK(world.serving() == "b c d");
    for (const char* name : {"b", "c", "d", "e"}) world.feed(name, silence());
    CHECK(world.engine.isolated());
    CHECK(world.serving() == "a b c d");
}

TEST_CASE("a refusal shows that our network works: nothing is frozen") {
    World world;
    world.bring_up();
    world.feed("a", refused(), 3);
    for (const char* name : {"b", "c", "d", "e"}) world.feed(name, silence(), 3);
    CHECK_FALSE(world.engine.isolated());
    CHECK(world.serving().empty());
}

TEST_CASE("endpoints that died long ago do not count when the rest falls silent") {
    World world;
    world.bring_up();
    world.feed("a", silence(), 3);
    world.pass_time(std::chrono::minutes{5});
    for (const char* name : {"b", "c", "d", "e"}) world.feed(name, silence(), 3);
    CHECK(world.engine.isolated());
    CHECK(world.serving() == "b c d");
}

TEST_CASE("without the guard silence is down") {
    HealthSettings settings;
    settings.isolation.enabled = false;
    World world(settings);
    world.bring_up();
    for (const char* name : {"a", "b", "c", "d", "e"}) world.feed(name, silence(), 3);
    CHECK_FALSE(world.engine.isolated());
    CHECK(world.serving().empty());
    CHECK(world.told().find("service vpn degraded>down") != std::string::npos);
}

TEST_CASE("a reload keeps what did not change, by name, and tells nothing") {
    World world;
    world.bring_up();
    world.feed("b", silence(), 3);
    world.feed("d", silence(), 3);
    (void)world.decide({{"iad", AdminState::drain}});
    const std::string serving = world.serving();
    CHECK(serving == "a e");
    (void)world.engine.take_transitions();
    // Other positions for everything, another interval.
    world.reconfigure([](Model& model) {
        std::swap(model.gateways[0], model.gateways[2]);
        for (size_t g = 0; g < model.gateways.size(); ++g) {
            model.gateways[g].id = GatewayId(g);
            for (const EndpointId id : model.gateways[g].endpoints)
                model.endpoints[id.index()].gateway = GatewayId(g);
        }
        model.monitors[0].interval = seconds{9};
    });
    CHECK(world.serving() == serving);
    CHECK(world.told().empty());
    CHECK((*world.snapshot())[GatewayId(2)].measured == HealthState::up);
    CHECK(world.snapshot()->first_round_done);
}

TEST_CASE("a reload that changes what is asked waits for a full count before it takes an endpoint away") {
    World world;
    world.bring_up();
    world.reconfigure([](Model& model) { model.monitors[0].port = 4500; });
    CHECK(world.serving() == "a b c d");
    CHECK((*world.snapshot())[world.find("a")].in_doubt);
    world.feed("a", silence(), 2);
    CHECK(world.serving() == "a b c d");
    world.feed("a", silence());
    CHECK(world.serving() == "b c d");
    CHECK(world.engine.report(world.find("a"), world.now).last_change ==
          "ike: down after 3 failures: transport: timeout");
    world.feed("b", pass());
    CHECK_FALSE((*world.snapshot())[world.find("b")].in_doubt);
}

TEST_CASE("another host behind the same name is another endpoint") {
    World world;
    world.bring_up();
    world.feed("a", silence(), 3);
    world.reconfigure([](Model& model) { model.endpoints[0].host = "192.0.2.1"; });
    CHECK((*world.snapshot())[world.find("a")].measured == HealthState::unknown);
    CHECK(world.told().find("endpoint fra/a down>unknown") == std::string::npos);
}

TEST_CASE("an endpoint without an address does not serve until it is resolved") {
    World world;
    world.model->endpoints[2].address.reset();
    world.bring_up();
    CHECK(world.serving() == "a b d");
    world.engine.set_address(world.find("c"), IpAddress::v4(0x7f000001), world.now);
    CHECK(world.serving() == "a b c d");
    CHECK((*world.snapshot())[world.find("c")].address == IpAddress::v4(0x7f000001));
    world.reconfigure([](Model& model) { model.monitors[0].fall = 5; });
    CHECK((*world.snapshot())[world.find("c")].address == IpAddress::v4(0x7f000001));
}

TEST_CASE("what was remembered stands until results decide, and then a full count is needed against it") {
    World world;
    world.configure();
    world.engine.restore(world.find("a"), HealthState::up, world.now);
    world.engine.restore(world.find("b"), HealthState::down, world.now);
    CHECK((*world.snapshot())[world.find("a")].measured == HealthState::up);
    CHECK((*world.snapshot())[world.find("a")].in_doubt);
    CHECK(world.serving() == "a c d");
    world.feed("a", silence(), 2);
    world.feed("b", pass());
    CHECK(world.serving() == "a b c d");
    world.feed("a", silence());
    CHECK(world.serving() == "b c d");
    world.engine.restore(world.find("c"), HealthState::unknown, world.now);
    CHECK((*world.snapshot())[world.find("c")].measured == HealthState::unknown);
}

TEST_CASE("zones and regions sum up their gateways") {
    World world;
    world.bring_up();
    world.reconfigure([](Model& model) { model.gateways[1].region = RegionId(0); });
    world.feed("c", silence(), 3);
    const AreaReport region = world.engine.report(RegionId(0));
    CHECK(region.name == "region-fra");
    CHECK(region.up == 1);
    CHECK(region.total == 2);
    CHECK(region.worst == HealthState::down);
    CHECK(region.effective == HealthState::degraded);
    const std::vector<AreaReport> zones = world.engine.zones();
    REQUIRE(zones.size() == 3);
    CHECK(zones[0].name == "fra-az1");
    CHECK(zones[1].name == "iad-az1");
    CHECK(zones[1].effective == HealthState::down);
    CHECK(zones[2].effective == HealthState::up);
}

TEST_CASE("a gateway without monitors is unknown, served and not in doubt") {
    World world;
    world.model->gateways[0].monitors.clear();
    world.model->gateways[0].health = HealthExpression::all_of(0);
    world.bring_up();
    CHECK(world.serving() == "a b c d");
    CHECK_FALSE((*world.snapshot())[world.find("a")].in_doubt);
    CHECK(world.engine.report(world.find("a"), world.now).monitors.empty());
}

TEST_CASE("people see every monitor of an endpoint") {
    World world;
    world.bring_up();
    (void)world.engine.record(world.find("c"), 1, refused(), world.now);
    const EndpointReport report = world.engine.report(world.find("c"), world.now);
    REQUIRE(report.monitors.size() == 2);
    CHECK(report.monitors[0].state == HealthState::up);
    CHECK(report.monitors[0].successes == 1);
    CHECK(report.monitors[1].monitor == MonitorId(1));
    CHECK(report.monitors[1].state == HealthState::suspect);
    CHECK(report.monitors[1].in_doubt);
    CHECK(report.monitors[1].failures == 1);
    REQUIRE(report.monitors[1].last != nullptr);
    CHECK(report.monitors[1].last->reason == "connect refused");
    CHECK(report.monitors[1].last_at == world.now);
    CHECK(report.monitors[1].last_change == "suspect after 1 failure: transport: connect refused");
}
