// SPDX-License-Identifier: Apache-2.0
#include "net/loop.h"

#include <uv.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <csignal>
#include <mutex>
#include <utility>
#include <vector>

#include "net/uv_error.h"

namespace fairway::net {

struct Loop::State {
    uv_loop_t loop{};
    uv_async_t wakeup{};
    uv_prepare_t before_wait{};

    std::mutex mutex;
    std::vector<std::function<void()>> tasks;    // guarded by mutex
    std::vector<std::function<void()>> running;  // loop's thread: tasks taken over for this turn

    // Clock and libuv's sum of waiting, both in ns, when this turn began to wait; busy is the turn before.
    uint64_t turn_clock = 0;
    uint64_t turn_idle = 0;
    uint64_t previous_busy = 0;

    bool single_turn = false;   // run_once()
    bool timers_fired = false;  // in this turn, before its wait

    std::array<uint8_t, 65536> scratch{};

    void run_tasks() {
        {
            const std::lock_guard lock(mutex);
            running.swap(tasks);
        }
        // A task that posts again is run in the next turn, so that sockets get their share.
        for (auto& task : running) std::exchange(task, nullptr)();
        running.clear();
    }
    void begin_turn() {
        const uint64_t clock = uv_hrtime();
        const uint64_t idle = uv_metrics_idle_time(&loop);
        const uint64_t elapsed = clock - turn_clock;
        previous_busy = elapsed - std::min(elapsed, idle - turn_idle);
        turn_clock = clock;
        turn_idle = idle;
        // libuv would run the due timers and then wait all the same: whoever asked for one turn has had it.
        if (single_turn && timers_fired) uv_stop(&loop);
    }
};

Loop::Loop() : state_(std::make_unique<State>()) {
    State& state = *state_;
    // libuv writes to sockets with write(2): a peer that has gone must be an error, not the end of the
    // process.
    std::signal(SIGPIPE, SIG_IGN);
    check_uv(uv_loop_init(&state.loop), "create an event loop");
    check_uv(uv_loop_configure(&state.loop, UV_METRICS_IDLE_TIME), "measure the event loop");
    check_uv(uv_async_init(&state.loop, &state.wakeup,
                           [](uv_async_t* handle) { owner_of<State>(handle).run_tasks(); }),
             "create the event loop's wakeup");
    state.wakeup.data = &state;
    uv_unref(as_handle(&state.wakeup));
    uv_prepare_init(&state.loop, &state.before_wait);
    state.before_wait.data = &state;
    uv_prepare_start(&state.before_wait, [](uv_prepare_t* handle) { owner_of<State>(handle).begin_turn(); });
    uv_unref(as_handle(&state.before_wait));
    state.turn_clock = uv_hrtime();
}

Loop::~Loop() {
    State& state = *state_;
    uv_close(as_handle(&state.wakeup), nullptr);
    uv_close(as_handle(&state.before_wait), nullptr);
    // Owners have let go of everything else; what remains are closings. More than one turn, because the
    // closing of one handle may begin that of another.
    bool closed = false;
    for (int turn = 0; turn < 16 && !closed; ++turn) {
        uv_run(&state.loop, UV_RUN_NOWAIT);
        closed = uv_loop_close(&state.loop) == 0;
    }
    assert(closed && "a handle outlives its loop");
    (void)closed;
}

void Loop::run() {
    uv_run(&state_->loop, UV_RUN_DEFAULT);
}
void Loop::run_once() {
    state_->single_turn = true;
    state_->timers_fired = false;
    uv_run(&state_->loop, UV_RUN_ONCE);
    state_->single_turn = false;
}
void Loop::run_ready() {
    uv_run(&state_->loop, UV_RUN_NOWAIT);
}
void Loop::timer_fired() noexcept {
    state_->timers_fired = true;
}
void Loop::stop() {
    uv_stop(&state_->loop);
}

void Loop::post(std::function<void()> task) {
    {
        const std::lock_guard lock(state_->mutex);
        state_->tasks.push_back(std::move(task));
    }
    uv_async_send(&state_->wakeup);
}

MonotonicTime Loop::now() const noexcept {
    return std::chrono::steady_clock::now();
}

nanoseconds Loop::lag() const noexcept {
    const State& state = *state_;
    const uint64_t elapsed = uv_hrtime() - state.turn_clock;
    const uint64_t idle = uv_metrics_idle_time(&state_->loop) - state.turn_idle;
    return nanoseconds{static_cast<int64_t>(elapsed - std::min(elapsed, idle) + state.previous_busy)};
}

std::span<uint8_t> Loop::scratch() noexcept {
    return state_->scratch;
}

uv_loop_s* Loop::raw() noexcept {
    return &state_->loop;
}

}  // namespace fairway::net
