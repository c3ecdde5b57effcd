// SPDX-License-Identifier: Apache-2.0
#pragma once
// The connectors through which PowerDNS reaches us: a Unix stream socket (for its unix connector, and for its
// pipe connector through fairway-pdns-pipe), HTTP, and ZeroMQ. All lead to the same Backend, on the loop's
// thread; what is not configured costs nothing.
//
// Idle connections are kept: each one that we close costs PowerDNS one SERVFAIL. A peer that sends something
// else than the protocol, that stops in the middle of a request, or that does not read its replies is
// dropped; nobody else notices.

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/published.h"
#include "dns/serving.h"
#include "net/listening_socket.h"
#include "pdns/backend.h"
#include "pdns/connections.h"

namespace fairway::net {
class InheritedSockets;
class Loop;
struct OfferedSocket;
}  // namespace fairway::net

namespace fairway::pdns {

struct ServerOptions {
    std::filesystem::path unix_path;           // empty: no unix connector
    std::optional<SocketAddress> http;         // absent: no http connector
    std::optional<net::ListenAddress> zeromq;  // absent: no zeromq connector
    nanoseconds patience = seconds{5};         // for the rest of a request, and for a reply to be read
    size_t max_connections = 256;              // of unix and http together; more are turned away
    Secrets secrets = Secrets::local_only;
    /// What is here need not be bound; read during construction only. Null: nothing is inherited.
    net::InheritedSockets* inherited = nullptr;
    RunCommand run_command = {};  // what `pdnsutil backend-cmd` is answered with; empty: a refusal
};

class Server {
  public:
    /// Listens at once; throws std::system_error naming the address. `serving` must outlive it.
    Server(net::Loop& loop, const Published<dns::Serving>& serving, const ServerOptions& options);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    [[nodiscard]] const ServerCounters& counters() const noexcept;
    /// Where the http connector really listens; absent without one.
    [[nodiscard]] std::optional<SocketAddress> http_address() const;
    /// Where the zeromq connector really listens; absent without one.
    [[nodiscard]] std::optional<net::ListenAddress> zeromq_address() const;

    // Handing over to another process: pause, give away, then leave; or resume, as if nothing had happened.
    // PowerDNS notices nothing while this takes less than its timeout.

    /// What is listened on, for the process that goes on with it.
    void offer(std::vector<net::OfferedSocket>& sockets) const;
    /// Reads and accepts nothing more; it all waits in the kernel.
    void pause();
    /// Every reply has gone out: each connection is between two requests, or in the middle of receiving one.
    [[nodiscard]] bool quiet() const;
    /// Copies of all connections that are quiet. This process must not read from them any more, unless it
    /// resumes and nobody else has.
    [[nodiscard]] std::vector<HandedConnection> hand_over() const;
    void resume();
    /// Lets go without a word to the peers: another process has the listening sockets and what hand_over()
    /// gave. Connections that were not quiet get the rest of their replies, then end.
    void leave();
    /// Goes on with connections that another process has handed over.
    void adopt(std::vector<HandedConnection> connections);

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fairway::pdns
