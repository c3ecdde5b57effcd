// SPDX-License-Identifier: Apache-2.0
#include "dns/server_sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fairway::dns {
namespace {

constexpr int backlog = 1024;
constexpr int receive_buffer =
    1 << 20;  // octets; a queue of some milliseconds, so that it never holds stale questions
constexpr int port_attempts = 16;  // until a free UDP port is free for TCP as well

enum class Sharing { exclusive, among_threads };

void set(int fd, int level, int option, int value) {
    // What an old kernel does not know is not worth failing for.
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

// -1 with errno set on failure.
UniqueFd bind_socket(const SocketAddress& address, int type, Sharing sharing) {
    const int family = address.address.is_v4() ? AF_INET : AF_INET6;
    UniqueFd fd(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return fd;
    if (family == AF_INET6) set(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (type == SOCK_STREAM) set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (sharing == Sharing::among_threads) set(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
    sockaddr_storage storage{};
    const socklen_t size = address.to_sockaddr(storage);
    if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) fd.reset();
    return fd;
}

UniqueFd open_udp(const SocketAddress& address) {
    UniqueFd fd = bind_socket(address, SOCK_DGRAM, Sharing::among_threads);
    if (!fd) return fd;
    set(fd.get(), SOL_SOCKET, SO_RCVBUF, receive_buffer);
    const bool wildcard = address.address == IpAddress() || address.address == IpAddress::v6({});
    if (address.address.is_v4()) {
        // Forged "fragmentation needed" messages must not shrink our packets (they are small anyway).
        set(fd.get(), IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
        // So that the answer leaves from the address that was asked.
        if (wildcard) set(fd.get(), IPPROTO_IP, IP_PKTINFO, 1);
    } else {
        set(fd.get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
        if (wildcard) set(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    }
    return fd;
}

UniqueFd open_tcp(const SocketAddress& address) {
    UniqueFd fd = bind_socket(address, SOCK_STREAM, Sharing::among_threads);
    if (fd && listen(fd.get(), backlog) != 0) {
        const int error = errno;
        fd.reset();
        errno = error;
    }
    return fd;
}

uint16_t port_of(int fd) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return 0;
    const auto address = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage));
    return address ? address->port : uint16_t{0};
}

tl::unexpected<Error> cannot(const SocketAddress& address, const char* protocol, int error) {
    return fail("cannot listen on " + address.to_string() + " (" + protocol + "): " + std::strerror(error));
}

// SO_REUSEPORT would let a second server of the same user share the port without a word: ask alone first.
Result<void> check_free(const SocketAddress& address) {
    if (!bind_socket(address, SOCK_DGRAM, Sharing::exclusive)) return cannot(address, "UDP", errno);
    const UniqueFd tcp = bind_socket(address, SOCK_STREAM, Sharing::exclusive);
    if (!tcp || listen(tcp.get(), 1) != 0) return cannot(address, "TCP", errno);
    return {};
}

Result<ListenSockets> open_pair(const SocketAddress& address) {
    ListenSockets sockets;
    sockets.address = address;
    for (int attempt = 0;; ++attempt) {
        sockets.udp = open_udp(address);
        if (!sockets.udp) return cannot(address, "UDP", errno);
        sockets.address.port = port_of(sockets.udp.get());
        sockets.tcp = open_tcp(sockets.address);
        if (sockets.tcp) return sockets;
        const bool again = address.port == 0 && errno == EADDRINUSE && attempt < port_attempts;
        if (!again) return cannot(sockets.address, "TCP", errno);
    }
}

}  // namespace

Result<std::vector<std::vector<ListenSockets>>> open_sockets(const std::vector<SocketAddress>& addresses,
                                                             size_t threads) {
    // All before the first is taken: a wildcard address and one of its own do not stand in each other's way.
    for (const SocketAddress& wanted : addresses) {
        if (wanted.port == 0) continue;
        const auto is_free = check_free(wanted);
        if (!is_free) return tl::unexpected(is_free.error());
    }
    std::vector<std::vector<ListenSockets>> all(threads);
    for (const SocketAddress& wanted : addresses) {
        SocketAddress address = wanted;
        for (auto& of_thread : all) {
            auto sockets = open_pair(address);
            if (!sockets) return tl::unexpected(sockets.error());
            address = sockets->address;  // the other threads share the port that the first one got
            of_thread.push_back(std::move(*sockets));
        }
    }
    return all;
}

}  // namespace fairway::dns
