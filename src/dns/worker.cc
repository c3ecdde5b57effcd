// SPDX-License-Identifier: Apache-2.0
#include "dns/worker.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <iterator>
#include <system_error>

#include "dns/authority.h"
#include "dns/tcp.h"
#include "dns/udp.h"
#include "dns/worker_share.h"
#include "net/inherited_sockets.h"

namespace fairway::dns {
namespace {

constexpr int events_at_once = 64;
constexpr int batches_at_once = 16;      // of UDP on one socket before the other sockets have their turn
constexpr size_t cached_answers = 4096;  // 5.5 MiB, if ever all of it is used
/// Before a socket is closed; who asks faster than this is answered is not waited for.
constexpr int last_rounds = 8;
/// For answers of which the kernel does not take the rest at once.
constexpr milliseconds last_patience{20};

uint32_t unix_seconds_now() noexcept {
    return static_cast<uint32_t>(time(nullptr));
}

}  // namespace

Worker::Worker(std::vector<ListenSocket> sockets, const ServerLimits& limits,
               const Published<Serving>& serving, const net::TlsServerSupply* tls)
    : sockets_(std::move(sockets)),
      serving_(serving),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      xdp_(epoll_.get(), wake_.get()),
      counters_(std::make_unique<WorkerCounters>()),
      batch_(std::make_unique<UdpBatch>()),
      answerer_(cached_answers) {
    if (!epoll_ || !wake_)
        throw std::system_error(errno, std::generic_category(), "cannot start a DNS worker");
    connections_ = std::make_unique<TcpConnections>(limits, *counters_, tls);
    watch(wake_.get(), &wake_, EPOLLIN);
    watch(connections_->fd(), connections_.get(), EPOLLIN);
    for (ListenSocket& socket : sockets_) {
        if (socket.transport == Transport::udp)
            // One of those who share it is woken, not all.
            watch(socket.fd.get(), &socket.fd, socket.shared ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN);
        else
            connections_->listen(socket.fd.get(), socket.transport);
    }
}

Worker::~Worker() = default;

void Worker::watch(int fd, void* data, uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = data;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
        throw std::system_error(errno, std::generic_category(), "cannot watch a DNS socket");
}

void Worker::wake() noexcept {
    const uint64_t one = 1;
    // It can only fail when the counter is full, and then the worker is being woken anyway.
    [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
}

void Worker::stop() noexcept {
    {
        const std::lock_guard lock(mutex_);
        orders_.stop = true;
    }
    wake();
}

void Worker::begin_leaving(MonotonicTime until) {
    {
        const std::lock_guard lock(mutex_);
        orders_.leave = until;
        has_given_ = false;
    }
    wake();
}

std::vector<HandedConnection> Worker::wait_for_connections() {
    std::unique_lock lock(mutex_);
    gave_.wait(lock, [this] { return has_given_; });
    return std::exchange(given_, {});
}

void Worker::adopt(std::vector<HandedConnection> connections) {
    {
        const std::lock_guard lock(mutex_);
        std::move(connections.begin(), connections.end(), std::back_inserter(orders_.adopt));
    }
    wake();
}

Worker::Orders Worker::take_orders() {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t taken = read(wake_.get(), &count, sizeof count);
    const std::lock_guard lock(mutex_);
    return std::exchange(orders_, {});
}

void Worker::offer(std::vector<net::OfferedSocket>& sockets) const {
    for (const ListenSocket& socket : sockets_) {
        if (socket.copy) continue;
        sockets.push_back(
            {std::string(socket_purpose(socket.transport)),
             socket.transport == Transport::udp ? net::SocketKind::datagram : net::SocketKind::stream,
             socket.address, socket.fd.get(), socket.held_elsewhere});
    }
}

bool Worker::serve_udp(int fd, Published<Serving>::Reader& reader) {
    for (int i = 0; i < batches_at_once; ++i) {
        const Serving& serving = reader.get();
        answerer_.set_version(reader.version());
        counters_->use_model(serving.authority->model_pointer());
        if (batch_->serve(fd, serving, answerer_, *counters_, unix_seconds_now()) < UdpBatch::max_messages)
            return false;
    }
    return true;
}

void Worker::close_sockets(Published<Serving>::Reader& reader) {
    for (ListenSocket& socket : sockets_) {
        if (socket.transport != Transport::udp) continue;
        // Explicitly: closing the descriptor does not end the watch while another process has the socket.
        (void)epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket.fd.get(), nullptr);
        // What a service manager keeps waits there for who comes next.
        for (int i = 0; !socket.held_elsewhere && i < last_rounds && serve_udp(socket.fd.get(), reader);
             ++i) {
        }
    }
    sockets_.clear();
}

void Worker::run() {
    using Clock = std::chrono::steady_clock;
    Published<Serving>::Reader reader(serving_);
    WorkerShare share;
    bool connections_wait = false;     // for UDP to let them
    std::optional<MonotonicTime> end;  // while leaving or stopping
    xdp_.begin();
    std::array<epoll_event, events_at_once> events{};
    while (true) {
        if (end && (connections_->is_empty() || Clock::now() >= *end)) break;
        auto until = connections_->deadline();
        if (end) until = until ? std::min(*until, *end) : *end;
        int timeout = -1;
        if (connections_wait) {
            timeout = 0;
        } else if (until) {
            const auto left = std::chrono::ceil<milliseconds>(*until - Clock::now());
            timeout = static_cast<int>(std::clamp<int64_t>(left.count(), 0, 60'000));
        }
        if (xdp_.has_unsent()) timeout = timeout < 0 ? 1 : std::min(timeout, 1);
        const int count = epoll_wait(epoll_.get(), events.data(), events_at_once, timeout);
        bool udp_waits = false;
        bool is_called = false;
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events[static_cast<size_t>(i)];
            const void* what = event.data.ptr;
            if (what == &wake_)
                is_called = true;
            else if (xdp_.owns(what))
                udp_waits = xdp_.serve(what, event.events, reader, answerer_, *counters_) || udp_waits;
            else if (what == connections_.get())
                connections_wait = true;
            else
                udp_waits = serve_udp(static_cast<const UniqueFd*>(what)->get(), reader) || udp_waits;
        }
        if (xdp_.has_unsent()) xdp_.serve_unsent(reader, answerer_, *counters_);
        const MonotonicTime now = Clock::now();
        if (is_called) {
            Orders orders = take_orders();
            xdp_.take_turn(reader, answerer_, *counters_);
            for (HandedConnection& connection : orders.adopt) connections_->adopt(std::move(connection), now);
            if (orders.stop) {
                connections_->finish();
                close_sockets(reader);
                end = now + last_patience;
            } else if (orders.leave) {
                std::vector<HandedConnection> given = connections_->leave();
                close_sockets(reader);
                end = *orders.leave;
                const std::lock_guard lock(mutex_);
                given_ = std::move(given);
                has_given_ = true;
                gave_.notify_all();
            }
            connections_wait = connections_->is_pending();
            continue;
        }
        if (!connections_wait && !(until && now >= *until)) continue;
        if (!share.may_serve_connections(now, udp_waits)) {
            connections_wait = true;
            continue;
        }
        const std::shared_ptr<const Serving>& serving = reader.shared();
        answerer_.set_version(reader.version());
        counters_->use_model(serving->authority->model_pointer());
        connections_->turn(serving, answerer_, now, unix_seconds_now());
        share.served_connections(now, Clock::now());
        connections_wait = connections_->is_pending();
    }
    xdp_.end();
    connections_.reset();
}

}  // namespace fairway::dns
