// SPDX-License-Identifier: Apache-2.0
#pragma once
// The content of zones as PowerDNS' transfers, editors and signers ask for it. Not what clients get: a
// steered name has the addresses of all its members here, whatever their health and whoever asks.

#include <cstdint>
#include <string>
#include <string_view>

#include "dns/authority.h"
#include "dns/serving.h"

namespace fairway::pdns {

/// The elements of an array: every record of the zone, SOA first.
void append_content(std::string& out, const dns::Serving& serving, const dns::ServedZone& zone);
/// Likewise those at one name; `type` is "ANY" or a type. `name` as PowerDNS wrote it.
void append_content_at(std::string& out, const dns::Serving& serving, const dns::ServedZone& zone,
                       std::string_view name, std::string_view type);
/// Likewise those of all zones whose name or content matches `pattern` (`*` and `?`, in any case, the dot at
/// the end of a name may be left out), at most `most`.
void append_found_content(std::string& out, const dns::Serving& serving, std::string_view pattern,
                          size_t most);

/// The neighbours of a name in the chain that NSEC records make of a zone (RFC 4034 section 4.1.1): names
/// that have an NSEC, which those below delegations and empty non-terminals have not.
struct Neighbours {
    std::string before;  // the name itself if it is in the chain
    std::string after;   // the apex after the last
};
/// `name` and the results are relative to the apex, which itself is "".
[[nodiscard]] Neighbours neighbours_of(const dns::Authority& authority, const dns::ServedZone& zone,
                                       std::string_view name);

}  // namespace fairway::pdns
