// SPDX-License-Identifier: Apache-2.0
#pragma once
// As much of IKEv1 as reachability needs: the first message of main mode and its answers (RFC 2408, RFC 2409
// 5.4; deprecated by RFC 9395, still deployed). No key exchange, no state on either side.

#include <optional>
#include <vector>

#include "ipsec/entropy.h"
#include "ipsec/message.h"
#include "ipsec/nat.h"

namespace fairway::ipsec {

/// One transform of a phase 1 proposal (RFC 2409 appendix A).
struct V1Transform {
    uint16_t encryption = 7;  // AES-CBC
    uint16_t key_length = 256;
    uint16_t hash = 4;            // 2 SHA-1, 4 SHA2-256
    uint16_t authentication = 1;  // 1 pre-shared key, 3 RSA signature
    uint16_t group = 14;
    friend bool operator==(const V1Transform&, const V1Transform&) = default;
};

/// full: AES with SHA2 and SHA-1, by key or certificate, in groups 14 and 19; legacy: group 2 as well;
/// unacceptable: one transform with a cipher from the range of private use.
enum class V1Offer : uint8_t { full, legacy, unacceptable };
[[nodiscard]] std::vector<V1Transform> v1_offer(V1Offer kind);

/// The first message of main mode into `buffer`; empty when it does not fit.
[[nodiscard]] ByteSpan encode_v1_request(std::span<uint8_t> buffer, uint64_t cookie_initiator,
                                         const std::vector<V1Transform>& transforms);

enum class V1AnswerKind : uint8_t { unrelated, malformed, accepted, no_proposal, error };
struct V1Answer {
    V1AnswerKind kind = V1AnswerKind::unrelated;
    uint16_t notify = 0;      // error: the notify message type
    const char* defect = "";  // malformed: why
};
/// Reads what came for the request with this cookie.
[[nodiscard]] V1Answer read_v1_answer(ByteSpan message, uint64_t cookie_initiator,
                                      const std::vector<V1Transform>& offer);

/// What a main mode request asks for, as a responder reads it.
struct V1Request {
    uint64_t cookie_initiator = 0;
    std::vector<V1Transform> transforms;
};
[[nodiscard]] Decoded<V1Request> decode_v1_request(ByteSpan message);
/// The answer that accepts `chosen`, the transform of the request at `position`.
[[nodiscard]] ByteSpan encode_v1_acceptance(std::span<uint8_t> buffer, const V1Request& request,
                                            uint64_t cookie_responder, size_t position);
/// Informational exchange with NO-PROPOSAL-CHOSEN.
[[nodiscard]] ByteSpan encode_v1_refusal(std::span<uint8_t> buffer, uint64_t cookie_initiator,
                                         uint64_t cookie_responder, uint32_t message_id);

}  // namespace fairway::ipsec
