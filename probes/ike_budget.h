// SPDX-License-Identifier: Apache-2.0
#pragma once
// How often we may leave a gateway with a half-open IKE SA. Gateways answer a source with COOKIE at three of
// them and with silence at five (strongSwan's defaults), which a prober would take for "down": so at most two
// in any 30 seconds per gateway address, never two exchanges at once, over all monitors, ports and IKE
// versions. Shared by everything that speaks IKE to gateways; lives as long as the prober, over reloads.
//
// It cannot know of other probers behind the same NAT: those share the gateway's limit, so of two such
// probers only one should use mode "full".

#include <array>
#include <cstddef>
#include <unordered_map>

#include "base/clock.h"
#include "base/ip.h"

namespace fairway {

class IkeBudget {
  public:
    static constexpr size_t limit = 2;
    static constexpr nanoseconds window = seconds{30};

    /// Asks to start an exchange that may leave a half-open SA. When granted, settle() must follow.
    [[nodiscard]] bool take(const IpAddress& gateway, MonotonicTime now);
    /// What became of it. An exchange whose answer never came may have left one, as late as by its last
    /// retransmission: `now` is when it ended.
    enum class Left : uint8_t { nothing, half_open };
    void settle(const IpAddress& gateway, Left left, MonotonicTime now);
    /// An exchange that should not have left a half-open SA did.
    void record(const IpAddress& gateway, MonotonicTime now);
    /// The gateway asked for a cookie: it is busy, or we were. Grants nothing for a window from now on.
    void back_off(const IpAddress& gateway, MonotonicTime now);

    /// Gateways remembered; those without an exchange in the last window are forgotten in time.
    [[nodiscard]] size_t size() const noexcept { return gateways_.size(); }

  private:
    struct Gateway {
        std::array<MonotonicTime, limit> left;  // when, newest first
        size_t count = 0;
        bool in_flight = false;
        MonotonicTime quiet_until{};

        void add(MonotonicTime when);
    };
    void forget_old(MonotonicTime now);

    std::unordered_map<IpAddress, Gateway> gateways_;
    size_t sweep_at_ = 64;
};

}  // namespace fairway
