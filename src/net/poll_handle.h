// SPDX-License-Identifier: Apache-2.0
#pragma once
// Watches a descriptor that someone else owns. For a few long-lived descriptors; probes, which come and go by
// the thousand, use PollSet.

#include <functional>

namespace fairway::net {

class Loop;

/// What a descriptor is ready for, or what to wait for.
struct Readiness {
    bool readable = false;
    bool writable = false;
};

class PollHandle {
  public:
    /// `fd` must be a socket or pipe, becomes non-blocking, and must stay open until this is destroyed:
    /// destroy the handle first, then close the descriptor. Throws std::system_error.
    PollHandle(Loop& loop, int fd, std::function<void(Readiness)> on_ready);
    ~PollHandle();
    PollHandle(const PollHandle&) = delete;
    PollHandle& operator=(const PollHandle&) = delete;

    /// Level-triggered. Errors and hang-ups are reported as readable and writable. Neither: stops.
    void watch(Readiness wanted);

  private:
    struct State;
    State* state_;  // freed by libuv's close callback
};

}  // namespace fairway::net
