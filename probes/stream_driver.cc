// SPDX-License-Identifier: Apache-2.0
#include "probes/stream_driver.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/duration.h"
#include "net/loop.h"

namespace fairway {

namespace {

/// Far beyond what any exchange wants to read or send: a bound for exchanges that would go on for ever.
constexpr size_t read_limit = size_t{1} << 20;
constexpr size_t send_limit = size_t{1} << 18;
/// Reads per wakeup, so that a fast peer does not keep the others waiting.
constexpr int reads_per_turn = 4;
/// Deadlines noticed later than this are this machine's fault.
constexpr nanoseconds tolerated_lag = milliseconds{10};
/// A buffer that grew beyond this is given back after the attempt.
constexpr size_t kept_buffer = 4096;

/// What a failed connection means. Shortage on this machine says nothing about the peer: layer internal.
ProbeResult connect_failure(int error) {
    ProbeResult result = failed(ProbeLayer::internal, {});
    switch (error) {
        case ECONNREFUSED:
            result = failed(ProbeLayer::transport, "connect refused");
            result.explicit_refusal = true;
            break;
        case ECONNRESET:
        case EPIPE:
            result = failed(ProbeLayer::transport, "connection reset");
            result.explicit_refusal = true;
            break;
        case ETIMEDOUT:
            result = failed(ProbeLayer::transport, "connect timed out");
            break;
        case EHOSTUNREACH:
        case EHOSTDOWN:
            result = failed(ProbeLayer::network, "no route to host");
            result.explicit_refusal = true;
            break;
        case ENETUNREACH:
            result = failed(ProbeLayer::network, "network unreachable");
            result.explicit_refusal = true;
            break;
        case EACCES:
        case EPERM:
            result.reason = "connect forbidden by this machine's firewall";
            break;
        case EADDRNOTAVAIL:
            result.reason = "no free local port";
            break;
        case EMFILE:
        case ENFILE:
            result.reason = "no free file descriptor";
            break;
        default:
            result.reason = "cannot connect: " + std::generic_category().message(error);
            break;
    }
    return result;
}

}  // namespace

/// One attempt, or a place for one. The exchange's io.
class StreamDriver::Connection final : public StreamIo {
  public:
    Connection(StreamDriver& driver, AttemptId id) : driver_(driver), id_(id) {}

    [[nodiscard]] const Attempt& attempt() const noexcept override { return attempt_; }
    [[nodiscard]] MonotonicTime now() const noexcept override { return driver_.loop_.now(); }
    [[nodiscard]] WallTime wall_now() const noexcept override { return std::chrono::system_clock::now(); }
    [[nodiscard]] bool tracing() const noexcept override { return trace_ != nullptr; }
    void step(std::string_view what) override {
        if (trace_ != nullptr) trace_->add(std::string(what), now());
    }
    void finish(ProbeResult result) override {
        if (!result_) result_ = std::move(result);
    }
    void send(ByteSpan bytes) override {
        if (result_) return;
        if (out_.size() - sent_ + bytes.size() > send_limit) {
            finish(failed(ProbeLayer::internal, "too much to send"));
            return;
        }
        out_.insert(out_.end(), bytes.begin(), bytes.end());
    }

    void reconnect() override {
        if (result_) return;
        leave();
        connect();
    }

    [[nodiscard]] uint64_t token() const noexcept { return uint64_t{generation_} << 32 | id_; }
    [[nodiscard]] AttemptId id() const noexcept { return id_; }
    [[nodiscard]] bool done() const noexcept { return result_.has_value(); }

    void start(StreamExchange& exchange, const AttemptRequest& request) {
        exchange_ = &exchange;
        job_ = request.job;
        trace_ = request.trace;
        attempt_.peer = request.peer;
        attempt_.host = request.host;
        attempt_.timeout = request.timeout;
        attempt_.started = request.started;
        attempt_.deadline = request.deadline;
        attempt_.nonce = request.nonce;
        connect_started_ = request.started;
        extended_ = false;
        connect();
    }

    void on_events(uint32_t events) {
        if (state_ == State::connecting) {
            on_connect_event(events);
        } else {
            if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0) read();
            flush();
        }
    }

