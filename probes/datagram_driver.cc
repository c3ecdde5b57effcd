// SPDX-License-Identifier: Apache-2.0
#include "probes/datagram_driver.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/unique_fd.h"
#include "net/loop.h"
#include "probes/datagram_attempt.h"
#include "probes/error_queue.h"

namespace fairway {

namespace {

/// Datagrams read per wakeup, so that a peer that floods does not keep the others waiting.
constexpr int reads_per_turn = 16;

}  // namespace

class DatagramDriver::Conversation final : public DatagramAttempt {
  public:
    Conversation(DatagramDriver& driver, AttemptId id) : DatagramAttempt(driver.loop_, id), driver_(driver) {}

    [[nodiscard]] uint64_t token() const noexcept { return uint64_t{generation_} << 32 | id(); }

    void start(DatagramExchange& exchange, const std::vector<uint16_t>& ports,
               const AttemptRequest& request) {
        ports_ = &ports;
        AttemptRequest first = request;
        first.peer.port = ports.front();
        const IpFamily family = request.peer.address.family();
        fd_.reset(::socket(family == IpFamily::v4 ? AF_INET : AF_INET6,
                           SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (!fd_ || !queue_errors(fd_.get(), family) || !driver_.polls_.add(fd_.get(), EPOLLIN, token()))
            finish(failed(ProbeLayer::internal,
                          "cannot open a UDP socket: " + std::generic_category().message(errno)));
        begin(exchange, first);
    }

    void send(size_t port_index, ByteSpan datagram) override {
        if (done()) return;
        sockaddr_storage storage;
        const socklen_t length =
            SocketAddress{attempt_.peer.address, (*ports_)[port_index]}.to_sockaddr(storage);
        // An error that is pending on the socket comes back here once; it is read from the queue later.
        for (int attempt = 0; attempt < 3; ++attempt) {
            const ssize_t count = ::sendto(fd_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL,
                                           reinterpret_cast<const sockaddr*>(&storage), length);
            if (count >= 0) {
                sent();
                return;
            }
            if (errno != ECONNREFUSED && errno != EINTR) break;
        }
        // Full buffers lose a datagram as a network does. What the kernel cannot route, the exchange is told
        // after it has returned, not inside its own send().
        if (const auto kind = unreachable_by(errno)) refused_.emplace_back(*kind, port_index);
    }

    void on_events(uint32_t events) {
        if ((events & EPOLLERR) != 0) read_errors();
        read();
        tell_refused();
    }
    void on_timer(MonotonicTime now) {
        read();
        tell_refused();
        if (!done() && now >= due()) on_due(now);
    }
    /// What send() could not do.
    void tell_refused() {
        for (const auto& [kind, port_index] : std::exchange(refused_, {})) unreachable(kind, port_index);
        refused_.clear();
    }
    [[nodiscard]] bool pending() const noexcept { return !refused_.empty(); }

    ProbeResult release() {
        fd_.reset();
        ++generation_;
        refused_.clear();
        return end();
    }

  private:
    [[nodiscard]] std::optional<size_t> index_of(const SocketAddress& peer) const {
        if (peer.address != attempt_.peer.address) return std::nullopt;
        const auto found = std::find(ports_->begin(), ports_->end(), peer.port);
        if (found == ports_->end()) return std::nullopt;
        return static_cast<size_t>(found - ports_->begin());
    }
    void read() {
        for (int i = 0; i < reads_per_turn && !done(); ++i) {
            const std::span<uint8_t> buffer = loop_.scratch();
            sockaddr_storage storage;
            socklen_t length = sizeof storage;
            const ssize_t got = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), 0,
                                           reinterpret_cast<sockaddr*>(&storage), &length);
            if (got < 0) {
                if (errno == EAGAIN) return;
                continue;  // a pending error, which is in the queue too
            }
            const auto from = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage));
            if (!from) continue;
            if (const auto index = index_of(*from)) received(buffer.first(static_cast<size_t>(got)), *index);
        }
    }
    void read_errors() {
        for (int i = 0; i < reads_per_turn && !done(); ++i) {
            const auto error = next_error(fd_.get(), loop_.scratch());
            if (!error) return;
            const auto index = index_of(error->destination);
            if (error->kind && index) unreachable(*error->kind, *index);
        }
    }

    DatagramDriver& driver_;
    uint32_t generation_ = 0;
    UniqueFd fd_;
    const std::vector<uint16_t>* ports_ = nullptr;
    std::vector<std::pair<Unreachable, size_t>> refused_;
};

DatagramDriver::DatagramDriver(net::Loop& loop, AttemptSink& sink)
    : loop_(loop), sink_(sink), polls_(loop, *this) {}

DatagramDriver::~DatagramDriver() {
    while (!timers_.empty()) cancel(timers_.earliest());
}

DatagramDriver::AttemptId DatagramDriver::start(DatagramExchange& exchange,
                                                const std::vector<uint16_t>& ports,
                                                const AttemptRequest& request) {
    if (free_.empty()) {
        free_.push_back(static_cast<AttemptId>(conversations_.size()));
        conversations_.emplace_back(*this, free_.back());
    }
    const AttemptId id = free_.back();
    free_.pop_back();
    Conversation& conversation = conversations_[id];
    conversation.start(exchange, ports, request);
    timers_.set(id, conversation.pending() ? request.started : conversation.due());
    return id;
}

void DatagramDriver::cancel(AttemptId attempt) {
    timers_.remove(attempt);
    (void)conversations_[attempt].release();
    free_.push_back(attempt);
}

std::optional<MonotonicTime> DatagramDriver::next() const {
    return timers_.empty() ? std::nullopt : std::optional(timers_.earliest_time());
}

void DatagramDriver::expire(MonotonicTime now) {
    while (!timers_.empty() && timers_.earliest_time() <= now) {
        Conversation& conversation = conversations_[timers_.earliest()];
        if (!conversation.done()) conversation.on_timer(now);
        // An exchange whose timer stays in the past is asked again in the next turn, not for ever in this
        // one.
        settle(conversation, now + nanoseconds{1});
    }
}

void DatagramDriver::on_ready(uint64_t token, uint32_t events) {
    Conversation& conversation = conversations_[static_cast<AttemptId>(token)];
    if (conversation.token() != token) return;  // finished earlier in the same batch
    conversation.on_events(events);
    settle(conversation, MonotonicTime::min());
}

void DatagramDriver::settle(Conversation& conversation, MonotonicTime not_before) {
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
