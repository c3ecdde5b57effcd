// SPDX-License-Identifier: Apache-2.0
#include "probes/echo_driver.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <linux/icmp.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "net/loop.h"
#include "probes/datagram_attempt.h"
#include "probes/error_queue.h"

namespace fairway {

namespace {

constexpr int reads_per_turn = 256;
/// All probes share a socket: a burst of answers must fit.
constexpr int receive_buffer = 1 << 20;
/// Sequence numbers have 16 bits.
constexpr size_t most_in_flight = 65536;
constexpr size_t largest_packet = 65536;

}  // namespace

class EchoDriver::Conversation final : public DatagramAttempt {
  public:
    Conversation(EchoDriver& driver, AttemptId id) : DatagramAttempt(driver.loop_, id), driver_(driver) {}

    [[nodiscard]] bool active() const noexcept { return active_; }
    [[nodiscard]] const IpAddress& peer() const noexcept { return attempt_.peer.address; }

    void start(DatagramExchange& exchange, const AttemptRequest& request) {
        active_ = true;
        Socket& socket = driver_.socket_for(request.peer.address.family(), request.nonce);
        if (!socket.fd) finish(failed(ProbeLayer::internal, socket.missing));
        begin(exchange, request);
    }

    void send(size_t, ByteSpan payload) override {
        const Socket& socket = driver_.sockets_[attempt_.peer.address.is_v4() ? 0 : 1];
        if (done()) return;
        const ByteSpan packet = write_echo_request(driver_.packet_, socket.family, socket.id,
                                                   static_cast<uint16_t>(id()), payload);
        sockaddr_storage storage;
        const socklen_t length = SocketAddress{attempt_.peer.address, 0}.to_sockaddr(storage);
        // Errors of earlier echoes, to whomever, are pending on the shared socket.
        for (int attempt = 0; attempt < 8; ++attempt) {
            const ssize_t count = ::sendto(socket.fd.get(), packet.data(), packet.size(), MSG_NOSIGNAL,
                                           reinterpret_cast<const sockaddr*>(&storage), length);
            if (count >= 0) {
                sent();
                return;
            }
            if (errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE) return;
        }
        refused_ = unreachable_by(errno);
    }

    /// What send() could not do is told after the exchange has returned from on_start().
    void on_timer(MonotonicTime now) {
        if (const auto kind = std::exchange(refused_, std::nullopt)) unreachable(*kind, 0);
        if (!done() && now >= due()) on_due(now);
    }
    [[nodiscard]] bool pending() const noexcept { return refused_.has_value(); }

    ProbeResult release() {
        active_ = false;
        refused_.reset();
        return end();
    }

