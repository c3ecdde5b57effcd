// SPDX-License-Identifier: Apache-2.0
#pragma once
// The listening sockets of the DNS server, with the options that it needs.

#include <cstddef>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace fairway::dns {

/// One listen address for one thread.
struct ListenSockets {
    SocketAddress address;  // with the real port
    UniqueFd udp;
    UniqueFd tcp;
};

/// For each of `threads` its sockets on all `addresses`, in their order.
[[nodiscard]] Result<std::vector<std::vector<ListenSockets>>> open_sockets(
    const std::vector<SocketAddress>& addresses, size_t threads);

}  // namespace fairway::dns
