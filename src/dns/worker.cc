// SPDX-License-Identifier: Apache-2.0
#include "dns/worker.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <system_error>

#include "dns/authority.h"
#include "dns/tcp.h"
#include "dns/udp.h"
#include "dns/worker_share.h"

namespace fairway::dns {
namespace {

constexpr int events_at_once = 64;
constexpr int batches_at_once = 16;      // of UDP on one socket before the other sockets have their turn
constexpr size_t cached_answers = 4096;  // 5.5 MiB, if ever all of it is used

uint32_t unix_seconds_now() noexcept {
    return static_cast<uint32_t>(time(nullptr));
}

}  // namespace

Worker::Worker(std::vector<ListenSockets> sockets, const ServerLimits& limits,
               const Published<Serving>& serving)
    : sockets_(std::move(sockets)),
      serving_(serving),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      counters_(std::make_unique<WorkerCounters>()),
      batch_(std::make_unique<UdpBatch>()),
      answerer_(cached_answers) {
    if (!epoll_ || !wake_)
        throw std::system_error(errno, std::generic_category(), "cannot start a DNS worker");
    connections_ = std::make_unique<TcpConnections>(limits, *counters_);
    watch(wake_.get(), &wake_);
    watch(connections_->fd(), connections_.get());
    for (ListenSockets& pair : sockets_) {
        watch(pair.udp.get(), &pair.udp);
        connections_->listen(pair.tcp.get());
    }
}

Worker::~Worker() = default;

void Worker::watch(int fd, void* data) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = data;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
        throw std::system_error(errno, std::generic_category(), "cannot watch a DNS socket");
}

void Worker::stop() noexcept {
    const uint64_t one = 1;
    // It can only fail when the counter is full, and then the worker is being woken anyway.
    [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
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

void Worker::run() {
    using Clock = std::chrono::steady_clock;
    Published<Serving>::Reader reader(serving_);
    WorkerShare share;
    bool connections_wait = false;  // for UDP to let them
    std::array<epoll_event, events_at_once> events{};
    while (true) {
        const auto until = connections_->deadline();
        int timeout = -1;
        if (connections_wait) {
            timeout = 0;
        } else if (until) {
            const auto left = std::chrono::ceil<milliseconds>(*until - Clock::now());
            timeout = static_cast<int>(std::clamp<int64_t>(left.count(), 0, 60'000));
        }
        const int count = epoll_wait(epoll_.get(), events.data(), events_at_once, timeout);
        bool udp_waits = false;
        for (int i = 0; i < count; ++i) {
            const void* what = events[static_cast<size_t>(i)].data.ptr;
            if (what == &wake_) {
                connections_.reset();
                return;
            }
            if (what == connections_.get())
                connections_wait = true;
            else
                udp_waits = serve_udp(static_cast<const UniqueFd*>(what)->get(), reader) || udp_waits;
        }
        const MonotonicTime now = Clock::now();
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
}

}  // namespace fairway::dns
