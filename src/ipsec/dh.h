// SPDX-License-Identifier: Apache-2.0
#pragma once
// Diffie-Hellman groups of IKE: 2 (legacy), 14, 15, 16 (RFC 3526), 19, 20, 21 (RFC 5903), 31 (RFC 8031), on
// OpenSSL. The private key comes from the caller's Entropy. Groups 14 to 16 take milliseconds: not for a busy
// loop.

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ipsec/entropy.h"
#include "ipsec/secret.h"
#include "ipsec/types.h"

namespace fairway::ipsec {

/// Whether this build can compute with the group.
[[nodiscard]] bool is_supported(DhGroup group) noexcept;
/// Octets of a public value on the wire; 0 for a group that is not supported.
[[nodiscard]] size_t public_value_size(DhGroup group) noexcept;

/// RFC 6989 2: length, range, and for elliptic curves that the point is on the curve. The error says which.
/// X25519 accepts every string of 32 octets; shared_secret() refuses the outcome zero.
[[nodiscard]] Result<void> check_public_value(DhGroup group, ByteSpan value);

/// One ephemeral key pair.
class KeyExchange {
  public:
    /// A fresh pair. Fails only for a group that is not supported.
    static Result<KeyExchange> generate(DhGroup group, Entropy& entropy);
    /// From a known private key (big-endian number, or the 32 octets of X25519); for replaying recordings.
    static Result<KeyExchange> from_private(DhGroup group, ByteSpan private_key);

    [[nodiscard]] DhGroup group() const noexcept { return group_; }
    /// As it stands in a KE payload: leading zeros kept, a point without its 0x04 (RFC 5903 7).
    [[nodiscard]] ByteSpan public_value() const noexcept { return public_; }
    /// g^ir: for elliptic curves the x coordinate. Checks `peer_value` first.
    [[nodiscard]] Result<SecretBytes> shared_secret(ByteSpan peer_value) const;

  private:
    KeyExchange(DhGroup group, SecretBytes private_key) : group_(group), private_(std::move(private_key)) {}
    bool compute_public();

    DhGroup group_;
    SecretBytes private_;
    std::vector<uint8_t> public_;
};

}  // namespace fairway::ipsec
