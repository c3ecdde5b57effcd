// SPDX-License-Identifier: Apache-2.0
#include "net/timer.h"

#include <algorithm>
#include <utility>

#include "net/loop.h"
#include "net/uv_error.h"

namespace fairway::net {

struct Timer::State {
    Loop& loop;
    uv_timer_t handle{};
    std::function<void()> on_fire;

    static void fire(uv_timer_t* handle) {
        State& state = owner_of<State>(handle);
        state.loop.timer_fired();
        state.on_fire();
    }
};

namespace {

/// libuv counts whole milliseconds of the monotonic clock from a cached reading of it. Rounding the instant
/// up, not the delay, is what keeps a timer from firing early.
uint64_t ticks_until(uv_loop_t* loop, MonotonicTime when) {
    const auto tick = std::chrono::ceil<milliseconds>(when.time_since_epoch()).count();
    const auto cached = static_cast<int64_t>(uv_now(loop));
    return static_cast<uint64_t>(std::max<int64_t>(0, tick - cached));
}

}  // namespace

Timer::Timer(Loop& loop, std::function<void()> on_fire) : state_(new State{loop, {}, std::move(on_fire)}) {
    uv_timer_init(loop.raw(), &state_->handle);
    state_->handle.data = state_;
}

Timer::~Timer() {
    uv_close(as_handle(&state_->handle), [](uv_handle_t* handle) { delete &owner_of<State>(handle); });
}

void Timer::start(nanoseconds delay) {
    start_at(std::chrono::steady_clock::now() + std::max(delay, nanoseconds{0}));
}

void Timer::start_at(MonotonicTime when) {
    uv_timer_start(&state_->handle, State::fire, ticks_until(state_->handle.loop, when), 0);
}

void Timer::start_repeating(nanoseconds period) {
    const auto ticks =
        static_cast<uint64_t>(std::max<int64_t>(1, std::chrono::ceil<milliseconds>(period).count()));
    uv_timer_start(&state_->handle, State::fire,
                   ticks_until(state_->handle.loop, std::chrono::steady_clock::now() + period), ticks);
}

void Timer::stop() {
    uv_timer_stop(&state_->handle);
}

bool Timer::armed() const noexcept {
    return uv_is_active(as_handle(&state_->handle)) != 0;
}

void Timer::let_loop_end() {
    uv_unref(as_handle(&state_->handle));
}

}  // namespace fairway::net
