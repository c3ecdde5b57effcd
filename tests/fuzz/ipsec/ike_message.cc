// SPDX-License-Identifier: Apache-2.0
// The IKEv2 codec: whatever comes, it is refused or understood; what was understood survives being written
// and read again.

#include <array>
#include <cstdlib>

#include "ipsec/init_exchange.h"
#include "ipsec/message.h"
#include "ipsec/nat.h"
#include "ipsec/payloads.h"
#include "ipsec/suite.h"

using namespace fairway;
using namespace fairway::ipsec;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void check_sa(ByteSpan body) {
    auto proposals = decode_sa(body);
    if (!proposals) return;
    (void)select_proposal(default_policy(), *proposals);
    (void)select_proposal(*proposals, default_offer(OfferScope::legacy), DhGroup::p256);
    for (Proposal& proposal : *proposals) {
        for (Transform& transform : proposal.transforms) transform.unknown_attribute = false;
    }
    std::array<uint8_t, 65'536> buffer;
    Writer writer(buffer);
    encode_sa(writer, *proposals);
    if (!writer.ok()) return;
    const auto again = decode_sa(writer.written());
    require(again && *again == *proposals);
}

void check_notify(ByteSpan body) {
    const auto notify = decode_notify(body);
    if (!notify) return;
    (void)to_string(notify->type);
    (void)invalid_ke_group(*notify);
    for (const char c : redirect_target(*notify)) require(c > ' ' && c < 0x7f);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const ByteSpan input(data, size);
    (void)unframe(Framing::marked, input);
    const auto header = decode_header(input);
    if (!header) return 0;
    // As an answer to a request with that SPI, of both kinds that probes send.
    (void)read_init_answer(input, header->spi_initiator, default_offer(OfferScope::legacy), DhGroup::x25519);
    (void)read_init_answer(input, header->spi_initiator, unacceptable_offer(), DhGroup::x25519);
    const auto chain = PayloadChain::decode(header->first_payload, input.subspan(header_size));
    if (!chain) return 0;
    (void)check_payloads(header->exchange, Direction::request, *chain);
    (void)check_payloads(header->exchange, Direction::response, *chain);
    for (const Payload& payload : *chain) {
        switch (payload.type) {
            case PayloadType::sa:
                check_sa(payload.body);
                break;
            case PayloadType::notify:
                check_notify(payload.body);
                break;
            case PayloadType::nonce:
                (void)decode_nonce(payload.body);
                break;
            case PayloadType::ke: {
                const auto ke = decode_ke(payload.body);
                if (ke) (void)check_public_value(ke->group, ke->value);
                break;
            }
            default:
                break;
        }
    }
    return 0;
}
