// SPDX-License-Identifier: Apache-2.0
#pragma once
// What names this server is authoritative for: the zones of a Model with their static records, delegations
// and steered names, compiled into one immutable table. Built off the hot path, shared by all threads,
// replaced as a whole. Not here: what a steered name answers just now (answer.h).

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dns/name.h"
#include "dns/steered_records.h"
#include "dns/types.h"
#include "dns/zone_table.h"
#include "model/model.h"

namespace fairway::dns {

/// A finding in a zone or its file, for the operator.
struct ZoneDiagnostic {
    enum class Severity : uint8_t { warning, error };
    Severity severity = Severity::error;
    std::string file;   // of the zone; empty when the configuration is meant
    uint32_t line = 0;  // from 1; 0: the whole zone
    std::string message;

    /// "gslb.example.com.zone:12: error: ..."
    [[nodiscard]] std::string to_string() const;
    friend bool operator==(const ZoneDiagnostic&, const ZoneDiagnostic&) = default;
};

/// A zone that is served.
struct ServedZone {
    Name apex;
    std::string name;  // as in the model: lower case, without the trailing dot
    /// 1 to 2^31 - 1, a hash of the name: the same across reloads, restarts and nodes.
    int32_t id = 0;
    uint32_t serial = 0;        // of its SOA in the table; serial_of() tells what is served
    bool soa_is_made = false;   // here, rather than read from the zone's file
    uint32_t soa_ttl = 0;       // seconds
    uint32_t negative_ttl = 0;  // min(SOA TTL, SOA MINIMUM), RFC 2308 section 5; seconds
    // In the table; nodes of a zone are [first_node, last_node) in canonical order, the apex first.
    uint32_t first_node = 0;
    uint32_t last_node = 0;
    uint32_t soa_set = 0;
};

/// What the table knows of a steered name beside its node.
struct SteeredName {
    uint32_t node = no_index;
    /// Whether any member, those of services it falls back to included, has or may get an address of the
    /// family.
    bool may_have_v4 = false;
    bool may_have_v6 = false;
    ByteSpan fallback;  // wire form of Service::fallback_name; empty when there is none
};

class Authority {
  public:
    struct Built {
        std::shared_ptr<const Authority> authority;  // absent exactly when a diagnostic is an error
        std::vector<ZoneDiagnostic> diagnostics;
    };
    /// Reads the zones' files and compiles everything; never throws. `serial` is of the SOAs made here (such
    /// as the time of the reload in seconds); files keep their own.
    [[nodiscard]] static Built build(std::shared_ptr<const Model> model, uint32_t serial);
    /// As build(), with the text of the zones' files given by zone (in the order of the model; nothing: the
    /// zone has no file) instead of read from disk.
    [[nodiscard]] static Built build(std::shared_ptr<const Model> model, uint32_t serial,
                                     const std::vector<std::optional<std::string>>& file_texts);

    [[nodiscard]] const Model& model() const noexcept { return *model_; }
    [[nodiscard]] const std::shared_ptr<const Model>& model_pointer() const noexcept { return model_; }
    [[nodiscard]] const std::vector<ServedZone>& zones() const noexcept { return zones_; }
    [[nodiscard]] const ZoneTable& table() const noexcept { return table_; }

    /// The deepest zone at or above `name`; null when we are not authoritative for it.
    [[nodiscard]] const ServedZone* find_zone(const Name& name) const noexcept;
    /// The zone with exactly this apex; null when there is none.
    [[nodiscard]] const ServedZone* zone_at(const Name& apex) const noexcept;
    [[nodiscard]] const ServedZone* zone_by_id(int32_t id) const noexcept;

    [[nodiscard]] const SteeredName& steered(ServiceId id) const noexcept { return steered_[id.index()]; }
    /// Records beside addresses that steered names make.
    [[nodiscard]] const SteeredRecords& steered_records() const noexcept { return steered_records_; }
    /// Wire form of an endpoint's host; empty when that is an address.
    [[nodiscard]] ByteSpan host_of(EndpointId id) const noexcept { return hosts_[id.index()]; }

    Authority(const Authority&) = delete;
    Authority& operator=(const Authority&) = delete;

  private:
    friend class AuthorityBuilder;
    Authority() = default;

    std::shared_ptr<const Model> model_;
    std::vector<ServedZone> zones_;
    ZoneTable table_;
    std::vector<SteeredName> steered_;  // by ServiceId
    SteeredRecords steered_records_;
    std::vector<ByteSpan> hosts_;  // by EndpointId
    std::vector<uint8_t> names_;   // what fallback and hosts_ point into
};

/// The position of one of its zones.
[[nodiscard]] inline size_t index_of(const Authority& authority, const ServedZone& zone) noexcept {
    return static_cast<size_t>(&zone - authority.zones().data());
}

}  // namespace fairway::dns
