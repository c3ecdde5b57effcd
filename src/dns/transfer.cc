// SPDX-License-Identifier: Apache-2.0
#include "dns/transfer.h"

#include <algorithm>

#include "model/transfer.h"

namespace fairway::dns {
namespace {

using Section = ResponseWriter::Section;

// Compression can only point into the first 16 KiB of a message, so longer ones gain nothing.
constexpr size_t usual_message = 16 * 1024;

}  // namespace

bool may_transfer(const ZoneTransfer& transfer, const IpAddress& source, const TsigKey* key) noexcept {
    return std::any_of(transfer.allow.begin(), transfer.allow.end(), [&](const TransferRule& rule) {
        if (rule.from && !rule.from->contains(source)) return false;
        return rule.key.empty() || (key != nullptr && key->name.to_text() == rule.key);
    });
}

std::optional<uint32_t> ixfr_serial(ByteSpan message) noexcept {
    Reader reader(message);
    reader.skip(4);
    const uint16_t questions = reader.u16();
    const uint16_t answers = reader.u16();
    const uint16_t authorities = reader.u16();
    reader.skip(2);
    if (questions != 1 || answers != 0 || authorities != 1) return std::nullopt;
    skip_name(reader);
    reader.skip(4);
    skip_name(reader);
    const auto type = static_cast<RecordType>(reader.u16());
    reader.skip(6);
    const uint16_t size = reader.u16();
    const size_t data_at = reader.position();
    skip_name(reader);
    skip_name(reader);
    const uint32_t serial = reader.u32();
    reader.skip(16);
    if (!reader.ok() || type != RecordType::soa || reader.position() - data_at != size) return std::nullopt;
    return serial;
}

TransferStream::TransferStream(const Serving& serving, const ServedZone& zone, const Query& query,
                               std::optional<TsigSigner> signer)
    : walk_(serving, zone),
      soa_(soa_of(serving, zone)),
      query_(query),
      question_(query.question.begin(), query.question.end()),
      signer_(std::move(signer)) {
    query_.question = question_;
    query_.edns = Edns();
}

size_t TransferStream::first(std::span<uint8_t> out, uint32_t unix_seconds, const EdnsResponse* edns) {
    const size_t room = signer_ ? signer_->room() : 0;
    const size_t size = write(out, std::min(out.size(), usual_message) - room, edns);
    query_.question = {};
    return signer_ ? signer_->sign(out, size, unix_seconds) : size;
}

size_t TransferStream::next(std::span<uint8_t> out, uint32_t unix_seconds) {
    if (phase_ == Phase::done) return 0;
    const size_t room = signer_ ? signer_->room() : 0;
    size_t size = write(out, std::min(out.size(), usual_message) - room, nullptr);
    // One record may be longer than a usual message.
    if (size == 0) size = write(out, out.size() - room, nullptr);
    if (size == 0) {
        // Nothing that a message can hold, and a zone without one of its records is not that zone.
        phase_ = Phase::done;
        return 0;
    }
    return signer_ ? signer_->sign(out, size, unix_seconds) : size;
}

size_t TransferStream::write(std::span<uint8_t> out, size_t limit, const EdnsResponse* edns) {
    // The zone's names keep their case (RFC 5936 section 3.4): none is written as a pointer into the
    // question, whose case is the client's.
    query_.has_question = false;
    writer_.begin(out.first(limit), query_, edns == nullptr ? 0 : edns->size());
    query_.has_question = !query_.question.empty();
    if (phase_ == Phase::opening_soa && add(soa_)) phase_ = Phase::records;
    if (phase_ == Phase::records && add_records()) phase_ = Phase::closing_soa;
    if (phase_ == Phase::closing_soa && add(soa_)) phase_ = Phase::done;
    if (writer_.count(Section::answer) == 0) return 0;
    return writer_.finish(query_, flag::aa, Rcode::noerror, edns);
}

// Whether all are written.
bool TransferStream::add_records() {
    while (true) {
        for (; next_record_ < records_.size(); ++next_record_) {
            const Record& record = records_[next_record_];
            if (record.type != RecordType::soa && !add(record)) return false;
        }
        next_record_ = 0;
        if (!walk_.next(records_)) return true;
    }
}

bool TransferStream::add(const Record& record) {
    return writer_.record(Section::answer, record.owner.wire(), record.type, record.ttl, record.data);
}

}  // namespace fairway::dns
