// SPDX-License-Identifier: Apache-2.0
#include "pdns/server.h"

#include <string>
#include <utility>
#include <vector>

#include "net/inherited_sockets.h"
#include "net/loop.h"
#include "net/stream.h"
#include "pdns/backend.h"
#include "pdns/connections.h"
#include "pdns/zeromq.h"

namespace fairway::pdns {
namespace {

/// Of our listening sockets, among those that one process inherits from another.
constexpr std::string_view purpose = "pdns";

}  // namespace

class Server::Impl {
  public:
    Impl(net::Loop& loop, const Published<dns::Serving>& serving, const ServerOptions& options)
        : backend_(loop, serving, options.secrets, options.run_command),
          connections_(loop, backend_, {.patience = options.patience, .most = options.max_connections}) {
        net::InheritedSockets nothing;
        net::InheritedSockets& inherited = options.inherited != nullptr ? *options.inherited : nothing;
        const auto listen = [&](const net::ListenAddress& address, Speech speech) {
            listeners_.push_back(
                std::make_unique<net::Listener>(loop, inherited.take_or_open(purpose, address),
                                                [this, speech](std::unique_ptr<net::Stream> stream) {
                                                    connections_.add(std::move(stream), speech);
                                                }));
        };
        if (!options.unix_path.empty()) listen(options.unix_path, Speech::json);
        if (options.http) {
            listen(*options.http, Speech::http);
            http_address_ = listeners_.back()->local();
        }
        if (options.zeromq) zeromq_.emplace(loop, backend_, inherited.take_or_open(purpose, *options.zeromq));
    }

    [[nodiscard]] const ServerCounters& counters() const noexcept { return backend_.counters; }
    [[nodiscard]] std::optional<SocketAddress> http_address() const { return http_address_; }
    [[nodiscard]] std::optional<net::ListenAddress> zeromq_address() {
        return zeromq_ ? std::optional(zeromq_->socket().address()) : std::nullopt;
    }
    [[nodiscard]] Connections& connections() noexcept { return connections_; }

    void offer(std::vector<net::OfferedSocket>& sockets) {
        const auto offer_one = [&sockets](const net::ListeningSocket& socket) {
            sockets.push_back({std::string(purpose), net::SocketKind::stream, socket.address(), socket.fd(),
                               socket.held_elsewhere()});
        };
        for (const auto& listener : listeners_) offer_one(listener->socket());
        if (zeromq_) offer_one(zeromq_->socket());
    }

    void pause() {
        for (const auto& listener : listeners_) listener->pause();
        connections_.pause();
    }

    void resume() {
        for (const auto& listener : listeners_) listener->resume();
        connections_.resume();
    }

    void leave() {
        for (const auto& listener : listeners_) listener->socket().leave_to_others();
        listeners_.clear();
        connections_.leave();
        if (zeromq_) {
            zeromq_->socket().leave_to_others();
            zeromq_->finish();
        }
    }

  private:
    Backend backend_;
    Connections connections_;
    std::vector<std::unique_ptr<net::Listener>> listeners_;
    std::optional<SocketAddress> http_address_;
    std::optional<ZeromqConnector> zeromq_;
};

Server::Server(net::Loop& loop, const Published<dns::Serving>& serving, const ServerOptions& options)
    : impl_(std::make_unique<Impl>(loop, serving, options)) {}

Server::~Server() = default;

const ServerCounters& Server::counters() const noexcept {
    return impl_->counters();
}

std::optional<SocketAddress> Server::http_address() const {
    return impl_->http_address();
}

std::optional<net::ListenAddress> Server::zeromq_address() const {
    return impl_->zeromq_address();
}

void Server::offer(std::vector<net::OfferedSocket>& sockets) const {
    impl_->offer(sockets);
}
void Server::pause() {
    impl_->pause();
}
bool Server::quiet() const {
    return impl_->connections().quiet();
}
std::vector<HandedConnection> Server::hand_over() const {
    return impl_->connections().hand_over();
}
void Server::resume() {
    impl_->resume();
}
void Server::leave() {
    impl_->leave();
}
void Server::adopt(std::vector<HandedConnection> connections) {
    impl_->connections().adopt(std::move(connections));
}

}  // namespace fairway::pdns
