// SPDX-License-Identifier: Apache-2.0
#include "dns/dnssec_canonical.h"

#include <algorithm>
#include <array>

#include "dns/name.h"

namespace fairway::dns {
namespace {

/// The octets before the first name in a type's data, and how many names follow.
struct NamesInside {
    uint16_t type;
    uint8_t before;
    uint8_t names;
};
// RFC 4034 section 6.2 item 3 but for what RFC 6840 section 5.1 takes back (NSEC) and what has no names
// (HINFO).
constexpr std::array names_inside{
    NamesInside{2, 0, 1},    // NS
    NamesInside{3, 0, 1},    // MD
    NamesInside{4, 0, 1},    // MF
    NamesInside{5, 0, 1},    // CNAME
    NamesInside{6, 0, 2},    // SOA
    NamesInside{7, 0, 1},    // MB
    NamesInside{8, 0, 1},    // MG
    NamesInside{9, 0, 1},    // MR
    NamesInside{12, 0, 1},   // PTR
    NamesInside{14, 0, 2},   // MINFO
    NamesInside{15, 2, 1},   // MX
    NamesInside{17, 0, 2},   // RP
    NamesInside{18, 2, 1},   // AFSDB
    NamesInside{21, 2, 1},   // RT
    NamesInside{24, 18, 1},  // SIG
    NamesInside{26, 2, 2},   // PX
    NamesInside{30, 0, 1},   // NXT
    NamesInside{33, 6, 1},   // SRV
    NamesInside{36, 2, 1},   // KX
    NamesInside{39, 0, 1},   // DNAME
};

/// Octets of a NAPTR's data before its name: order, preference and three strings.
size_t naptr_name(ByteSpan data) noexcept {
    Reader reader(data);
    reader.skip(4);
    for (int i = 0; i < 3; ++i) reader.skip(reader.u8());
    return reader.ok() ? reader.position() : data.size();
}

void lower(std::span<uint8_t> bytes) noexcept {
    for (uint8_t& byte : bytes)
        if (byte >= 'A' && byte <= 'Z') byte = static_cast<uint8_t>(byte + ('a' - 'A'));
}

}  // namespace

void write_rrsig_fields(Writer& writer, const SignatureFields& fields) noexcept {
    writer.u16(static_cast<uint16_t>(fields.covered));
    writer.u8(fields.algorithm);
    writer.u8(fields.labels);
    writer.u32(fields.original_ttl);
    writer.u32(fields.expiration);
    writer.u32(fields.inception);
    writer.u16(fields.key_tag);
    writer.bytes(fields.signer);
}

uint8_t rrsig_labels(ByteSpan name) noexcept {
    uint8_t labels = 0;
    for (size_t at = 0; at < name.size() && name[at] != 0; at += name[at] + 1U) ++labels;
    const bool is_wildcard = name.size() > 2 && name[0] == 1 && name[1] == '*';
    return static_cast<uint8_t>(labels - (is_wildcard ? 1 : 0));
}

void canonical_data(RecordType type, std::span<uint8_t> data) noexcept {
    size_t at = 0;
    int names = 1;
    if (type == RecordType::naptr) {
        at = naptr_name(data);
    } else {
        const auto* const found = std::find_if(
            names_inside.begin(), names_inside.end(),
            [type](const NamesInside& entry) { return entry.type == static_cast<uint16_t>(type); });
        if (found == names_inside.end()) return;
        at = found->before;
        names = found->names;
    }
    Reader reader(data);
    reader.skip(at);
    for (; names > 0; --names) {
        const size_t begin = reader.position();
        const Name name = Name::read_uncompressed(reader);
        if (!reader.ok()) return;
        lower(data.subspan(begin, name.size()));
    }
}

ByteSpan CanonicalForm::signed_data(const SignatureFields& fields, ByteSpan owner,
                                    std::span<const ByteSpan> records) {
    data_.clear();
    pieces_.clear();
    for (const ByteSpan record : records) {
        pieces_.push_back({data_.size(), record.size()});
        data_.insert(data_.end(), record.begin(), record.end());
        canonical_data(fields.covered, std::span(data_).subspan(pieces_.back().begin));
    }
    const auto bytes = [this](const Piece& piece) {
        return ByteSpan(data_).subspan(piece.begin, piece.size);
    };
    // RFC 4034 section 6.3: as left-justified unsigned octets, an absent octet first.
    std::sort(pieces_.begin(), pieces_.end(), [&](const Piece& a, const Piece& b) {
        const ByteSpan left = bytes(a);
        const ByteSpan right = bytes(b);
        return std::lexicographical_compare(left.begin(), left.end(), right.begin(), right.end());
    });
    pieces_.erase(
        std::unique(pieces_.begin(), pieces_.end(),
                    [&](const Piece& a, const Piece& b) { return std::ranges::equal(bytes(a), bytes(b)); }),
        pieces_.end());

    constexpr size_t record_fields = 10;
    signed_.resize(rrsig_fixed_size + fields.signer.size() + pieces_.size() * (owner.size() + record_fields) +
                   data_.size());
    Writer writer(signed_);
    write_rrsig_fields(writer, fields);
    for (const Piece& piece : pieces_) {
        const size_t name = writer.position();
        writer.bytes(owner);
        lower(std::span(signed_).subspan(name, owner.size()));
        writer.u16(static_cast<uint16_t>(fields.covered));
        writer.u16(static_cast<uint16_t>(RecordClass::in));
        writer.u32(fields.original_ttl);
        writer.u16(static_cast<uint16_t>(piece.size));
        writer.bytes(bytes(piece));
    }
    return writer.written();
}

}  // namespace fairway::dns
