// SPDX-License-Identifier: Apache-2.0
#pragma once
// Runs datagram exchanges over UDP: a fresh socket an attempt (so that nobody who did not see the request can
// guess where an answer must go, and late answers to an attempt before find nobody), answers from any of the
// exchange's remote ports, ICMP errors as soon as they come, the exchange's retransmissions, one deadline,
// one finish.

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "net/poll_set.h"
#include "probes/attempt.h"
#include "probes/exchange.h"
#include "probes/time_heap.h"

namespace fairway {

namespace net {
class Loop;
}

class DatagramDriver final : private net::PollSet::Sink {
  public:
    using AttemptId = uint32_t;

    DatagramDriver(net::Loop& loop, AttemptSink& sink);
    ~DatagramDriver();
    DatagramDriver(const DatagramDriver&) = delete;
    DatagramDriver& operator=(const DatagramDriver&) = delete;

    /// `exchange` and `ports` must live until the attempt is finished or cancelled. The first port takes the
    /// place of the request's.
    AttemptId start(DatagramExchange& exchange, const std::vector<uint16_t>& ports,
                    const AttemptRequest& request);
    /// Ends an attempt without a result.
    void cancel(AttemptId attempt);

    /// When expire() has something to do.
    [[nodiscard]] std::optional<MonotonicTime> next() const;
    /// Retransmits, finishes what has passed its deadline, and what ended inside start().
    void expire(MonotonicTime now);

    [[nodiscard]] size_t in_flight() const noexcept { return timers_.size(); }

  private:
    class Conversation;

    void on_ready(uint64_t token, uint32_t events) override;
    void settle(Conversation& conversation, MonotonicTime not_before);

    net::Loop& loop_;
    AttemptSink& sink_;
    net::PollSet polls_;
    std::deque<Conversation> conversations_;  // stable addresses; reused through free_
    std::vector<AttemptId> free_;
    TimeHeap timers_;  // what comes first: the exchange's timer or the deadline
};

}  // namespace fairway
