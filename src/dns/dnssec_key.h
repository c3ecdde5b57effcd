// SPDX-License-Identifier: Apache-2.0
#pragma once
// One DNSSEC key pair: its DNSKEY record and the operations of OpenSSL with it. Algorithms are ECDSA P-256
// with SHA-256 (RFC 6605) and Ed25519 (RFC 8080); both have signatures of 64 octets. Not here: when a key is
// used (dnssec_keyring.h) and where it is kept (dnssec_key_file.h).

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "dns/name.h"

namespace fairway::dns {

/// Numbers of the IANA registry.
enum class DnssecAlgorithm : uint8_t { ecdsa_p256 = 13, ed25519 = 15 };
/// Digests of DS records (RFC 4509, RFC 6605).
enum class DsDigest : uint8_t { sha256 = 2, sha384 = 4 };

/// "ECDSAP256SHA256", "ED25519".
[[nodiscard]] std::string_view mnemonic(DnssecAlgorithm algorithm) noexcept;
/// "ecdsap256sha256", "ed25519", as in configuration, in any case; nothing for others.
[[nodiscard]] std::optional<DnssecAlgorithm> parse_dnssec_algorithm(std::string_view text) noexcept;

using DnssecSignature = std::array<uint8_t, 64>;

/// Flags of a DNSKEY (RFC 4034 section 2.1.1).
inline constexpr uint16_t dnskey_zone = 0x0100;
inline constexpr uint16_t dnskey_sep = 0x0001;

/// RFC 4034 appendix B, over a DNSKEY's data.
[[nodiscard]] uint16_t key_tag(ByteSpan dnskey) noexcept;
/// Data of a DS (or CDS) record for a DNSKEY's data at `owner`.
[[nodiscard]] std::vector<uint8_t> ds_data(const Name& owner, ByteSpan dnskey, DsDigest digest);
/// Whether `signature` over `data` is good under a DNSKEY's data. False for algorithms that are not here.
[[nodiscard]] bool verify_signature(ByteSpan dnskey, ByteSpan data, ByteSpan signature);

/// Immutable; signing is safe from any number of threads at once.
class DnssecKey {
  public:
    /// A new pair from the system's random numbers. `flags` are 256 (ZSK) or 257 (KSK, CSK).
    static Result<DnssecKey> generate(DnssecAlgorithm algorithm, uint16_t flags);
    /// From the private number (32 octets, big-endian) or seed.
    static Result<DnssecKey> from_private(DnssecAlgorithm algorithm, uint16_t flags, ByteSpan secret);
    ~DnssecKey();
    DnssecKey(DnssecKey&&) noexcept;
    DnssecKey& operator=(DnssecKey&&) noexcept;

    [[nodiscard]] DnssecAlgorithm algorithm() const noexcept { return algorithm_; }
    [[nodiscard]] uint16_t flags() const noexcept { return flags_; }
    [[nodiscard]] uint16_t tag() const noexcept { return tag_; }
    /// Data of the DNSKEY record.
    [[nodiscard]] ByteSpan dnskey() const noexcept { return dnskey_; }
    /// Tells keys apart even where their tags are equal.
    [[nodiscard]] uint64_t identity() const noexcept { return identity_; }
    /// RFC 4034 section 2.2: "257 3 13 GojI...==".
    [[nodiscard]] std::string dnskey_text() const;

    /// The signature as it stands in an RRSIG; nothing when OpenSSL fails (out of memory).
    [[nodiscard]] std::optional<DnssecSignature> sign(ByteSpan data) const noexcept;

    /// 32 octets; the caller wipes them.
    [[nodiscard]] std::vector<uint8_t> secret() const;
    /// The private key in the format that BIND, ldns and PowerDNS read ("Private-key-format: v1.2"), without
    /// times. Secret.
    [[nodiscard]] std::string private_text() const;

  private:
    class Pair;
    DnssecKey(DnssecAlgorithm algorithm, uint16_t flags, std::unique_ptr<Pair> pair, ByteSpan public_key);

    DnssecAlgorithm algorithm_;
    uint16_t flags_;
    uint16_t tag_ = 0;
    uint64_t identity_ = 0;
    std::vector<uint8_t> dnskey_;
    std::unique_ptr<Pair> pair_;
};

}  // namespace fairway::dns
