// SPDX-License-Identifier: Apache-2.0
#include "net/udp.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "net/loop.h"

namespace fairway::net {

namespace {

/// Datagrams handled per wakeup: enough to drain a burst, few enough that the rest of the loop gets its turn.
constexpr int batch = 64;

[[noreturn]] void refuse(const std::string& attempt) {
    throw std::system_error(errno, std::system_category(), attempt);
}

}  // namespace

UdpSocket::UdpSocket(Loop& loop, const SocketAddress& local, OnDatagram on_datagram)
    : loop_(loop), on_datagram_(std::make_shared<OnDatagram>(std::move(on_datagram))) {
    const std::string name = "UDP " + local.to_string();
    fd_.reset(
        ::socket(local.address.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd_) refuse("create a socket for " + name);
    const int one = 1;
    if (local.address.is_v6()) ::setsockopt(fd_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    sockaddr_storage storage{};
    const socklen_t length = local.to_sockaddr(storage);
    if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) refuse("bind " + name);
    socklen_t got = sizeof storage;
    if (::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&storage), &got) != 0) refuse("bind " + name);
    const auto bound = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage));
    local_ = bound.value();
    poll_ = std::make_unique<PollHandle>(loop, fd_.get(), [this](Readiness) { receive(); });
    poll_->watch({.readable = true});
}

void UdpSocket::send(ByteSpan bytes, const SocketAddress& to) noexcept {
    sockaddr_storage storage{};
    const socklen_t length = to.to_sockaddr(storage);
    // A refused datagram is a lost one; an ICMP error queued by an earlier one must not lose this one too.
    for (int attempt = 0; attempt < 2; ++attempt) {
        const ssize_t sent = ::sendto(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL,
                                      reinterpret_cast<const sockaddr*>(&storage), length);
        if (sent >= 0 || (errno != ECONNREFUSED && errno != EINTR)) return;
    }
}

void UdpSocket::receive() {
    const std::shared_ptr<OnDatagram> callback = on_datagram_;
    const std::span<uint8_t> buffer = loop_.scratch();
    for (int i = 0; i < batch; ++i) {
        sockaddr_storage storage{};
        socklen_t length = sizeof storage;
        const ssize_t got = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), 0,
                                       reinterpret_cast<sockaddr*>(&storage), &length);
        if (got < 0) {
            if (errno == EINTR || errno == ECONNREFUSED) continue;
            return;
        }
        const auto from = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage));
        if (!from) continue;
        (*callback)(buffer.first(static_cast<size_t>(got)), *from);
        if (callback.use_count() == 1) return;  // the callback destroyed this object
    }
}

}  // namespace fairway::net
