// SPDX-License-Identifier: Apache-2.0
#pragma once
// One monitor of one endpoint: consecutive results become a state. A value; knows nothing of its endpoint.

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "model/monitor.h"
#include "model/probe_result.h"
#include "model/states.h"

namespace fairway {

class MonitorState {
  public:
    explicit MonitorState(MonotonicTime since) noexcept : since_(since) {}

    /// Judges one result and says when to ask again.
    Pace apply(const Monitor& monitor, const ProbeResult& result, MonotonicTime now);

    [[nodiscard]] HealthState state() const noexcept { return state_; }
    /// A change is in the air, and rechecks are being made.
    [[nodiscard]] bool in_doubt() const noexcept { return in_doubt_; }
    /// Down by the first results only, before `fall` of them were seen.
    [[nodiscard]] bool provisional() const noexcept { return state_ == HealthState::down && !confirmed_; }
    [[nodiscard]] uint32_t failures() const noexcept { return failures_; }
    [[nodiscard]] uint32_t successes() const noexcept { return successes_; }
    [[nodiscard]] MonotonicTime since() const noexcept { return since_; }
    [[nodiscard]] std::optional<MonotonicTime> last_at() const noexcept { return last_at_; }
    /// Only once last_at() is present.
    [[nodiscard]] const ProbeResult& last() const noexcept { return last_; }
    /// Why the state is what it is: "down after 3 failures: transport: connect refused".
    [[nodiscard]] const std::string& last_change() const noexcept { return last_change_; }
    /// Smoothed round trip of the successes; 0 before the first.
    [[nodiscard]] microseconds rtt() const noexcept { return rtt_; }
    /// The last thing that came back was nothing at all: no refusal, no reset, no octet.
    [[nodiscard]] bool silent() const noexcept { return silent_; }

  private:
    void become(HealthState state, std::string why, MonotonicTime now);

    HealthState state_ = HealthState::unknown;
    bool in_doubt_ = true;
    bool confirmed_ = false;  // decided by a full count rather than by the very first result
    bool silent_ = false;
    uint32_t failures_ = 0;   // consecutive
    uint32_t successes_ = 0;  // consecutive, degraded ones included
    uint32_t passes_ = 0;     // consecutive plain passes
    uint32_t degraded_ = 0;   // consecutive degraded ones
    microseconds rtt_{0};
    MonotonicTime since_;
    std::optional<MonotonicTime> last_at_;
    ProbeResult last_;
    std::string last_change_;
};

}  // namespace fairway
