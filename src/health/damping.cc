// SPDX-License-Identifier: Apache-2.0
#include "health/damping.h"

#include <algorithm>
#include <cmath>

namespace fairway {

double FlapPenalty::at(const DampingSettings& settings, MonotonicTime now) const noexcept {
    if (penalty_ == 0 || now <= as_of_) return penalty_;
    if (settings.half_life <= nanoseconds{0}) return 0;
    const double halves =
        static_cast<double>((now - as_of_).count()) / static_cast<double>(settings.half_life.count());
    return penalty_ * std::exp2(-halves);
}

nanoseconds FlapPenalty::fall(const DampingSettings& settings, MonotonicTime now) noexcept {
    const double left = at(settings, now);
    penalty_ = std::min(left + 1, ceiling);
    as_of_ = now;
    if (!settings.enabled || left < 1) {
        // The last falls are forgotten (or nobody asks): the doubling starts anew.
        wait_ = nanoseconds{0};
    }
    if (settings.enabled && penalty_ > settings.threshold) {
        const nanoseconds next = wait_ > nanoseconds{0} ? wait_ * 2 : settings.hold_down;
        wait_ = std::min(next, std::max(settings.hold_down, settings.max_hold_down));
    }
    return wait_;
}

}  // namespace fairway
