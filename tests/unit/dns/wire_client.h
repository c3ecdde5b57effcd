// SPDX-License-Identifier: Apache-2.0
#pragma once
// Blocking sockets for tests of the servers. Every wait has a deadline, after which it counts as "nothing
// came".

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/unique_fd.h"
#include "unit/dns/packet.h"

namespace fairway::dns::test {

inline constexpr int patience_ms = 5'000;

/// Connected; from `from` when given.
inline UniqueFd connect_to(const SocketAddress& to, int type, std::optional<IpAddress> from = std::nullopt) {
    UniqueFd fd(socket(to.address.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
    REQUIRE(fd);
    sockaddr_storage storage{};
    if (from) {
        const socklen_t size = SocketAddress{*from, 0}.to_sockaddr(storage);
        REQUIRE(bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) == 0);
    }
    const socklen_t size = to.to_sockaddr(storage);
    REQUIRE(connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) == 0);
    return fd;
}

inline bool readable(int fd, int milliseconds_to_wait = patience_ms) {
    pollfd entry{fd, POLLIN, 0};
    return poll(&entry, 1, milliseconds_to_wait) == 1;
}

inline void send_all(int fd, ByteSpan bytes) {
    while (!bytes.empty()) {
        const ssize_t count = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        REQUIRE(count > 0);
        bytes = bytes.subspan(static_cast<size_t>(count));
    }
}

/// Exactly `count` octets; fewer when the peer closes or nothing comes.
inline Bytes receive(int fd, size_t count) {
    Bytes bytes(count);
    size_t have = 0;
    while (have < count && readable(fd)) {
        const ssize_t got = recv(fd, bytes.data() + have, count - have, 0);
        if (got <= 0) break;
        have += static_cast<size_t>(got);
    }
    bytes.resize(have);
    return bytes;
}

inline Bytes framed(ByteSpan message) {
    Bytes bytes(2 + message.size());
    bytes[0] = static_cast<uint8_t>(message.size() >> 8);
    bytes[1] = static_cast<uint8_t>(message.size());
    std::copy(message.begin(), message.end(), bytes.begin() + 2);
    return bytes;
}

/// The next message on a TCP connection; empty when it is closed or nothing comes.
inline Bytes receive_framed(int fd) {
    const Bytes length = receive(fd, 2);
    if (length.size() < 2) return {};
    return receive(fd, static_cast<size_t>(length[0]) << 8 | length[1]);
}

/// Whether the peer closes the connection within the deadline, whatever it sends before.
inline bool is_closed(int fd) {
    while (readable(fd)) {
        Bytes bytes(4096);
        if (recv(fd, bytes.data(), bytes.size(), 0) <= 0) return true;
    }
    return false;
}

inline Bytes ask_udp(const SocketAddress& server, ByteSpan message) {
    const UniqueFd fd = connect_to(server, SOCK_DGRAM);
    send_all(fd.get(), message);
    if (!readable(fd.get())) return {};
    Bytes bytes(65536);
    const ssize_t got = recv(fd.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return bytes;
}

inline Bytes ask_tcp(const SocketAddress& server, ByteSpan message) {
    const UniqueFd fd = connect_to(server, SOCK_STREAM);
    send_all(fd.get(), framed(message));
    return receive_framed(fd.get());
}

}  // namespace fairway::dns::test
