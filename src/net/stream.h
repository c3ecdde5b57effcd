// SPDX-License-Identifier: Apache-2.0
#pragma once
// Byte streams of servers, over TCP and Unix sockets: a listener, and buffered connections with a bounded
// write queue and deadlines. Not for probes, which own their sockets (probes/stream_driver.h).

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ip.h"

namespace fairway::net {

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
    friend class Listener;
    struct State;
    explicit Stream(State* state) noexcept;
    State* state_;  // freed by libuv's close callback
};

class Listener {
  public:
    using Address = std::variant<SocketAddress, std::filesystem::path>;

    /// Binds and listens at once; throws std::system_error naming the address. Port 0 picks a free one. A
    /// Unix socket replaces a stale socket file, gets `unix_mode` and is removed again by the destructor; a
    /// path on which something still answers is an error.
    Listener(Loop& loop, const Address& address, std::function<void(std::unique_ptr<Stream>)> on_accept,
             unsigned unix_mode = 0660);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    /// Where a TCP listener really listens.
    [[nodiscard]] SocketAddress local() const;

  private:
    struct State;
    State* state_;  // freed by libuv's close callback
};

}  // namespace fairway::net
