// SPDX-License-Identifier: Apache-2.0
#pragma once
// Domain names in wire form (RFC 1035 section 3.1): at most 255 octets, labels of at most 63. Any octet is
// legal in a label (RFC 2181 section 11); comparison ignores the case of ASCII letters only (RFC 4343). Not
// here: which names exist (zone_table.h).

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace fairway::dns {

/// An absolute domain name with its case kept. A value of fixed size: copying allocates nothing.
class Name {
  public:
    static constexpr size_t max_size = 255;    // octets on the wire, the root's included
    static constexpr size_t max_labels = 127;  // without the root
    static constexpr size_t max_label = 63;

    /// The root.
    constexpr Name() noexcept = default;

    /// Presentation form: "www.example.com" or "www.example.com."; `\.` and `\DDD` escape. "." is the root;
    /// empty text is an error.
    static Result<Name> parse(std::string_view text);
    /// From uncompressed wire form that is exactly one name.
    static Result<Name> from_wire(ByteSpan wire);
    /// Reads a name that may be compressed, from a reader over the whole message (RFC 1035 section 4.1.4).
    /// Pointers must go strictly backwards, so that there are no loops. A malformed name fails the reader.
    static Name read(Reader& reader) noexcept;
    /// The same without compression: pointers fail the reader.
    static Name read_uncompressed(Reader& reader) noexcept;

    [[nodiscard]] ByteSpan wire() const noexcept { return {bytes_.data(), size_}; }
    [[nodiscard]] size_t size() const noexcept { return size_; }
    [[nodiscard]] bool is_root() const noexcept { return size_ == 1; }
    /// Takes over octets that are known to be one uncompressed name: cheaper than making a Name and copying
    /// it.
    void assign_checked(ByteSpan wire) noexcept { assign(wire); }
    /// Without the root: "example.com" has 2.
    [[nodiscard]] size_t labels() const noexcept;
    /// Whether the first label is "*" (RFC 4592 section 2.1.1).
    [[nodiscard]] bool is_wildcard() const noexcept {
        return size_ > 2 && bytes_[0] == 1 && bytes_[1] == '*';
    }
    /// Without the first label; of the root, the root.
    [[nodiscard]] Name parent() const noexcept;
    /// Whether this name is `ancestor` or below it.
    [[nodiscard]] bool is_within(const Name& ancestor) const noexcept;
    [[nodiscard]] Name lowered() const noexcept;
    /// `label` (unescaped, 1 to 63 octets) in front of this name; an error when that is too long.
    [[nodiscard]] Result<Name> child(std::string_view label) const;

    /// Escaped, with the trailing dot.
    [[nodiscard]] std::string to_string() const;
    /// Escaped, without the trailing dot (but "." for the root), as in configuration and reports.
    [[nodiscard]] std::string to_text() const;

    /// Ignores case.
    friend bool operator==(const Name& a, const Name& b) noexcept;
    /// Canonical order of RFC 4034 section 6.1.
    friend std::strong_ordering operator<=>(const Name& a, const Name& b) noexcept;

  private:
    void assign(ByteSpan wire) noexcept;

    // The part beyond size_ is never read.
    std::array<uint8_t, max_size> bytes_{};
    uint8_t size_ = 1;
};

/// Moves the reader past a name in a message without following its pointer.
void skip_name(Reader& reader) noexcept;

/// Adds 0x20 to every octet of the word that is an upper-case ASCII letter, without branches.
[[nodiscard]] constexpr uint64_t lower_word(uint64_t word) noexcept {
    constexpr uint64_t ones = 0x0101010101010101ULL;
    const uint64_t seven = word & (0x7f * ones);
    const uint64_t at_least_a = seven + (0x80 - 'A') * ones;
    const uint64_t above_z = seven + (0x7f - 'Z') * ones;
    const uint64_t ascii = ~word & (0x80 * ones);
    return word + (((at_least_a & ~above_z) & ascii) >> 2);
}

/// Lower-cases ASCII letters of `wire` into `out`, eight octets at a time; `out` has room for as many. Length
/// octets are below 'A' and stay as they are.
void lower_wire(ByteSpan wire, uint8_t* out) noexcept;

/// Of a lower-cased wire name; the same on every run.
[[nodiscard]] uint64_t hash_wire(ByteSpan lowered) noexcept;

}  // namespace fairway::dns
