// SPDX-License-Identifier: Apache-2.0
#pragma once
// The IKE ports of one address of a gateway that we play: sockets around the responders of the core.

#include <array>
#include <deque>
#include <memory>
#include <optional>

#include "ipsec/entropy.h"
#include "ipsec/gateway_config.h"
#include "ipsec/nat.h"
#include "ipsec/responder.h"
#include "ipsec/v1_responder.h"
#include "net/loop.h"
#include "net/timer.h"
#include "net/udp.h"

namespace fairway::ipsec {

class IkeService {
  public:
    /// `ports` are that of IKE and that of NAT traversal, on which the marker is always spoken; absent: not
    /// offered. On the first, it is spoken unless the port is 500.
    IkeService(net::Loop& loop, const IpAddress& address, std::array<std::optional<uint16_t>, 2> ports,
               const ResponderSettings& settings, Entropy& entropy);

    [[nodiscard]] Result<void> apply(const Fault& fault, nanoseconds delay);
    void sweep(MonotonicTime now) { responder_.expire(now); }

    /// The real ports, once they were bound.
    [[nodiscard]] const std::array<std::optional<uint16_t>, 2>& ports() const noexcept { return ports_; }
    [[nodiscard]] ResponderStats stats() const noexcept { return responder_.stats(); }

  private:
    struct Late {
        MonotonicTime due;
        size_t socket;
        SocketAddress to;
        std::vector<uint8_t> datagram;
    };
    static constexpr size_t max_late = 1'024;

    void on_datagram(size_t socket, ByteSpan datagram, const SocketAddress& from);
    void send_late();

    net::Loop& loop_;
    IpAddress address_;
    std::array<std::optional<uint16_t>, 2> ports_;
    Ikev2Responder responder_;
    V1Responder v1_responder_;
    FaultKind fault_ = FaultKind::none;
    nanoseconds delay_{0};
    std::deque<Late> late_;
    net::Timer timer_;
    std::array<std::unique_ptr<net::UdpSocket>, 2> sockets_;
};

}  // namespace fairway::ipsec
