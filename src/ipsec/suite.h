// SPDX-License-Identifier: Apache-2.0
#pragma once
// Cryptographic suites of an IKE SA: what we offer, what an endpoint accepts, and how the two are matched
// (RFC 7296 2.7, 3.3; RFC 5282 8 for AEAD).

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ipsec/payloads.h"

namespace fairway::ipsec {

/// One of each: what an SA runs on.
struct IkeSuite {
    Encryption encryption = Encryption::aes_gcm_16;
    uint16_t key_length = 0;
    Prf prf = Prf::hmac_sha2_256;
    Integrity integrity = Integrity::none;
    DhGroup group = DhGroup::none;
    friend bool operator==(const IkeSuite&, const IkeSuite&) = default;
};

struct Selection {
    IkeSuite suite;
    Proposal proposal;  // what to answer: the offered proposal's number with one transform of each type
};

/// The first of `policy` that a proposal of `offered` meets; within it, the policy's order of transforms.
/// The group `preferred_group` goes first among those the policy allows, so that a responder can keep the key
/// exchange it was sent; DhGroup::none leaves the policy's order.
[[nodiscard]] std::optional<Selection> select_proposal(const std::vector<Proposal>& policy,
                                                       const std::vector<Proposal>& offered,
                                                       DhGroup preferred_group = DhGroup::none);

/// Whether legacy algorithms (SHA-1, group 2) are offered as well, for gateways that know nothing else.
enum class OfferScope : uint8_t { current, legacy };
/// What a client offers to be understood by all common gateways: AES-GCM first, then AES-CBC with HMAC.
[[nodiscard]] std::vector<Proposal> default_offer(OfferScope scope);
/// A well-formed offer that no gateway accepts: its cipher is from the range of private use; its key exchange
/// is X25519, of which any 32 octets are a public value. It is answered NO_PROPOSAL_CHOSEN and leaves no
/// state.
[[nodiscard]] std::vector<Proposal> unacceptable_offer();
/// What our own endpoint accepts when its configuration is silent.
[[nodiscard]] std::vector<Proposal> default_policy();

/// "aes256gcm16-prfsha384-x25519", "aes128-sha256-modp2048-ecp256": words separated by '-', alternatives of
/// one kind side by side; the integrity's hash is the PRF when none is named. The error names the word.
[[nodiscard]] Result<Proposal> parse_proposal(std::string_view text);
/// "AES-GCM-256/PRF-SHA2-384/group 31".
[[nodiscard]] std::string to_string(const IkeSuite& suite);

}  // namespace fairway::ipsec
