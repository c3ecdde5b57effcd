// SPDX-License-Identifier: Apache-2.0
#pragma once
// Hold-down of endpoints that flap, after the fashion of BGP route flap damping (RFC 2439): every fall adds 1
// to a penalty that halves with time; a fall that lifts the penalty beyond the threshold makes the next
// return to up wait, twice as long with each further one. It only ever delays a return: a real down is never
// hidden.

#include <cstdint>

#include "base/clock.h"

namespace fairway {

struct DampingSettings {
    bool enabled = true;
    nanoseconds hold_down = seconds{10};       // after the first fall beyond the threshold
    nanoseconds max_hold_down = seconds{600};  // the doubling ends here
    nanoseconds half_life = seconds{300};      // of the penalty
    double threshold = 2.5;                    // that is: the third fall within a short time
    friend bool operator==(const DampingSettings&, const DampingSettings&) = default;
};

/// One endpoint's record of falls.
class FlapPenalty {
  public:
    /// The endpoint went down after it had been usable. Returns how long its next return has to wait.
    nanoseconds fall(const DampingSettings& settings, MonotonicTime now) noexcept;
    /// What is left of the penalty; 0 for one that never fell.
    [[nodiscard]] double at(const DampingSettings& settings, MonotonicTime now) const noexcept;
    /// How long the next return to up waits; 0 while the falls are within the threshold.
    [[nodiscard]] nanoseconds wait() const noexcept { return wait_; }

    /// All there is to it, so that another process can go on with it.
    struct Memory {
        double penalty = 0;
        MonotonicTime as_of{};
        nanoseconds wait{0};
    };
    FlapPenalty() = default;
    explicit FlapPenalty(const Memory& memory) noexcept
        : penalty_(memory.penalty), as_of_(memory.as_of), wait_(memory.wait) {}
    [[nodiscard]] Memory remember() const noexcept { return {penalty_, as_of_, wait_}; }

    /// The penalty never exceeds it, so that the longest memory is a few half-lives.
    static constexpr double ceiling = 16;

  private:
    double penalty_ = 0;  // as of `as_of_`
    MonotonicTime as_of_{};
    nanoseconds wait_{0};
};

}  // namespace fairway
