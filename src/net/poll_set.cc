// SPDX-License-Identifier: Apache-2.0
#include "net/poll_set.h"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "net/loop.h"
#include "net/poll_handle.h"

namespace fairway::net {

namespace {

epoll_event interest(uint32_t events, uint64_t token) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = token;
    return event;
}

}  // namespace

PollSet::PollSet(Loop& loop, Sink& sink) : sink_(sink), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_) throw std::system_error(errno, std::system_category(), "create an epoll set");
    watch_ = std::make_unique<PollHandle>(loop, epoll_.get(), [this](Readiness) { dispatch(); });
    watch_->watch({.readable = true});
}

PollSet::~PollSet() = default;

bool PollSet::add(int fd, uint32_t events, uint64_t token) noexcept {
    epoll_event event = interest(events, token);
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

bool PollSet::change(int fd, uint32_t events, uint64_t token) noexcept {
    epoll_event event = interest(events, token);
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0;
}

void PollSet::dispatch() {
    // One batch per turn: what is left makes the set readable again, and timers come in between.
    std::array<epoll_event, 256> events;
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<size_t>(i)];
        sink_.on_ready(event.data.u64, event.events);
    }
}

}  // namespace fairway::net
