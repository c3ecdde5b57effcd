// SPDX-License-Identifier: Apache-2.0
#pragma once
// Watches very many short-lived descriptors at the price of one system call each. libuv's own poll handle
// costs four more (it tries the descriptor, makes it non-blocking, forgets it again), which is a tenth of a
// whole TCP probe; so these descriptors live in an epoll set of their own, and the loop watches that set.

#include <cstdint>
#include <memory>

#include "base/unique_fd.h"

namespace fairway::net {

class Loop;
class PollHandle;

class PollSet {
  public:
    /// What was ready, as EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP.
    class Sink {
      public:
        /// `token` is the watcher's. It may be stale: events of one batch come after the watcher was dropped
        /// by an earlier event of the same batch. So a token carries a generation.
        virtual void on_ready(uint64_t token, uint32_t events) = 0;

      protected:
        ~Sink() = default;
    };

    /// Throws std::system_error when the kernel gives no epoll descriptor.
    PollSet(Loop& loop, Sink& sink);
    ~PollSet();
    PollSet(const PollSet&) = delete;
    PollSet& operator=(const PollSet&) = delete;

    /// Level-triggered. False when the kernel refuses (errno). Closing the descriptor ends the watch.
    [[nodiscard]] bool add(int fd, uint32_t events, uint64_t token) noexcept;
    /// Waits for something else from now on.
    [[nodiscard]] bool change(int fd, uint32_t events, uint64_t token) noexcept;

  private:
    void dispatch();

    Sink& sink_;
    UniqueFd epoll_;
    std::unique_ptr<PollHandle> watch_;  // last: stops watching before the descriptor is closed
};

}  // namespace fairway::net
