// SPDX-License-Identifier: Apache-2.0
#pragma once
// Between an answer and the socket, for everything that sends datagrams: what the rate limit leaves of it.

#include "base/clock.h"
#include "dns/answer.h"
#include "dns/message.h"
#include "dns/rate_limit.h"
#include "dns/server_counters.h"
#include "dns/serving.h"

namespace fairway::dns {

/// One a thread.
class UdpGate {
  public:
    /// Octets of `reply` to send; 0: nothing. The reply may be shortened in place. Cheap without a limit.
    /// `now` counts only with one: time_for() tells when it is worth asking for.
    [[nodiscard]] size_t pass(const Serving& serving, const IpAddress& source, const Outcome& outcome,
                              std::span<uint8_t> reply, MonotonicTime now,
                              WorkerCounters& counters) noexcept {
        RateLimiter* limiter = serving.settings->limiter.get();
        // Who shows a cookie of ours is where the packets say (RFC 7873 section 5.2.5).
        if (limiter == nullptr || outcome.good_cookie) return reply.size();
        switch (limiter->judge(source, outcome.kind, now, turn_)) {
            case RateLimiter::Verdict::send:
                return reply.size();
            case RateLimiter::Verdict::truncate:
                counters.limited_truncated.add();
                return truncate_response(reply);
            case RateLimiter::Verdict::drop:
                break;
        }
        counters.limited_dropped.add();
        return 0;
    }
    [[nodiscard]] static MonotonicTime time_for(const Serving& serving) noexcept {
        return serving.settings->limiter ? std::chrono::steady_clock::now() : MonotonicTime{};
    }

  private:
    uint32_t turn_ = 0;
};

}  // namespace fairway::dns
