// SPDX-License-Identifier: Apache-2.0
#pragma once
// One thread's event loop: owns a libuv loop and nothing that runs on it. Everything else in this folder
// belongs to the loop that it was given and is used on that loop's thread only, except where it says
// otherwise.
//
// Handles close asynchronously: a Timer, a Stream and so on can be destroyed at any time, inside their own
// callback too; libuv's close callback frees the memory later. All of them must be gone before their loop is.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/clock.h"

struct uv_loop_s;

namespace fairway::net {

class Loop {
  public:
    /// Throws std::system_error when the kernel refuses an epoll descriptor. The process ignores SIGPIPE from
    /// now on.
    Loop();
    /// Finishes the closing of handles whose owners are gone; no callback of theirs is called.
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Runs until stop(), or until nothing is left that could wake it. post() alone does not keep it running.
    void run();
    /// One turn: waits for the next event or timer unless one is due, handles what is ready. For tests and
    /// for foreign loops.
    void run_once();
    /// One turn that does not wait.
    void run_ready();
    /// run() returns after the current turn. On the loop's thread; from another, post() it.
    void stop();

    /// Any thread: runs `task` on the loop's thread, in the order of posting, never inside this call. Tasks
    /// still waiting when the loop is destroyed are destroyed without being run.
    void post(std::function<void()> task);

    /// The monotonic clock, read now (not the time cached at the start of the turn).
    [[nodiscard]] MonotonicTime now() const noexcept;
    /// How long what is being handled now may have waited for this thread: the time since this turn's wait
    /// ended plus the work of the turn before it.
    [[nodiscard]] nanoseconds lag() const noexcept;

    /// 64 KiB to read into, for whoever handles what was read before returning to the loop.
    [[nodiscard]] std::span<uint8_t> scratch() noexcept;
    /// For the rest of this folder and for libraries that bring their own libuv support.
    [[nodiscard]] uv_loop_s* raw() noexcept;

  private:
    friend class Timer;
    void timer_fired() noexcept;

    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace fairway::net
