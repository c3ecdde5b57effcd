// SPDX-License-Identifier: Apache-2.0
#pragma once
// What goes into steering and what comes out. Both are plain values; a Selection is reused from query to
// query so that, after warm-up, selecting allocates nothing.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "model/ids.h"
#include "model/location.h"

namespace fairway {

/// Who asks. Where both are known the client subnet decides; a private or empty one is ignored in favour of
/// the source (RFC 7871 section 10, 7.5).
struct Client {
    IpAddress source;             // of the packet, or what the resolver's server told us
    std::optional<IpPrefix> ecs;  // as sent: SOURCE PREFIX-LENGTH may be 0
};

/// What to answer for a service.
enum class SelectionKind : uint8_t {
    endpoints,  // answer the endpoints, in order
    name,       // CNAME to the `fallback_name` of `Selection::service`
    nodata,
    servfail,
    refuse
};

/// What of a client a selection was made from, beside the service and the health: two clients whose classes
/// agree in all of these maps, and who are of one block if that was asked for, get the same selection. Only
/// the scope and the address that decided are each client's own.
struct Dependence {
    uint8_t maps = 0;    // a bit for each map of the Steering whose class for the client was looked at
    bool block = false;  // the hash of the client's block was
    friend bool operator==(const Dependence&, const Dependence&) = default;
};

struct Selection {
    SelectionKind kind = SelectionKind::endpoints;
    std::vector<EndpointId> endpoints;  // best first; at most max_endpoints
    seconds ttl{0};
    /// SCOPE PREFIX-LENGTH to answer with: the widest prefix around the client's subnet (around the source
    /// for a client without one) in which every client gets the same answer. 0: not tailored to the client.
    uint8_t scope = 0;
    /// The address that decided: the ECS network, or the source.
    IpAddress decided_by;
    bool used_ecs = false;
    /// No candidate was healthy and `all_down` decided.
    bool last_resort = false;
    /// The service that decided in the end: differs from the one asked for after fallback to a service.
    ServiceId service;
    Dependence depends;
    /// Working space of select(), kept here so that it is allocated once; means nothing to anyone else.
    struct Candidate {
        EndpointId endpoint;
        GatewayId gateway;
        uint32_t gateway_position = 0;   // in the service's configuration
        uint32_t endpoint_position = 0;  // among all endpoints of the service
        uint32_t gateway_tier = 0;       // gateways of one tier are equally good so far
        uint32_t endpoint_tier = 0;      // the same for endpoints within their gateway
        uint64_t gateway_key = 0;        // of the ranking at work, lower is better
        uint64_t endpoint_key = 0;
    };
    std::vector<Candidate> candidates;

    /// BIND refuses RRsets with more than 100 records.
    static constexpr size_t max_endpoints = 64;
};

/// What one step of the chain did, for people: `explain` prints these.
struct TraceStep {
    std::string filter;  // "client", "overrides", "healthy", "nearest", "first 2", "all_down", "ttl", "scope"
    std::vector<EndpointId> kept;  // in order, after the step
    struct Removed {
        EndpointId endpoint;
        std::string why;  // "down: transport: connect refused" is added by the caller who knows; here "down"
    };
    std::vector<Removed> removed;
    std::string note;  // "client is at 52.5,13.4 (DE, EU), from ECS 198.51.100.0/24 in class 12"
    /// Parallel to `kept` where the step ranked: "424 km", "3.1 ms", "weight 2"; else empty.
    std::vector<std::string> marks;
};

struct Trace {
    std::vector<TraceStep> steps;
};

}  // namespace fairway
