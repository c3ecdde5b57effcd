// SPDX-License-Identifier: Apache-2.0
#pragma once
// Host names to addresses, with their TTL, on a loop. Asks every time: caching is the caller's, who knows
// what a stale answer is worth.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"

namespace fairway::net {

class Loop;

struct ResolvedAddress {
    IpAddress address;
    seconds ttl{0};  // zero from a hosts file
    friend bool operator==(const ResolvedAddress&, const ResolvedAddress&) = default;
};

class Resolver {
  public:
    struct Options {
        std::vector<SocketAddress> servers;  // empty: the system's
        nanoseconds timeout = seconds{2};    // of the first try of each server; grows with each further one
        uint32_t tries = 2;                  // per server
        bool use_hosts_file = true;
    };
    /// In the order of the answer, IPv4 before IPv6; never empty. The error says why: "no such name",
    /// "server failure", "timed out" ...
    using Callback = std::function<void(Result<std::vector<ResolvedAddress>>)>;

    /// Interest in an answer. Destroying it forgets the callback; the query itself may go on.
    class [[nodiscard]] Query {
      public:
        Query() noexcept = default;
        Query(Query&&) noexcept = default;
        Query& operator=(Query&&) noexcept;
        ~Query();
        [[nodiscard]] bool pending() const noexcept;

        struct State;

      private:
        friend class Resolver;
        explicit Query(std::shared_ptr<State> state) noexcept;
        std::shared_ptr<State> state_;  // shared with c-ares, which cannot cancel a single query
    };

    /// Throws std::system_error when c-ares cannot start.
    Resolver(Loop& loop, const Options& options);
    /// Pending callbacks are not called.
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    /// Asks for A and AAAA. The callback comes exactly once, never inside this call; an address written as
    /// text resolves to itself. The callback may destroy the query, not the resolver.
    Query resolve(std::string name, Callback callback);

    struct State;

  private:
    std::unique_ptr<State> state_;
};

}  // namespace fairway::net
