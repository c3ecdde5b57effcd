// SPDX-License-Identifier: Apache-2.0
#pragma once
// A fleet of gateways in virtual time: seeded faults on one side, the health engine on the other, a prober
// that keeps the monitor's pace between them, and a referee that knows the truth and checks what the engine
// says after every result. Days pass in seconds; the same seed gives the same day.

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/random.h"
#include "health/engine.h"
#include "sim/results.h"

namespace fairway::sim {

struct FleetOptions {
    size_t regions = 4;
    size_t gateways_per_region = 5;
    size_t endpoints_per_gateway = 2;  // every third gateway is active-standby
    size_t services = 10;
    nanoseconds interval = seconds{2};
    nanoseconds timeout = milliseconds{800};
    nanoseconds recheck = milliseconds{200};
    uint32_t fall = 3;
    uint32_t rise = 2;
    FailoverMode failover = FailoverMode::automatic;
    nanoseconds failover_delay{0};
};

/// One tcp monitor for all; service i has every gateway g with g % services == i % services or of region i.
inline std::shared_ptr<Model> make_fleet(const FleetOptions& options) {
    auto model = std::make_shared<Model>();
    Monitor monitor;
    monitor.id = MonitorId(0);
    monitor.name = "ike";
    monitor.interval = options.interval;
    monitor.timeout = options.timeout;
    monitor.recheck = options.recheck;
    monitor.fall = options.fall;
    monitor.rise = options.rise;
    monitor.port = 500;
    model->monitors.push_back(monitor);
    for (size_t r = 0; r < options.regions; ++r)
        model->regions.push_back({RegionId(r), "region" + std::to_string(r), std::nullopt});
    for (size_t g = 0; g < options.regions * options.gateways_per_region; ++g) {
        Gateway gateway;
        gateway.id = GatewayId(g);
        gateway.name = "gw" + std::to_string(g);
        gateway.region = RegionId(g % options.regions);
        gateway.zone = "zone" + std::to_string(g % (options.regions * 2));
        gateway.mode = g % 3 == 2 ? GatewayMode::active_standby : GatewayMode::active_active;
        gateway.monitors = {MonitorId(0)};
        gateway.health = HealthExpression::all_of(1);
        for (size_t e = 0; e < options.endpoints_per_gateway; ++e) {
            Endpoint endpoint;
            endpoint.id = EndpointId(model->endpoints.size());
            endpoint.gateway = gateway.id;
            endpoint.address = IpAddress::v4(0x0a000000U + endpoint.id.value + 1);
            endpoint.host = endpoint.name = endpoint.address->to_string();
            gateway.endpoints.push_back(endpoint.id);
            model->endpoints.push_back(endpoint);
        }
        model->gateways.push_back(gateway);
    }
    for (size_t s = 0; s < options.services; ++s) {
        Service service;
        service.id = ServiceId(s);
        service.key = "service" + std::to_string(s);
        service.name = service.key + ".example.com";
        service.failover = options.failover;
        service.failover_delay = options.failover_delay;
        for (const Gateway& gateway : model->gateways) {
            if (gateway.id.index() % options.services == s || gateway.region.index() == s)
                service.gateways.push_back(gateway.id);
        }
        model->services.push_back(service);
    }
    return model;
}

/// What is really the matter with an endpoint.
enum class Fault : uint8_t { none, silent, refusing, degraded };

/// When endpoints fail and come back: each lives through good and bad times of its own random lengths.
struct Weather {
    double flapping = 0.05;  // share of the endpoints that change every few seconds
    seconds good{1800};      // mean length of the good times of the others
    seconds bad{60};
    seconds flap{5};      // mean length of either for those that flap
    double loss = 0.001;  // of single probes to good endpoints
};

class FleetSimulator {
  public:
    FleetSimulator(const FleetOptions& options, const Weather& weather, uint64_t seed,
                   const HealthSettings& settings = {})
        : options_(options),
          weather_(weather),
          random_(seed),
          model_(make_fleet(options)),
          engine_(settings) {
        (void)engine_.configure(model_, start);
        endpoints_.resize(model_->endpoints.size());
        for (size_t i = 0; i < endpoints_.size(); ++i) {
            Truth& truth = endpoints_[i];
            truth.flaps = random_.fraction() < weather.flapping;
            truth.until = start + length(truth.flaps ? weather.flap : weather.good);
            schedule(i, start + nanoseconds(random_.below(static_cast<uint64_t>(options.interval.count()))));
        }
    }

