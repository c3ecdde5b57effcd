// SPDX-License-Identifier: Apache-2.0
#pragma once
// Byte streams of servers, over TCP and Unix sockets: a listener, and buffered connections with a bounded
// write queue and deadlines. Not for probes, which own their sockets (probes/stream_driver.h).

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/unique_fd.h"
#include "net/listening_socket.h"

namespace fairway::net {

class Acceptor;
class Loop;

enum class StreamEnd : uint8_t {
    eof,       // the peer has sent everything it will
    reset,     // connection reset or another error of the transport
    idle,      // neither side moved a byte for the idle time
    deadline,  // the deadline passed
    overflow,  // the peer did not read fast enough and the write queue reached its limit
    flushed    // close_when_flushed(): everything was handed to the kernel
};

[[nodiscard]] std::string_view to_string(StreamEnd end) noexcept;

/// An accepted connection. Destroying it closes it at once (what is queued is lost) and calls nothing.
class Stream {
  public:
    struct Handlers {
        /// Bytes as they come; valid during the call. May send, close or destroy the stream.
        std::function<void(ByteSpan)> on_data;
        /// Exactly once, never inside a call made by the owner, unless the owner destroys the stream first.
        /// No byte moves any more; the owner will usually destroy the stream here.
        std::function<void(StreamEnd)> on_close;
    };

    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    /// A connection that was accepted elsewhere; null when the loop cannot take it (it is closed then).
    [[nodiscard]] static std::unique_ptr<Stream> adopt(Loop& loop, UniqueFd connection);

    /// Begins reading. Call once, soon after accepting.
    void start(Handlers handlers);
    /// Writes what the kernel takes now and queues a copy of the rest. Beyond the queue's limit the stream
    /// ends with `overflow`. Ignored after close_when_flushed() or the end.
    void send(ByteSpan bytes);
    void send(std::string_view text) { send(as_bytes(text)); }
    /// Reads no more, writes what is queued, then ends with `flushed`.
    void close_when_flushed();
    /// Stops and resumes reading: back-pressure towards the peer.
    void pause_reading();
    void resume_reading();

    /// Bytes queued and not yet taken by the kernel.
    [[nodiscard]] size_t queued() const noexcept;
    /// Default 1 MiB.
    void limit_queue(size_t bytes) noexcept;
    /// Ends the stream when no byte was read or written for this long; zero (the default): never.
    void limit_idle(nanoseconds idle);
    /// Ends the stream `from_now`, whatever it does; absent (the default): never.
    void set_deadline(std::optional<nanoseconds> from_now);

    /// The other end: an address, or absent for a Unix socket.
    [[nodiscard]] std::optional<SocketAddress> peer() const;
    /// The connected socket; the stream keeps owning it. -1 after the end. For SO_PEERCRED and the like.
    [[nodiscard]] int fd() const noexcept;

  private:
    struct State;
    explicit Stream(State* state) noexcept;
    State* state_;  // freed by libuv's close callback
};

class Listener {
  public:
    using Address = ListenAddress;

    /// Binds and listens at once: ListeningSocket::open(). Throws std::system_error naming the address.
    Listener(Loop& loop, const Address& address, std::function<void(std::unique_ptr<Stream>)> on_accept,
             unsigned unix_mode = 0660);
    /// Accepts on a socket that listens already.
    Listener(Loop& loop, ListeningSocket socket, std::function<void(std::unique_ptr<Stream>)> on_accept);
    /// Closes the socket; a Unix socket's file is removed unless it was left to others.
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    /// Where a TCP listener really listens.
    [[nodiscard]] SocketAddress local() const;
    /// Connections wait in the kernel until resume().
    void pause();
    void resume();
    [[nodiscard]] ListeningSocket& socket() noexcept;

  private:
    std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace fairway::net
