// SPDX-License-Identifier: Apache-2.0
#pragma once
// Something that changed, worth telling an operator; stored, streamed and shown by `fairway events`.

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace fairway {

enum class EventKind : uint8_t {
    endpoint,   // an endpoint's measured or effective state changed
    gateway,    // a gateway's effective state changed
    zone,       // a zone's gateways, all together
    region,     // a region's
    service,    // a service's answers changed in kind: failover, all down, recovery, waiting for confirmation
    override_,  // an override was set, changed, cleared or expired
    config,     // reload accepted or refused
    geoip,      // database loaded, refused
    system      // start, stop, resolver trouble
};

enum class Severity : uint8_t { info, warning, critical };

[[nodiscard]] std::string_view to_string(EventKind kind) noexcept;  // "override" for override_
[[nodiscard]] std::string_view to_string(Severity severity) noexcept;

struct Event {
    int64_t id = 0;  // given by the store; grows
    WallTime time;
    EventKind kind = EventKind::system;
    Severity severity = Severity::info;
    std::string subject;  // "fra1/203.0.113.10", "fra1", "vpn"; may be empty
    std::string from;     // old state, or empty
    std::string to;       // new state, or empty
    std::string message;  // one sentence: "down after 3 failures: transport: connect refused"
    std::string actor;    // who, for what people did; else empty
};

}  // namespace fairway
