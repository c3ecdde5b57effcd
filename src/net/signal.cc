// SPDX-License-Identifier: Apache-2.0
#include "net/signal.h"

#include <utility>

#include "net/loop.h"
#include "net/uv_error.h"

namespace fairway::net {

struct Signal::State {
    uv_signal_t handle{};
    std::function<void()> on_signal;

    static void close(State* state) {
        uv_close(as_handle(&state->handle), [](uv_handle_t* closed) { delete &owner_of<State>(closed); });
    }
};

Signal::Signal(Loop& loop, int number, std::function<void()> on_signal) : state_(new State) {
    state_->on_signal = std::move(on_signal);
    uv_signal_init(loop.raw(), &state_->handle);
    state_->handle.data = state_;
    const int status = uv_signal_start(
        &state_->handle, [](uv_signal_t* raised, int) { owner_of<State>(raised).on_signal(); }, number);
    if (status < 0) {
        State::close(state_);
        check_uv(status, "catch signal " + std::to_string(number));
    }
    uv_unref(as_handle(&state_->handle));
}

Signal::~Signal() {
    State::close(state_);
}

}  // namespace fairway::net
