// SPDX-License-Identifier: Apache-2.0
#pragma once
// DNS messages (RFC 1035 section 4): a query, read strictly, and a response, written with name compression
// into a buffer of fixed size. Nothing here knows what the answer is.

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "dns/edns.h"
#include "dns/name.h"
#include "dns/types.h"

namespace fairway::dns {

inline constexpr size_t header_size = 12;

/// Bits of the header's second 16-bit word.
namespace flag {
inline constexpr uint16_t qr = 0x8000;
inline constexpr uint16_t aa = 0x0400;
inline constexpr uint16_t tc = 0x0200;
inline constexpr uint16_t rd = 0x0100;
}  // namespace flag

/// A query as parsed; spans point into the message.
struct Query {
    uint16_t id = 0;
    Opcode opcode = Opcode::query;
    bool recursion_desired = false;
    uint16_t flags = 0;  // the header's second word, as sent
    bool has_question = false;
    bool is_plain = false;  // a question and at most an OPT, nothing else
    Name name;              // with the client's case
    RecordType type{};
    RecordClass klass{};
    ByteSpan question;   // name, type and class as sent, to be echoed octet for octet
    Edns edns;           // present also beside FORMERR when the OPT itself could be found
    size_t tsig_at = 0;  // where the TSIG record begins (tsig.h); 0: there is none
};

enum class QueryFault : uint8_t {
    none,
    drop,     // too short for a header, or itself a response: no reply, or two servers could talk forever
    formerr,  // what was understood until then is in the Query
    notimp,   // an opcode that is not QUERY; only the header is parsed, for the rest may mean anything
    badvers,  // EDNS version other than 0
};

/// Parses a whole query. A query is one question (none is a fault unless it carries a cookie, RFC 7873
/// section 5.4) and whatever records, which must be well-formed; bits that a client should have left zero are
/// ignored. At most one OPT, owned by the root, in the additional section, where a TSIG can only be
/// the last record; nothing after the last record.
[[nodiscard]] QueryFault parse_query(ByteSpan message, Query& query) noexcept;
/// The same, without the short cut for ordinary queries (quick_query.h) that parse_query() tries first.
[[nodiscard]] QueryFault parse_query_strictly(ByteSpan message, Query& query) noexcept;

/// Turns a whole response into a truncated one with the same question and OPT: what a rate limit sends.
/// Returns its size.
[[nodiscard]] size_t truncate_response(std::span<uint8_t> message) noexcept;

/// Writes one response. The order is begin, then records section by section, then finish.
class ResponseWriter {
  public:
    enum class Section : uint8_t { answer, authority, additional };

    /// Starts over in `out`, of which `reserved` octets at the end are kept for the OPT record.
    void begin(std::span<uint8_t> out, const Query& query, size_t reserved) noexcept;

    /// A record's owner, type, class IN unless told otherwise, TTL and data. False, with nothing written,
    /// when it does not fit. Names in the data of NS, CNAME, PTR, MX and SOA are compressed (RFC 3597 section
    /// 4).
    bool record(Section section, ByteSpan owner, RecordType type, uint32_t ttl, ByteSpan data,
                RecordClass klass = RecordClass::in) noexcept;
    /// The same for the question's own name as owner, and without looking into the data: the hot path.
    bool record_at_question(Section section, RecordType type, uint32_t ttl, ByteSpan data) noexcept;

    /// Puts behind the question what records_written() and count() gave for another response to a question of
    /// the same name. False, with nothing written, when it does not fit.
    bool append(ByteSpan records, const std::array<uint16_t, 3>& counts) noexcept;
    [[nodiscard]] ByteSpan records_written() const noexcept {
        return writer_.written().subspan(question_end_);
    }
    [[nodiscard]] const std::array<uint16_t, 3>& counts() const noexcept { return counts_; }
    /// Whether anything did not fit since begin(): with more room the response might be another.
    [[nodiscard]] bool lacked_room() const noexcept { return lacked_room_; }

    struct Mark {
        size_t position;
        std::array<uint16_t, 3> counts;
        size_t targets;
    };
    [[nodiscard]] Mark mark() const noexcept { return {writer_.position(), counts_, target_count_}; }
    /// Forgets everything written after the mark.
    void rewind(const Mark& mark) noexcept;
    /// Where the records begin: rewinding to it leaves the question.
    [[nodiscard]] Mark after_question() const noexcept { return {question_end_, {}, 0}; }

    [[nodiscard]] uint16_t count(Section section) const noexcept {
        return counts_[static_cast<size_t>(section)];
    }
    /// Octets left for records.
    [[nodiscard]] size_t remaining() const noexcept { return writer_.remaining(); }

    /// Writes header and OPT (null: none) and returns the size of the response. `flags` are without QR,
    /// opcode, RD. With `pad_to`, the response is filled up to a multiple of so many octets (RFC 8467 section
    /// 4.1), or as far as there is room.
    size_t finish(const Query& query, uint16_t flags, Rcode rcode, const EdnsResponse* edns,
                  size_t pad_to = 0) noexcept;

    /// What RFC 8467 section 4.1 recommends for responses.
    static constexpr size_t padding_block = 468;

  private:
    struct Target {
        uint32_t hash;
        uint16_t offset;
    };
    static constexpr size_t max_targets = 96;

    [[nodiscard]] EdnsResponse fitted(EdnsResponse edns, size_t size, size_t pad_to) const noexcept;
    void compress(ByteSpan name) noexcept;
    void remember_question() noexcept;
    [[nodiscard]] bool matches(size_t offset, ByteSpan lowered) const noexcept;

    std::span<uint8_t> out_;
    Writer writer_{std::span<uint8_t>()};
    size_t question_end_ = header_size;
    size_t question_name_ = 0;  // octets; 0: no question
    bool lacked_room_ = false;
    std::array<uint16_t, 3> counts_{};
    // Names written so far that later ones may point to; the question's are added when first needed.
    std::array<Target, max_targets> targets_;
    size_t target_count_ = 0;
    bool question_remembered_ = false;
};

}  // namespace fairway::dns
