// SPDX-License-Identifier: Apache-2.0
#include "net/poll_handle.h"

#include <utility>

#include "net/loop.h"
#include "net/uv_error.h"

namespace fairway::net {

struct PollHandle::State {
    uv_poll_t handle{};
    std::function<void(Readiness)> on_ready;

    static void ready(uv_poll_t* handle, int status, int events) {
        const bool failed = status < 0;
        owner_of<State>(handle).on_ready({.readable = failed || (events & (UV_READABLE | UV_DISCONNECT)) != 0,
                                          .writable = failed || (events & UV_WRITABLE) != 0});
    }
};

PollHandle::PollHandle(Loop& loop, int fd, std::function<void(Readiness)> on_ready) : state_(new State) {
    state_->on_ready = std::move(on_ready);
    const int status = uv_poll_init(loop.raw(), &state_->handle, fd);
    if (status < 0) {
        delete state_;  // libuv has not taken it: nothing to close
        check_uv(status, "watch a descriptor");
    }
    state_->handle.data = state_;
}

PollHandle::~PollHandle() {
    uv_close(as_handle(&state_->handle), [](uv_handle_t* handle) { delete &owner_of<State>(handle); });
}

void PollHandle::watch(Readiness wanted) {
    if (!wanted.readable && !wanted.writable) {
        uv_poll_stop(&state_->handle);
        return;
    }
    uv_poll_start(&state_->handle, (wanted.readable ? UV_READABLE : 0) | (wanted.writable ? UV_WRITABLE : 0),
                  State::ready);
}

}  // namespace fairway::net
