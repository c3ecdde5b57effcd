// SPDX-License-Identifier: Apache-2.0
#include "dns/xdp_device.h"

#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "base/unique_fd.h"

namespace fairway::dns {
namespace {

ifreq request_for(const std::string& interface) {
    ifreq request{};
    std::memcpy(request.ifr_name, interface.data(), std::min(interface.size(), sizeof request.ifr_name - 1));
    return request;
}

uint32_t receive_queues(int fd, const std::string& interface) {
    ethtool_channels channels{};
    channels.cmd = ETHTOOL_GCHANNELS;
    ifreq request = request_for(interface);
    request.ifr_data = reinterpret_cast<char*>(&channels);
    // A driver that has nothing to say about queues has one.
    if (ioctl(fd, SIOCETHTOOL, &request) != 0) return 1;
    return std::max(1U, channels.combined_count + channels.rx_count);
}

struct Local {
    std::string interface;
    IpAddress address;
};

std::vector<Local> local_addresses() {
    ifaddrs* first = nullptr;
    if (getifaddrs(&first) != 0) return {};
    const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> all(first, freeifaddrs);
    std::vector<Local> found;
    for (const ifaddrs* at = first; at != nullptr; at = at->ifa_next) {
        if (at->ifa_addr == nullptr) continue;
        const auto address = SocketAddress::from_sockaddr(at->ifa_addr);
        if (address) found.push_back({at->ifa_name, address->address});
    }
    return found;
}

bool is_on_top_of(const std::string& upper, const std::string& lower) {
    return access(("/sys/class/net/" + upper + "/lower_" + lower).c_str(), F_OK) == 0;
}

}  // namespace

Result<XdpDevice> find_device(const std::string& interface) {
    const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fd) return fail(std::string("cannot ask for it: ") + std::strerror(errno));
    XdpDevice device;
    ifreq request = request_for(interface);
    if (interface.size() >= sizeof request.ifr_name || ioctl(fd.get(), SIOCGIFINDEX, &request) != 0)
        return fail("there is no such interface");
    device.index = request.ifr_ifindex;
    if (ioctl(fd.get(), SIOCGIFHWADDR, &request) != 0 || request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        return fail("it is not an Ethernet interface");
    std::memcpy(device.mac.data(), request.ifr_hwaddr.sa_data, device.mac.size());
    if (ioctl(fd.get(), SIOCGIFMTU, &request) != 0) return fail("there is no such interface");
    device.mtu = static_cast<uint32_t>(std::max(0, request.ifr_mtu));
    device.queues = receive_queues(fd.get(), interface);
    return device;
}

std::vector<SocketAddress> answered_addresses(const std::string& interface,
                                              const std::vector<SocketAddress>& listen) {
    std::vector<Local> local = local_addresses();
    const auto split = std::partition(local.begin(), local.end(), [&interface](const Local& at) {
        return at.interface == interface || !is_on_top_of(at.interface, interface);
    });
    std::vector<IpAddress> excluded;
    for (auto at = split; at != local.end(); ++at) excluded.push_back(at->address);
    local.erase(split, local.end());

    std::vector<SocketAddress> answered;
    const auto add = [&](const IpAddress& address, uint16_t port) {
        if (address.is_loopback()) return;
        if (std::find(excluded.begin(), excluded.end(), address) != excluded.end()) return;
        answered.push_back({address, port});
    };
    for (const SocketAddress& wanted : listen) {
        const bool wildcard = wanted.address == IpAddress() || wanted.address == IpAddress::v6({});
        if (!wildcard) {
            add(wanted.address, wanted.port);
            continue;
        }
        for (const Local& at : local) {
            if (at.address.family() == wanted.address.family()) add(at.address, wanted.port);
        }
    }
    return answered;
}

}  // namespace fairway::dns
