// SPDX-License-Identifier: Apache-2.0
#pragma once
// The requests that an IKE probe sends, made once and then only stamped with fresh SPIs and nonces, so that
// no probe costs a key exchange.
//
// The public values in them are reused from probe to probe, and the private keys behind them are thrown away
// the moment they are made. That is safe because no probe at this depth ever derives a key: the exchange is
// abandoned after the first answer, so there is no secret that reuse could weaken. What is given away is that
// two probes come from the same prober, which their source address tells anyway.

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "ipsec/ikev1.h"
#include "ipsec/init_exchange.h"
#include "model/monitor.h"

namespace fairway {

/// How a gateway is asked (see ike_exchange.h).
enum class IkeAsk : uint8_t {
    mismatched,    // full offer, key exchange in a group that the gateway does not prefer: INVALID_KE_PAYLOAD
    unacceptable,  // an offer that nobody accepts: NO_PROPOSAL_CHOSEN
    full           // full offer, meant to be accepted: leaves a half-open SA
};

class IkeRequests {
  public:
    using Nonce = std::array<uint8_t, ipsec::InitRequestTemplate::nonce_size>;

    /// `entropy` must outlive it; it is also where exchanges take SPIs and nonces from.
    IkeRequests(const IkeProbe& settings, ipsec::Entropy& entropy);

    /// The datagram for IKEv2, valid until the next call. `group` matters for full and mismatched offers.
    [[nodiscard]] ByteSpan render(IkeAsk ask, ipsec::DhGroup group, uint64_t spi, const Nonce& nonce,
                                  ipsec::Framing framing);
    /// The offer that render() sent.
    [[nodiscard]] const std::vector<ipsec::Proposal>& offer(IkeAsk ask) const noexcept {
        return ask == IkeAsk::unacceptable ? unacceptable_ : full_;
    }
    /// Whether full offers have the group, so that its key exchange can be asked for.
    [[nodiscard]] bool offers(ipsec::DhGroup group) const noexcept;

    /// The same for the first message of IKEv1 main mode; a mismatched group does not exist there.
    [[nodiscard]] ByteSpan render_v1(IkeAsk ask, uint64_t cookie, ipsec::Framing framing);
    [[nodiscard]] const std::vector<ipsec::V1Transform>& v1_offer(IkeAsk ask) const noexcept {
        return ask == IkeAsk::unacceptable ? v1_unacceptable_ : v1_full_;
    }

    [[nodiscard]] ipsec::Entropy& entropy() noexcept { return entropy_; }

  private:
    ipsec::InitRequestTemplate& full(ipsec::DhGroup group);

    ipsec::Entropy& entropy_;
    std::vector<ipsec::Proposal> full_;
    std::vector<ipsec::Proposal> unacceptable_;
    std::vector<ipsec::V1Transform> v1_full_;
    std::vector<ipsec::V1Transform> v1_unacceptable_;
    std::map<ipsec::DhGroup, ipsec::InitRequestTemplate> full_templates_;  // made when first asked for
    ipsec::InitRequestTemplate unacceptable_template_;
    std::array<uint8_t, 2048> v1_buffer_{};
};

}  // namespace fairway
