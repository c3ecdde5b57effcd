// SPDX-License-Identifier: Apache-2.0
#pragma once
// The listening sockets of the DNS server, with the options that it needs: bound here, or inherited from the
// process before or from a service manager.
//
// Closing one socket of a SO_REUSEPORT group loses what waits in it. So an inherited socket is always served,
// several by one thread when there are fewer threads than before; the group only grows.

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "dns/answer.h"

namespace fairway::net {
class InheritedSockets;
}

namespace fairway::dns {

/// One listening socket of one thread.
struct ListenSocket {
    SocketAddress address;  // with the real port
    Transport transport = Transport::udp;
    UniqueFd fd;
    /// A service manager has it too and keeps what waits in it while nobody serves.
    bool held_elsewhere = false;
    /// Other threads serve the same socket.
    bool shared = false;
    /// Another thread's descriptor of the same socket is the one that counts.
    bool copy = false;
};

struct ListenSockets {
    std::vector<SocketAddress> addresses, tls_addresses;  // as asked for, with the real ports
    std::vector<std::vector<ListenSocket>> of_thread;
};

/// The purposes of our sockets among those that one process inherits from another.
[[nodiscard]] constexpr std::string_view socket_purpose(Transport transport) noexcept {
    return transport == Transport::tls ? "dns-tls" : "dns";
}

/// For each of `threads` its sockets: UDP and TCP on all `addresses`, and those for TLS on all
/// `tls_addresses`. What `inherited` has for their purposes is taken from it; null: nothing.
[[nodiscard]] Result<ListenSockets> open_sockets(const std::vector<SocketAddress>& addresses,
                                                 const std::vector<SocketAddress>& tls_addresses,
                                                 size_t threads, net::InheritedSockets* inherited);

}  // namespace fairway::dns
