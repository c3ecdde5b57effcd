// SPDX-License-Identifier: Apache-2.0
#include "background.h"

#include <utility>

namespace fairway {

Background::Background(net::Loop& loop) : loop_(loop), thread_([this] { run(); }) {}

Background::~Background() {
    *alive_ = false;
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void Background::enqueue(std::function<Work()> prepare) {
    waiting_.push_back(std::move(prepare));
    if (!busy_) start_next();
}

void Background::start_next() {
    busy_ = !waiting_.empty();
    if (!busy_) return;
    const auto prepare = std::move(waiting_.front());
    waiting_.pop_front();
    Work work = prepare();
    {
        const std::lock_guard lock(mutex_);
        work_ = std::move(work);
    }
    wake_.notify_one();
}

void Background::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return stop_ || work_; });
        if (stop_) return;
        const Work work = std::exchange(work_, nullptr);
        lock.unlock();
        // `alive` is read on the loop's thread only, where it is also written.
        loop_.post([this, alive = alive_, done = work()] {
            if (!*alive) return;
            done();
            if (*alive) start_next();
        });
        lock.lock();
    }
}

}  // namespace fairway
