// SPDX-License-Identifier: Apache-2.0
#include "probes/ike_requests.h"

#include <algorithm>

#include "ipsec/dh.h"

namespace fairway {

using ipsec::DhGroup;
using ipsec::Framing;
using ipsec::InitRequestTemplate;

namespace {

ipsec::OfferScope scope_of(const IkeProbe& settings) noexcept {
    return settings.legacy ? ipsec::OfferScope::legacy : ipsec::OfferScope::current;
}

/// Any 32 octets are a public value of X25519.
std::array<uint8_t, 32> random_point(ipsec::Entropy& entropy) {
    std::array<uint8_t, 32> point;
    entropy.fill(point);
    return point;
}

}  // namespace

IkeRequests::IkeRequests(const IkeProbe& settings, ipsec::Entropy& entropy)
    : entropy_(entropy),
      full_(ipsec::default_offer(scope_of(settings))),
      unacceptable_(ipsec::unacceptable_offer()),
      v1_full_(ipsec::v1_offer(settings.legacy ? ipsec::V1Offer::legacy : ipsec::V1Offer::full)),
      v1_unacceptable_(ipsec::v1_offer(ipsec::V1Offer::unacceptable)),
      unacceptable_template_(unacceptable_, DhGroup::x25519, random_point(entropy)) {}

bool IkeRequests::offers(DhGroup group) const noexcept {
    return std::any_of(full_.begin(), full_.end(), [&](const ipsec::Proposal& proposal) {
        return proposal.offers(ipsec::TransformType::key_exchange, static_cast<uint16_t>(group));
    });
}

InitRequestTemplate& IkeRequests::full(DhGroup group) {
    const auto found = full_templates_.find(group);
    if (found != full_templates_.end()) return found->second;
    // Cannot fail: only groups of the offer come here, and all of them are supported.
    const auto pair = ipsec::KeyExchange::generate(group, entropy_);
    return full_templates_.emplace(group, InitRequestTemplate(full_, group, pair->public_value()))
        .first->second;
}

ByteSpan IkeRequests::render(IkeAsk ask, DhGroup group, uint64_t spi, const Nonce& nonce, Framing framing) {
    InitRequestTemplate& request = ask == IkeAsk::unacceptable ? unacceptable_template_ : full(group);
    return request.render(spi, nonce, framing);
}

ByteSpan IkeRequests::render_v1(IkeAsk ask, uint64_t cookie, Framing framing) {
    const std::span<uint8_t> buffer(v1_buffer_);  // its first octets stay zero: the marker
    const ByteSpan message =
        ipsec::encode_v1_request(buffer.subspan(ipsec::marker_size), cookie, v1_offer(ask));
    if (framing == Framing::plain) return message;
    return ByteSpan(buffer).first(ipsec::marker_size + message.size());
}

}  // namespace fairway
