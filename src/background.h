// SPDX-License-Identifier: Apache-2.0
#pragma once
// One thread for work that would hold up the loop (reading configurations and databases), one job after the
// other.

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "net/loop.h"

namespace fairway {

class Background {
  public:
    /// Runs on the background thread; what it returns runs on the loop's.
    using Work = std::function<std::function<void()>()>;

    explicit Background(net::Loop& loop);
    /// Waits for the job that runs; the others, and what they would have returned, are dropped.
    ~Background();
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;

    /// Loop's thread. `prepare` is called on the loop's thread when all jobs before it have had their say, so
    /// it sees what they changed; the work that it returns may then hold on to nothing but copies.
    void enqueue(std::function<Work()> prepare);

  private:
    void start_next();
    void run();

    net::Loop& loop_;
    std::deque<std::function<Work()>> waiting_;  // loop's thread only
    bool busy_ = false;                          // loop's thread only
    /// Outlives this object in what was posted: posted completions look here before they touch it.
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

    std::mutex mutex_;
    std::condition_variable wake_;
    Work work_;          // guarded by mutex_
    bool stop_ = false;  // guarded by mutex_
    std::thread thread_;
};

}  // namespace fairway
