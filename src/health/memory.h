// SPDX-License-Identifier: Apache-2.0
#pragma once
// Everything a HealthEngine knows, by names instead of ids, so that the engine of another process goes on
// with it: with counts, round trips, hold-downs and freezes, and with another configuration if need be. The
// times are of the monotonic clock, which all processes of one boot share: it is not for a disk.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"
#include "health/damping.h"
#include "health/monitor_state.h"
#include "model/states.h"

namespace fairway {

struct HealthMemory {
    struct Monitor {
        std::string name;
        std::string question;  // what it asks of whom; results speak only for an equal one
        MonitorState state{MonotonicTime{}};
    };
    struct Endpoint {
        std::string gateway, name, host;
        std::optional<IpAddress> address;
        HealthState measured = HealthState::unknown;
        HealthState effective = HealthState::unknown;
        HealthState settled = HealthState::unknown;
        HealthState remembered = HealthState::unknown;
        microseconds rtt{0};
        uint8_t heard = 0;  // HealthEngine::Heard
        bool fell_silent = false;
        bool frozen = false;
        MonotonicTime measured_since, effective_since;
        MonotonicTime up_since = MonotonicTime::min();
        MonotonicTime up_since_before_fall = MonotonicTime::min();
        std::optional<MonotonicTime> held_until, lost_until;
        FlapPenalty penalty, penalty_before_fall;
        std::string last_change;
        std::vector<Monitor> monitors;
    };
    struct Gateway {
        std::string name;
        std::string active;  // active_standby: the endpoint that serves, by name; or empty
        std::string shown;
        std::string last_change;
        MonotonicTime since;
        bool usable = false;
        HealthState effective = HealthState::unknown;
    };
    struct Area {
        std::string name, shown;
    };
    struct Held {
        std::string gateway;
        MonotonicTime since;
        std::optional<MonotonicTime> until;
    };
    struct Service {
        std::string key, shown;
        std::vector<Held> held;
    };

    std::vector<Endpoint> endpoints;
    std::vector<Gateway> gateways;
    std::vector<Area> regions, zones;
    std::vector<Service> services;
    bool isolated = false;
    std::optional<MonotonicTime> thaw_at;
    bool first_round_done = false;
};

/// JSON. What a later version adds is ignored by an earlier one, and what an earlier one lacks is as if it
/// had never been known.
[[nodiscard]] std::string to_text(const HealthMemory& memory);
/// Whatever the text is: an error, or a memory whose values are within their ranges.
[[nodiscard]] Result<HealthMemory> parse_health_memory(std::string_view text);

}  // namespace fairway
