// SPDX-License-Identifier: Apache-2.0
#pragma once
// The keys of the signed zones: read from their folders, planned by dnssec_keyring.h, made and written, and
// turned into what a Serving signs with. A ZoneKeyring is a value; the functions that touch the disk say so
// and may run on any thread, one at a time for a zone.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dns/authority.h"
#include "dns/dnssec_keyring.h"
#include "dns/name.h"
#include "dns/signing.h"

namespace fairway::dns {

/// The keys of one zone as they are on the disk.
struct ZoneKeyring {
    Name apex;
    Dnssec settings;
    KeyPolicy policy;
    std::vector<std::shared_ptr<const DnssecKey>> keys;
    std::vector<KeyInfo> infos;  // of `keys`, by position
    /// The keys cannot be read, and this says why; then there are none here.
    std::string trouble;

    friend bool operator==(const ZoneKeyring&, const ZoneKeyring&) = default;
};

/// By zone, as the model names it; only those that are to be signed.
using ZoneKeyrings = std::map<std::string, ZoneKeyring, std::less<>>;

/// Reads the keys of every zone that is to be signed, from below `folder`. Changes nothing.
[[nodiscard]] ZoneKeyrings load_keyrings(const std::filesystem::path& folder, const Authority& authority);

/// Whether plan_keys() has anything to do for this zone.
[[nodiscard]] bool has_due_work(const ZoneKeyring& keyring, int64_t now);

/// What became of a change.
struct KeyringUpdate {
    ZoneKeyring keyring;
    std::vector<std::string> notes;  // for the operator: "KSK 12345 made", ...
};
/// Makes the keys, writes the files, and then says what there is now.
[[nodiscard]] Result<KeyringUpdate> carry_out(const std::filesystem::path& folder, const ZoneKeyring& keyring,
                                              const KeyChange& change);
/// Carries out what is due.
[[nodiscard]] Result<KeyringUpdate> bring_up_to_date(const std::filesystem::path& folder,
                                                     const ZoneKeyring& keyring, int64_t now);

/// How the zones are signed at `now`. Null when none is to be.
[[nodiscard]] std::shared_ptr<const ZoneSigning> make_signing(const Authority& authority,
                                                              const ZoneKeyrings& keyrings,
                                                              std::shared_ptr<SignatureCaches> caches,
                                                              int64_t now);
/// When make_signing() or has_due_work() have something new to say, at the latest.
[[nodiscard]] int64_t next_signing_event(const ZoneKeyrings& keyrings, int64_t now);

/// The largest TTL that any record of a zone is answered with, but for DNSKEY.
[[nodiscard]] uint32_t max_ttl_of(const Authority& authority, const ServedZone& zone);

/// "CSK 12345", "ZSK 54321".
[[nodiscard]] std::string key_name(const ZoneKeyring& keyring, size_t key);

}  // namespace fairway::dns
