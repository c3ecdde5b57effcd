// SPDX-License-Identifier: Apache-2.0
#pragma once
// Facts about X.509 certificates and, for people, why OpenSSL would not have one. Everything that comes out
// of a certificate is escaped and bounded: whoever made it may be hostile. Nothing here decides what is
// trusted.

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct asn1_string_st;
struct x509_st;
struct x509_store_ctx_st;

namespace fairway::net {

/// Seconds, because RFC 5280's "no expiry" (year 9999) does not fit into a time of nanoseconds.
[[nodiscard]] std::optional<std::chrono::sys_seconds> certificate_time(const asn1_string_st* time);

/// SHA-256 over the DER of the SubjectPublicKeyInfo (RFC 7469 section 2.4).
[[nodiscard]] std::optional<std::array<uint8_t, 32>> public_key_hash(const x509_st* certificate);

/// The hosts that a certificate is for: "a.example, *.b.example and 7 more"; empty when it names none.
[[nodiscard]] std::string certificate_hosts(const x509_st* certificate);

/// Why verification failed: "certificate expired 3 days ago", "self-signed certificate". `chain` has been
/// through X509_verify_cert() at time `now`; `peer` is the name that was asked for.
[[nodiscard]] std::string describe_verification_failure(x509_store_ctx_st* chain, std::string_view peer,
                                                        std::chrono::sys_seconds now);

/// "3 days", "1 day", "5 hours", "1 minute": the largest whole unit, for a span that is not negative.
[[nodiscard]] std::string rough_duration(std::chrono::seconds span);

}  // namespace fairway::net
