// SPDX-License-Identifier: Apache-2.0
#pragma once
// DNS over TCP (RFC 7766) for one worker: its connections, their limits and timeouts. Everything is bounded:
// how many connections there are, how long one may be idle or trickle, how much a slow reader may leave
// unread.

#include <sys/epoll.h>

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/unique_fd.h"
#include "dns/answer.h"
#include "dns/server.h"
#include "dns/server_counters.h"
#include "dns/tcp_framing.h"

namespace fairway::dns {

class TcpConnections {
  public:
    /// `epoll` is the worker's, and gets each connection with its address as data.ptr. `limits` are this
    /// worker's share.
    TcpConnections(int epoll, const ServerLimits& limits, WorkerCounters& counters);
    ~TcpConnections();
    TcpConnections(const TcpConnections&) = delete;
    TcpConnections& operator=(const TcpConnections&) = delete;

    enum class Accepted : uint8_t {
        all,    // nothing more waits
        some,   // ask again soon
        pause,  // the system is out of memory: ask again a little later
    };
    /// Takes waiting connections off a listening socket.
    Accepted accept(int listener, MonotonicTime now);
    /// Handles what epoll said about the connection behind `data`. It may be gone afterwards, and so may
    /// others: drop_closed() frees them once the worker is through with its events.
    void handle(void* data, uint32_t events, const std::shared_ptr<const Serving>& serving,
                Answerer& answerer, MonotonicTime now, uint32_t unix_seconds);
    /// Closes what was idle too long, and streams that take too long.
    void expire(MonotonicTime now);
    void drop_closed();
    /// When expire() has work; nothing while there are no connections.
    [[nodiscard]] std::optional<MonotonicTime> deadline() const;

  private:
    struct Connection;
    using List = std::list<Connection>;
    struct Client {
        std::list<Connection*> connections;  // idle longest first
    };

    void add(UniqueFd fd, const IpAddress& peer, MonotonicTime now);
    void close(Connection& connection);
    bool close_oldest();
    void touch(Connection& connection, MonotonicTime now);
    bool read(Connection& connection);
    bool answer_all(Connection& connection, const std::shared_ptr<const Serving>& serving, Answerer& answerer,
                    MonotonicTime now, uint32_t unix_seconds);
    enum class Answered : uint8_t { question, nothing, junk };
    Answered answer_next(Connection& connection, const std::shared_ptr<const Serving>& serving,
                         Answerer& answerer, MonotonicTime now, uint32_t unix_seconds);
    void append_answer(Connection& connection, size_t size);
    void end_stream(Connection& connection);
    bool flush(Connection& connection, MonotonicTime now);
    void watch(Connection& connection);
    [[nodiscard]] milliseconds idle_time() const noexcept;

    int epoll_;
    ServerLimits limits_;
    WorkerCounters& counters_;
    List connections_;                    // idle longest first
    List closed_;                         // kept while events may still name them
    std::vector<Connection*> streaming_;  // in the order in which their streams began
    std::unordered_map<IpAddress, Client> clients_;
    UniqueFd spare_;  // given up for a moment when there are no file descriptors left
    std::vector<uint8_t> scratch_;
};

}  // namespace fairway::dns
