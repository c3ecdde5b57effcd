// SPDX-License-Identifier: Apache-2.0
#pragma once
// ICMP errors as Linux queues them for a socket with IP_RECVERR or IPV6_RECVERR.

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/ip.h"
#include "probes/exchange.h"

namespace fairway {

struct QueuedError {
    std::optional<Unreachable> kind;  // absent: an error that says nothing about the peer (too big, redirect)
    SocketAddress destination;        // of the datagram that caused it
    ByteSpan datagram;                // what the kernel kept of it, in the caller's buffer
};

/// Has the kernel queue errors for this socket. False with errno.
[[nodiscard]] bool queue_errors(int fd, IpFamily family) noexcept;
/// The next error; absent when there is none.
[[nodiscard]] std::optional<QueuedError> next_error(int fd, std::span<uint8_t> buffer) noexcept;
/// The same for an error that a system call returned at once (no route, a firewall of this machine); absent
/// for errors that say nothing about reaching the peer.
[[nodiscard]] std::optional<Unreachable> unreachable_by(int error) noexcept;

}  // namespace fairway
