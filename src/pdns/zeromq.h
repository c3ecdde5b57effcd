// SPDX-License-Identifier: Apache-2.0
#pragma once
// The zeromq connector: a ROUTER to which the REQ socket of each of PowerDNS' backends connects. One message
// is one call and one message its reply. libzmq's own thread moves the bytes; everything here happens on the
// loop's thread.
//
// PowerDNS up to 4.9 ends each request with a NUL octet, later versions do not; replies never have one.

#include <memory>
#include <optional>

#include "base/ip.h"
#include "net/listening_socket.h"

namespace fairway::net {
class Loop;
}

namespace fairway::pdns {

class Backend;

class ZeromqConnector {
  public:
    /// Serves what connects to `socket`. Throws std::system_error. `backend` must outlive it.
    ZeromqConnector(net::Loop& loop, Backend& backend, net::ListeningSocket socket);
    /// Closes all connections; PowerDNS' sockets connect again by themselves.
    ~ZeromqConnector();
    ZeromqConnector(const ZeromqConnector&) = delete;
    ZeromqConnector& operator=(const ZeromqConnector&) = delete;

    [[nodiscard]] net::ListeningSocket& socket() noexcept;
    /// Accepts nothing more, answers what has come, and keeps quiet: before another process goes on with the
    /// listening socket.
    void finish();

    static constexpr size_t max_request = 65536;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fairway::pdns
