// SPDX-License-Identifier: Apache-2.0
#pragma once
// What stands inside the payloads of IKE_SA_INIT: SA with its proposals, KE, nonce, notify (RFC
// 7296 3.3, 3.4, 3.9, 3.10). Decoders take the body without the generic header and are strict; encoders write
// the body.

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/ip.h"
#include "ipsec/types.h"

namespace fairway::ipsec {

struct Transform {
    TransformType type = TransformType::encryption;
    uint16_t id = 0;
    uint16_t key_length = 0;  // bits; 0: no such attribute
    /// An attribute other than the key length was present: such a transform must not be chosen (3.3.6).
    bool unknown_attribute = false;
    friend bool operator==(const Transform&, const Transform&) = default;
};

[[nodiscard]] inline Transform encryption(Encryption id, uint16_t key_length = 0) noexcept {
    return {TransformType::encryption, static_cast<uint16_t>(id), key_length, false};
}
[[nodiscard]] inline Transform prf(Prf id) noexcept {
    return {TransformType::prf, static_cast<uint16_t>(id), 0, false};
}
[[nodiscard]] inline Transform integrity(Integrity id) noexcept {
    return {TransformType::integrity, static_cast<uint16_t>(id), 0, false};
}
[[nodiscard]] inline Transform key_exchange(DhGroup id) noexcept {
    return {TransformType::key_exchange, static_cast<uint16_t>(id), 0, false};
}

struct Proposal {
    uint8_t number = 1;
    ProtocolId protocol = ProtocolId::ike;
    std::vector<uint8_t> spi;  // empty in IKE_SA_INIT; 8 octets for IKE, 4 for ESP elsewhere
    std::vector<Transform> transforms;
    friend bool operator==(const Proposal&, const Proposal&) = default;

    [[nodiscard]] bool offers(TransformType type, uint16_t id) const noexcept;
};

[[nodiscard]] Decoded<std::vector<Proposal>> decode_sa(ByteSpan body);
void encode_sa(Writer& writer, const std::vector<Proposal>& proposals);

struct KePayload {
    DhGroup group = DhGroup::none;
    ByteSpan value;
};
[[nodiscard]] Decoded<KePayload> decode_ke(ByteSpan body);
void encode_ke(Writer& writer, DhGroup group, ByteSpan value);

/// 16 to 256 octets.
[[nodiscard]] Decoded<ByteSpan> decode_nonce(ByteSpan body);

struct NotifyPayload {
    ProtocolId protocol = ProtocolId::none;
    NotifyType type = NotifyType::invalid_syntax;
    ByteSpan spi;
    ByteSpan data;
};
[[nodiscard]] Decoded<NotifyPayload> decode_notify(ByteSpan body);
void encode_notify(Writer& writer, NotifyType type, ByteSpan data);

/// The group that an INVALID_KE_PAYLOAD asks for (1.3): two octets of data.
[[nodiscard]] std::optional<DhGroup> invalid_ke_group(const NotifyPayload& notify) noexcept;
/// Where a REDIRECT points: an address or a host name as text, escaped and bounded (RFC 5685 6.2). Empty when
/// malformed.
[[nodiscard]] std::string redirect_target(const NotifyPayload& notify);
/// The body of that notification; `host` up to 255 octets.
void encode_redirect(Writer& writer, std::string_view host, ByteSpan nonce);

}  // namespace fairway::ipsec
