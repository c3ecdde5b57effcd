// SPDX-License-Identifier: Apache-2.0
#pragma once
// How a worker divides its time between UDP and connections while UDP questions wait: connections get one
// part in eight. While none wait, connections get all they want. Without a clock of its own.

#include "base/clock.h"

namespace fairway::dns {

class WorkerShare {
  public:
    /// Whether connections may have a turn now.
    [[nodiscard]] bool may_serve_connections(MonotonicTime now, bool udp_waits) const noexcept {
        return !udp_waits || now >= rest_until_;
    }
    /// They had one.
    void served_connections(MonotonicTime from, MonotonicTime to) noexcept {
        rest_until_ = to + rest_per_turn * (to - from);
    }

  private:
    static constexpr int rest_per_turn = 7;
    MonotonicTime rest_until_{};
};

}  // namespace fairway::dns
