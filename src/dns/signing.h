// SPDX-License-Identifier: Apache-2.0
#pragma once
// How the zones of a Serving are signed: their keys at one instant and the signatures made with them. The
// keys and the instant are immutable and part of the Serving, so that an answer depends on the Serving and
// the question only; whenever a key or a validity window changes, a new Serving is published. The signatures
// are kept in caches that outlive it and are shared by all threads.
//
// Windows (RFC 4034 section 3.1.5): time is cut into periods of lifetime - refresh, with a phase that differs
// from RRset to RRset, so that signatures are renewed one by one and not all at once. A signature is valid
// from an hour before its period begins (clocks differ) and for `refresh` after it ends.
//
// The Original TTL is the most that a set is ever answered with, while the answer's TTL may be less (RFC 4035
// section 5.3.3 takes the smaller): a set has one signature, whatever the TTL is just now.
//
// Not signed: transfers. An outgoing transfer of such a zone carries its own records only, for RRSIG and NSEC
// are made for each answer: a secondary can serve it only to resolvers that do not validate, or sign it
// itself.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dns/dnssec_canonical.h"
#include "dns/dnssec_key.h"
#include "dns/dnssec_keyring.h"
#include "dns/signature_cache.h"
#include "dns/types.h"

namespace fairway::dns {

/// A key of a zone and what it does at this instant. For PowerDNS: key->flags(), use.signs_zone or
/// use.signs_keys (active), use.published, key->private_text().
struct ZoneKey {
    std::shared_ptr<const DnssecKey> key;
    KeyTimes times;
    KeyUse use;
};

/// A set that signing adds to the apex of a zone.
struct ApexSet {
    RecordType type{};
    uint32_t ttl = 0;
    std::vector<std::vector<uint8_t>> records;
};

/// How one zone is signed. Immutable once it is in a ZoneSigning.
struct SignedZone {
    std::vector<uint8_t> apex;  // lower-cased wire form
    std::vector<ZoneKey> keys;  // those that are published or sign
    /// The keys cannot be used, and this says why: who asks for signatures gets SERVFAIL, never an unsigned
    /// answer.
    std::string trouble;
    int64_t lifetime = 14 * 86'400;  // seconds, of a signature
    int64_t refresh = 7 * 86'400;    // at least this much of it is left in an answer; < lifetime
    uint32_t dnskey_ttl = 3600;
    /// DNSKEY, and CDS and CDNSKEY where a key is announced: never empty sets.
    std::vector<ApexSet> apex_sets;

    /// Null when the apex has no such set.
    [[nodiscard]] const ApexSet* apex_set(RecordType type) const noexcept;
};

/// Fills apex_sets from the keys and their use.
void make_apex_sets(SignedZone& zone);

/// Signatures that come again and again, and those that may be asked for once (names that do not exist or
/// come from a wildcard): a flood of these must not push out the others.
struct SignatureCaches {
    SignatureCache lasting{lasting_capacity};
    SignatureCache passing{passing_capacity};

    static constexpr size_t lasting_capacity = 131'072;
    static constexpr size_t passing_capacity = 8192;
};

struct ZoneSigning {
    int64_t now = 0;  // seconds since 1970: what windows are reckoned from
    std::vector<std::shared_ptr<const SignedZone>> zones;  // by zone of the Authority; null: not signed
    std::shared_ptr<SignatureCaches> caches;

    [[nodiscard]] const SignedZone* zone(size_t index) const noexcept { return zones[index].get(); }
};

/// Validity of one signature, seconds since 1970.
struct SignatureWindow {
    int64_t inception = 0;
    int64_t expiration = 0;
    friend bool operator==(const SignatureWindow&, const SignatureWindow&) = default;
};
[[nodiscard]] SignatureWindow signature_window(const SignedZone& zone, ByteSpan lowered_owner,
                                               RecordType type, int64_t now) noexcept;

/// How long a Serving's instant may stand before windows get stale: a fraction of the shortest period.
[[nodiscard]] int64_t signing_step(const SignedZone& zone) noexcept;

enum class Recurrence : uint8_t { lasting, passing };

/// Makes the RRSIGs of RRsets, or finds them made. One a thread.
class RrsetSigner {
  public:
    /// Data of the RRSIGs, one a key that signs this type; good until the next call. Empty: OpenSSL failed,
    /// and the answer must not go out. `owner` in any case; `records` uncompressed, in any order.
    std::span<const ByteSpan> sign(const ZoneSigning& signing, const SignedZone& zone, ByteSpan owner,
                                   RecordType type, uint32_t original_ttl, std::span<const ByteSpan> records,
                                   Recurrence recurrence);

  private:
    CanonicalForm form_;
    std::vector<uint8_t> data_;  // of the RRSIGs
    std::vector<ByteSpan> made_;
};

}  // namespace fairway::dns
