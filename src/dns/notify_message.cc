// SPDX-License-Identifier: Apache-2.0
#include "dns/notify_message.h"

#include "dns/message.h"

namespace fairway::dns {
namespace {

constexpr uint16_t opcode_bits = static_cast<uint16_t>(static_cast<uint16_t>(Opcode::notify) << 11);
constexpr uint16_t opcode_mask = 0x7800;
constexpr uint16_t rcode_mask = 0x000f;
constexpr uint16_t to_question = 0xc000 | header_size;

}  // namespace

size_t write_notify(std::span<uint8_t> out, uint16_t id, const Name& zone, ByteSpan soa_data,
                    uint32_t soa_ttl) noexcept {
    Writer writer(out);
    writer.u16(id);
    writer.u16(opcode_bits | flag::aa);
    writer.u16(1);
    writer.u16(1);
    writer.u32(0);
    writer.bytes(zone.wire());
    writer.u16(static_cast<uint16_t>(RecordType::soa));
    writer.u16(static_cast<uint16_t>(RecordClass::in));
    writer.u16(to_question);
    writer.u16(static_cast<uint16_t>(RecordType::soa));
    writer.u16(static_cast<uint16_t>(RecordClass::in));
    writer.u32(soa_ttl);
    writer.u16(static_cast<uint16_t>(soa_data.size()));
    writer.bytes(soa_data);
    return writer.ok() ? writer.position() : 0;
}

std::optional<Rcode> read_notify_answer(ByteSpan message, uint16_t id, const Name& zone) noexcept {
    Reader reader(message);
    const uint16_t its_id = reader.u16();
    const uint16_t flags = reader.u16();
    const uint16_t questions = reader.u16();
    reader.skip(6);
    if (!reader.ok() || its_id != id || (flags & flag::qr) == 0 || (flags & opcode_mask) != opcode_bits)
        return std::nullopt;
    const auto rcode = static_cast<Rcode>(flags & rcode_mask);
    // Servers that refuse may leave the question out.
    if (questions == 0) return rcode == Rcode::noerror ? std::nullopt : std::optional(rcode);
    const Name name = Name::read(reader);
    const auto type = static_cast<RecordType>(reader.u16());
    const auto klass = static_cast<RecordClass>(reader.u16());
    const bool ours =
        questions == 1 && reader.ok() && name == zone && type == RecordType::soa && klass == RecordClass::in;
    return ours ? std::optional(rcode) : std::nullopt;
}

}  // namespace fairway::dns
