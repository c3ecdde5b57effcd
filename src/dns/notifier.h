// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tells secondaries that zones have changed (NOTIFY, RFC 1996), again and again until they answer or enough
// is enough. Without I/O: datagrams go out through a function and come in through receive(), time and
// randomness are passed in.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/random.h"
#include "dns/name.h"
#include "dns/tsig.h"

namespace fairway::dns {

class Notifier {
  public:
    /// Attempts at one secondary, the second a second after the first, each further one after twice the time,
    /// give or take a fifth: somewhat over a minute altogether. After that the secondary's own refresh finds
    /// the change.
    static constexpr unsigned attempts = 6;
    static constexpr nanoseconds first_wait = seconds{1};
    /// Attempts in one call of advance(), so that many zones do not burst.
    static constexpr size_t burst = 100;

    struct Task {
        Name zone;
        std::vector<uint8_t> soa_data;  // of the zone as it is now, wire form
        uint32_t soa_ttl = 0;
        uint32_t serial = 0;  // in that SOA
        SocketAddress to;
        std::optional<TsigKey> key;
    };
    struct Outcome {
        Name zone;
        SocketAddress to;
        uint32_t serial = 0;
        bool accepted = false;
        std::string why;  // not: "no answer", "it answered REFUSED"
    };
    struct Hooks {
        std::function<void(ByteSpan, const SocketAddress&)> send;
        /// Once for each task that was not replaced by a later one. May not call back into the notifier.
        std::function<void(const Outcome&)> finished;
    };

    Notifier(Hooks hooks, uint64_t seed) : hooks_(std::move(hooks)), random_(seed) {}

    /// Begins at the next advance(); takes the place of an unfinished task for the same zone and secondary.
    void add(Task task, MonotonicTime now);
    /// Sends what is due and gives up on what is over.
    void advance(MonotonicTime now, uint64_t unix_seconds);
    /// A datagram from anywhere.
    void receive(ByteSpan message, const SocketAddress& from, uint64_t unix_seconds);
    /// When advance() has work; nothing while there is no task.
    [[nodiscard]] std::optional<MonotonicTime> deadline() const;
    [[nodiscard]] bool idle() const noexcept { return tasks_.empty(); }

  private:
    struct Running {
        Task task;
        unsigned sent = 0;
        MonotonicTime due;
        uint16_t id = 0;  // of the last attempt
        std::vector<uint8_t> mac;
        std::string trouble;  // with the answers so far
    };
    using Key = std::pair<Name, SocketAddress>;

    void attempt(Running& running, MonotonicTime now, uint64_t unix_seconds);
    void finish(std::map<Key, Running>::iterator at, bool accepted, std::string why);

    Hooks hooks_;
    Random random_;
    std::map<Key, Running> tasks_;
};

}  // namespace fairway::dns
