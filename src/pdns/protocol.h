// SPDX-License-Identifier: Apache-2.0
#pragma once
// PowerDNS' remote backend protocol without I/O: a call as a value, from the JSON that most connectors carry.
// One JSON object in, one JSON object out; answering is responder.h, and http_call.h reads the forms that
// only HTTP has. The methods are those of PowerDNS 4.7 to 5.1.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "steering/selection.h"

namespace fairway::pdns {

enum class Method : uint8_t {
    initialize,
    lookup,
    api_lookup,  // the content of the zone at a name, for editors; since 5.0
    list,
    get_all_domains,
    get_domain_info,
    get_all_domain_metadata,
    get_domain_metadata,
    get_domain_keys,
    get_before_and_after_names,
    get_tsig_key,
    get_tsig_keys,
    get_updated_masters,
    set_notified,
    search_records,
    direct_backend_cmd,
    // What changes a zone from the outside, which is refused with a reason.
    write_content,
    write_metadata,
    write_keys,
    write_tsig,
    secondary,  // of a secondary or autosecondary, which Fairway is not: false
    unknown     // answered with {"result":false}
};

/// One call. Reused from call to call, so that reading allocates nothing once its strings have grown.
struct Call {
    Method method = Method::unknown;
    std::string method_name;  // as sent
    std::string name;         // qname, zonename, domain or name, whichever the method has; as sent
    std::string qtype;        // "A", "ANY"
    std::string kind;         // of metadata
    std::string remote;       // the resolver's address
    std::string real_remote;  // prefix that the client is in: its subnet by ECS, or the resolver as a host
    std::string text;         // what to search for, or the operator's command
    int64_t zone_id = -1;     // -1: any
    int64_t id = -1;          // of a zone or a key, as the method has it
    int64_t serial = 0;
    int64_t max_results = 100;

    /// As newly made, but keeps its memory.
    void clear();
};

/// What is known of a method beside what it does.
struct MethodRule {
    std::string_view name;
    Method method = Method::unknown;
    /// Components of the path of a RESTful request, in their order: 'z' zone id, 'i' id, 'n' name, 'k' kind,
    /// 'q' type, 'x' another that is not needed.
    std::string_view path;
    bool needs_name = false;
};

/// The rule of a method; null for one that is not served. `name` may be in any case (the documentation's
/// examples of RESTful requests are in lower case).
[[nodiscard]] const MethodRule* find_method(std::string_view name) noexcept;

/// From a whole JSON document. The error names what is wrong with it, for the log.
[[nodiscard]] Result<void> parse_call(std::string_view text, Call& call);
/// From the name of the method, and its parameters as a JSON object; empty: none.
[[nodiscard]] Result<void> parse_call(std::string_view method, std::string_view parameters, Call& call);

/// By whom an answer is steered. `scoped` is false when the client asked not to be told apart (0.0.0.0/0):
/// then the answer must say scope 0, whoever decided.
struct CallClient {
    Client client;
    bool scoped = true;
};
[[nodiscard]] CallClient client_of(const Call& call) noexcept;

}  // namespace fairway::pdns
