// SPDX-License-Identifier: Apache-2.0
#pragma once
// What can be wrong with a gateway that fairway-gateway plays.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace fairway::ipsec {

enum class FaultKind : uint8_t {
    none,
    refuse,           // nothing listens: RST, ICMP port unreachable
    silent,           // SYNs and datagrams get no answer
    slow,             // every answer comes late
    reset,            // TCP connections are accepted, then reset
    bad_certificate,  // TLS shows a certificate that no client should accept
    http_503,
    ike_cookie,       // asks everyone for a cookie first
    ike_no_proposal,  // NO_PROPOSAL_CHOSEN to every offer
    ike_garbage,      // noise instead of IKE
    ike_redirect      // sends clients to another gateway (RFC 5685)
};

enum class CertificateFlaw : uint8_t { expired, self_signed, wrong_host };

struct Fault {
    FaultKind kind = FaultKind::none;
    CertificateFlaw flaw = CertificateFlaw::expired;  // bad_certificate
    std::optional<nanoseconds> delay;                 // slow; absent: the gateway's own

    /// "silent", "slow", "slow:800ms", "bad-certificate:self-signed". The error names what was near.
    static Result<Fault> parse(std::string_view text);
    /// As parse() reads it.
    [[nodiscard]] std::string to_string() const;
    friend bool operator==(const Fault&, const Fault&) = default;
};

/// Every name that parse() knows, with what it means; for the help text and the man page.
struct FaultName {
    std::string_view name;
    FaultKind kind;
    std::string_view meaning;
};
[[nodiscard]] const std::vector<FaultName>& fault_names();

}  // namespace fairway::ipsec
