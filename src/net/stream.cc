// SPDX-License-Identifier: Apache-2.0
#include "net/stream.h"

#include <sys/socket.h>

#include <utility>
#include <vector>

#include "net/acceptor.h"
#include "net/loop.h"
#include "net/timer.h"
#include "net/uv_error.h"

namespace fairway::net {

std::string_view to_string(StreamEnd end) noexcept {
    switch (end) {
        case StreamEnd::eof:
            return "closed by the peer";
        case StreamEnd::reset:
            return "reset";
        case StreamEnd::idle:
            return "idle";
        case StreamEnd::deadline:
            return "deadline passed";
        case StreamEnd::overflow:
            return "peer reads too slowly";
        case StreamEnd::flushed:
            return "closed";
    }
    return "closed";
}

/// Lives until the handle is closed and the owner has let go, whichever comes last. An end of any kind is a
/// uv_close(), and its callback tells the owner: that is what makes on_close come once and never inside a
/// call of the owner's.
struct Stream::State {
    union {
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    Loop& loop;
    Handlers handlers;
    StreamEnd end = StreamEnd::eof;
    bool owned = true;
    bool closed = false;    // libuv has let go of the handle
    bool flushing = false;  // no more sends; the end comes when the queue is empty
    bool reading = false;
    uv_shutdown_t shutdown{};
    size_t queue_limit = size_t{1} << 20;
    nanoseconds idle_limit{0};
    MonotonicTime last_activity{};
    std::unique_ptr<Timer> idle_timer;
    std::unique_ptr<Timer> deadline_timer;

    explicit State(Loop& on) : stream{}, loop(on) {}

    struct Write {
        uv_write_t request{};
        std::vector<uint8_t> bytes;
    };

    [[nodiscard]] bool ended() { return uv_is_closing(as_handle(&stream)) != 0; }

