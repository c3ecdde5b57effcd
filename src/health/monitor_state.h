// SPDX-License-Identifier: Apache-2.0
#pragma once
// One monitor of one endpoint: consecutive results become a state. A value; knows nothing of its endpoint.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "model/monitor.h"
#include "model/probe_result.h"
#include "model/states.h"

namespace fairway {

class MonitorState {
  public:
    explicit MonitorState(MonotonicTime since) noexcept { facts_.since = since; }

    /// Judges one result and says when to ask again.
    Pace apply(const Monitor& monitor, const ProbeResult& result, MonotonicTime now);

    [[nodiscard]] HealthState state() const noexcept { return facts_.state; }
    /// A change is in the air, and rechecks are being made.
    [[nodiscard]] bool in_doubt() const noexcept { return facts_.in_doubt; }
    /// Down by the first results only, before `fall` of them were seen.
    [[nodiscard]] bool provisional() const noexcept {
        return facts_.state == HealthState::down && !facts_.confirmed;
    }
    [[nodiscard]] uint32_t failures() const noexcept { return facts_.failures; }
    [[nodiscard]] uint32_t successes() const noexcept { return facts_.successes; }
    [[nodiscard]] MonotonicTime since() const noexcept { return facts_.since; }
    [[nodiscard]] std::optional<MonotonicTime> last_at() const noexcept { return facts_.last_at; }
    /// Only once last_at() is present.
    [[nodiscard]] const ProbeResult& last() const noexcept { return facts_.last; }
    /// Why the state is what it is: "down after 3 failures: transport: connect refused".
    [[nodiscard]] const std::string& last_change() const noexcept { return facts_.last_change; }
    /// Smoothed round trip of the successes; 0 before the first.
    [[nodiscard]] microseconds rtt() const noexcept { return facts_.rtt; }
    /// The last thing that came back was nothing at all: no refusal, no reset, no octet.
    [[nodiscard]] bool silent() const noexcept { return facts_.silent; }

    /// All there is to it, so that another process can go on with it.
    struct Memory {
        HealthState state = HealthState::unknown;
        bool in_doubt = true;
        bool confirmed = false;  // decided by a full count rather than by the very first result
        bool silent = false;
        uint32_t failures = 0;   // consecutive
        uint32_t successes = 0;  // consecutive, degraded ones included
        uint32_t passes = 0;     // consecutive plain passes
        uint32_t degraded = 0;   // consecutive degraded ones
        microseconds rtt{0};
        MonotonicTime since{};
        std::optional<MonotonicTime> last_at;
        ProbeResult last;
        std::string last_change;
    };
    explicit MonitorState(Memory memory) : facts_(std::move(memory)) {}
    [[nodiscard]] const Memory& remember() const noexcept { return facts_; }

  private:
    void become(HealthState state, std::string why, MonotonicTime now);

    Memory facts_;
};

}  // namespace fairway
