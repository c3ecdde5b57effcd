// SPDX-License-Identifier: Apache-2.0
#pragma once
// What AF_XDP must know of a network interface and of this machine's addresses; asked again and again,
// because all of it may change while the server runs.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace fairway::dns {

struct XdpDevice {
    int index = 0;
    uint32_t queues = 1;  // that receive
    uint32_t mtu = 0;
    std::array<uint8_t, 6> mac{};
    friend bool operator==(const XdpDevice&, const XdpDevice&) = default;
};

/// The error is that it does not exist, or is of a kind that has no Ethernet frames.
[[nodiscard]] Result<XdpDevice> find_device(const std::string& interface);

/// The addresses of `listen` that may be answered where `interface` receives: wildcards become the addresses
/// that this machine has now. Not those of loopback, and not those that belong to an interface on top of this
/// one (a VLAN, a bridge, a bond): their frames need what only the kernel adds.
[[nodiscard]] std::vector<SocketAddress> answered_addresses(const std::string& interface,
                                                            const std::vector<SocketAddress>& listen);

}  // namespace fairway::dns