    static constexpr MonotonicTime start{std::chrono::hours{1000}};

    HealthEngine& engine() { return engine_; }
    const Model& model() const { return *model_; }
    MonotonicTime now() const { return now_; }

    struct Counts {
        uint64_t results = 0, transitions = 0, snapshots = 0, faults = 0;
        std::map<Transition::Subject, uint64_t> by_subject;  // transitions
        nanoseconds longest_detection{0};
    };
    const Counts& counts() const { return counts_; }

    /// Overrides the weather of an endpoint from now on.
    void impose(size_t endpoint, Fault fault) {
        Truth& truth = endpoints_[endpoint];
        if (fault != truth.fault) truth.since = now_;
        truth.fault = fault;
        truth.until = MonotonicTime::max();
    }

    /// Lets time pass. Throws std::logic_error at the first thing that is not as it must be.
    void run_until(MonotonicTime end) {
        while (!events_.empty() && events_.top().at <= end) {
            const Event event = events_.top();
            run_deadlines(event.at);
            now_ = event.at;
            events_.pop();
            deliver(event);
            referee(event.endpoint);
            if (now_ >= next_review_) review();
        }
        run_deadlines(end);
        now_ = end;
        review();
    }

  private:
    struct Truth {
        Fault fault = Fault::none;
        bool flaps = false;
        MonotonicTime since = start, until;
        // The naive reference: what rise and fall say.
        uint32_t failures = 0, successes = 0;
        bool known = false, confirmed = false, up = false;
        MonotonicTime down_since = start;  // truly, for detection times
    };
    struct Event {
        MonotonicTime at;       // the result is there
        MonotonicTime started;  // the probe was sent
        uint32_t endpoint = 0;
        Fault outcome = Fault::none;
        bool operator>(const Event& other) const { return at > other.at; }
    };

    nanoseconds length(seconds mean) {
        // Uniform in [0.5, 1.5) of the mean: no long tail, so that every run sees about the same.
        return nanoseconds(static_cast<int64_t>((0.5 + random_.fraction()) *
                                                static_cast<double>(nanoseconds(mean).count())));
    }

    void pass_weather(Truth& truth, MonotonicTime at) {
        while (truth.until <= at) {
            truth.since = truth.until;
            if (truth.fault == Fault::none) {
                ++counts_.faults;
                truth.fault = static_cast<Fault>(1 + random_.below(3));
                truth.until += length(truth.flaps ? weather_.flap : weather_.bad);
            } else {
                truth.fault = Fault::none;
                truth.until += length(truth.flaps ? weather_.flap : weather_.good);
            }
        }
    }

    void schedule(size_t index, MonotonicTime at) {
        Truth& truth = endpoints_[index];
        pass_weather(truth, at);
        Fault outcome = truth.fault;
        if (outcome == Fault::none && weather_.loss > 0 && random_.fraction() < weather_.loss)
            outcome = Fault::silent;
        const nanoseconds takes = outcome == Fault::silent ? options_.timeout : nanoseconds(milliseconds{5});
        events_.push({at + takes, at, static_cast<uint32_t>(index), outcome});
    }

    void deliver(const Event& event) {
        static const ProbeResult good = pass(), poor = degraded(), none = silence(), no = refused();
        const ProbeResult& result = event.outcome == Fault::none       ? good
                                    : event.outcome == Fault::degraded ? poor
                                    : event.outcome == Fault::silent   ? none
                                                                       : no;
        const Pace pace = engine_.record(EndpointId(event.endpoint), 0, result, now_);
        ++counts_.results;
        count_naively(endpoints_[event.endpoint], result.usable());
        MonotonicTime next = std::max(event.started + options_.interval, now_);
        if (pace == Pace::recheck) next = now_ + options_.recheck;
        if (pace == Pace::at_once) next = now_;
        schedule(event.endpoint, next);
    }

    void count_naively(Truth& truth, bool usable) const {
        truth.failures = usable ? 0 : truth.failures + 1;
        truth.successes = usable ? truth.successes + 1 : 0;
        if (!truth.known || (!truth.up && !truth.confirmed)) {
            truth.known = true;
            truth.up = usable;
            truth.confirmed = usable || truth.failures >= options_.fall;
        } else if (truth.up) {
            truth.up = truth.failures < options_.fall;
            truth.confirmed = true;
        } else {
            truth.up = truth.successes >= options_.rise;
        }
    }