    /// The deadline, noticed `late`. Answers that came while this thread was busy elsewhere still count; and
    /// a conversation that could not go on meanwhile gets the time back, once. Returns that time.
    nanoseconds on_deadline(nanoseconds late) {
        if (state_ == State::connecting) on_connect_event(0);
        if (talking()) read();
        if (done()) return {};
        if (late > tolerated_lag && !extended_) {
            extended_ = true;
            return std::min(late, attempt_.timeout);
        }
        lag_ = std::chrono::duration_cast<microseconds>(late);
        if (state_ == State::connecting) {
            finish(failed(ProbeLayer::transport,
                          "connect timed out after " + format_duration(attempt_.timeout)));
        } else {
            finish(exchange_->on_end(StreamStop::deadline, *this));
        }
        return {};
    }

    /// Gives everything up and becomes a free place.
    ProbeResult release() {
        leave();
        exchange_->release();
        exchange_ = nullptr;
        trace_ = nullptr;
        if (out_.capacity() > kept_buffer) out_ = {};
        received_ = 0;
        ProbeResult result = result_ ? std::move(*result_) : ProbeResult{};
        result_.reset();
        if (!result.rtt) result.rtt = rtt_;
        if (result.loop_lag == microseconds{0}) result.loop_lag = std::max(lag_, microseconds{0});
        rtt_.reset();
        lag_ = microseconds{0};
        return result;
    }
    [[nodiscard]] uint32_t job() const noexcept { return job_; }

  private:
    enum class State : uint8_t { connecting, connected };

    /// Gives the connection up; events of it that are still to come are stale.
    void leave() {
        if (fd_ && state_ == State::connected) {
            // What was said before the verdict (a TLS alert, a goodbye) is tried once and not waited for.
            if (sent_ < out_.size())
                (void)::send(fd_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
            // Unless the peer has closed its side already: see the header.
            if (!peer_closed_) {
                const linger abort{.l_onoff = 1, .l_linger = 0};
                ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
            }
        }
        fd_.reset();
        ++generation_;
        out_.clear();
        sent_ = 0;
        connect_started_ = now();
    }

    void connect() {
        state_ = State::connecting;
        peer_closed_ = false;
        sent_once_ = false;
        send_failed_ = false;
        const bool v4 = attempt_.peer.address.is_v4();
        fd_.reset(::socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (!fd_) {
            finish(connect_failure(errno));
            return;
        }
        sockaddr_storage storage;
        const socklen_t length = attempt_.peer.to_sockaddr(storage);
        // A connection that is made at once (which happens on no network, but may) is noticed by its event.
        if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 &&
            errno != EINPROGRESS) {
            finish(connect_failure(errno));
            return;
        }
        wanted_ = EPOLLOUT;
        if (!driver_.polls_.add(fd_.get(), wanted_, token()))
            finish(failed(ProbeLayer::internal,
                          "cannot watch a socket: " + std::generic_category().message(errno)));
    }

    void on_connect_event(uint32_t events) {
        tcp_info info;
        socklen_t length = offsetof(tcp_info, tcpi_rttvar);
        const bool known = ::getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &length) == 0;
        const bool established =
            known && (info.tcpi_state == TCP_ESTABLISHED || info.tcpi_state == TCP_CLOSE_WAIT);
        if (!established) {
            int error = 0;
            length = sizeof error;
            ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
            if (error == 0 && (events & (EPOLLHUP | EPOLLERR)) == 0) return;  // not yet
            finish(connect_failure(error == 0 ? ECONNRESET : error));
            return;
        }
        state_ = State::connected;
        peer_closed_ = info.tcpi_state == TCP_CLOSE_WAIT;
        rtt_ = microseconds{info.tcpi_rtt};
        // What the kernel did not need for the round trip, the loop was late by.
        lag_ = std::chrono::duration_cast<microseconds>(now() - connect_started_) - *rtt_;
        if (trace_ != nullptr) step("connect " + attempt_.peer.to_string());
        exchange_->on_connected(*this);
        flush();
    }

    void read() {
        for (int i = 0; i < reads_per_turn && talking(); ++i) {
            const std::span<uint8_t> buffer = driver_.loop_.scratch().first(16384);
            const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
            if (got < 0) {
                if (errno == EAGAIN || errno == EINTR) return;
                end(StreamStop::reset);
            } else if (got == 0) {
                peer_closed_ = true;
                end(send_failed_ ? StreamStop::reset : StreamStop::eof);
            } else {
                received_ += static_cast<size_t>(got);
                exchange_->on_data(buffer.first(static_cast<size_t>(got)), *this);
                if (!done() && received_ >= read_limit)
                    finish(failed(ProbeLayer::application, "peer sends without end"));
                if (static_cast<size_t>(got) < buffer.size()) return;
            }
        }
    }

