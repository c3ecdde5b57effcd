// SPDX-License-Identifier: Apache-2.0
#pragma once
// Runs stream exchanges over TCP: connects, moves bytes, watches the deadline, finishes once. Knows nothing
// of schedules, names or protocols.
//
// How a probe leaves: an attempt that ends first aborts the connection (RST, by SO_LINGER 0) instead of
// closing it, so that no TIME_WAIT is left behind: at 25,000 probes a second those would be 1.5 million
// sockets. The three-way handshake has been completed by then, so to the peer this is a client that went
// away, not a half-open scan. A peer that closed first gets an ordinary FIN, which leaves no TIME_WAIT on
// this side.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/unique_fd.h"
#include "net/poll_set.h"
#include "probes/attempt.h"
#include "probes/exchange.h"
#include "probes/time_heap.h"

namespace fairway {

namespace net {
class Loop;
}

class StreamDriver final : private net::PollSet::Sink {
  public:
    using AttemptId = uint32_t;

    StreamDriver(net::Loop& loop, AttemptSink& sink);
    ~StreamDriver();
    StreamDriver(const StreamDriver&) = delete;
    StreamDriver& operator=(const StreamDriver&) = delete;

    /// `exchange` must live until the attempt is finished or cancelled.
    AttemptId start(StreamExchange& exchange, const AttemptRequest& request);
    /// Ends an attempt without a result.
    void cancel(AttemptId attempt);

    /// When expire() has something to do.
    [[nodiscard]] std::optional<MonotonicTime> next() const;
    /// Finishes what has passed its deadline, and what failed inside start().
    void expire(MonotonicTime now);

    [[nodiscard]] size_t in_flight() const noexcept { return timers_.size(); }

  private:
    class Connection;

    void on_ready(uint64_t token, uint32_t events) override;
    void complete(Connection& connection);

    net::Loop& loop_;
    AttemptSink& sink_;
    net::PollSet polls_;
    std::deque<Connection> connections_;  // stable addresses; reused through free_
    std::vector<AttemptId> free_;
    TimeHeap timers_;  // deadlines of connections in use
};

}  // namespace fairway
