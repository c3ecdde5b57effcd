// SPDX-License-Identifier: Apache-2.0
#pragma once
// The initiator's side of IKE_SA_INIT as two pure steps: make the request, read the answer. Who retransmits,
// and what an answer means for health, is decided elsewhere.

#include <optional>
#include <string>
#include <vector>

#include "ipsec/dh.h"
#include "ipsec/message.h"
#include "ipsec/nat.h"
#include "ipsec/suite.h"

namespace fairway::ipsec {

/// A request made once and sent many times: only SPI and nonce differ from sending to sending.
class InitRequestTemplate {
  public:
    static constexpr size_t nonce_size = 32;

    InitRequestTemplate(std::vector<Proposal> offer, DhGroup group, ByteSpan public_value);

    /// Writes SPI and nonce into the message and returns it, framed as asked; valid until the next call.
    [[nodiscard]] ByteSpan render(uint64_t spi_initiator, std::span<const uint8_t, nonce_size> nonce,
                                  Framing framing) noexcept;
    [[nodiscard]] const std::vector<Proposal>& offer() const noexcept { return offer_; }
    [[nodiscard]] DhGroup group() const noexcept { return group_; }

  private:
    std::vector<Proposal> offer_;
    DhGroup group_;
    std::vector<uint8_t> bytes_;  // marker and message
    size_t nonce_at_ = 0;
};

enum class InitAnswerKind : uint8_t {
    unrelated,   // not an answer to this request: ignore it
    malformed,   // claims to be, but cannot be: ignore it, remember that it came
    accepted,    // SA, KE, nonce: the gateway now holds a half-open SA
    cookie,      // wants proof of our address first
    invalid_ke,  // wants the key exchange in `group`
    redirected,  // sends us elsewhere (RFC 5685)
    error        // `notify`: NO_PROPOSAL_CHOSEN, INVALID_SYNTAX ...
};

struct InitAnswer {
    InitAnswerKind kind = InitAnswerKind::unrelated;
    NotifyType notify = NotifyType::invalid_syntax;  // error: which
    DhGroup group = DhGroup::none;                   // invalid_ke: wanted; accepted: used
    std::string redirect_target;
    ByteSpan cookie;          // into the message
    const char* defect = "";  // malformed: why
};

/// Reads what came for the request with this SPI, offer and group. It belongs to it only if it is an
/// IKE_SA_INIT response of version 2 with message id 0 and our SPI; an acceptance must carry an SPI of its
/// own, choose from the offer, and a valid public value. Nothing here is authenticated: whoever sees the
/// request can forge every answer.
[[nodiscard]] InitAnswer read_init_answer(ByteSpan message, uint64_t spi_initiator,
                                          const std::vector<Proposal>& offer, DhGroup group);

}  // namespace fairway::ipsec
