// SPDX-License-Identifier: Apache-2.0
#include "dns/udp.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace fairway::dns {
namespace {

constexpr size_t question_room = 4096;  // octets; longer ones are nobody's honest question over UDP
constexpr size_t control_room = CMSG_SPACE(sizeof(in6_pktinfo));

// The peer's address, without the checks that an address from elsewhere would need.
IpAddress source_of(const sockaddr_storage& from) noexcept {
    if (from.ss_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, &from, sizeof in);
        return IpAddress::v4(ntohl(in.sin_addr.s_addr));
    }
    std::array<uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), reinterpret_cast<const char*>(&from) + offsetof(sockaddr_in6, sin6_addr),
                bytes.size());
    return IpAddress::v6(bytes);
}

// Turns "received at" into "send from". Only sockets on a wildcard address have any.
void reply_from(msghdr& message) noexcept {
    for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
        if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO) {
            in_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(at), sizeof info);
            // The local address that the packet was for; the route decides the interface.
            info.ipi_ifindex = 0;
            info.ipi_spec_dst = info.ipi_addr;
            std::memcpy(CMSG_DATA(at), &info, sizeof info);
            message.msg_controllen = CMSG_SPACE(sizeof info);
            return;
        }
        if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO) {
            in6_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(at), sizeof info);
            if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) info.ipi6_ifindex = 0;
            std::memcpy(CMSG_DATA(at), &info, sizeof info);
            message.msg_controllen = CMSG_SPACE(sizeof info);
            return;
        }
    }
    message.msg_control = nullptr;
    message.msg_controllen = 0;
}

}  // namespace

// Only the first octets of each are used: were they a power of two apart, all would fight for the same few
// places in the processor's cache.
template <size_t size>
struct Spread {
    std::array<uint8_t, size> bytes;
    std::array<uint8_t, 64> gap;
};

struct UdpBatch::Buffers {
    std::array<mmsghdr, max_messages> in{};
    std::array<mmsghdr, max_messages> out{};
    std::array<iovec, max_messages> in_vectors{};
    std::array<iovec, max_messages> out_vectors{};
    std::array<sockaddr_storage, max_messages> peers{};
    alignas(cmsghdr) std::array<std::array<uint8_t, control_room>, max_messages> controls{};
    std::array<Spread<question_room>, max_messages> questions{};
    std::array<Spread<Answerer::max_udp_answer>, max_messages> answers{};
    std::array<Request, max_messages> requests{};
    std::array<uint8_t, max_messages> places{};  // of the requests, in `in`
};

UdpBatch::UdpBatch() : buffers_(std::make_unique<Buffers>()) {
    for (size_t i = 0; i < max_messages; ++i) {
        buffers_->in_vectors[i] = {buffers_->questions[i].bytes.data(), question_room};
        buffers_->in[i].msg_hdr.msg_iov = &buffers_->in_vectors[i];
        buffers_->in[i].msg_hdr.msg_iovlen = 1;
        buffers_->in[i].msg_hdr.msg_name = &buffers_->peers[i];
        buffers_->in[i].msg_hdr.msg_control = buffers_->controls[i].data();
        buffers_->out[i].msg_hdr.msg_iov = &buffers_->out_vectors[i];
        buffers_->out[i].msg_hdr.msg_iovlen = 1;
        make_ready(i);
    }
}

// What a receipt has changed.
void UdpBatch::make_ready(size_t i) noexcept {
    buffers_->in[i].msg_hdr.msg_namelen = sizeof buffers_->peers[i];
    buffers_->in[i].msg_hdr.msg_controllen = control_room;
}

UdpBatch::~UdpBatch() = default;

size_t UdpBatch::serve(int fd, const Serving& serving, Answerer& answerer, WorkerCounters& counters,
                       uint32_t unix_seconds) {
    Buffers& b = *buffers_;
    const int received = recvmmsg(fd, b.in.data(), max_messages, MSG_DONTWAIT, nullptr);
    // EAGAIN: empty. Anything else (ENOBUFS, an ICMP error of an earlier answer) concerns one packet that is
    // gone.
    if (received <= 0) return 0;

    const MonotonicTime now = UdpGate::time_for(serving);
    size_t questions = 0;
    for (size_t i = 0; i < static_cast<size_t>(received); ++i) {
        if ((b.in[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
            counters.dropped.add();
            continue;
        }
        Request& request = b.requests[questions];
        request.message = ByteSpan(b.questions[i].bytes).first(b.in[i].msg_len);
        request.source = source_of(b.peers[i]);
        request.unix_seconds = unix_seconds;
        b.places[questions++] = static_cast<uint8_t>(i);
    }
    Answerer::expect(serving, std::span(b.requests).first(questions));

    unsigned ready = 0;
    for (size_t i = 0; i < questions; ++i) {
        const Request& request = b.requests[i];
        const std::span<uint8_t> room(b.answers[ready].bytes);
        size_t size = answerer.answer(serving, request, room);
        counters.count(Transport::udp, answerer.outcome());
        if (size == 0) continue;
        size = gate_.pass(serving, request.source, answerer.outcome(), room.first(size), now, counters);
        if (size == 0) continue;
        b.out_vectors[ready] = {room.data(), size};
        const msghdr& from = b.in[b.places[i]].msg_hdr;
        msghdr& reply = b.out[ready].msg_hdr;
        reply.msg_name = from.msg_name;
        reply.msg_namelen = from.msg_namelen;
        reply.msg_control = from.msg_control;
        reply.msg_controllen = from.msg_controllen;
        reply_from(reply);
        ++ready;
    }
    for (unsigned sent = 0; sent < ready;) {
        const int count = sendmmsg(fd, b.out.data() + sent, ready - sent, MSG_DONTWAIT);
        if (count > 0) {
            sent += static_cast<unsigned>(count);
        } else if (errno != EINTR) {
            // This packet cannot be sent (unreachable, port 0, full queue); the others may.
            counters.send_failures.add();
            ++sent;
        }
    }
    for (size_t i = 0; i < static_cast<size_t>(received); ++i) make_ready(i);
    return static_cast<size_t>(received);
}

}  // namespace fairway::dns
