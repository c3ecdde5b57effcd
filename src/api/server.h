// SPDX-License-Identifier: Apache-2.0
#pragma once
// The HTTP API on its sockets: libwebsockets on our loop. What to answer is routes.h's; here are connections,
// who is at their other end, limits and time-outs. A client that stalls, floods or sends garbage costs one
// bounded connection and nothing else.
//
//   Unix socket  mode 0660; whoever may open it may operate; the peer's user names the actor
//   TCP          with a token: whoever presents it may operate, nobody else may read
//                without: read-only, and on a loopback address only
//   TCP beyond loopback needs a token and TLS

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "config/config.h"

namespace fairway {
class Control;
namespace net {
class InheritedSockets;
class Loop;
struct OfferedSocket;
}  // namespace net
}  // namespace fairway

namespace fairway::api {

/// Why these settings must not be served; empty when they may. For `--check` as well.
[[nodiscard]] std::string refusal(const config::Api& settings);

/// What a client may cost.
struct Limits {
    size_t connections = 512;
    /// For sending a request, and for taking each 16 KiB of an answer.
    seconds patience{10};
    /// Between two requests.
    seconds idle{30};
};

class Server {
  public:
    /// Listens at once; throws std::system_error or std::runtime_error saying on what and why not.
    /// `control` must outlive the server.
    /// What `inherited` has for the purpose "api" is not bound but taken from there; null: nothing.
    Server(net::Loop& loop, Control& control, const config::Api& settings, const Limits& limits = {},
           net::InheritedSockets* inherited = nullptr);
    /// Closes everything and turns the loop for as long as that takes: callbacks of others may run.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Where the TCP listener really listens; absent without one.
    [[nodiscard]] std::optional<SocketAddress> tcp() const;
    [[nodiscard]] size_t connections() const noexcept;

    /// What is listened on, for a process that goes on with it.
    void offer(std::vector<net::OfferedSocket>& sockets) const;
    /// Accepts nothing more: another process does. Who is connected is still answered.
    void leave();
    /// Requests whose answers are not out; followers of events are not counted.
    [[nodiscard]] size_t answering() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fairway::api
