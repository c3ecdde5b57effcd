// SPDX-License-Identifier: Apache-2.0
#pragma once
// A timer of a loop. Resolution is a millisecond; it never fires early.

#include <functional>

#include "base/clock.h"

struct uv_timer_s;

namespace fairway::net {

class Loop;

class Timer {
  public:
    /// `on_fire` may destroy or re-arm the timer.
    Timer(Loop& loop, std::function<void()> on_fire);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    /// Fires once, `delay` from now; replaces what was armed. A delay of zero or less fires in the next turn.
    void start(nanoseconds delay);
    /// Fires every `period`, first after one period. Missed periods are skipped, not made up for.
    void start_repeating(nanoseconds period);
    /// Like start(), for an instant.
    void start_at(MonotonicTime when);
    void stop();
    [[nodiscard]] bool armed() const noexcept;

    /// The loop may end although this timer is armed.
    void let_loop_end();

  private:
    struct State;
    State* state_;  // freed by libuv's close callback
};

}  // namespace fairway::net