  private:
    EchoDriver& driver_;
    bool active_ = false;
    std::optional<Unreachable> refused_;
};

EchoDriver::EchoDriver(net::Loop& loop, AttemptSink& sink) : loop_(loop), sink_(sink), polls_(loop, *this) {
    sockets_[1].family = IpFamily::v6;
}

EchoDriver::~EchoDriver() {
    while (!timers_.empty()) cancel(timers_.earliest());
}

EchoDriver::Socket& EchoDriver::socket_for(IpFamily family, uint64_t nonce) {
    Socket& socket = sockets_[family == IpFamily::v4 ? 0 : 1];
    if (!socket.fd) open(socket, nonce);
    return socket;
}

void EchoDriver::open(Socket& socket, uint64_t nonce) {
    packet_.resize(largest_packet);
    const bool v4 = socket.family == IpFamily::v4;
    const int domain = v4 ? AF_INET : AF_INET6;
    const int protocol = v4 ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6);
    socket.raw = false;
    socket.framing = IcmpFraming::bare;
    socket.fd.reset(::socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
    if (!socket.fd) {
        socket.fd.reset(::socket(domain, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
        socket.raw = true;
        if (v4) socket.framing = IcmpFraming::with_ip_header;
    }
    if (!socket.fd) {
        socket.missing =
            errno == EACCES || errno == EPERM
                ? "ICMP is not permitted: add this process' group to net.ipv4.ping_group_range or "
                  "give it CAP_NET_RAW"
                : "cannot open an ICMP socket: " + std::generic_category().message(errno);
        return;
    }
    // A ping socket's id is the kernel's choice.
    socket.id = socket.raw ? static_cast<uint16_t>(nonce | 1) : 0;
    if (socket.raw && v4) {
        icmp_filter filter{.data = ~(1U << ICMP_ECHOREPLY | 1U << ICMP_DEST_UNREACH)};
        ::setsockopt(socket.fd.get(), SOL_RAW, ICMP_FILTER, &filter, sizeof filter);
    } else if (socket.raw) {
        icmp6_filter filter;
        ICMP6_FILTER_SETBLOCKALL(&filter);
        ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
        ICMP6_FILTER_SETPASS(ICMP6_DST_UNREACH, &filter);
        ::setsockopt(socket.fd.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
    }
    ::setsockopt(socket.fd.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if ((!socket.raw && !queue_errors(socket.fd.get(), socket.family)) ||
        !polls_.add(socket.fd.get(), EPOLLIN, v4 ? 0 : 1)) {
        socket.missing = "cannot watch an ICMP socket: " + std::generic_category().message(errno);
        socket.fd.reset();
    }
}

EchoDriver::AttemptId EchoDriver::start(DatagramExchange& exchange, const AttemptRequest& request) {
    if (free_.empty()) {
        free_.push_back(static_cast<AttemptId>(conversations_.size()));
        conversations_.emplace_back(*this, free_.back());
    }
    const AttemptId id = free_.back();
    free_.pop_back();
    Conversation& conversation = conversations_[id];
    if (id >= most_in_flight) conversation.finish(failed(ProbeLayer::internal, "too many echoes in flight"));
    conversation.start(exchange, request);
    timers_.set(id, conversation.pending() ? request.started : conversation.due());
    return id;
}

void EchoDriver::cancel(AttemptId attempt) {
    timers_.remove(attempt);
    (void)conversations_[attempt].release();
    free_.push_back(attempt);
}

std::optional<MonotonicTime> EchoDriver::next() const {
    return timers_.empty() ? std::nullopt : std::optional(timers_.earliest_time());
}

void EchoDriver::expire(MonotonicTime now) {
    if (timers_.empty() || timers_.earliest_time() > now) return;
    // Answers that came while this thread was busy elsewhere still count.
    for (Socket& socket : sockets_)
        if (socket.fd) {
            read_errors(socket);
            read(socket);
        }
    while (!timers_.empty() && timers_.earliest_time() <= now) {
        Conversation& conversation = conversations_[timers_.earliest()];
        if (!conversation.done()) conversation.on_timer(now);
        settle(conversation, now + nanoseconds{1});
    }
}

void EchoDriver::on_ready(uint64_t token, uint32_t events) {
    Socket& socket = sockets_[token];
    if ((events & EPOLLERR) != 0) read_errors(socket);
    read(socket);
}

void EchoDriver::read(Socket& socket) {
    for (int i = 0; i < reads_per_turn; ++i) {
        const std::span<uint8_t> buffer = loop_.scratch();
        sockaddr_storage storage;
        socklen_t length = sizeof storage;
        const ssize_t got = ::recvfrom(socket.fd.get(), buffer.data(), buffer.size(), 0,
                                       reinterpret_cast<sockaddr*>(&storage), &length);
        if (got < 0) {
            if (errno == EAGAIN) return;
            continue;  // a pending error, which is in the queue too
        }
        const auto from = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage));
        const auto message =
            parse_icmp(buffer.first(static_cast<size_t>(got)), socket.family, socket.framing);
        if (!from || !message || (socket.raw && message->id != socket.id)) continue;
        deliver(*message, message->destination.value_or(from->address));
    }
}

void EchoDriver::read_errors(Socket& socket) {
    // Only ping sockets have a queue; it quotes the request from its ICMP header on.
    for (int i = 0; i < reads_per_turn; ++i) {
        const auto error = next_error(socket.fd.get(), loop_.scratch());
        if (!error) return;
        Reader quoted(error->datagram);
        quoted.skip(6);
        IcmpMessage message;
        message.kind = IcmpMessage::Kind::unreachable;
        message.sequence = quoted.u16();
        if (!quoted.ok() || !error->kind) continue;
        message.reason = *error->kind;
        deliver(message, error->destination.address);
    }
}

void EchoDriver::deliver(const IcmpMessage& message, const IpAddress& peer) {
    if (message.sequence >= conversations_.size()) return;
    Conversation& conversation = conversations_[message.sequence];
    if (!conversation.active() || conversation.done() || conversation.peer() != peer) return;
    if (message.kind == IcmpMessage::Kind::reply) {
        conversation.received(message.payload, 0);
    } else {
        conversation.unreachable(message.reason, 0);
    }
    settle(conversation, MonotonicTime::min());
}

void EchoDriver::settle(Conversation& conversation, MonotonicTime not_before) {
    const AttemptId id = conversation.id();
    if (!conversation.done()) {
        const MonotonicTime due = std::max(not_before, conversation.due());
        timers_.set(id, due);
        sink_.wake_at(due);
        return;
    }
    const uint32_t job = conversation.job();
    timers_.remove(id);
    ProbeResult result = conversation.release();
    free_.push_back(id);
    sink_.on_finished(job, std::move(result));
}

}  // namespace fairway
