// SPDX-License-Identifier: Apache-2.0
#include "dns/quick_query.h"

#include <algorithm>

namespace fairway::dns {
namespace {

constexpr size_t question_tail = 4;  // QTYPE, QCLASS
constexpr size_t opt_fixed = 11;     // owner, TYPE, CLASS, TTL, RDLENGTH

constexpr uint16_t load_u16(const uint8_t* at) noexcept {
    return static_cast<uint16_t>(at[0] << 8 | at[1]);
}

// The options of an OPT: as parse_edns() does, for the two that are ordinary.
bool read_options(const uint8_t* at, size_t left, Edns& edns) noexcept {
    while (left >= 4) {
        const auto code = static_cast<EdnsOption>(load_u16(at));
        const size_t size = load_u16(at + 2);
        at += 4;
        left -= 4;
        if (size > left) return false;
        if (code == EdnsOption::client_subnet) {
            // FAMILY 1 or 2, SOURCE, SCOPE of 0, and as much of the address as SOURCE covers.
            if (edns.has_subnet || size < 4 || at[0] != 0 || at[3] != 0) return false;
            const unsigned family = at[1];
            const unsigned source = at[2];
            if (family != 1 && family != 2) return false;
            if (source > (family == 1 ? 32U : 128U) || size - 4 != (source + 7U) / 8U) return false;
            const unsigned partial = source % 8U;
            if (partial != 0 && (at[size - 1] & (0xffU >> partial)) != 0) return false;
            edns.has_subnet = true;
            edns.subnet.family = static_cast<uint16_t>(family);
            edns.subnet.source = static_cast<uint8_t>(source);
            edns.subnet.address = ByteSpan(at + 4, size - 4);
        } else if (code == EdnsOption::cookie) {
            if (edns.has_cookie || (size != 8 && (size < 16 || size > 40))) return false;
            edns.has_cookie = true;
            std::copy_n(at, edns.client_cookie.size(), edns.client_cookie.begin());
            edns.server_cookie = ByteSpan(at + 8, size - 8);
        } else {
            return false;
        }
        at += size;
        left -= size;
    }
    return left == 0;
}

}  // namespace

bool read_ordinary_query(ByteSpan message, Query& query) noexcept {
    const uint8_t* const begin = message.data();
    const size_t size = message.size();
    if (size < header_size + 1 + question_tail) return false;
    // QR and OPCODE of 0, one question, nothing after it or one record in the additional section.
    const unsigned counts = begin[4] | (begin[5] ^ 1U) | begin[6] | begin[7] | begin[8] | begin[9] |
                            begin[10] | (begin[11] & ~1U);
    if ((begin[2] & 0xf8U) != 0 || counts != 0) return false;

    size_t end = header_size;
    while (begin[end] != 0) {
        if (begin[end] > Name::max_label) return false;
        end += begin[end] + 1U;
        if (end >= size) return false;
    }
    ++end;
    const size_t name_size = end - header_size;
    if (name_size > Name::max_size || size - end < question_tail) return false;

    query.id = load_u16(begin);
    query.flags = load_u16(begin + 2);
    query.opcode = Opcode::query;
    query.recursion_desired = (query.flags & flag::rd) != 0;
    query.has_question = true;
    query.is_plain = true;
    query.tsig_at = 0;
    query.name.assign_checked(message.subspan(header_size, name_size));
    query.type = static_cast<RecordType>(load_u16(begin + end));
    query.klass = static_cast<RecordClass>(load_u16(begin + end + 2));
    query.question = message.subspan(header_size, name_size + question_tail);
    end += question_tail;

    if (begin[11] == 0) {
        query.edns.present = false;
        query.edns.has_cookie = false;
        query.edns.has_subnet = false;
        return end == size;
    }
    if (size - end < opt_fixed) return false;
    const uint8_t* const opt = begin + end;
    if (opt[0] != 0 || load_u16(opt + 1) != static_cast<uint16_t>(RecordType::opt)) return false;
    // VERSION; the extended RCODE of a query means nothing.
    if (opt[6] != 0 || load_u16(opt + 9) != size - end - opt_fixed) return false;
    query.edns = Edns();
    query.edns.present = true;
    query.edns.udp_size = load_u16(opt + 3);
    query.edns.dnssec_ok = (opt[7] & 0x80U) != 0;
    query.edns.compact_ok = (opt[7] & 0x40U) != 0;
    return read_options(opt + opt_fixed, size - end - opt_fixed, query.edns);
}

uint32_t peek_subnet(ByteSpan message) noexcept {
    const uint8_t* const begin = message.data();
    const size_t size = message.size();
    size_t at = header_size;
    while (at < size && begin[at] != 0) at += begin[at] + 1U;
    at += 1 + question_tail + opt_fixed;
    if (at > size || begin[11] != 1) return 0;
    constexpr int options = 3;  // few clients send more
    for (int i = 0; i < options && size - at >= 9; ++i) {
        const size_t length = load_u16(begin + at + 2);
        if (load_u16(begin + at) == static_cast<uint16_t>(EdnsOption::client_subnet) && begin[at + 5] == 1) {
            uint32_t address = 0;
            const size_t octets = std::min<size_t>({length < 4 ? 0 : length - 4, 4, size - at - 8});
            for (size_t k = 0; k < octets; ++k) address |= uint32_t{begin[at + 8 + k]} << (24 - 8 * k);
            return address;
        }
        if (length > size - at - 4) return 0;
        at += 4 + length;
    }
    return 0;
}

}  // namespace fairway::dns
