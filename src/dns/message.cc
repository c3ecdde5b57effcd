// SPDX-License-Identifier: Apache-2.0
#include "dns/message.h"

#include <algorithm>

#include "dns/quick_query.h"

namespace fairway::dns {
namespace {

constexpr size_t question_tail = 4;   // QTYPE, QCLASS
constexpr uint16_t pointer = 0xc000;  // compression pointer to the octet given by the lower 14 bits

constexpr uint8_t opcode_of(uint16_t flags) noexcept {
    return flags >> 11 & 0xf;
}

struct OptFields {
    bool seen = false;
    uint16_t udp_size = 0;
    uint32_t ttl = 0;
    ByteSpan rdata;
};

// What the additional section may have.
struct Extras {
    OptFields opt;
    size_t tsig_at = 0;
};

// Walks one section's records. False when they are malformed, or an OPT or a TSIG is where none may be: a
// section without `extras` has neither, and a TSIG is the last record of all (RFC 8945 section 5.1).
bool read_records(Reader& reader, uint16_t count, Extras* extras) noexcept {
    for (uint16_t i = 0; i < count; ++i) {
        const size_t owner = reader.position();
        skip_name(reader);
        const bool at_root = reader.position() == owner + 1;
        const auto type = static_cast<RecordType>(reader.u16());
        const uint16_t klass = reader.u16();
        const uint32_t ttl = reader.u32();
        const ByteSpan rdata = reader.take(reader.u16());
        if (!reader.ok()) return false;
        if (type == RecordType::tsig) {
            if (extras == nullptr || i + 1 != count) return false;
            extras->tsig_at = owner;
        }
        if (type != RecordType::opt) continue;
        if (extras == nullptr || !at_root || extras->opt.seen) return false;
        extras->opt = {true, klass, ttl, rdata};
    }
    return true;
}

// The name inside the data of the types whose names may be compressed; -1: none.
int name_offset(RecordType type) noexcept {
    switch (type) {
        case RecordType::ns:
        case RecordType::cname:
        case RecordType::ptr:
        case RecordType::soa:
            return 0;
        case RecordType::mx:
            return 2;
        default:
            return -1;
    }
}

size_t wire_name_size(ByteSpan bytes) noexcept {
    size_t at = 0;
    while (at < bytes.size() && bytes[at] != 0) at += bytes[at] + 1U;
    return at + 1;
}

}  // namespace

QueryFault parse_query(ByteSpan message, Query& query) noexcept {
    return read_ordinary_query(message, query) ? QueryFault::none : parse_query_strictly(message, query);
}

QueryFault parse_query_strictly(ByteSpan message, Query& query) noexcept {
    query.has_question = false;
    query.is_plain = false;
    query.question = {};
    query.edns.present = false;
    query.edns.has_cookie = false;
    query.edns.has_subnet = false;
    query.tsig_at = 0;

    Reader reader(message);
    query.id = reader.u16();
    const uint16_t flags = reader.u16();
    const uint16_t questions = reader.u16();
    const uint16_t answers = reader.u16();
    const uint16_t authorities = reader.u16();
    const uint16_t additionals = reader.u16();
    if (!reader.ok() || (flags & flag::qr) != 0) return QueryFault::drop;
    query.flags = flags;
    query.opcode = static_cast<Opcode>(opcode_of(flags));
    query.recursion_desired = (flags & flag::rd) != 0;
    if (query.opcode != Opcode::query) return QueryFault::notimp;
    if (questions > 1) return QueryFault::formerr;  // RFC 9619

    if (questions == 1) {
        const size_t start = reader.position();
        // Only the header stands before the first name: a pointer there can mean nothing.
        query.name = Name::read_uncompressed(reader);
        query.type = static_cast<RecordType>(reader.u16());
        query.klass = static_cast<RecordClass>(reader.u16());
        if (!reader.ok()) return QueryFault::formerr;
        query.question = message.subspan(start, reader.position() - start);
        query.has_question = true;
    }
    Extras extras;
    const bool records_good = read_records(reader, answers, nullptr) &&
                              read_records(reader, authorities, nullptr) &&
                              read_records(reader, additionals, &extras) && reader.at_end();
    EdnsFault edns_fault = EdnsFault::none;
    const OptFields& opt = extras.opt;
    if (opt.seen) edns_fault = parse_edns(opt.udp_size, opt.ttl, opt.rdata, query.edns);
    if (!records_good) return QueryFault::formerr;
    query.tsig_at = extras.tsig_at;
    if (edns_fault == EdnsFault::badvers) return QueryFault::badvers;
    if (edns_fault == EdnsFault::formerr) {
        // A half-understood option must not shape the reply.
        query.edns.has_cookie = false;
        query.edns.has_subnet = false;
        return QueryFault::formerr;
    }
    if (!query.has_question && !query.edns.has_cookie) return QueryFault::formerr;
    query.is_plain =
        query.has_question && answers == 0 && authorities == 0 && additionals == (opt.seen ? 1 : 0);
    return QueryFault::none;
}

size_t truncate_response(std::span<uint8_t> message) noexcept {
    constexpr size_t counts_at = 4;
    Reader reader(message);
    reader.skip(2);
    const uint16_t flags = reader.u16();
    const uint16_t questions = reader.u16();
    size_t records = reader.u16();
    records += reader.u16();
    records += reader.u16();
    for (uint16_t i = 0; i < questions; ++i) {
        skip_name(reader);
        reader.skip(question_tail);
    }
    size_t size = reader.position();
    // Where the one OPT begins and ends; whatever is before it goes.
    size_t opt_at = 0;
    size_t opt_size = 0;
    for (size_t i = 0; i < records; ++i) {
        const size_t start = reader.position();
        skip_name(reader);
        const auto type = static_cast<RecordType>(reader.u16());
        reader.skip(6);
        reader.skip(reader.u16());
        if (type != RecordType::opt) continue;
        opt_at = start;
        opt_size = reader.position() - start;
    }
    if (!reader.ok()) return 0;
    std::memmove(message.data() + size, message.data() + opt_at, opt_size);
    size += opt_size;
    Writer header(message.first(header_size));
    header.rewind(2);
    header.u16(flags | flag::tc);
    header.rewind(counts_at + 2);
    header.u16(0);
    header.u16(0);
    header.u16(opt_size > 0 ? 1 : 0);
    return size;
}

void ResponseWriter::begin(std::span<uint8_t> out, const Query& query, size_t reserved) noexcept {
    out_ = out;
    writer_ = Writer(out.first(out.size() > reserved ? out.size() - reserved : 0));
    writer_.zeros(header_size);
    writer_.bytes(query.question);
    question_end_ = writer_.position();
    question_name_ = query.has_question ? query.question.size() - question_tail : 0;
    counts_ = {};
    target_count_ = 0;
    question_remembered_ = false;
    lacked_room_ = false;
}

bool ResponseWriter::append(ByteSpan records, const std::array<uint16_t, 3>& counts) noexcept {
    if (records.size() > writer_.remaining()) return false;
    writer_.bytes(records);
    counts_ = counts;
    return true;
}

void ResponseWriter::rewind(const Mark& mark) noexcept {
    writer_.rewind(mark.position);
    counts_ = mark.counts;
    target_count_ = mark.targets;
    if (target_count_ == 0) question_remembered_ = false;
}

bool ResponseWriter::record_at_question(Section section, RecordType type, uint32_t ttl,
                                        ByteSpan data) noexcept {
    const size_t start = writer_.position();
    writer_.u16(pointer | header_size);
    writer_.u16(static_cast<uint16_t>(type));
    writer_.u16(static_cast<uint16_t>(RecordClass::in));
    writer_.u32(ttl);
    writer_.u16(static_cast<uint16_t>(data.size()));
    writer_.bytes(data);
    if (!writer_.ok()) {
        writer_.rewind(start);
        lacked_room_ = true;
        return false;
    }
    ++counts_[static_cast<size_t>(section)];
    return true;
}

bool ResponseWriter::record(Section section, ByteSpan owner, RecordType type, uint32_t ttl, ByteSpan data,
                            RecordClass klass) noexcept {
    const Mark before = mark();
    compress(owner);
    writer_.u16(static_cast<uint16_t>(type));
    writer_.u16(static_cast<uint16_t>(klass));
    writer_.u32(ttl);
    const size_t length_at = writer_.position();
    writer_.u16(0);
    const int offset = name_offset(type);
    if (offset < 0) {
        writer_.bytes(data);
    } else {
        const auto lead = static_cast<size_t>(offset);
        writer_.bytes(data.first(lead));
        size_t at = lead;
        for (int names = type == RecordType::soa ? 2 : 1; names > 0; --names) {
            const size_t size = wire_name_size(data.subspan(at));
            compress(data.subspan(at, size));
            at += size;
        }
        writer_.bytes(data.subspan(at));
    }
    if (!writer_.ok()) {
        rewind(before);
        lacked_room_ = true;
        return false;
    }
    writer_.patch_u16(length_at, static_cast<uint16_t>(writer_.position() - length_at - 2));
    ++counts_[static_cast<size_t>(section)];
    return true;
}

void ResponseWriter::remember_question() noexcept {
    question_remembered_ = true;
    if (question_name_ == 0) return;
    std::array<uint8_t, Name::max_size> lowered;
    lower_wire(ByteSpan(out_).subspan(header_size, question_name_), lowered.data());
    for (size_t at = 0; lowered[at] != 0 && target_count_ < max_targets; at += lowered[at] + 1U)
        targets_[target_count_++] = {
            static_cast<uint32_t>(hash_wire(ByteSpan(lowered).subspan(at, question_name_ - at))),
            static_cast<uint16_t>(header_size + at)};
}

bool ResponseWriter::matches(size_t offset, ByteSpan lowered) const noexcept {
    size_t at = 0;
    while (true) {
        const uint8_t length = out_[offset];
        if (length >= 0xc0) {
            offset = size_t{length & 0x3fU} << 8 | out_[offset + 1];
            continue;
        }
        if (lowered[at] != length) return false;
        if (length == 0) return true;
        std::array<uint8_t, Name::max_label> label;
        lower_wire(ByteSpan(out_).subspan(offset + 1, length), label.data());
        if (std::memcmp(label.data(), lowered.data() + at + 1, length) != 0) return false;
        offset += length + 1U;
        at += length + 1U;
    }
}

void ResponseWriter::compress(ByteSpan name) noexcept {
    if (!question_remembered_) remember_question();
    std::array<uint8_t, Name::max_size> lowered;
    lower_wire(name, lowered.data());
    for (size_t at = 0; name[at] != 0; at += name[at] + 1U) {
        const ByteSpan suffix = ByteSpan(lowered).subspan(at, name.size() - at);
        const auto hash = static_cast<uint32_t>(hash_wire(suffix));
        for (size_t i = 0; i < target_count_; ++i) {
            if (targets_[i].hash != hash || !matches(targets_[i].offset, suffix)) continue;
            writer_.u16(static_cast<uint16_t>(pointer | targets_[i].offset));
            return;
        }
        const size_t here = writer_.position();
        writer_.bytes(name.subspan(at, name[at] + 1U));
        if (!writer_.ok()) return;
        if (here < 0x4000 && target_count_ < max_targets)
            targets_[target_count_++] = {hash, static_cast<uint16_t>(here)};
    }
    writer_.u8(0);
}

EdnsResponse ResponseWriter::fitted(EdnsResponse edns, size_t size, size_t pad_to) const noexcept {
    const size_t room = out_.size() - size;
    // What people read must not cost the answer a record, nor the message its OPT (RFC 8914 section 3).
    if (edns.size() > room) edns.error_text = {};
    if (edns.size() > room) edns.error.reset();
    if (edns.size() > room) edns.nsid = {};
    if (pad_to == 0) return edns;
    edns.padding = 0;
    const size_t least = size + edns.size();
    const size_t end = std::min((least + pad_to - 1) / pad_to * pad_to, out_.size());
    if (least <= end)
        edns.padding = static_cast<uint16_t>(end - least);
    else
        edns.padding.reset();
    return edns;
}

size_t ResponseWriter::finish(const Query& query, uint16_t flags, Rcode rcode, const EdnsResponse* edns,
                              size_t pad_to) noexcept {
    size_t size = writer_.position();
    if (edns != nullptr) {
        Writer tail(out_);
        tail.rewind(size);
        if (pad_to == 0 && edns->size() <= tail.remaining())
            edns->write(tail, rcode);
        else
            fitted(*edns, size, pad_to).write(tail, rcode);
        size = tail.position();
        ++counts_[static_cast<size_t>(Section::additional)];
    }
    const auto opcode = static_cast<uint16_t>(static_cast<uint16_t>(query.opcode) << 11);
    const std::array<uint16_t, header_size / 2> header{
        query.id,
        static_cast<uint16_t>(flag::qr | opcode | flags | (query.recursion_desired ? flag::rd : 0) |
                              (static_cast<uint16_t>(rcode) & 0xf)),
        static_cast<uint16_t>(query.has_question ? 1 : 0),
        counts_[0],
        counts_[1],
        counts_[2]};
    uint8_t* at = out_.first(header_size).data();
    for (const uint16_t field : header) {
        *at++ = static_cast<uint8_t>(field >> 8);
        *at++ = static_cast<uint8_t>(field);
    }
    return size;
}

}  // namespace fairway::dns
