// SPDX-License-Identifier: Apache-2.0
#pragma once
// Runs datagram exchanges over ICMP echo: one shared socket per address family for all of them. An
// unprivileged ping socket where net.ipv4.ping_group_range lets this process have one, a raw socket where it
// may open those (CAP_NET_RAW), and otherwise a result that says what is missing.
//
// The sequence number of an echo is the place of its attempt, so an answer finds it by index; that it is the
// answer to this attempt and not to an earlier one in the same place, the exchange sees by its own nonce in
// the payload.

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "net/poll_set.h"
#include "probes/attempt.h"
#include "probes/exchange.h"
#include "probes/icmp_packet.h"
#include "probes/time_heap.h"

namespace fairway {

namespace net {
class Loop;
}

class EchoDriver final : private net::PollSet::Sink {
  public:
    using AttemptId = uint32_t;

    EchoDriver(net::Loop& loop, AttemptSink& sink);
    ~EchoDriver();
    EchoDriver(const EchoDriver&) = delete;
    EchoDriver& operator=(const EchoDriver&) = delete;

    /// `exchange` must live until the attempt is finished or cancelled.
    AttemptId start(DatagramExchange& exchange, const AttemptRequest& request);
    /// Ends an attempt without a result.
    void cancel(AttemptId attempt);

    /// When expire() has something to do.
    [[nodiscard]] std::optional<MonotonicTime> next() const;
    void expire(MonotonicTime now);

    [[nodiscard]] size_t in_flight() const noexcept { return timers_.size(); }

  private:
    class Conversation;

    struct Socket {
        UniqueFd fd;
        IpFamily family = IpFamily::v4;
        IcmpFraming framing = IcmpFraming::bare;
        bool raw = false;  // sees every ICMP packet of this machine: answers are told by the id
        uint16_t id = 0;
        std::string missing;  // why there is none; tried again by the next attempt
    };

    Socket& socket_for(IpFamily family, uint64_t nonce);
    void open(Socket& socket, uint64_t nonce);
    void on_ready(uint64_t token, uint32_t events) override;
    void read(Socket& socket);
    void read_errors(Socket& socket);
    void deliver(const IcmpMessage& message, const IpAddress& peer);
    void settle(Conversation& conversation, MonotonicTime not_before);

    net::Loop& loop_;
    AttemptSink& sink_;
    net::PollSet polls_;
    std::array<Socket, 2> sockets_;  // v4, v6
    std::vector<uint8_t> packet_;    // an echo request on its way out
    std::deque<Conversation> conversations_;
    std::vector<AttemptId> free_;
    TimeHeap timers_;
};

}  // namespace fairway
