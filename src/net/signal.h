// SPDX-License-Identifier: Apache-2.0
#pragma once
// A Unix signal as an event of a loop.

#include <functional>

namespace fairway::net {

class Loop;

class Signal {
  public:
    /// `number` is SIGHUP, SIGTERM and so on. Throws std::system_error. Does not keep the loop running.
    Signal(Loop& loop, int number, std::function<void()> on_signal);
    ~Signal();
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;

  private:
    struct State;
    State* state_;  // freed by libuv's close callback
};

}  // namespace fairway::net
