// SPDX-License-Identifier: Apache-2.0
#include "dns/xdp_worker.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "dns/authority.h"

namespace fairway::dns {
namespace {

constexpr int batches_at_once = 16;  // of one queue before the other sockets have their turn

}  // namespace

void XdpWorker::add(XdpSocket& socket) {
    order(Order::add, socket);
}

void XdpWorker::remove(XdpSocket& socket) {
    order(Order::remove, socket);
}

void XdpWorker::order(Order order, XdpSocket& socket) {
    std::unique_lock lock(mutex_);
    if (running_) {
        mail_.push_back({order, &socket});
        const uint64_t one = 1;
        // It can only fail when the counter is full, and then the worker is being woken anyway.
        [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
        done_.wait(lock, [this] { return mail_.empty() || !running_; });
        if (mail_.empty()) return;
        // The worker ended before it came to this.
        mail_.clear();
    }
    if (order == Order::add)
        take(socket);
    else
        let_go(socket);
}

void XdpWorker::take(XdpSocket& socket) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &socket;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, socket.fd(), &event) != 0) socket.set_failed();
    sockets_.push_back(&socket);
}

void XdpWorker::let_go(XdpSocket& socket) {
    (void)epoll_ctl(epoll_, EPOLL_CTL_DEL, socket.fd(), nullptr);
    std::erase(sockets_, &socket);
}

void XdpWorker::begin() {
    const std::lock_guard lock(mutex_);
    running_ = true;
}

void XdpWorker::end() {
    const std::lock_guard lock(mutex_);
    running_ = false;
    done_.notify_all();
}

void XdpWorker::take_turn(Published<Serving>::Reader& serving, Answerer& answerer, WorkerCounters& counters) {
    const std::lock_guard lock(mutex_);
    for (const Mail& mail : mail_) {
        if (mail.order == Order::add) {
            take(*mail.socket);
            continue;
        }
        // Nothing new arrives: the program sends it elsewhere since before this order.
        (void)answer(*mail.socket, serving, answerer, counters);
        let_go(*mail.socket);
    }
    mail_.clear();
    done_.notify_all();
}

bool XdpWorker::owns(const void* data) const noexcept {
    return std::find(sockets_.begin(), sockets_.end(), data) != sockets_.end();
}

bool XdpWorker::serve(const void* data, uint32_t events, Published<Serving>::Reader& serving,
                      Answerer& answerer, WorkerCounters& counters) {
    const auto found = std::find(sockets_.begin(), sockets_.end(), data);
    if (found == sockets_.end()) return false;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        // Its interface is gone; epoll would report that without end.
        (*found)->set_failed();
        (void)epoll_ctl(epoll_, EPOLL_CTL_DEL, (*found)->fd(), nullptr);
        return false;
    }
    return answer(**found, serving, answerer, counters);
}

bool XdpWorker::answer(XdpSocket& socket, Published<Serving>::Reader& reader, Answerer& answerer,
                       WorkerCounters& counters) {
    for (int i = 0; i < batches_at_once; ++i) {
        const Serving& serving = reader.get();
        answerer.set_version(reader.version());
        counters.use_model(serving.authority->model_pointer());
        const auto now = static_cast<uint32_t>(time(nullptr));
        if (socket.serve(serving, answerer, counters, counters_, now) < XdpRings::batch) return false;
    }
    return true;
}

bool XdpWorker::has_unsent() const noexcept {
    return std::any_of(sockets_.begin(), sockets_.end(),
                       [](const XdpSocket* socket) { return socket->has_unsent() && !socket->failed(); });
}

void XdpWorker::serve_unsent(Published<Serving>::Reader& serving, Answerer& answerer,
                             WorkerCounters& counters) {
    for (XdpSocket* socket : sockets_) {
        if (socket->has_unsent() && !socket->failed()) (void)answer(*socket, serving, answerer, counters);
    }
}

}  // namespace fairway::dns
