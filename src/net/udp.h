// SPDX-License-Identifier: Apache-2.0
#pragma once
// A bound UDP socket of a server on a loop, such as an IKE responder. Not for the DNS hot path (which batches
// in its own threads) nor for probes (probes/datagram_driver.h).

#include <functional>
#include <memory>

#include "base/bytes.h"
#include "base/ip.h"
#include "base/unique_fd.h"
#include "net/poll_handle.h"

namespace fairway::net {

class UdpSocket {
  public:
    /// The bytes are valid during the call, which may send, and may destroy the socket.
    using OnDatagram = std::function<void(ByteSpan, const SocketAddress& from)>;

    /// Binds; throws std::system_error naming the address. Port 0 picks a free one.
    UdpSocket(Loop& loop, const SocketAddress& local, OnDatagram on_datagram);
    UdpSocket(const UdpSocket&) = delete;
    UdpSocket& operator=(const UdpSocket&) = delete;

    /// Hands one datagram to the kernel; one that it does not take at once is lost, as datagrams are.
    void send(ByteSpan bytes, const SocketAddress& to) noexcept;
    [[nodiscard]] const SocketAddress& local() const noexcept { return local_; }

  private:
    void receive();

    Loop& loop_;
    UniqueFd fd_;
    SocketAddress local_;
    std::shared_ptr<OnDatagram> on_datagram_;  // held by receive() while it runs: the callback may destroy us
    std::unique_ptr<PollHandle> poll_;         // last: stops watching before the descriptor is closed
};

}  // namespace fairway::net
