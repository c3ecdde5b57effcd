// SPDX-License-Identifier: Apache-2.0
#pragma once
// When the keys of a zone are used: a pure function of their times. Which key is published, which signs, when
// a rollover goes on by itself and what it waits for. No cryptography, no clock, no files.
//
// A key with the SEP flag signs the DNSKEY, CDS and CDNSKEY sets as long as it is published. The zone's data
// is signed by its active ZSKs, or, where there is none, by the active SEP keys (a combined key, CSK).
//
//     ZSK   pre-publication (RFC 7583 section 2.1)
//             published ──dnskey_ttl──► active ........ inactive ──max_ttl──► removed
//                                       (successor's activation)
//     KSK   double signature (RFC 7583 section 2.2), likewise a CSK, whose data signatures change as a ZSK's
//     do
//             published ──dnskey_ttl──► in CDS ── the operator says that the parent has the DS ──►
//             the old one ──parent_ds_ttl──► removed
//     another algorithm (RFC 6781 section 4.1.4)
//             signing ──max_ttl──► published ──dnskey_ttl──► in CDS ──ds-seen──►
//             the old ones ──parent_ds_ttl──► removed ──dnskey_ttl──► no longer signing
//
// Each wait is longer by a margin for clocks and for servers that lag behind. What the parent has is never
// asked for: an operator says so, and until then both keys stay good.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dns/dnssec_key.h"

namespace fairway::dns {

/// Seconds since 1970. What is absent has not been decided yet.
struct KeyTimes {
    int64_t created = 0;
    std::optional<int64_t> publish;       // from here on in the DNSKEY set
    std::optional<int64_t> activate;      // from here on it signs the zone's data
    std::optional<int64_t> inactive;      // from here on no longer
    std::optional<int64_t> remove;        // from here on not in the DNSKEY set
    std::optional<int64_t> sync_publish;  // from here on in CDS and CDNSKEY
    std::optional<int64_t> sync_delete;   // from here on no longer
    std::optional<int64_t> ds_seen;       // an operator said that the parent has the DS
    friend bool operator==(const KeyTimes&, const KeyTimes&) = default;
};

/// What the keyring knows of a key.
struct KeyInfo {
    uint16_t tag = 0;
    DnssecAlgorithm algorithm = DnssecAlgorithm::ecdsa_p256;
    bool sep = false;  // KSK or CSK
    KeyTimes times;
    friend bool operator==(const KeyInfo&, const KeyInfo&) = default;
};

/// Seconds throughout.
struct KeyPolicy {
    DnssecAlgorithm algorithm = DnssecAlgorithm::ecdsa_p256;
    bool combined = true;      // one CSK, or a KSK and a ZSK
    int64_t zsk_lifetime = 0;  // 0: rolled by command only
    int64_t ksk_lifetime = 0;  // of a KSK or CSK; 0: likewise
    int64_t dnskey_ttl = 3600;
    int64_t parent_ds_ttl = 86'400;
    int64_t max_ttl = 3600;  // of any record of the zone
    int64_t margin = 300;
};

/// What a key is used for at one instant.
struct KeyUse {
    bool published = false;
    bool signs_keys = false;  // DNSKEY, CDS, CDNSKEY
    bool signs_zone = false;  // everything else
    bool announced = false;   // in CDS and CDNSKEY: the parent should have its DS
    friend bool operator==(const KeyUse&, const KeyUse&) = default;
};

enum class KeyState : uint8_t {
    waiting,  // not published yet
    ready,    // published, not used yet
    active,   // signs
    retired,  // published only for what is cached
    removed,
};
[[nodiscard]] std::string_view to_string(KeyState state) noexcept;

/// By the position in `keys`. While any key is published something signs, whatever the times say.
[[nodiscard]] std::vector<KeyUse> key_uses(const std::vector<KeyInfo>& keys, int64_t now);
[[nodiscard]] KeyState key_state(const KeyInfo& key, const KeyUse& use, int64_t now) noexcept;

/// What to do to a keyring: keys to make, and then new times of old ones. Whoever carries it out halfway may
/// call plan_keys() again, which goes on where it stopped.
struct KeyChange {
    struct New {
        bool sep = false;
        DnssecAlgorithm algorithm = DnssecAlgorithm::ecdsa_p256;
        KeyTimes times;
        friend bool operator==(const New&, const New&) = default;
    };
    struct Retimed {
        size_t key = 0;  // position
        KeyTimes times;
        friend bool operator==(const Retimed&, const Retimed&) = default;
    };
    std::vector<New> make;
    std::vector<Retimed> retime;
    std::vector<size_t> forget;  // removed long ago: the files may go

    [[nodiscard]] bool empty() const noexcept { return make.empty() && retime.empty() && forget.empty(); }
    friend bool operator==(const KeyChange&, const KeyChange&) = default;
};

/// What is due by itself: the first keys, scheduled rollovers, another algorithm or division of keys, the
/// retirement of keys whose successor is there.
[[nodiscard]] KeyChange plan_keys(const std::vector<KeyInfo>& keys, const KeyPolicy& policy, int64_t now);

enum class RollKind : uint8_t { zsk, ksk, csk };
/// Starts a rollover; an error where one of that kind is under way or there is no such key.
[[nodiscard]] Result<KeyChange> roll_keys(const std::vector<KeyInfo>& keys, const KeyPolicy& policy,
                                          RollKind kind, int64_t now);
/// The parent has the DS of the newest announced key: the keys before it may go. An error when nothing waits
/// for that, or when it is too early for the DS to be there.
[[nodiscard]] Result<KeyChange> note_ds_seen(const std::vector<KeyInfo>& keys, const KeyPolicy& policy,
                                             int64_t now);

/// When key_uses() or plan_keys() next have something else to say; nothing: never by themselves.
[[nodiscard]] std::optional<int64_t> next_key_event(const std::vector<KeyInfo>& keys, const KeyPolicy& policy,
                                                    int64_t now);

}  // namespace fairway::dns
