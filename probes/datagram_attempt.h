// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the drivers of datagram exchanges have in common: one attempt's bookkeeping between an exchange and
// whatever carries its datagrams (a UDP socket of its own, or the shared ICMP socket).

#include <cstdint>
#include <optional>
#include <utility>

#include "net/loop.h"
#include "probes/attempt.h"
#include "probes/exchange.h"

namespace fairway {

/// The exchange's io, without the sending. An attempt or a place for one.
class DatagramAttempt : public DatagramIo {
  public:
    DatagramAttempt(net::Loop& loop, uint32_t id) : loop_(loop), id_(id) {}

    [[nodiscard]] const Attempt& attempt() const noexcept final { return attempt_; }
    [[nodiscard]] MonotonicTime now() const noexcept final { return loop_.now(); }
    [[nodiscard]] WallTime wall_now() const noexcept final { return std::chrono::system_clock::now(); }
    [[nodiscard]] bool tracing() const noexcept final { return trace_ != nullptr; }
    void step(std::string_view what) final {
        if (trace_ != nullptr) trace_->add(std::string(what), now());
    }
    void finish(ProbeResult result) final {
        if (!result_) result_ = std::move(result);
    }

    [[nodiscard]] uint32_t id() const noexcept { return id_; }
    [[nodiscard]] uint32_t job() const noexcept { return job_; }
    [[nodiscard]] bool done() const noexcept { return result_.has_value(); }
    /// When on_timer() is due.
    [[nodiscard]] MonotonicTime due() const {
        const MonotonicTime end = extended_until_.value_or(attempt_.deadline);
        if (done()) return attempt_.started;
        const auto timer = exchange_->next_timer();
        return timer && *timer < end ? *timer : end;
    }

    void received(ByteSpan datagram, size_t port_index) {
        if (done()) return;
        answered_at_ = now();
        exchange_->on_datagram(datagram, port_index, *this);
    }
    void unreachable(Unreachable kind, size_t port_index) {
        if (!done()) exchange_->on_unreachable(kind, port_index, *this);
    }

  protected:
    void begin(DatagramExchange& exchange, const AttemptRequest& request) {
        exchange_ = &exchange;
        job_ = request.job;
        trace_ = request.trace;
        attempt_.peer = request.peer;
        attempt_.host = request.host;
        attempt_.timeout = request.timeout;
        attempt_.started = request.started;
        attempt_.deadline = request.deadline;
        attempt_.nonce = request.nonce;
        if (!done()) exchange_->on_start(*this);
    }
    /// The carrier has looked for answers that came while this thread was busy before it calls this.
    void on_due(MonotonicTime now) {
        const MonotonicTime end = extended_until_.value_or(attempt_.deadline);
        if (now < end) {
            exchange_->on_timer(*this);
            return;
        }
        // Time that this machine lost is given back once: it says nothing about the peer.
        const nanoseconds late = now - end;
        if (late > tolerated_lag && !extended_until_) {
            extended_until_ = now + std::min(late, attempt_.timeout);
            return;
        }
        lag_ = std::chrono::duration_cast<microseconds>(late);
        finish(exchange_->on_silence(*this));
    }
    void sent() { sent_at_ = now(); }
    ProbeResult end() {
        exchange_->release();
        exchange_ = nullptr;
        trace_ = nullptr;
        ProbeResult result = result_ ? std::move(*result_) : ProbeResult{};
        result_.reset();
        if (!result.rtt && answered_at_ && result.usable())
            result.rtt = std::chrono::duration_cast<microseconds>(*answered_at_ - sent_at_);
        if (result.loop_lag == microseconds{0})
            result.loop_lag = answered_at_ ? std::chrono::duration_cast<microseconds>(loop_.lag()) : lag_;
        answered_at_.reset();
        extended_until_.reset();
        lag_ = microseconds{0};
        return result;
    }

    net::Loop& loop_;
    Attempt attempt_;

  private:
    /// Deadlines noticed later than this are this machine's fault.
    static constexpr nanoseconds tolerated_lag = milliseconds{10};

    const uint32_t id_;
    uint32_t job_ = 0;
    DatagramExchange* exchange_ = nullptr;
    ProbeTrace* trace_ = nullptr;
    std::optional<ProbeResult> result_;
    MonotonicTime sent_at_;
    std::optional<MonotonicTime> answered_at_;  // the last datagram
    std::optional<MonotonicTime> extended_until_;
    microseconds lag_{0};
};

}  // namespace fairway
