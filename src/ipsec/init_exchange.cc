// SPDX-License-Identifier: Apache-2.0
#include "ipsec/init_exchange.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace fairway::ipsec {

namespace {

InitAnswer malformed(const char* defect) {
    InitAnswer answer;
    answer.kind = InitAnswerKind::malformed;
    answer.defect = defect;
    return answer;
}

/// Whether `chosen` is one transform of each type of the proposal of that number (RFC 7296 2.7).
bool is_choice_of(const std::vector<Proposal>& chosen, const std::vector<Proposal>& offer) {
    if (chosen.size() != 1) return false;
    const Proposal& answer = chosen.front();
    const auto offered = std::find_if(offer.begin(), offer.end(), [&](const Proposal& p) {
        return p.number == answer.number && p.protocol == answer.protocol;
    });
    if (offered == offer.end() || answer.transforms.empty()) return false;
    for (size_t i = 0; i < answer.transforms.size(); ++i) {
        const Transform& transform = answer.transforms[i];
        const bool none_added = transform == integrity(Integrity::none);  // some spell out "no integrity"
        if (!none_added && std::find(offered->transforms.begin(), offered->transforms.end(), transform) ==
                               offered->transforms.end()) {
            return false;
        }
        for (size_t j = 0; j < i; ++j) {
            if (answer.transforms[j].type == transform.type) return false;
        }
    }
    return true;
}

InitAnswer read_acceptance(const Header& header, const PayloadChain& chain,
                           const std::vector<Proposal>& offer, DhGroup group) {
    if (header.spi_responder == 0) return malformed("SA without a responder SPI");
    const auto proposals = decode_sa(chain.find(PayloadType::sa)->body);
    if (!proposals) return malformed(proposals.error().what);
    if (!is_choice_of(*proposals, offer)) return malformed("chose what was not offered");
    const auto ke = decode_ke(chain.find(PayloadType::ke)->body);
    if (!ke) return malformed(ke.error().what);
    if (ke->group != group ||
        !proposals->front().offers(TransformType::key_exchange, static_cast<uint16_t>(group))) {
        return malformed("key exchange in another group");
    }
    if (!check_public_value(ke->group, ke->value)) return malformed("invalid public value");
    if (!decode_nonce(chain.find(PayloadType::nonce)->body)) return malformed("invalid nonce");
    InitAnswer answer;
    answer.kind = InitAnswerKind::accepted;
    answer.group = group;
    return answer;
}

}  // namespace

InitRequestTemplate::InitRequestTemplate(std::vector<Proposal> offer, DhGroup group, ByteSpan public_value)
    : offer_(std::move(offer)), group_(group) {
    std::array<uint8_t, 2048> buffer{};
    Header header;
    header.flags = Header::initiator_flag;
    MessageWriter message(std::span<uint8_t>(buffer).subspan(marker_size), header);
    encode_sa(message.begin(PayloadType::sa), offer_);
    message.end();
    encode_ke(message.begin(PayloadType::ke), group_, public_value);
    message.end();
    Writer& nonce = message.begin(PayloadType::nonce);
    nonce_at_ = marker_size + nonce.position();
    nonce.zeros(nonce_size);
    message.end();
    const ByteSpan finished = message.finish();
    assert(!finished.empty());
    bytes_.assign(buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(marker_size + finished.size()));
}

ByteSpan InitRequestTemplate::render(uint64_t spi_initiator, std::span<const uint8_t, nonce_size> nonce,
                                     Framing framing) noexcept {
    Writer spi(std::span<uint8_t>(bytes_).subspan(marker_size));
    spi.u64(spi_initiator);
    std::copy(nonce.begin(), nonce.end(), bytes_.begin() + static_cast<ptrdiff_t>(nonce_at_));
    return ByteSpan(bytes_).subspan(framing == Framing::marked ? 0 : marker_size);
}

InitAnswer read_init_answer(ByteSpan message, uint64_t spi_initiator, const std::vector<Proposal>& offer,
                            DhGroup group) {
    const auto header = decode_header(message);
    if (!header || header->spi_initiator != spi_initiator || header->major_version() != 2 ||
        header->exchange != ExchangeType::ike_sa_init || !header->is_response() || header->from_initiator() ||
        header->message_id != 0) {
        return {};
    }
    const auto chain = PayloadChain::decode(header->first_payload, message.subspan(header_size));
    if (!chain) return malformed(chain.error().what);
    if (const auto allowed = check_payloads(header->exchange, Direction::response, *chain); !allowed) {
        return malformed(allowed.error().what);
    }
    if (chain->find(PayloadType::sa) != nullptr) return read_acceptance(*header, *chain, offer, group);

    InitAnswer answer;
    for (const Payload& payload : *chain) {
        if (payload.type != PayloadType::notify) continue;
        const auto notify = decode_notify(payload.body);
        if (!notify) return malformed(notify.error().what);
        answer.notify = notify->type;
        if (notify->type == NotifyType::cookie) {
            // RFC 7296 2.6: 1 to 64 octets.
            if (notify->data.empty() || notify->data.size() > 64)
                return malformed("cookie of a wrong length");
            answer.kind = InitAnswerKind::cookie;
            answer.cookie = notify->data;
            return answer;
        }
        if (notify->type == NotifyType::redirect) {
            answer.kind = InitAnswerKind::redirected;
            answer.redirect_target = ipsec::redirect_target(*notify);
            if (answer.redirect_target.empty()) return malformed("malformed redirect");
            return answer;
        }
        if (notify->type == NotifyType::invalid_ke_payload) {
            const auto wanted = invalid_ke_group(*notify);
            if (!wanted) return malformed("malformed INVALID_KE_PAYLOAD");
            answer.kind = InitAnswerKind::invalid_ke;
            answer.group = *wanted;
            return answer;
        }
        if (is_error(notify->type)) {
            answer.kind = InitAnswerKind::error;
            return answer;
        }
    }
    return malformed("an answer without content");
}

}  // namespace fairway::ipsec
