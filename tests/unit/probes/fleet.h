// SPDX-License-Identifier: Apache-2.0
#pragma once
// Small models and a prober on a real loop, for the tests of this folder.

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/model.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/timer.h"
#include "probes/prober.h"
#include "support/name_server.h"

namespace fairway::test {

inline Monitor monitor(std::string name, ProbeSettings probe, uint16_t port) {
    Monitor monitor;
    monitor.name = std::move(name);
    monitor.interval = milliseconds{200};
    monitor.timeout = milliseconds{150};
    monitor.recheck = milliseconds{50};
    monitor.port = port;
    monitor.probe = std::move(probe);
    return monitor;
}

/// Gateways in a row, each with its endpoints and monitors by name.
class ModelBuilder {
  public:
    ModelBuilder& add(Monitor monitor) {
        monitor.id = MonitorId(model_.monitors.size());
        model_.monitors.push_back(std::move(monitor));
        return *this;
    }
    ModelBuilder& gateway(const std::string& name, const std::vector<std::string>& hosts,
                          const std::vector<std::string>& monitors) {
        Gateway gateway;
        gateway.id = GatewayId(model_.gateways.size());
        gateway.name = name;
        for (const std::string& host : hosts) {
            Endpoint endpoint;
            endpoint.id = EndpointId(model_.endpoints.size());
            endpoint.gateway = gateway.id;
            endpoint.name = endpoint.host = host;
            if (const auto address = IpAddress::parse(host)) endpoint.address = *address;
            gateway.endpoints.push_back(endpoint.id);
            model_.endpoints.push_back(endpoint);
        }
        for (const std::string& wanted : monitors)
            for (const Monitor& monitor : model_.monitors)
                if (monitor.name == wanted) gateway.monitors.push_back(monitor.id);
        model_.gateways.push_back(gateway);
        return *this;
    }
    [[nodiscard]] std::shared_ptr<const Model> build() const { return std::make_shared<Model>(model_); }

  private:
    Model model_;
};

struct Reported {
    EndpointId endpoint;
    size_t slot = 0;
    ProbeResult result;
};

/// A prober whose reports are recorded, with a name server of its own; run_until() fails the test after a
/// minute.
struct Harness {
    net::Loop loop;
    net::Timer deadline{loop, [] { FAIL("not done after a minute"); }};
    LocalNameServer names{loop};
    net::Resolver resolver;
    std::vector<Reported> results;
    std::vector<std::pair<EndpointId, std::string>> addresses;  // "127.0.0.1" or "error: ..."
    int first_rounds = 0;
    std::function<Pace(const Reported&)> judge = [](const Reported&) { return Pace::interval; };
    Prober prober;

    explicit Harness(Prober::Options options = {})
        : resolver(loop, {.servers = {names.address()},
                          .timeout = milliseconds{40},
                          .tries = 1,
                          .use_hosts_file = false}),
          prober(loop, resolver, options,
                 {.on_result =
                      [this](EndpointId endpoint, size_t slot, const ProbeResult& result) {
                          results.push_back({endpoint, slot, result});
                          return judge(results.back());
                      },
                  .on_address =
                      [this](EndpointId endpoint, const std::optional<IpAddress>& address,
                             const std::string& error) {
                          addresses.emplace_back(endpoint,
                                                 error.empty() ? address->to_string() : "error: " + error);
                      },
                  .on_first_round = [this] { ++first_rounds; }}) {
        deadline.start(seconds{60});
    }

    template <class Condition>
    void run_until(Condition condition) {
        while (!condition()) loop.run_once();
    }
    /// Configures and waits for the end of the first round, and on a machine too busy to keep its deadlines
    /// for the first result of every check.
    std::vector<Reported> first_round(std::shared_ptr<const Model> model) {
        const int before = first_rounds;
        prober.configure(std::move(model));
        run_until([&] {
            const ProberStats stats = prober.stats();
            return first_rounds > before && stats.finished >= stats.jobs;
        });
        return results;
    }
};

/// The result of one check of `monitor` on a single endpoint.
inline ProbeResult probe_once(const Monitor& monitor, const std::string& host) {
    Harness harness;
    const auto results =
        harness.first_round(ModelBuilder().add(monitor).gateway("gw", {host}, {monitor.name}).build());
    REQUIRE_FALSE(results.empty());
    return results[0].result;
}

}  // namespace fairway::test
