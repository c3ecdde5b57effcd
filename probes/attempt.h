// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the prober and its drivers say to each other about one attempt.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "model/probe_result.h"

namespace fairway {

/// One line of "probe now", and the time since the line before it.
struct ProbeStep {
    std::string what;  // "resolve gw.example.com: 192.0.2.1", "connect 192.0.2.1:443", "HTTP 200"
    microseconds took{0};
};

/// The steps of an attempt that somebody watches.
struct ProbeTrace {
    std::vector<ProbeStep> steps;
    MonotonicTime last;

    void add(std::string what, MonotonicTime now) {
        steps.push_back({std::move(what), std::chrono::duration_cast<microseconds>(now - last)});
        last = now;
    }
};

struct AttemptRequest {
    SocketAddress peer;
    std::string_view host;  // outlives the attempt
    nanoseconds timeout{};  // as configured, for reasons
    MonotonicTime started;
    MonotonicTime deadline;
    uint64_t nonce = 0;
    uint32_t job = 0;             // the owner's
    ProbeTrace* trace = nullptr;  // the owner's, or nobody watches
};

/// Whom a driver tells.
class AttemptSink {
  public:
    /// Exactly once per attempt that is not cancelled, never inside start(); the attempt's id is free again.
    /// May start and cancel attempts.
    virtual void on_finished(uint32_t job, ProbeResult&& result) = 0;
    /// The driver's expire() is to be called then: an exchange set its timer outside start() and expire().
    virtual void wake_at(MonotonicTime when) = 0;

  protected:
    ~AttemptSink() = default;
};

}  // namespace fairway
