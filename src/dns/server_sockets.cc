// SPDX-License-Identifier: Apache-2.0
#include "dns/server_sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/inherited_sockets.h"

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

bool is_wildcard(const IpAddress& address) {
    return address == IpAddress() || address == IpAddress::v6({});
}

void prepare_udp(int fd, const SocketAddress& address) {
    set(fd, SOL_SOCKET, SO_RCVBUF, receive_buffer);
    const bool wildcard = is_wildcard(address.address);
    if (address.address.is_v4()) {
        // Forged "fragmentation needed" messages must not shrink our packets (they are small anyway).
        set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
        // So that the answer leaves from the address that was asked.
        if (wildcard) set(fd, IPPROTO_IP, IP_PKTINFO, 1);
    } else {
        set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
        if (wildcard) set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    }
}

UniqueFd open_udp(const SocketAddress& address) {
    UniqueFd fd = bind_socket(address, SOCK_DGRAM, Sharing::among_threads);
    if (fd) prepare_udp(fd.get(), address);
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

tl::unexpected<Error> cannot(const SocketAddress& address, Transport transport, int error) {
    static constexpr std::array names{" (UDP): ", " (TCP): ", " (TLS): "};
    return fail("cannot listen on " + address.to_string() + names[static_cast<size_t>(transport)] +
                std::strerror(error));
}

// SO_REUSEPORT would let a second server of the same user share the port without a word: ask alone first.
Result<void> check_free(const SocketAddress& address, Transport transport) {
    if (transport == Transport::udp) {
        if (!bind_socket(address, SOCK_DGRAM, Sharing::exclusive)) return cannot(address, transport, errno);
        return {};
    }
    const UniqueFd tcp = bind_socket(address, SOCK_STREAM, Sharing::exclusive);
    if (!tcp || listen(tcp.get(), 1) != 0) return cannot(address, transport, errno);
    return {};
}

// Whether an inherited socket would stand in the way of binding `wanted` alone, so that asking says nothing.
bool overlaps(const net::InheritedSocket& socket, const SocketAddress& wanted) {
    const auto* has = std::get_if<SocketAddress>(&socket.address);
    return has != nullptr && has->port == wanted.port && has->address.family() == wanted.address.family() &&
           (has->address == wanted.address || is_wildcard(has->address) || is_wildcard(wanted.address));
}

UniqueFd open_one(const SocketAddress& address, Transport transport) {
    return transport == Transport::udp ? open_udp(address) : open_tcp(address);
}

// Both sockets of the first thread: their port must be free for both when any will do.
Result<void> open_pair(SocketAddress& address, UniqueFd& udp, UniqueFd& tcp) {
    const uint16_t wanted = address.port;
    for (int attempt = 0;; ++attempt) {
        address.port = wanted;
        udp = open_udp(address);
        if (!udp) return cannot(address, Transport::udp, errno);
        address.port = port_of(udp.get());
        tcp = open_tcp(address);
        if (tcp) return {};
        const bool again = wanted == 0 && errno == EADDRINUSE && attempt < port_attempts;
        if (!again) return cannot(address, Transport::tcp, errno);
    }
}

// Makes an inherited socket as one of ours would be.
void prepare(const net::InheritedSocket& socket, const SocketAddress& address) {
    (void)fcntl(socket.fd.get(), F_SETFL, fcntl(socket.fd.get(), F_GETFL) | O_NONBLOCK);
    if (socket.kind == net::SocketKind::datagram) prepare_udp(socket.fd.get(), address);
}

UniqueFd duplicate(int fd) {
    return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

// Deals inherited sockets out to the threads. A thread that gets none shares another's where the service
// manager holds them (a socket beside it would lose at our end what the manager's keeps), else gets a new
// one.
Result<void> deal(std::vector<net::InheritedSocket> sockets, const SocketAddress& address,
                  Transport transport, std::vector<std::vector<ListenSocket>>& of_thread) {
    const size_t count = sockets.size();
    for (size_t i = 0; i < count; ++i) {
        prepare(sockets[i], address);
        ListenSocket socket;
        socket.address = address;
        socket.transport = transport;
        socket.fd = std::move(sockets[i].fd);
        socket.held_elsewhere = sockets[i].held_elsewhere;
        of_thread[i % of_thread.size()].push_back(std::move(socket));
    }
    for (size_t i = count; i < of_thread.size(); ++i) {
        ListenSocket& model = of_thread[i % count].back();
        ListenSocket socket;
        socket.address = address;
        socket.transport = transport;
        if (!model.held_elsewhere) socket.fd = open_one(address, transport);
        if (!socket.fd) {
            socket.fd = duplicate(model.fd.get());
            if (!socket.fd) return cannot(address, transport, errno);
            socket.held_elsewhere = model.held_elsewhere;
            socket.copy = socket.shared = model.shared = true;
        }
        of_thread[i].push_back(std::move(socket));
    }
    return {};
}

Result<SocketAddress> open_tls_address(const SocketAddress& wanted, net::InheritedSockets& inherited,
                                       std::vector<std::vector<ListenSocket>>& of_thread) {
    SocketAddress address = wanted;
    auto sockets = inherited.take(socket_purpose(Transport::tls), net::SocketKind::stream, wanted);
    if (!sockets.empty()) {
        address = std::get<SocketAddress>(sockets.front().address);
        const auto dealt = deal(std::move(sockets), address, Transport::tls, of_thread);
        if (!dealt) return tl::unexpected(dealt.error());
        return address;
    }
    for (auto& of_one : of_thread) {
        ListenSocket socket;
        socket.transport = Transport::tls;
        socket.fd = open_tcp(address);
        if (!socket.fd) return cannot(address, Transport::tls, errno);
        address.port = port_of(socket.fd.get());
        socket.address = address;
        of_one.push_back(std::move(socket));
    }
    return address;
}

// Asked before the first socket is taken: a wildcard address and one of its own do not stand in each other's
// way.
Result<void> check_all_free(const std::vector<SocketAddress>& addresses,
                            const net::InheritedSockets& inherited,
                            std::initializer_list<Transport> transports) {
    const auto& there = inherited.left();
    for (const SocketAddress& wanted : addresses) {
        if (wanted.port == 0) continue;
        for (const Transport transport : transports) {
            const auto kind =
                transport == Transport::udp ? net::SocketKind::datagram : net::SocketKind::stream;
            if (std::any_of(there.begin(), there.end(), [&](const net::InheritedSocket& socket) {
                    return socket.kind == kind && overlaps(socket, wanted);
                }))
                continue;
            if (auto is_free = check_free(wanted, transport); !is_free) return is_free;
        }
    }
    return {};
}

Result<SocketAddress> open_address(const SocketAddress& wanted, net::InheritedSockets& inherited,
                                   std::vector<std::vector<ListenSocket>>& of_thread) {
    SocketAddress address = wanted;
    auto udp = inherited.take(socket_purpose(Transport::udp), net::SocketKind::datagram, wanted);
    if (!udp.empty()) address = std::get<SocketAddress>(udp.front().address);
    auto tcp = inherited.take(socket_purpose(Transport::tcp), net::SocketKind::stream, address);
    if (udp.empty() && !tcp.empty()) address = std::get<SocketAddress>(tcp.front().address);
    const bool new_udp = udp.empty(), new_tcp = tcp.empty();
    if (!new_udp) {
        if (const auto dealt = deal(std::move(udp), address, Transport::udp, of_thread); !dealt)
            return tl::unexpected(dealt.error());
    }
    if (!new_tcp) {
        if (const auto dealt = deal(std::move(tcp), address, Transport::tcp, of_thread); !dealt)
            return tl::unexpected(dealt.error());
    }
    for (size_t i = 0; i < of_thread.size(); ++i) {
        const auto add = [&](Transport transport, UniqueFd fd) {
            ListenSocket socket;
            socket.address = address;
            socket.transport = transport;
            socket.fd = std::move(fd);
            of_thread[i].push_back(std::move(socket));
        };
        if (new_udp && new_tcp && i == 0) {
            // The other threads share the port that the first one gets.
            UniqueFd first_udp, first_tcp;
            if (const auto opened = open_pair(address, first_udp, first_tcp); !opened)
                return tl::unexpected(opened.error());
            add(Transport::udp, std::move(first_udp));
            add(Transport::tcp, std::move(first_tcp));
            continue;
        }
        for (const Transport transport : {Transport::udp, Transport::tcp}) {
            if (!(transport == Transport::udp ? new_udp : new_tcp)) continue;
            UniqueFd fd = open_one(address, transport);
            if (!fd) return cannot(address, transport, errno);
            add(transport, std::move(fd));
        }
    }
    return address;
}

}  // namespace

Result<ListenSockets> open_sockets(const std::vector<SocketAddress>& addresses,
                                   const std::vector<SocketAddress>& tls_addresses, size_t threads,
                                   net::InheritedSockets* inherited) {
    net::InheritedSockets nothing;
    if (inherited == nullptr) inherited = &nothing;
    if (auto are_free = check_all_free(addresses, *inherited, {Transport::udp, Transport::tcp}); !are_free)
        return tl::unexpected(are_free.error());
    if (auto are_free = check_all_free(tls_addresses, *inherited, {Transport::tls}); !are_free)
        return tl::unexpected(are_free.error());
    ListenSockets all;
    all.of_thread.resize(threads);
    for (const SocketAddress& wanted : addresses) {
        const auto address = open_address(wanted, *inherited, all.of_thread);
        if (!address) return tl::unexpected(address.error());
        all.addresses.push_back(*address);
    }
    for (const SocketAddress& wanted : tls_addresses) {
        const auto address = open_tls_address(wanted, *inherited, all.of_thread);
        if (!address) return tl::unexpected(address.error());
        all.tls_addresses.push_back(*address);
    }
    return all;
}

}  // namespace fairway::dns
