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

namespace fairway::dns {
namespace {

constexpr int events_at_once = 64;
constexpr int batches_at_once = 16;  // of UDP on one socket before the other sockets have their turn
constexpr milliseconds accept_pause{100};

uint32_t unix_seconds_now() noexcept {
    return static_cast<uint32_t>(time(nullptr));
}

}  // namespace

Worker::Worker(std::vector<ListenSockets> sockets, const ServerLimits& limits,
               const Published<Serving>& serving)
    : sockets_(std::move(sockets)),
      limits_(limits),
      serving_(serving),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      counters_(std::make_unique<WorkerCounters>()),
      batch_(std::make_unique<UdpBatch>()) {
    if (!epoll_ || !wake_)
        throw std::system_error(errno, std::generic_category(), "cannot start a DNS worker");
    watch(wake_.get(), &wake_);
    for (ListenSockets& pair : sockets_) {
        watch(pair.udp.get(), &pair.udp);
        watch(pair.tcp.get(), &pair.tcp);
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

void Worker::serve_udp(int fd, Published<Serving>::Reader& reader) {
    for (int i = 0; i < batches_at_once; ++i) {
        const Serving& serving = reader.get();
        counters_->use_model(serving.authority->model_pointer());
        if (batch_->serve(fd, serving, answerer_, *counters_, unix_seconds_now()) < UdpBatch::max_messages)
            return;
    }
}

void Worker::run() {
    Published<Serving>::Reader reader(serving_);
    TcpConnections connections(epoll_.get(), limits_, *counters_);
    std::array<epoll_event, events_at_once> events{};
    // Listeners that ran into a lack of memory rest until then; level-triggered epoll would spin.
    std::optional<MonotonicTime> resume;
    const auto set_listeners = [this](uint32_t wanted) {
        for (ListenSockets& pair : sockets_) {
            epoll_event event{};
            event.events = wanted;
            event.data.ptr = &pair.tcp;
            (void)epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, pair.tcp.get(), &event);
        }
    };
    while (true) {
        auto until = connections.deadline();
        if (resume) until = until ? std::min(*until, *resume) : *resume;
        int timeout = -1;
        if (until) {
            const auto left = std::chrono::ceil<milliseconds>(*until - std::chrono::steady_clock::now());
            timeout = static_cast<int>(std::clamp<int64_t>(left.count(), 0, 60'000));
        }
        const int count = epoll_wait(epoll_.get(), events.data(), events_at_once, timeout);
        const MonotonicTime now = std::chrono::steady_clock::now();
        if (resume && now >= *resume) {
            resume.reset();
            set_listeners(EPOLLIN);
        }
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events[static_cast<size_t>(i)];
            if (event.data.ptr == &wake_) return;
            const auto owner =
                std::find_if(sockets_.begin(), sockets_.end(), [&event](const ListenSockets& pair) {
                    return event.data.ptr == &pair.udp || event.data.ptr == &pair.tcp;
                });
            if (owner != sockets_.end() && event.data.ptr == &owner->udp) {
                serve_udp(owner->udp.get(), reader);
            } else if (owner != sockets_.end()) {
                if (connections.accept(owner->tcp.get(), now) == TcpConnections::Accepted::pause) {
                    resume = now + accept_pause;
                    set_listeners(0);
                }
            } else {
                const std::shared_ptr<const Serving>& serving = reader.shared();
                counters_->use_model(serving->authority->model_pointer());
                connections.handle(event.data.ptr, event.events, serving, answerer_, now, unix_seconds_now());
            }
        }
        connections.expire(now);
        connections.drop_closed();
    }
}

}  // namespace fairway::dns
