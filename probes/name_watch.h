// SPDX-License-Identifier: Apache-2.0
#pragma once
// Host names kept resolved: asks again when the TTL has passed, keeps the last good address through failures
// and says since when they last. Not a cache for others; a few thousand names that a configuration holds.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/random.h"
#include "net/resolver.h"
#include "net/timer.h"
#include "probes/time_heap.h"

namespace fairway {

namespace net {
class Loop;
}

class NameWatch {
  public:
    using NameId = uint32_t;

    struct Status {
        std::optional<IpAddress> address;  // the last good one
        std::string error;                 // of the last query; empty when it was good
        MonotonicTime good_at;             // when `address` was last confirmed
        bool answered = false;             // at least one query has ended
    };

    struct Limits {
        /// TTLs are taken as at least this and at most that.
        nanoseconds shortest_ttl = seconds{5};
        nanoseconds longest_ttl = seconds{3600};
        /// After a failure, doubled with each more.
        nanoseconds first_retry = seconds{1};
        nanoseconds longest_retry = seconds{30};
    };

    /// `on_change`: the first answer or failure, another address, another error or the end of it. It may call
    /// anything but the destructor.
    NameWatch(net::Loop& loop, net::Resolver& resolver, const Limits& limits, uint64_t seed,
              std::function<void(NameId)> on_change);
    NameWatch(const NameWatch&) = delete;
    NameWatch& operator=(const NameWatch&) = delete;

    /// Asks soon, not inside this call. The same name may be added more than once.
    NameId add(std::string name);
    void remove(NameId id);
    [[nodiscard]] const Status& status(NameId id) const { return entries_[id]->status; }
    [[nodiscard]] const std::string& name(NameId id) const { return entries_[id]->name; }

    [[nodiscard]] size_t size() const noexcept { return entries_.size() - free_.size(); }
    [[nodiscard]] size_t failing() const;

  private:
    using Answer = Result<std::vector<net::ResolvedAddress>>;
    struct Entry {
        std::string name;
        Status status;
        net::Resolver::Query query;
        uint32_t failures = 0;  // in a row
    };

    void ask();
    void on_answer(NameId id, const Answer& answer);

    net::Loop& loop_;
    net::Resolver& resolver_;
    const Limits limits_;
    Random random_;
    std::function<void(NameId)> on_change_;
    std::vector<std::unique_ptr<Entry>> entries_;  // null: free
    std::vector<NameId> free_;
    TimeHeap due_;  // names that are not being asked for
    size_t asking_ = 0;
    net::Timer timer_;
};

}  // namespace fairway
