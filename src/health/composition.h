// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which of a gateway's endpoints serve, and what that makes of the gateway. A pure function of its endpoints.

#include <cstddef>
#include <optional>
#include <span>

#include "base/clock.h"
#include "model/model.h"
#include "model/states.h"

namespace fairway {

/// What composition wants to know of an endpoint, and what it says of it.
struct Member {
    HealthState measured = HealthState::unknown;
    HealthState effective = HealthState::unknown;
    bool withheld = false;
    bool forced_up = false;
    bool addressed = false;  // has an address to answer with
    /// Since when it has been up but for operators (suspect included); MonotonicTime::min() if it never came
    /// back from anything but unknown. Read only while it is up.
    MonotonicTime up_since;
    bool serving = false;  // set by compose()
};

struct Composition {
    HealthState measured = HealthState::unknown;
    HealthState effective = HealthState::unknown;
    bool usable = false;
    /// active_standby: position of the one that serves.
    std::optional<size_t> active;
    /// active_standby: when an earlier endpoint than the active one will have been up long enough.
    std::optional<MonotonicTime> failback_at;
};

/// `previous` is the position of the active endpoint so far (active_standby). Sets `serving` of each member.
[[nodiscard]] Composition compose(const Gateway& gateway, std::span<Member> members,
                                  std::optional<size_t> previous, MonotonicTime now);

}  // namespace fairway
