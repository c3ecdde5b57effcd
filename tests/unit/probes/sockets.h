// SPDX-License-Identifier: Apache-2.0
#pragma once
// Peers for probes that need no loop: listening sockets whose backlog does the work, and ports where nothing
// listens.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "base/ip.h"
#include "base/unique_fd.h"

namespace fairway::test {

inline uint16_t port_of(int fd) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) == 0);
    return SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage)).value().port;
}

inline UniqueFd bound(int type, const std::string& address = "127.0.0.1", uint16_t port = 0) {
    const SocketAddress local{IpAddress::parse(address).value(), port};
    UniqueFd fd(::socket(local.address.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
    sockaddr_storage storage{};
    const socklen_t length = local.to_sockaddr(storage);
    const int one = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    // All of 127.0.0.0/8, and nothing but loopback.
    if (address == "0.0.0.0") REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0);
    REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0);
    return fd;
}

/// Accepts connections into its backlog; nobody needs to call accept().
struct TcpListener {
    UniqueFd fd;
    uint16_t port;
    explicit TcpListener(const std::string& address = "127.0.0.1", int backlog = 4096)
        : fd(bound(SOCK_STREAM, address)), port(port_of(fd.get())) {
        REQUIRE(::listen(fd.get(), backlog) == 0);
    }
};

/// A TCP port that is taken, so that nobody else listens there, and refuses connections.
struct RefusingPort {
    UniqueFd fd = bound(SOCK_STREAM);
    uint16_t port = port_of(fd.get());
};

/// A listener whose backlog is full: further connections to it get no answer at all.
struct SilentListener {
    TcpListener listener{"0.0.0.0", 0};
    UniqueFd only{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    uint16_t port = listener.port;
    SilentListener() {
        sockaddr_storage storage{};
        const socklen_t length = SocketAddress{IpAddress::v4({127, 0, 0, 1}), port}.to_sockaddr(storage);
        REQUIRE(::connect(only.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0);
        pollfd queued{.fd = listener.fd.get(), .events = POLLIN, .revents = 0};
        REQUIRE(::poll(&queued, 1, 10'000) == 1);
    }
};

inline size_t open_descriptors() {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
    return count;
}

}  // namespace fairway::test
