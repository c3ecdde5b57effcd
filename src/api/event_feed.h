// SPDX-License-Identifier: Apache-2.0
#pragma once
// One follower's events as server-sent events: what the store kept after the one it saw last, then each as it
// happens, in order and without a gap. The loop's thread only.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/http.h"
#include "store/store.h"

namespace fairway::api {

class EventFeed {
  public:
    /// `ready` runs when there is something to take(); it must not destroy the feed.
    EventFeed(Store& store, Follow follow, std::function<void()> ready);
    EventFeed(const EventFeed&) = delete;
    EventFeed& operator=(const EventFeed&) = delete;

    /// Everything waiting, and forgets it.
    [[nodiscard]] std::string take();
    [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
    /// The follower is too slow: what waits for it has reached the limit, and nothing more is kept.
    [[nodiscard]] bool overflowed() const noexcept { return overflowed_; }
    /// A comment, which tells the follower that the connection lives.
    void beat();

    static constexpr size_t max_waiting = 1 << 20;  // octets

  private:
    void add(const Event& event);

    Follow follow_;
    std::function<void()> ready_;
    std::string text_;
    int64_t last_ = 0;
    bool caught_up_ = false;
    bool overflowed_ = false;
    std::vector<Event> meanwhile_;      // until the backlog has come
    std::shared_ptr<EventFeed*> self_;  // expires with the feed
    EventSubscription subscription_;
};

}  // namespace fairway::api
