// SPDX-License-Identifier: Apache-2.0
#pragma once
// Answers the first message of IKEv1 main mode, and nothing behind it. Keeps no state: the responder's cookie
// is a keyed hash, so every repetition gets the same answer.

#include <array>

#include "ipsec/entropy.h"
#include "ipsec/ikev1.h"
#include "ipsec/responder.h"

namespace fairway::ipsec {

class V1Responder {
  public:
    /// `entropy` must outlive the responder.
    explicit V1Responder(Entropy& entropy);

    /// The answer to a message (without marker), or empty for none; valid until the next call.
    [[nodiscard]] ByteSpan on_message(ByteSpan message, const Path& path);
    /// Cookies and redirects do not exist in IKEv1: those modes answer as normal.
    void set_mode(ResponderMode mode) noexcept { mode_ = mode; }

  private:
    [[nodiscard]] uint64_t cookie_for(uint64_t cookie_initiator, const SocketAddress& peer) const;

    Entropy& entropy_;
    std::array<uint8_t, 32> key_;
    ResponderMode mode_ = ResponderMode::normal;
    std::array<uint8_t, 512> buffer_;
};

}  // namespace fairway::ipsec
