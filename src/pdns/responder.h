// SPDX-License-Identifier: Apache-2.0
#pragma once
// Answers the remote backend's calls from a Serving: a Call to the text of its reply. No I/O.
//
// What PowerDNS makes of a reply, which is why ours look as they do:
//   - `result` absent or null is an exception: SERVFAIL, and the connection is dropped. That is how we say
//     that we cannot answer.
//   - an empty array is "no records". A name that exists without records (an empty non-terminal, a service
//     that answers NODATA) needs one record of type "", or PowerDNS says NXDOMAIN, and resolvers then hide
//     what exists below it (RFC 8020).
//   - a TTL that is a string goes out as 0; `auth` as a boolean counts as true.
//   - `scopeMask` goes out as the ECS scope, and keeps an answer out of the packet cache unless it is 0.
//   - lines in `log` go into PowerDNS' own log, at level info.

#include <cstdint>
#include <string>
#include <unordered_map>

#include "dns/answer_records.h"
#include "dns/serving.h"
#include "pdns/protocol.h"

namespace fairway::pdns {

/// Whether the peer may be told private keys and TSIG secrets.
enum class Audience : uint8_t { trusted, anybody };

/// Answers calls from a Serving. One a thread; reuses its memory.
class Responder {
  public:
    enum class Outcome : uint8_t {
        answered,
        unable  // nothing must be answered now: the first probe round is not done. `out` is as it was
    };
    /// Appends the reply to `out`: one JSON object, no line feed. Not for direct_backend_cmd, which it
    /// answers false.
    Outcome respond(const dns::Serving& serving, const Call& call, std::string& out,
                    Audience audience = Audience::trusted);

  private:
    Outcome lookup(const dns::Serving& serving, const Call& call, std::string& out);
    void append_found(const dns::Serving& serving, const Call& call, const dns::Name& owner,
                      const CallClient& client, std::string& out) const;
    static void append_delegation(const dns::Authority& authority, const Call& call, const dns::Name& owner,
                                  dns::RecordType type, std::string& out);
    static void append_of_parent(const dns::Authority& authority, const Call& call, const dns::Name& owner,
                                 std::string& out);
    void append_zones(const dns::Serving& serving, std::string& out) const;
    void append_changed_zones(const dns::Serving& serving, std::string& out) const;
    [[nodiscard]] uint32_t notified(const dns::ServedZone& zone) const;

    dns::OwnerRecords found_;
    /// By zone id: the serial of which PowerDNS has told the secondaries. Lost with the process, which costs
    /// them one superfluous NOTIFY.
    std::unordered_map<int32_t, uint32_t> notified_;
};

}  // namespace fairway::pdns
