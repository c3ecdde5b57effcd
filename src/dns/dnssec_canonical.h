// SPDX-License-Identifier: Apache-2.0
#pragma once
// What is signed: RRsets in canonical form and order (RFC 4034 section 6, RFC 6840 section 5.1) behind the
// fields of their RRSIG (RFC 4034 section 3.1.8.1). Pure; buffers are reused so that, after warm-up, nothing
// is allocated.

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "dns/types.h"

namespace fairway::dns {

/// An RRSIG but for its signature.
struct SignatureFields {
    RecordType covered{};
    uint8_t algorithm = 0;
    uint8_t labels = 0;         // of the owner, without the root and a leading "*"
    uint32_t original_ttl = 0;  // seconds
    uint32_t expiration = 0;    // seconds since 1970
    uint32_t inception = 0;
    uint16_t key_tag = 0;
    ByteSpan signer;  // the zone's apex, lower case
};

/// Octets of an RRSIG's data before the signer's name.
inline constexpr size_t rrsig_fixed_size = 18;

/// Writes an RRSIG's data up to the signature, which follows.
void write_rrsig_fields(Writer& writer, const SignatureFields& fields) noexcept;

/// Labels of a wire name as RRSIG counts them: without the root and without a leading "*".
[[nodiscard]] uint8_t rrsig_labels(ByteSpan name) noexcept;

/// Builds signed data. One a thread; what it returns is good until the next call.
class CanonicalForm {
  public:
    /// `owner` in any case; `records` in any order, uncompressed, in any case. Records that are equal count
    /// once.
    ByteSpan signed_data(const SignatureFields& fields, ByteSpan owner, std::span<const ByteSpan> records);

  private:
    struct Piece {
        size_t begin = 0;
        size_t size = 0;
    };
    std::vector<uint8_t> data_;    // in canonical case, as they came
    std::vector<Piece> pieces_;    // in data_, sorted
    std::vector<uint8_t> signed_;  // the result
};

/// Lower-cases the names inside the data of the types that RFC 4034 section 6.2 lists; data that is not as
/// its type says stays as it is.
void canonical_data(RecordType type, std::span<uint8_t> data) noexcept;

}  // namespace fairway::dns
