// SPDX-License-Identifier: Apache-2.0
#pragma once
// The records of one owner name, or of a whole zone, as values: for faces that assemble answers themselves
// (the PowerDNS backend), for `explain` and for listings. They come from the same table and the same
// Selection as Answerer's answers. No CNAME is chased, no wildcard is applied: the caller asks for "*.parent"
// itself.

#include <cstdint>
#include <string>
#include <vector>

#include "base/ip.h"
#include "dns/authority.h"
#include "dns/name.h"
#include "dns/serving.h"
#include "dns/types.h"
#include "steering/selection.h"

namespace fairway::dns {

struct Record {
    Name owner;
    RecordType type{};
    uint32_t ttl = 0;           // seconds
    std::vector<uint8_t> data;  // wire form, uncompressed
    std::string content;        // presentation form: "192.0.2.1", "10 mail.example.com.", "\"text\""
    uint8_t scope = 0;          // ECS SCOPE PREFIX-LENGTH; 0: not tailored
    bool authoritative = true;  // false: NS of a delegation and glue
    bool steered = false;
};

enum class OwnerStatus : uint8_t {
    not_ours,            // outside of all zones
    nonexistent,         // NXDOMAIN unless a wildcard applies
    empty_non_terminal,  // exists, has no records, has names below (RFC 8020)
    exists,
    not_ready,  // steered, and the first probe round is not done: answer nothing yet
};

struct OwnerRecords {
    OwnerStatus status = OwnerStatus::not_ours;
    const ServedZone* zone = nullptr;  // of the Authority in Serving; null when not_ours
    std::vector<Record> records;
    /// At or below a delegation of the zone.
    bool delegated = false;
    /// The name is steered: `selection` is what was decided (also servfail, refuse, nodata, without records).
    ServiceId service;
    Selection selection;
};

/// Fills `out`, whose memory is reused. With `trace`, steering tells why.
void records_at(const Serving& serving, const Name& owner, const Client& client, OwnerRecords& out,
                Trace* trace = nullptr);

/// The serial that a zone is served with.
[[nodiscard]] uint32_t serial_of(const Serving& serving, const ServedZone& zone);
/// The SOA of a zone as it is served.
[[nodiscard]] Record soa_of(const Serving& serving, const ServedZone& zone);

/// The records of a zone, owner by owner, without a copy of the whole: what records_of() lists.
class ZoneRecords {
  public:
    /// Both must outlive it.
    ZoneRecords(const Serving& serving, const ServedZone& zone) noexcept;
    /// Replaces `out` by the records of the next owner; false when there is no further one. Some owners have
    /// none.
    [[nodiscard]] bool next(std::vector<Record>& out);

  private:
    const Serving& serving_;
    const ServedZone& zone_;
    uint32_t node_;
    uint32_t child_ = 0;          // zone, once all nodes have been seen
    std::vector<uint32_t> glue_;  // nodes that were given for a child zone
    bool challenges_done_ = false;
};

/// Every record of a zone, SOA first; a steered name with all its members' addresses as if all were healthy
/// (at most Selection::max_endpoints), glue and delegations included.
[[nodiscard]] std::vector<Record> records_of(const Serving& serving, const ServedZone& zone);

/// Every empty non-terminal of a zone.
[[nodiscard]] std::vector<Name> empty_non_terminals(const Authority& authority, const ServedZone& zone);

}  // namespace fairway::dns