    void end(StreamStop how) {
        ProbeResult result = exchange_->on_end(how, *this);
        if (how == StreamStop::reset && result.verdict == Verdict::fail) result.explicit_refusal = true;
        finish(std::move(result));
    }

    /// Writes what is queued, and waits for what is missing now: room or data.
    void flush() {
        if (!talking()) return;
        while (sent_ < out_.size()) {
            // Later pieces of a conversation must not wait for the acknowledgement of earlier ones.
            if (sent_once_) no_delay();
            const ssize_t count = ::send(fd_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
            if (count < 0) {
                if (errno == EAGAIN || errno == EINTR) break;
                // What the peer said before it went away still counts. The reset itself is told once, and
                // this was it: reading finds an orderly end.
                send_failed_ = true;
                read();
                if (talking()) end(StreamStop::reset);
                return;
            }
            sent_once_ = true;
            sent_ += static_cast<size_t>(count);
        }
        if (sent_ == out_.size()) {
            out_.clear();
            sent_ = 0;
        }
        const uint32_t wanted = EPOLLIN | EPOLLRDHUP | (out_.empty() ? 0U : EPOLLOUT);
        if (wanted == wanted_) return;
        wanted_ = wanted;
        if (!driver_.polls_.change(fd_.get(), wanted_, token()))
            finish(failed(ProbeLayer::internal,
                          "cannot watch a socket: " + std::generic_category().message(errno)));
    }

    /// Connected and undecided: not after a verdict, nor while another connection is being made.
    [[nodiscard]] bool talking() const noexcept { return state_ == State::connected && !done(); }

    void no_delay() const {
        const int one = 1;
        ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }

    StreamDriver& driver_;
    const AttemptId id_;
    uint32_t generation_ = 0;
    UniqueFd fd_;
    State state_ = State::connecting;
    bool peer_closed_ = false;
    bool sent_once_ = false;
    bool send_failed_ = false;
    bool extended_ = false;
    uint32_t wanted_ = 0;
    uint32_t job_ = 0;
    StreamExchange* exchange_ = nullptr;
    ProbeTrace* trace_ = nullptr;
    Attempt attempt_;
    MonotonicTime connect_started_;
    std::optional<ProbeResult> result_;
    std::optional<microseconds> rtt_;
    microseconds lag_{0};
    std::vector<uint8_t> out_;
    size_t sent_ = 0;
    size_t received_ = 0;
};

StreamDriver::StreamDriver(net::Loop& loop, AttemptSink& sink)
    : loop_(loop), sink_(sink), polls_(loop, *this) {}

StreamDriver::~StreamDriver() {
    while (!timers_.empty()) cancel(timers_.earliest());
}

StreamDriver::AttemptId StreamDriver::start(StreamExchange& exchange, const AttemptRequest& request) {
    if (free_.empty()) {
        free_.push_back(static_cast<AttemptId>(connections_.size()));
        connections_.emplace_back(*this, free_.back());
    }
    const AttemptId id = free_.back();
    free_.pop_back();
    Connection& connection = connections_[id];
    connection.start(exchange, request);
    // One that failed already is due at once.
    timers_.set(id, connection.done() ? request.started : request.deadline);
    return id;
}

void StreamDriver::cancel(AttemptId attempt) {
    timers_.remove(attempt);
    (void)connections_[attempt].release();
    free_.push_back(attempt);
}

std::optional<MonotonicTime> StreamDriver::next() const {
    return timers_.empty() ? std::nullopt : std::optional(timers_.earliest_time());
}

void StreamDriver::expire(MonotonicTime now) {
    while (!timers_.empty() && timers_.earliest_time() <= now) {
        Connection& connection = connections_[timers_.earliest()];
        if (!connection.done()) {
            const nanoseconds more = connection.on_deadline(now - timers_.earliest_time());
            if (more > nanoseconds{0}) {
                timers_.set(connection.id(), now + more);
                continue;
            }
        }
        complete(connection);
    }
}

void StreamDriver::on_ready(uint64_t token, uint32_t events) {
    const auto id = static_cast<AttemptId>(token);
    Connection& connection = connections_[id];
    if (connection.token() != token) return;  // finished earlier in the same batch
    connection.on_events(events);
    if (connection.done()) complete(connection);
}

void StreamDriver::complete(Connection& connection) {
    const AttemptId id = connection.id();
    const uint32_t job = connection.job();
    timers_.remove(id);
    ProbeResult result = connection.release();
    free_.push_back(id);
    sink_.on_finished(job, std::move(result));
}

}  // namespace fairway
