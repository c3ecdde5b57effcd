// SPDX-License-Identifier: Apache-2.0
#include "probes/error_queue.h"

// Order matters: the kernel's header needs the types of the first two.
#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/errqueue.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "probes/icmp_packet.h"

namespace fairway {

namespace {

std::optional<Unreachable> kind_of(const sock_extended_err& error) {
    if (error.ee_origin == SO_EE_ORIGIN_ICMP && error.ee_type == 3)
        return unreachable_by_code(IpFamily::v4, error.ee_code);
    if (error.ee_origin == SO_EE_ORIGIN_ICMP6 && error.ee_type == 1)
        return unreachable_by_code(IpFamily::v6, error.ee_code);
    if (error.ee_origin == SO_EE_ORIGIN_LOCAL) return unreachable_by(static_cast<int>(error.ee_errno));
    return std::nullopt;
}

}  // namespace

bool queue_errors(int fd, IpFamily family) noexcept {
    const int one = 1;
    return family == IpFamily::v4 ? ::setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof one) == 0
                                  : ::setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof one) == 0;
}

std::optional<QueuedError> next_error(int fd, std::span<uint8_t> buffer) noexcept {
    sockaddr_storage from{};
    iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
    alignas(cmsghdr) std::array<uint8_t, 512> control;
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (got < 0) return std::nullopt;
    QueuedError queued;
    queued.datagram = buffer.first(static_cast<size_t>(got));
    if (const auto address = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&from)))
        queued.destination = *address;
    for (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, const_cast<cmsghdr*>(header))) {
        const bool ours = (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR) ||
                          (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR);
        if (!ours || header->cmsg_len < CMSG_LEN(sizeof(sock_extended_err))) continue;
        sock_extended_err error;
        std::memcpy(&error, CMSG_DATA(header), sizeof error);
        queued.kind = kind_of(error);
    }
    return queued;
}

std::optional<Unreachable> unreachable_by(int error) noexcept {
    switch (error) {
        case ENETUNREACH:
        case ENETDOWN:
            return Unreachable::network;
        case EHOSTUNREACH:
        case EHOSTDOWN:
            return Unreachable::host;
        case EACCES:
        case EPERM:
            return Unreachable::prohibited;
        default:
            return std::nullopt;
    }
}

}  // namespace fairway
