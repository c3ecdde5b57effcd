// SPDX-License-Identifier: Apache-2.0
#pragma once
// What PowerDNS is told about zones beside their content: keys to sign them with, metadata, and the TSIG keys
// of transfers. All of it follows from Fairway's configuration and its key store.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dns/authority.h"
#include "dns/serving.h"

namespace fairway::pdns {

/// A kind of metadata and its values.
using Metadatum = std::pair<std::string_view, std::vector<std::string>>;

/// All that PowerDNS should know of the zone, in a fixed order:
///   NSEC3PARAM, NSEC3NARROW        signed live: names come and go, so nothing is prepared for denials
///   PUBLISH-CDS, PUBLISH-CDNSKEY   where every key that signs the keys is announced to the parent
///   ALLOW-AXFR-FROM, TSIG-ALLOW-AXFR, ALSO-NOTIFY
///                                  the zone's transfer rules; one that asks for an address and a key at
///                                  once cannot be said to PowerDNS, and is left out
[[nodiscard]] std::vector<Metadatum> metadata_of(const dns::Serving& serving, const dns::ServedZone& zone);

/// Elements of the array of getDomainKeys: those that are published or sign, with their private halves.
void append_keys(std::string& out, const dns::Serving& serving, const dns::ServedZone& zone);
/// Whether the zone is signed.
[[nodiscard]] bool is_signed(const dns::Serving& serving, const dns::ServedZone& zone);

/// The object that getTSIGKey is answered with; false when there is no such key.
[[nodiscard]] bool append_tsig_key(std::string& out, const dns::Serving& serving, std::string_view name);
/// Elements of the array of getTSIGKeys.
void append_tsig_keys(std::string& out, const dns::Serving& serving);

}  // namespace fairway::pdns
