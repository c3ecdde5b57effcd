// SPDX-License-Identifier: Apache-2.0
#pragma once
// The open connections of the connectors that are byte streams: how calls are found in the bytes, their
// replies sent in order, and how long a peer may keep us waiting. Who listens is server.h's business.

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace fairway::net {
class Loop;
class Stream;
}  // namespace fairway::net

namespace fairway::pdns {

class Backend;

enum class Speech : uint8_t {
    json,  // JSON objects one after the other: the unix connector, and through the helper the pipe connector
    http   // any of the http connector's three forms
};

/// An open connection of PowerDNS' as one process gives it to the next.
struct HandedConnection {
    std::string connector;  // "unix" or "http"
    UniqueFd fd;
    std::string unread;  // the beginning of a request whose rest has not come
};

class Connections {
  public:
    struct Limits {
        nanoseconds patience = seconds{5};  // for the rest of a request, and for a reply to be read
        size_t most = 256;                  // connections of all kinds together; more are turned away
    };
    Connections(net::Loop& loop, Backend& backend, const Limits& limits);
    /// Closes all.
    ~Connections();
    Connections(const Connections&) = delete;
    Connections& operator=(const Connections&) = delete;

    /// Takes over a connection on which the peer is about to speak.
    void add(std::unique_ptr<net::Stream> stream, Speech speech);

    // See server.h.
    void pause();
    [[nodiscard]] bool quiet() const;
    [[nodiscard]] std::vector<HandedConnection> hand_over() const;
    void resume();
    void leave();
    void adopt(std::vector<HandedConnection> connections);

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fairway::pdns
