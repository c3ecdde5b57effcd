// SPDX-License-Identifier: Apache-2.0
#pragma once
// PowerDNS' remote backend protocol without I/O: the text of a call to a Call, a Call to the text of its
// reply. One JSON object in, one JSON object out, the same for every connector.
//
// What PowerDNS makes of a reply, which is why ours look as they do:
//   - `result` absent or null is an exception: SERVFAIL, and the connection is dropped. That is how we say
//     that we cannot answer.
//   - an empty array is "no records". A name that exists without records (an empty non-terminal, a service
//     that answers NODATA) needs one record of type "", or PowerDNS says NXDOMAIN, and resolvers then hide
//     what exists below it (RFC 8020).
//   - a TTL that is a string goes out as 0; `auth` as a boolean counts as true.
//   - `scopeMask` goes out as the ECS scope, and keeps an answer out of the packet cache unless it is 0.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "dns/answer_records.h"
#include "dns/serving.h"

namespace fairway::pdns {

enum class Method : uint8_t {
    initialize,
    lookup,
    list,
    get_all_domains,
    get_domain_info,
    get_all_domain_metadata,
    get_domain_metadata,
    unknown  // answered with {"result":false}
};

/// One call. Reused from call to call, so that reading allocates nothing once its strings have grown.
struct Call {
    Method method = Method::unknown;
    std::string method_name;  // as sent
    std::string name;         // qname, zonename or name, whichever the method has; case and dot as sent
    std::string qtype;        // "A", "ANY"
    std::string remote;       // the resolver's address
    std::string real_remote;  // prefix that the client is in: its subnet by ECS, or the resolver as a host
    int64_t zone_id = -1;     // -1: any
};

/// The error names what is wrong with the text, for the log.
[[nodiscard]] Result<void> parse_call(std::string_view text, Call& call);

/// By whom an answer is steered. `scoped` is false when the client asked not to be told apart (0.0.0.0/0):
/// then the answer must say scope 0, whoever decided.
struct CallClient {
    Client client;
    bool scoped = true;
};
[[nodiscard]] CallClient client_of(const Call& call) noexcept;

/// Answers calls from a Serving. One a thread; reuses its memory.
class Responder {
  public:
    enum class Outcome : uint8_t {
        answered,
        unable  // nothing must be answered now: the first probe round is not done. `out` is as it was
    };
    /// Appends the reply to `out`: one JSON object, no line feed.
    Outcome respond(const dns::Serving& serving, const Call& call, std::string& out);

  private:
    Outcome lookup(const dns::Serving& serving, const Call& call, std::string& out);
    void append_found(const dns::Serving& serving, const Call& call, const dns::Name& owner,
                      const CallClient& client, std::string& out) const;
    void append_of_parent(const dns::Serving& serving, const Call& call, const dns::Name& owner,
                          std::string& out) const;
    void list(const dns::Serving& serving, const Call& call, std::string& out) const;

    dns::OwnerRecords found_;
};

/// {"result":false}
void append_refusal(std::string& out);

}  // namespace fairway::pdns
