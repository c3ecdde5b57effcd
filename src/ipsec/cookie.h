// SPDX-License-Identifier: Apache-2.0
#pragma once
// Stateless cookies (RFC 7296 2.6): a keyed hash over who asks, good for at least one and at most two
// lifetimes of the secret. Costs the responder nothing until the initiator proved that it receives.

#include <array>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ip.h"
#include "ipsec/entropy.h"

namespace fairway::ipsec {

class CookieJar {
  public:
    static constexpr size_t cookie_size = 1 + 20;
    using Cookie = std::array<uint8_t, cookie_size>;
    static constexpr nanoseconds lifetime = seconds{60};

    /// `entropy` must outlive the jar.
    explicit CookieJar(Entropy& entropy);
    [[nodiscard]] Cookie make(MonotonicTime now, const IpAddress& peer, uint64_t spi_initiator,
                              ByteSpan nonce);
    [[nodiscard]] bool check(MonotonicTime now, const IpAddress& peer, uint64_t spi_initiator, ByteSpan nonce,
                             ByteSpan cookie);

  private:
    struct Secret {
        uint8_t version = 0;
        std::array<uint8_t, 32> key{};
    };
    void rotate(MonotonicTime now);
    static Cookie hash(const Secret& secret, const IpAddress& peer, uint64_t spi_initiator, ByteSpan nonce);

    Entropy& entropy_;
    Secret current_;
    Secret previous_;
    MonotonicTime rotate_at_{};
};

}  // namespace fairway::ipsec
