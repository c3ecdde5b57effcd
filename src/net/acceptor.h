// SPDX-License-Identifier: Apache-2.0
#pragma once
// Accepts connections on a listening socket, for whoever brings his own connections; Listener (stream.h)
// makes Streams of them. Running out of descriptors or memory pauses it for a moment instead of spinning.

#include <functional>
#include <memory>

#include "base/unique_fd.h"
#include "net/listening_socket.h"
#include "net/poll_handle.h"
#include "net/timer.h"

namespace fairway::net {

class Loop;

class Acceptor {
  public:
    /// `on_connection` gets each connection, non-blocking and closed on exec; it may destroy the acceptor.
    /// Throws std::system_error when the loop cannot watch the socket.
    Acceptor(Loop& loop, ListeningSocket socket, std::function<void(UniqueFd)> on_connection);
    ~Acceptor();
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

    /// Connections wait in the kernel until resume().
    void pause();
    void resume();
    [[nodiscard]] ListeningSocket& socket() noexcept { return socket_; }
    [[nodiscard]] const ListeningSocket& socket() const noexcept { return socket_; }

  private:
    void accept();

    ListeningSocket socket_;  // closed after the handle that watches it
    std::shared_ptr<std::function<void(UniqueFd)>> on_connection_;
    bool paused_ = false;
    PollHandle poll_;
    Timer again_;
};

}  // namespace fairway::net