    void run_deadlines(MonotonicTime until) {
        for (auto at = engine_.next_deadline(); at && *at <= until; at = engine_.next_deadline()) {
            now_ = std::max(now_, *at);
            engine_.advance(now_);
            require(!engine_.next_deadline() || *engine_.next_deadline() > now_,
                    "advance() leaves nothing that is due");
        }
    }

    static void require(bool holds, const char* what) {
        if (!holds) throw std::logic_error(what);
    }

    /// After each result, about its endpoint.
    void referee(size_t index) {
        const EndpointReport report = engine_.report(EndpointId(index), now_);
        const Truth& truth = endpoints_[index];
        const bool measured_up =
            report.status.measured != HealthState::down && report.status.measured != HealthState::unknown;
        require(measured_up == truth.up, "the measured state is what counting naively says");
        const bool effectively_up = report.status.effective != HealthState::down;
        require(effectively_up || !report.status.serving, "what is down does not serve");
        if (report.status.admin == AdminState::automatic && !report.frozen)
            require(effectively_up == (truth.up && !report.held_until),
                    "only hold-down stands between measured and effective");
    }

    /// Now and then, about everything.
    void review() {
        next_review_ = now_ + seconds{10};
        const std::shared_ptr<const HealthSnapshot> snapshot = engine_.snapshot();
        require(engine_.snapshot() == snapshot, "a snapshot is made anew only when something has changed");
        ++counts_.snapshots;
        check_transitions();
        const nanoseconds allowed = options_.interval + options_.timeout * options_.fall +
                                    options_.recheck * (options_.fall - 1) + milliseconds{20};
        for (size_t i = 0; i < endpoints_.size(); ++i) {
            Truth& truth = endpoints_[i];
            const EndpointStatus& status = snapshot->endpoints[i];
            const bool dead = truth.fault == Fault::silent || truth.fault == Fault::refusing;
            if (!dead || truth.since > now_ || engine_.isolated() || status.admin == AdminState::forced_up)
                continue;
            if (engine_.report(EndpointId(i), now_).frozen) continue;
            const nanoseconds age = now_ - truth.since;
            if (status.serving) {
                require(age <= allowed, "nothing serves for longer than detection takes after it failed");
                counts_.longest_detection = std::max(counts_.longest_detection, age);
            }
        }
        for (const Gateway& gateway : model_->gateways) review_gateway(*snapshot, gateway);
        for (const Service& service : model_->services) {
            size_t serving = 0, could = 0;
            for (const GatewayId gateway : service.gateways) {
                for (const EndpointId id : (*model_)[gateway].endpoints) {
                    const EndpointStatus& status = (*snapshot)[id];
                    serving += status.serving ? 1 : 0;
                    could += !status.withheld && status.measured != HealthState::down ? 1 : 0;
                }
            }
            require(serving > 0 || could == 0, "a service always serves while one of its endpoints works");
            require(engine_.report(service.id).serving == serving, "services count what serves");
        }
    }

    void review_gateway(const HealthSnapshot& snapshot, const Gateway& gateway) const {
        size_t serving = 0, could = 0;
        for (const EndpointId id : gateway.endpoints) {
            const EndpointStatus& status = snapshot[id];
            serving += status.serving ? 1 : 0;
            could += !status.withheld && status.effective != HealthState::down ? 1 : 0;
        }
        const bool standby = gateway.mode == GatewayMode::active_standby;
        require(serving == (standby ? std::min<size_t>(could, 1) : could), "exactly those serve that must");
        require(snapshot[gateway.id].usable == (serving > 0),
                "a gateway is usable while one of its endpoints serves");
    }

    void check_transitions() {
        for (const Transition& transition : engine_.take_transitions()) {
            ++counts_.transitions;
            ++counts_.by_subject[transition.subject];
            const auto key = std::pair(transition.subject, transition.name);
            const auto [last, fresh] = last_told_.try_emplace(
                key, transition.subject == Transition::Subject::node ? "connected" : "unknown");
            require(transition.from == last->second, "a transition begins where the previous one ended");
            require(transition.from != transition.to || transition.subject == Transition::Subject::gateway,
                    "a transition goes somewhere");
            require(!transition.reason.empty(), "a transition has a reason");
            last->second = transition.to;
        }
    }

    FleetOptions options_;
    Weather weather_;
    Random random_;
    std::shared_ptr<const Model> model_;
    HealthEngine engine_;
    std::vector<Truth> endpoints_;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    std::map<std::pair<Transition::Subject, std::string>, std::string> last_told_;
    MonotonicTime now_ = start, next_review_ = start;
    Counts counts_;
};

}  // namespace fairway::sim
