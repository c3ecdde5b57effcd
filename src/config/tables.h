// SPDX-License-Identifier: Apache-2.0
#pragma once
// The configuration as it is written: names where the model has ids, and places for diagnostics. The tables
// that list its keys are in tables.cc and monitor_table.cc; src/config/compile.cc turns it into a Config.
// Internal to src/config.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/codecs.h"
#include "config/config.h"

namespace fairway::config {

struct LocationSource {
    std::string country;
    std::string continent;
    uint32_t asn = 0;
    std::optional<double> latitude;
    std::optional<double> longitude;
    friend bool operator==(const LocationSource&, const LocationSource&) = default;
};

struct GeoOverrideSource {
    std::vector<Located<IpPrefix>> prefixes;
    LocationSource location;
    friend bool operator==(const GeoOverrideSource&, const GeoOverrideSource&) = default;
};

struct GeoipSource {
    std::vector<std::filesystem::path> databases;
    std::optional<LocationSource> default_location;
    std::vector<GeoOverrideSource> overrides;
    friend bool operator==(const GeoipSource&, const GeoipSource&) = default;
};

struct TsigKeySource {
    std::string algorithm = TsigKey{}.algorithm;
    Secret secret;
    friend bool operator==(const TsigKeySource&, const TsigKeySource&) = default;
};

struct TransferSource {
    std::vector<Located<TransferRule>> allow;
    std::vector<Located<NotifyTarget>> notify;
    friend bool operator==(const TransferSource&, const TransferSource&) = default;
};

struct ZoneSource {
    std::vector<NameServer> ns;
    std::string file;
    Dnssec dnssec;
    seconds ttl = Zone{}.ttl;
    seconds negative_ttl = Zone{}.negative_ttl;
    std::string contact;
    std::optional<TransferSource> transfer;
    friend bool operator==(const ZoneSource&, const ZoneSource&) = default;
};

struct MonitorSource {
    nanoseconds interval = Monitor{}.interval;
    nanoseconds timeout = Monitor{}.timeout;
    std::optional<nanoseconds> recheck;
    uint32_t fall = Monitor{}.fall;
    uint32_t rise = Monitor{}.rise;
    std::optional<uint16_t> port;
    std::string address;
    ProbeSettings probe;
    friend bool operator==(const MonitorSource&, const MonitorSource&) = default;
};

struct RegionSource {
    std::optional<Coordinates> location;
    friend bool operator==(const RegionSource&, const RegionSource&) = default;
};

struct EndpointSource {
    Located<std::string> address;
    std::string name;
    uint16_t weight = Endpoint{}.weight;
    std::string uplink;
    friend bool operator==(const EndpointSource&, const EndpointSource&) = default;
};

struct GatewaySource {
    Located<std::string> region;
    std::string zone;
    GatewayMode mode = GatewayMode::active_active;
    std::vector<EndpointSource> endpoints;
    std::vector<Located<std::string>> monitors;
    Located<std::string> health;
    Located<uint32_t> min_up{Gateway{}.min_up, {}};
    Located<nanoseconds> failback{Gateway{}.failback_delay, {}};
    uint16_t weight = Gateway{}.weight;
    std::optional<double> capacity;
    std::map<std::string, std::string> labels;
    friend bool operator==(const GatewaySource&, const GatewaySource&) = default;
};

struct TtlSource {
    seconds max = Service{}.ttl_max;
    std::optional<seconds> min;
    friend bool operator==(const TtlSource&, const TtlSource&) = default;
};

struct AllDownSource {
    AllDown action = AllDown::serve_all;
    std::string fallback;  // as written
    friend bool operator==(const AllDownSource&, const AllDownSource&) = default;
};

struct FailoverSource {
    FailoverMode mode = FailoverMode::automatic;
    nanoseconds delay{0};
    friend bool operator==(const FailoverSource&, const FailoverSource&) = default;
};

struct ServiceSource {
    Located<std::string> name;
    std::vector<Located<std::string>> gateways;
    std::vector<Located<FilterSpec>> policy = default_policy();
    TtlSource ttl;
    Located<AnswerKind> answer;
    Located<AllDownSource> all_down;
    FailoverSource failover;
    std::vector<IpPrefix> txt_allow;
    std::vector<RecordTemplates> records;
    friend bool operator==(const ServiceSource&, const ServiceSource&) = default;

    static std::vector<Located<FilterSpec>> default_policy();
};

/// Keys of a part that is checked but not there yet.
struct Nothing {
    friend bool operator==(const Nothing&, const Nothing&) = default;
};

struct Document {
    Server server;
    Api api;
    std::optional<Pdns> pdns;
    GeoipSource geoip;
    Probes probes;
    Health health;
    std::vector<Named<TsigKeySource>> tsig;
    std::vector<Named<ZoneSource>> zones;
    std::vector<Named<MonitorSource>> monitors;
    std::vector<Named<RegionSource>> regions;
    std::vector<Named<GatewaySource>> gateways;
    std::vector<Named<ServiceSource>> services;
    std::optional<Nothing> cluster, alerts;
    std::vector<Named<Nothing>> hooks;
};

/// Every section there is.
[[nodiscard]] const Section<Document>& document_table();
/// [monitor.NAME]
[[nodiscard]] const Section<MonitorSource>& monitor_table();
/// [tsig.NAME]
[[nodiscard]] const Section<TsigKeySource>& tsig_table();
/// `transfer` of [zone.NAME]
[[nodiscard]] const Section<TransferSource>& transfer_table();
/// What a probe type uses where the monitor names no port; 0: it has none.
[[nodiscard]] uint16_t default_port(const ProbeSettings& probe);

/// An IP address or a host name, canonical.
[[nodiscard]] Result<std::string> canonical_host(std::string_view text);
[[nodiscard]] Parsed<std::string> host();
/// What a name of [region.NAME] and the like may look like.
[[nodiscard]] std::string check_name(std::string_view text);

[[nodiscard]] Location to_location(const LocationSource& source);
[[nodiscard]] LocationSource to_source(const Location& location);
/// Complains about keys that are not in `keys`.
[[nodiscard]] ZoneTransfer to_transfer(Reporter& report, const std::string& zone,
                                       const TransferSource& source, const std::vector<std::string>& keys);
[[nodiscard]] TransferSource to_source(const ZoneTransfer& transfer);

/// Names to ids, text to expressions; everything that needs more than one table to be judged.
[[nodiscard]] std::optional<Config> compile(Context& context, const Document& document);
/// The document that compiles into this.
[[nodiscard]] Document decompile(const Config& config);

/// Every key there is, in the order of the tables, for the man page and its test.
[[nodiscard]] std::vector<KeyInfo> all_keys();

}  // namespace fairway::config
