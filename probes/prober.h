// SPDX-License-Identifier: Apache-2.0
#pragma once
// Probes everything that a model's gateways ask for, for as long as it lives: resolves names, schedules, runs
// the exchanges, reports facts. It judges nothing: what a result means is src/health's, whose answer (Pace)
// only sets the time of the next attempt.
//
// Checks that are identical (equal probe settings and timing, same target and port) are made once and
// reported to every endpoint that asked. Lives on its loop's thread.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "model/model.h"
#include "model/probe_result.h"
#include "probes/attempt.h"

namespace fairway {

namespace net {
class Loop;
class Resolver;
}  // namespace net

struct ProbeReport {
    ProbeResult result;
    std::vector<ProbeStep> steps;
};

struct ProberStats {
    /// Upper bounds of lag buckets; the last bucket has none.
    static constexpr std::array<microseconds, 9> lag_bounds{
        microseconds{250},    microseconds{500},    microseconds{1'000},
        microseconds{2'500},  microseconds{5'000},  microseconds{10'000},
        microseconds{25'000}, microseconds{50'000}, microseconds{100'000}};

    uint64_t started = 0;
    uint64_t finished = 0;  // with a result, of whatever kind
    uint64_t failed = 0;    // of those, with verdict fail
    uint64_t late = 0;      // started more than 50 ms after their time
    uint64_t deferred = 0;  // held back by a rate cap
    uint64_t skipped = 0;   // slots that passed while the attempt before was still running
    std::array<uint64_t, lag_bounds.size() + 1> lag{};  // start after plan, counts per bucket
    nanoseconds lag_sum{0};
    size_t jobs = 0;  // distinct checks
    size_t in_flight = 0;
    size_t names = 0;  // host names that are kept resolved
    size_t names_failing = 0;
};

class Prober {
  public:
    struct Options {
        uint32_t rate = 50'000;           // attempts started per second, all together; 0: no cap
        uint32_t rate_per_gateway = 100;  // and per gateway; 0: no cap
        uint64_t seed = 1;                // jitter and nonces
    };
    /// Called on the loop's thread, never inside a call of the owner. They may call anything of the prober
    /// except its destructor and configure().
    struct Handlers {
        /// `monitor_slot` is the position in Gateway::monitors of the endpoint's gateway.
        std::function<Pace(EndpointId, size_t monitor_slot, const ProbeResult&)> on_result;
        /// The host name of an endpoint got its first or another address (error empty), or could not be
        /// resolved (the last good address, if there is one, and why). Not for hosts that are addresses.
        std::function<void(EndpointId, const std::optional<IpAddress>&, const std::string& error)> on_address;
        /// Once after each configure(), when every check has completed once or had its time to; after the
        /// on_result of the last. A configure() that comes before it replaces it.
        std::function<void()> on_first_round;
    };

    Prober(net::Loop& loop, net::Resolver& resolver, Options options, Handlers handlers);
    /// Cancels what is in flight; no callback any more.
    ~Prober();
    Prober(const Prober&) = delete;
    Prober& operator=(const Prober&) = delete;

    /// Takes over a new model. Checks that it has in common with the old one go on undisturbed, others start
    /// spread over time or are cancelled. Addresses already known for host names are reported again.
    void configure(std::shared_ptr<const Model> model);
    void set_rates(uint32_t rate, uint32_t rate_per_gateway);

    /// One attempt as soon as the rate caps and the attempt in flight allow, reported step by step; its
    /// result is also an ordinary on_result. False: the endpoint's gateway has no such monitor. The callback
    /// comes exactly once, unless the check disappears in a configure(): then it reports that.
    bool probe_now(EndpointId endpoint, MonitorId monitor, std::function<void(ProbeReport)> callback);

    [[nodiscard]] ProberStats stats() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fairway
