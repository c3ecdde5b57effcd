// SPDX-License-Identifier: Apache-2.0
#pragma once
// Makes signatures before anybody asks for them: a thread of its own takes each Serving that was published
// and asks it, with an Answerer like any worker's, for what clients may ask next: the static sets of the
// signed zones, and of each steered name what each class of clients gets just now. The signatures stay in the
// caches that all threads share. Publishing never waits for it, and a worker that is faster signs by itself.
//
// After a change of health only the services that it may touch are asked for. A Serving that comes while
// another is worked on takes its place, and what was left to do is done on it.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "dns/serving.h"

namespace fairway::dns {

class SigningAhead {
  public:
    SigningAhead();
    ~SigningAhead();
    SigningAhead(const SigningAhead&) = delete;
    SigningAhead& operator=(const SigningAhead&) = delete;

    /// Any thread; returns at once. The newest is what counts. A Serving that signs nothing ends the work.
    void offer(std::shared_ptr<const Serving> serving);
    /// Blocks until everything offered so far is done; for tests and benchmarks.
    void wait_until_idle();

    /// Questions asked so far.
    [[nodiscard]] uint64_t asked() const noexcept { return asked_.load(std::memory_order_relaxed); }

    /// Questions for one Serving at most.
    static constexpr size_t max_questions = 200'000;

  private:
    class Work;
    void run();

    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable idle_;
    std::shared_ptr<const Serving> offered_;  // guarded by mutex_
    bool busy_ = false;                       // guarded by mutex_
    std::atomic<bool> stop_{false};
    std::atomic<bool> interrupted_{false};  // something newer was offered
    std::atomic<uint64_t> asked_{0};
    std::thread thread_;
};

}  // namespace fairway::dns