    void finish(StreamEnd how) {
        if (ended()) return;
        end = how;
        close();
    }
    void close() {
        idle_timer.reset();
        deadline_timer.reset();
        uv_close(as_handle(&stream), [](uv_handle_t* handle) {
            State& state = owner_of<State>(handle);
            state.closed = true;
            if (!state.owned) {
                delete &state;
                return;
            }
            if (!state.handlers.on_close) return;
            // The callback may destroy the stream, and with it this state.
            const auto on_close = std::move(state.handlers.on_close);
            on_close(state.end);
        });
    }
    void flush(StreamEnd how) {
        if (flushing || ended()) return;
        flushing = true;
        end = how;
        stop_reading();
        shutdown.data = this;
        const int status = uv_shutdown(&shutdown, &stream, [](uv_shutdown_t* request, int result) {
            State& state = owner_of<State>(request);
            if (result != UV_ECANCELED) state.finish(result < 0 ? StreamEnd::reset : state.end);
        });
        if (status < 0) finish(StreamEnd::reset);
    }
    void touch() {
        if (idle_timer) last_activity = loop.now();
    }
    void check_idle() {
        const nanoseconds quiet = loop.now() - last_activity;
        if (quiet >= idle_limit) {
            finish(StreamEnd::idle);
        } else {
            idle_timer->start(idle_limit - quiet);
        }
    }
    void start_reading() {
        if (reading || flushing || ended()) return;
        reading = true;
        const int status = uv_read_start(
            &stream,
            [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
                const std::span<uint8_t> scratch = owner_of<State>(handle).loop.scratch();
                *buffer = uv_buf_init(reinterpret_cast<char*>(scratch.data()),
                                      static_cast<unsigned>(scratch.size()));
            },
            [](uv_stream_t* readable, ssize_t got, const uv_buf_t* buffer) {
                owner_of<State>(readable).on_read(got, *buffer);
            });
        if (status < 0) finish(StreamEnd::reset);
    }
    void stop_reading() {
        reading = false;
        uv_read_stop(&stream);
    }
    void on_read(ssize_t got, const uv_buf_t& buffer) {
        if (got == 0) return;
        if (got == UV_EOF) {
            // What is queued still goes out to a peer that closed only its sending side.
            if (stream.write_queue_size > 0) {
                flush(StreamEnd::eof);
            } else {
                finish(StreamEnd::eof);
            }
            return;
        }
        if (got < 0) {
            finish(StreamEnd::reset);
            return;
        }
        touch();
        if (handlers.on_data)
            handlers.on_data({reinterpret_cast<const uint8_t*>(buffer.base), static_cast<size_t>(got)});
    }
    void send(ByteSpan bytes) {
        if (flushing || ended() || bytes.empty()) return;
        if (stream.write_queue_size == 0) {
            const uv_buf_t buffer = uv_buf_init(reinterpret_cast<char*>(const_cast<uint8_t*>(bytes.data())),
                                                static_cast<unsigned>(bytes.size()));
            const int written = uv_try_write(&stream, &buffer, 1);
            if (written > 0) {
                touch();
                bytes = bytes.subspan(static_cast<size_t>(written));
            } else if (written != UV_EAGAIN && written != 0) {
                finish(StreamEnd::reset);
                return;
            }
            if (bytes.empty()) return;
        }
        if (stream.write_queue_size + bytes.size() > queue_limit) {
            finish(StreamEnd::overflow);
            return;
        }
        auto write = std::make_unique<Write>();
        write->bytes.assign(bytes.begin(), bytes.end());
        write->request.data = this;
        const uv_buf_t buffer = uv_buf_init(reinterpret_cast<char*>(write->bytes.data()),
                                            static_cast<unsigned>(write->bytes.size()));
        const int status =
            uv_write(&write->request, &stream, &buffer, 1, [](uv_write_t* request, int result) {
                // libuv calls this before the close callback, so the state is still there.
                const std::unique_ptr<Write> done(reinterpret_cast<Write*>(request));
                State& state = owner_of<State>(request);
                if (result == 0) {
                    state.touch();
                } else if (result != UV_ECANCELED) {
                    state.finish(StreamEnd::reset);
                }
            });
        if (status < 0) {
            finish(StreamEnd::reset);
        } else {
            (void)write.release();  // the callback frees it
        }
    }
};

Stream::Stream(State* state) noexcept : state_(state) {}

Stream::~Stream() {
    state_->owned = false;
    if (state_->closed) {
        delete state_;
        return;
    }
    if (!state_->ended()) state_->close();
}

std::unique_ptr<Stream> Stream::adopt(Loop& loop, UniqueFd connection) {
    sockaddr_storage local{};
    socklen_t length = sizeof local;
    if (::getsockname(connection.get(), reinterpret_cast<sockaddr*>(&local), &length) != 0) return nullptr;
    auto* state = new State(loop);
    const bool is_tcp = local.ss_family != AF_UNIX;
    if (is_tcp) {
        uv_tcp_init(loop.raw(), &state->tcp);
    } else {
        uv_pipe_init(loop.raw(), &state->pipe, 0);
    }
    state->stream.data = state;
    std::unique_ptr<Stream> stream(new Stream(state));
    const int status =
        is_tcp ? uv_tcp_open(&state->tcp, connection.get()) : uv_pipe_open(&state->pipe, connection.get());
    if (status < 0) return nullptr;
    (void)connection.release();  // libuv's now
    if (is_tcp) uv_tcp_nodelay(&state->tcp, 1);
    return stream;
}

void Stream::start(Handlers handlers) {
    state_->handlers = std::move(handlers);
    state_->start_reading();
}

void Stream::send(ByteSpan bytes) {
    state_->send(bytes);
}
void Stream::close_when_flushed() {
    state_->flush(StreamEnd::flushed);
}
void Stream::pause_reading() {
    if (!state_->ended()) state_->stop_reading();
}
void Stream::resume_reading() {
    state_->start_reading();
}
size_t Stream::queued() const noexcept {
    return state_->stream.write_queue_size;
}
void Stream::limit_queue(size_t bytes) noexcept {
    state_->queue_limit = bytes;
}

void Stream::limit_idle(nanoseconds idle) {
    if (state_->ended()) return;
    state_->idle_limit = idle;
    if (idle <= nanoseconds{0}) {
        state_->idle_timer.reset();
        return;
    }
    state_->last_activity = state_->loop.now();
    if (!state_->idle_timer)
        state_->idle_timer = std::make_unique<Timer>(state_->loop, [state = state_] { state->check_idle(); });
    state_->idle_timer->start(idle);
}

void Stream::set_deadline(std::optional<nanoseconds> from_now) {
    if (state_->ended()) return;
    if (!from_now) {
        state_->deadline_timer.reset();
        return;
    }
    if (!state_->deadline_timer)
        state_->deadline_timer =
            std::make_unique<Timer>(state_->loop, [state = state_] { state->finish(StreamEnd::deadline); });
    state_->deadline_timer->start(*from_now);
}

std::optional<SocketAddress> Stream::peer() const {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (fd() < 0 || ::getpeername(fd(), reinterpret_cast<sockaddr*>(&storage), &length) != 0)
        return std::nullopt;
    const auto address = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage));
    return address ? std::optional(*address) : std::nullopt;
}

int Stream::fd() const noexcept {
    uv_os_fd_t fd = -1;
    return !state_->ended() && uv_fileno(as_handle(&state_->stream), &fd) == 0 ? fd : -1;
}

Listener::Listener(Loop& loop, const Address& address, std::function<void(std::unique_ptr<Stream>)> on_accept,
                   unsigned unix_mode)
    : Listener(loop, ListeningSocket::open(address, unix_mode), std::move(on_accept)) {}

Listener::Listener(Loop& loop, ListeningSocket socket, std::function<void(std::unique_ptr<Stream>)> on_accept)
    : acceptor_(std::make_unique<Acceptor>(loop, std::move(socket),
                                           [&loop, on_accept = std::move(on_accept)](UniqueFd fd) {
                                               if (auto stream = Stream::adopt(loop, std::move(fd)))
                                                   on_accept(std::move(stream));
                                           })) {}

Listener::~Listener() = default;

SocketAddress Listener::local() const {
    const auto* tcp = std::get_if<SocketAddress>(&acceptor_->socket().address());
    return tcp != nullptr ? *tcp : SocketAddress{};
}

void Listener::pause() {
    acceptor_->pause();
}
void Listener::resume() {
    acceptor_->resume();
}
ListeningSocket& Listener::socket() noexcept {
    return acceptor_->socket();
}

}  // namespace fairway::net
