// SPDX-License-Identifier: Apache-2.0
#include "net/inherited_sockets.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

namespace fairway::net {
namespace {

bool serves(const InheritedSocket& socket, std::string_view purpose, SocketKind kind,
            const ListenAddress& wanted) {
    if (socket.kind != kind || (!socket.purpose.empty() && socket.purpose != purpose)) return false;
    const auto* tcp = std::get_if<SocketAddress>(&wanted);
    const auto* has = std::get_if<SocketAddress>(&socket.address);
    if (tcp != nullptr && has != nullptr && tcp->port == 0)
        return !socket.purpose.empty() && tcp->address == has->address;
    return socket.address == wanted;
}

int option(int fd, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

}  // namespace

std::vector<InheritedSocket> InheritedSockets::take(std::string_view purpose, SocketKind kind,
                                                    const ListenAddress& address) {
    std::vector<InheritedSocket> taken;
    std::vector<InheritedSocket> left;
    for (InheritedSocket& socket : sockets_)
        (serves(socket, purpose, kind, address) ? taken : left).push_back(std::move(socket));
    sockets_ = std::move(left);
    return taken;
}

ListeningSocket InheritedSockets::take_or_open(std::string_view purpose, const ListenAddress& address,
                                               unsigned unix_mode) {
    std::vector<InheritedSocket> taken = take(purpose, SocketKind::stream, address);
    if (taken.empty()) return ListeningSocket::open(address, unix_mode);
    ListeningSocket socket = ListeningSocket::adopt(taken.front().address, std::move(taken.front().fd));
    if (taken.front().held_elsewhere) socket.hold_elsewhere();
    socket.borrow(is_anothers_);
    return socket;
}

bool InheritedSockets::has(std::string_view purpose, SocketKind kind, const ListenAddress& address) const {
    return std::any_of(sockets_.begin(), sockets_.end(),
                       [&](const InheritedSocket& socket) { return serves(socket, purpose, kind, address); });
}

Result<InheritedSocket> describe_socket(UniqueFd fd) {
    InheritedSocket socket;
    const int type = option(fd.get(), SO_TYPE);
    if (type == SOCK_DGRAM) {
        socket.kind = SocketKind::datagram;
    } else if (type != SOCK_STREAM || option(fd.get(), SO_ACCEPTCONN) != 1) {
        return fail("it is neither a datagram socket nor a stream socket that listens");
    }
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0)
        return fail(std::string("it has no address: ") + std::strerror(errno));
    if (storage.ss_family == AF_UNIX) {
        sockaddr_un address{};
        std::memcpy(&address, &storage, sizeof address);
        const size_t length =
            size > offsetof(sockaddr_un, sun_path) ? size - offsetof(sockaddr_un, sun_path) : 0;
        const std::string path(address.sun_path, ::strnlen(address.sun_path, length));
        if (path.empty()) return fail("it is a Unix socket without a path");
        socket.address = std::filesystem::path(path);
    } else {
        const auto address = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage));
        if (!address) return fail("it is of no family that is served here");
        if (address->port == 0) return fail("it is not bound to a port");
        socket.address = *address;
    }
    socket.fd = std::move(fd);
    return socket;
}

}  // namespace fairway::net
