// SPDX-License-Identifier: Apache-2.0
#include "dns/server.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <iterator>
#include <mutex>
#include <system_error>
#include <thread>

#include "dns/server_sockets.h"
#include "dns/worker.h"
#include "dns/xdp_interfaces.h"

namespace fairway::dns {

class Server::Impl {
  public:
    std::vector<SocketAddress> addresses;
    std::vector<SocketAddress> tls_addresses;
    std::vector<std::thread> threads;
    std::mutex mutex;  // of what follows: stats() may come while stop() clears up
    std::vector<std::unique_ptr<Worker>> workers;
    ServerStats last;                    // of workers that are gone
    std::unique_ptr<XdpInterfaces> xdp;  // of the workers

    ServerStats sum() const {
        ServerStats all = last;
        for (const auto& worker : workers) {
            worker->counters().add_to(all);
            const XdpCounters& counters = worker->xdp().counters();
            all.xdp_received += counters.received.get();
            all.xdp_answered += counters.answered.get();
            all.xdp_dropped += counters.dropped.get();
            all.xdp_transmit_full += counters.transmit_full.get();
        }
        if (xdp) xdp->add_to(all);
        return all;
    }
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
    stop();
}

Result<std::unique_ptr<Server>> Server::open(const ServerOptions& options, const Published<Serving>& serving,
                                             net::InheritedSockets* inherited,
                                             const net::TlsServerSupply* tls) {
    const uint32_t threads =
        options.threads > 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
    auto sockets = open_sockets(options.listen, options.tls_listen, threads, inherited);
    if (!sockets) return tl::unexpected(sockets.error());

    auto impl = std::make_unique<Impl>();
    impl->addresses = std::move(sockets->addresses);
    impl->tls_addresses = std::move(sockets->tls_addresses);
    // Which thread a connection comes to is the kernel's choice: each has its share of the limits.
    ServerLimits share = options.limits;
    const auto divide = [threads](uint32_t& limit) { limit = std::max(1U, (limit + threads - 1) / threads); };
    divide(share.connections);
    divide(share.connections_per_client);
    divide(share.handshakes);
    divide(share.queued);
    divide(share.streams);
    try {
        for (auto& of_thread : sockets->of_thread)
            impl->workers.push_back(std::make_unique<Worker>(std::move(of_thread), share, serving, tls));
    } catch (const std::system_error& error) {
        return fail(error.what());
    }
    std::vector<XdpWorker*> xdp_workers;
    for (const auto& worker : impl->workers) xdp_workers.push_back(&worker->xdp());
    impl->xdp = std::make_unique<XdpInterfaces>(impl->addresses, std::move(xdp_workers));
    impl->xdp->configure(options.xdp);
    return std::unique_ptr<Server>(new Server(std::move(impl)));
}

void Server::start() {
    // Signals are for the main thread.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 0; i < impl_->workers.size(); ++i) {
        impl_->threads.emplace_back([worker = impl_->workers[i].get()] { worker->run(); });
        pthread_setname_np(impl_->threads.back().native_handle(), ("dns/" + std::to_string(i)).c_str());
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Server::stop() {
    if (impl_->workers.empty()) return;
    impl_->xdp->detach();
    for (const auto& worker : impl_->workers) worker->stop();
    for (std::thread& thread : impl_->threads) thread.join();
    impl_->threads.clear();
    const std::lock_guard lock(impl_->mutex);
    impl_->last = impl_->sum();
    impl_->xdp.reset();
    impl_->workers.clear();
}

void Server::offer(std::vector<net::OfferedSocket>& sockets) const {
    for (const auto& worker : impl_->workers) worker->offer(sockets);
}

std::vector<HandedConnection> Server::leave(milliseconds patience) {
    std::vector<HandedConnection> all;
    if (impl_->threads.empty()) return all;
    const MonotonicTime until = std::chrono::steady_clock::now() + patience;
    // The other process has the interfaces as soon as it looks at them again.
    impl_->xdp->configure({});
    for (const auto& worker : impl_->workers) worker->begin_leaving(until);
    for (const auto& worker : impl_->workers) {
        std::vector<HandedConnection> of_worker = worker->wait_for_connections();
        std::move(of_worker.begin(), of_worker.end(), std::back_inserter(all));
    }
    return all;
}

void Server::wait() {
    for (std::thread& thread : impl_->threads) thread.join();
    impl_->threads.clear();
}

void Server::adopt(std::vector<HandedConnection> connections) {
    std::vector<std::vector<HandedConnection>> dealt(impl_->workers.size());
    for (size_t i = 0; i < connections.size(); ++i)
        dealt[i % dealt.size()].push_back(std::move(connections[i]));
    for (size_t i = 0; i < dealt.size(); ++i) {
        if (!dealt[i].empty()) impl_->workers[i]->adopt(std::move(dealt[i]));
    }
}

void Server::set_xdp(const XdpOptions& options) {
    if (impl_->xdp) impl_->xdp->configure(options);
}

std::vector<XdpNotice> Server::look_at_xdp() {
    return impl_->xdp ? impl_->xdp->look() : std::vector<XdpNotice>();
}

const std::vector<SocketAddress>& Server::addresses() const noexcept {
    return impl_->addresses;
}

const std::vector<SocketAddress>& Server::tls_addresses() const noexcept {
    return impl_->tls_addresses;
}

ServerStats Server::stats() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->sum();
}

}  // namespace fairway::dns
