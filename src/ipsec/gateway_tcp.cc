// SPDX-License-Identifier: Apache-2.0
#include "ipsec/gateway_tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace fairway::ipsec {

namespace {

constexpr int backlog = 128;

/// Closes with RST instead of FIN.
void abort_on_close(int fd) {
    const linger now{1, 0};
    (void)::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace

TcpService::TcpService(net::Loop& loop, Service service, const SocketAddress& address,
                       ConnectionBudget& budget, std::function<ConnectionPlan(Service)> plan)
    : loop_(loop), service_(service), address_(address), budget_(budget), plan_(std::move(plan)) {}

TcpService::~TcpService() {
    close();
}

Result<void> TcpService::open() {
    if (fd_) return {};
    sockaddr_storage storage{};
    socklen_t length = address_.to_sockaddr(storage);
    UniqueFd fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1;
    // Back on its port at once after `refuse`, whatever connections linger in TIME_WAIT.
    if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 ||
        ::listen(fd.get(), backlog) != 0) {
        return fail("cannot listen on " + address_.to_string() + ": " + std::strerror(errno));
    }
    length = sizeof storage;
    (void)::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &length);
    if (auto bound = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage)))
        address_ = *bound;
    fd_ = std::move(fd);
    poll_ = std::make_unique<net::PollHandle>(loop_, fd_.get(), [this](net::Readiness) { accept_all(); });
    return {};
}

void TcpService::close() {
    poll_.reset();
    fd_.reset();
    fillers_.clear();
    connections_.clear();
}

Result<void> TcpService::apply(FaultKind fault) {
    const FaultKind before = fault_;
    fault_ = fault;
    if (fault == FaultKind::refuse) {
        for (Connection& connection : connections_) connection.reset_on_close();
        close();
        return {};
    }
    if (auto opened = open(); !opened) {
        fault_ = FaultKind::refuse;
        return opened;
    }
    if (fault == FaultKind::silent) {
        for (Connection& connection : connections_) connection.go_deaf();
        if (before != FaultKind::silent) fill_backlog();
        return {};
    }
    connections_.clear();
    if (before == FaultKind::silent) drain_backlog();
    starved_ = false;
    poll_->watch({true, false});
    return {};
}

// Linux drops SYNs for a listener whose accept queue is full, which is what a dead host looks like from
// outside. A queue of length 0 holds one connection: ours, which nobody accepts.
void TcpService::fill_backlog() {
    poll_->watch({false, false});
    (void)::listen(fd_.get(), 0);
    sockaddr_storage storage{};
    const socklen_t length = address_.to_sockaddr(storage);
    for (int i = 0; i < 2; ++i) {
        UniqueFd filler(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (!filler) return;
        // A filler that found the queue full must not go on knocking after it was let go.
        abort_on_close(filler.get());
        (void)::connect(filler.get(), reinterpret_cast<const sockaddr*>(&storage), length);
        fillers_.push_back(std::move(filler));
    }
}

void TcpService::drain_backlog() {
    fillers_.clear();
    while (true) {
        const UniqueFd stale(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!stale) break;
        abort_on_close(stale.get());
    }
    (void)::listen(fd_.get(), backlog);
}

void TcpService::accept_all() {
    for (int turn = 0; turn < 64; ++turn) {
        UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!fd) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                // Level-triggered readiness would spin until a descriptor is free: sweep() tries again.
                starved_ = true;
                poll_->watch({false, false});
            }
            return;
        }
        ++accepted_;
        if (fault_ == FaultKind::reset || budget_.open >= budget_.limit) {
            abort_on_close(fd.get());
            continue;
        }
        const int on = 1;
        (void)::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections_.emplace_back(loop_, std::move(fd), plan_(service_), budget_, [this](Connection& ended) {
            connections_.remove_if([&](const Connection& c) { return &c == &ended; });
        });
    }
}

void TcpService::sweep(MonotonicTime now) {
    connections_.remove_if([&](const Connection& connection) { return connection.deadline() <= now; });
    if (starved_) {
        starved_ = false;
        poll_->watch({true, false});
    }
}

}  // namespace fairway::ipsec
