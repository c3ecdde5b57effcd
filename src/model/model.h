// SPDX-License-Identifier: Apache-2.0
#pragma once
// The vocabulary: what the configuration describes, compiled into vectors indexed by the ids. Immutable once
// built; shared between threads as std::shared_ptr<const Model>. No behaviour lives here.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "model/filter_spec.h"
#include "model/health_expression.h"
#include "model/ids.h"
#include "model/location.h"
#include "model/monitor.h"
#include "model/transfer.h"

namespace fairway {

struct Region {
    RegionId id;
    std::string name;
    std::optional<Coordinates> location;
    friend bool operator==(const Region&, const Region&) = default;
};

enum class GatewayMode : uint8_t { active_active, active_standby };

/// One public address of a gateway.
struct Endpoint {
    EndpointId id;
    GatewayId gateway;
    std::string name;                  // unique within its gateway; defaults to the host as written
    std::string host;                  // as written: an address or a host name
    std::optional<IpAddress> address;  // set when the host is an address
    uint16_t weight = 1;               // 0: never chosen by `weighted`
    std::string uplink;
    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Gateway {
    GatewayId id;
    std::string name;
    RegionId region;
    std::string zone;  // availability zone; may be empty
    GatewayMode mode = GatewayMode::active_active;
    std::vector<EndpointId> endpoints;  // active_standby: the first is the primary
    std::vector<MonitorId> monitors;
    HealthExpression health;  // over positions in `monitors`
    std::string health_text;  // as written, for people
    uint32_t min_up = 1;      // active_active: fewer usable endpoints than this and the gateway is down
    nanoseconds failback_delay =
        seconds{60};  // active_standby: how long the primary must be up to take over again
    uint16_t weight = 1;
    std::optional<double> capacity;  // for `shed`
    std::map<std::string, std::string> labels;
    friend bool operator==(const Gateway&, const Gateway&) = default;
};

enum class AllDown : uint8_t { serve_all, fallback, nodata, servfail, refuse };
enum class FailoverMode : uint8_t { automatic, delay, confirm };
/// What a steered name answers with: its endpoints' addresses, or their host names.
enum class AnswerKind : uint8_t { address, cname };

/// Records of one type that follow the steering of a service: the presentation form of their data with
/// placeholders such as {rank} and {host}, one or more for each endpoint, or one for all.
struct RecordTemplates {
    std::string type;  // "SRV"
    std::vector<std::string> records;
    friend bool operator==(const RecordTemplates&, const RecordTemplates&) = default;
};

/// One steered DNS name.
struct Service {
    ServiceId id;
    std::string key;   // "vpn" of [service.vpn]
    std::string name;  // absolute, lower case, without the trailing dot: "vpn.gslb.example.com"
    std::vector<GatewayId> gateways;  // in the order of the configuration, globs expanded
    std::vector<FilterSpec> policy;
    seconds ttl_max{30};
    seconds ttl_min{5};
    AnswerKind answer = AnswerKind::address;
    AllDown all_down = AllDown::serve_all;
    std::string fallback_name;   // fallback to a domain name (CNAME), or empty
    ServiceId fallback_service;  // fallback to another service, or invalid
    FailoverMode failover = FailoverMode::automatic;
    nanoseconds failover_delay{0};
    std::vector<IpPrefix> txt_allow;  // who may ask for TXT at _fairway.<name>
    std::vector<RecordTemplates> records;
    friend bool operator==(const Service&, const Service&) = default;
};

struct NameServer {
    std::string name;  // absolute, lower case, without the trailing dot
    std::vector<IpAddress> addresses;
    friend bool operator==(const NameServer&, const NameServer&) = default;
};

enum class SigningAlgorithm : uint8_t { ecdsa_p256 = 13, ed25519 = 15 };  // DNSSEC's numbers
enum class SigningKeys : uint8_t { csk, ksk_zsk };

/// How a zone's answers are signed.
struct Dnssec {
    bool enabled = false;
    SigningAlgorithm algorithm = SigningAlgorithm::ecdsa_p256;
    SigningKeys keys = SigningKeys::csk;
    nanoseconds zsk_lifetime = std::chrono::hours{24 * 30};  // 0: rolled by command only
    nanoseconds ksk_lifetime{0};                             // of a KSK or CSK; 0: likewise
    nanoseconds signature_lifetime = std::chrono::hours{24 * 14};
    nanoseconds signature_refresh = std::chrono::hours{24 * 7};  // what is left of it at least
    seconds dnskey_ttl{3600};
    seconds parent_ds_ttl{86'400};  // for how long the parent's DS may be cached
    seconds propagation{300};       // added to every wait of a rollover
    friend bool operator==(const Dnssec&, const Dnssec&) = default;
};

struct Zone {
    std::string name;  // absolute, lower case, without the trailing dot
    std::vector<NameServer> ns;
    std::string file;  // RFC 1035 master file, already resolved against the configuration's folder; or empty
    Dnssec dnssec;
    seconds ttl{3600};         // of the SOA and NS made here
    seconds negative_ttl{30};  // SOA MINIMUM of the SOA made here
    std::string contact;       // mailbox of that SOA; empty: hostmaster.<zone>
    ZoneTransfer transfer{};
    friend bool operator==(const Zone&, const Zone&) = default;
};

struct Model {
    std::vector<Region> regions;
    std::vector<Monitor> monitors;
    std::vector<Gateway> gateways;
    std::vector<Endpoint> endpoints;
    std::vector<Service> services;
    std::vector<Zone> zones;
    std::optional<Location> default_location;  // of clients that no database knows

    [[nodiscard]] const Region& operator[](RegionId id) const { return regions[id.index()]; }
    [[nodiscard]] const Monitor& operator[](MonitorId id) const { return monitors[id.index()]; }
    [[nodiscard]] const Gateway& operator[](GatewayId id) const { return gateways[id.index()]; }
    [[nodiscard]] const Endpoint& operator[](EndpointId id) const { return endpoints[id.index()]; }
    [[nodiscard]] const Service& operator[](ServiceId id) const { return services[id.index()]; }
    friend bool operator==(const Model&, const Model&) = default;
};

/// "fra1/203.0.113.10": the name by which people, overrides and history call an endpoint.
[[nodiscard]] std::string endpoint_path(const Model& model, EndpointId id);

}  // namespace fairway
