// SPDX-License-Identifier: Apache-2.0
#pragma once
// Transaction signatures (TSIG, RFC 8945): reads, checks and writes the record that signs a message with a
// shared secret. Bytes in, bytes out; time is passed in. Which key may do what is decided elsewhere.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "dns/name.h"

namespace fairway::dns {

/// MD5 and SHA-1 are not among them: RFC 8945 section 6 allows to leave both out.
enum class TsigAlgorithm : uint8_t { hmac_sha224, hmac_sha256, hmac_sha384, hmac_sha512 };

/// "hmac-sha256".
[[nodiscard]] std::string_view to_string(TsigAlgorithm algorithm) noexcept;
/// The inverse, in lower case only.
[[nodiscard]] std::optional<TsigAlgorithm> parse_tsig_algorithm(std::string_view text) noexcept;

struct TsigKey {
    Name name;
    TsigAlgorithm algorithm = TsigAlgorithm::hmac_sha256;
    std::vector<uint8_t> secret;
    friend bool operator==(const TsigKey&, const TsigKey&) = default;
};

/// The key of this name; null when there is none.
[[nodiscard]] const TsigKey* find_key(std::span<const TsigKey> keys, const Name& name) noexcept;

/// Values of the record's error field and, for `none` and `formerr`, of the header alone.
enum class TsigError : uint16_t {
    none = 0,
    formerr = 1,    // no TSIG in the response
    badsig = 16,    // RCODE NOTAUTH, like all of the following
    badkey = 17,    // no such key, or of another algorithm
    badtime = 18,   // outside of the fudge; the response tells our time
    badtrunc = 22,  // genuine, but with fewer octets of the MAC than this server wants: all of them
};

/// A message's TSIG record. The MAC and the other data point into the message.
struct TsigRecord {
    size_t at = 0;  // where the record begins: that much of the message is signed
    Name key;
    Name algorithm;
    uint64_t time_signed = 0;  // seconds since 1970, 48 bits
    uint16_t fudge = 0;        // seconds
    ByteSpan mac;
    uint16_t original_id = 0;
    uint16_t error = 0;
    ByteSpan other;
};

/// Where the TSIG of any message begins, which must be its last record; 0 when there is none. Nothing when
/// the message is malformed.
[[nodiscard]] std::optional<size_t> find_tsig(ByteSpan message) noexcept;
/// Reads the TSIG that begins at `at` and must be the message's last record. Nothing when it is malformed
/// (RFC 8945 section 5.1: FORMERR).
[[nodiscard]] std::optional<TsigRecord> read_tsig(ByteSpan message, size_t at) noexcept;

/// Judges the TSIG of a request in the order of RFC 8945 section 5.2. `key` is the one that the record names,
/// or null.
[[nodiscard]] TsigError check_request(ByteSpan message, const TsigRecord& record, const TsigKey* key,
                                      uint64_t unix_seconds) noexcept;
/// The same for a response to a request that we signed with this MAC (RFC 8945 section 5.4); `none` also
/// means that the server reports no error.
[[nodiscard]] TsigError check_response(ByteSpan message, const TsigRecord& record, const TsigKey& key,
                                       ByteSpan request_mac, uint64_t unix_seconds) noexcept;

/// Signs the messages of one transaction, in order: a request, or all messages of the response to one. A
/// value; the key must outlive it.
class TsigSigner {
  public:
    static constexpr size_t max_mac = 64;
    static constexpr uint16_t fudge = 300;  // seconds, RFC 8945 section 10

    /// For a request.
    explicit TsigSigner(const TsigKey& key) noexcept;
    /// For the response to a request whose record was judged so; not for `formerr`. `key` may be null for
    /// BADKEY: like that to BADSIG, such a response carries a record without a MAC (section 5.3.2).
    TsigSigner(const TsigRecord& request, const TsigKey* key, TsigError error) noexcept;

    /// Octets that the next signature takes at most.
    [[nodiscard]] size_t room() const noexcept;
    /// Appends the record to the message of `size` octets in `out` and returns the new size. Messages after
    /// the first are signed as such of one response (section 5.3.1). 0 when it does not fit or the library
    /// fails: the message must not be sent then.
    [[nodiscard]] size_t sign(std::span<uint8_t> out, size_t size, uint64_t unix_seconds) noexcept;
    /// Of the message signed last.
    [[nodiscard]] ByteSpan mac() const noexcept { return {mac_.data(), mac_size_}; }

  private:
    const TsigKey* key_ = nullptr;  // null: the MAC stays empty
    Name key_name_;
    Name algorithm_;
    TsigError error_ = TsigError::none;
    uint64_t request_time_ = 0;
    std::array<uint8_t, max_mac> mac_{};  // of the request, then of the message before
    size_t mac_size_ = 0;
    size_t signed_ = 0;  // messages
};

}  // namespace fairway::dns
