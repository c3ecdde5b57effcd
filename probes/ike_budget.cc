// SPDX-License-Identifier: Apache-2.0
#include "probes/ike_budget.h"

#include <algorithm>

namespace fairway {

void IkeBudget::Gateway::add(MonotonicTime when) {
    std::rotate(left.begin(), left.end() - 1, left.end());
    left.front() = when;
    count = std::min(count + 1, limit);
}

bool IkeBudget::take(const IpAddress& gateway, MonotonicTime now) {
    forget_old(now);
    Gateway& entry = gateways_[gateway];
    if (entry.in_flight || now < entry.quiet_until) return false;
    if (entry.count == limit && now - entry.left.back() < window) return false;
    entry.in_flight = true;
    entry.add(now);
    return true;
}

void IkeBudget::settle(const IpAddress& gateway, Left left, MonotonicTime now) {
    const auto entry = gateways_.find(gateway);
    if (entry == gateways_.end() || !entry->second.in_flight) return;
    Gateway& taken = entry->second;
    taken.in_flight = false;
    if (left == Left::half_open) {
        taken.left.front() = now;
        return;
    }
    std::rotate(taken.left.begin(), taken.left.begin() + 1, taken.left.end());
    --taken.count;
}

void IkeBudget::record(const IpAddress& gateway, MonotonicTime now) {
    forget_old(now);
    gateways_[gateway].add(now);
}

void IkeBudget::back_off(const IpAddress& gateway, MonotonicTime now) {
    forget_old(now);
    gateways_[gateway].quiet_until = now + window;
}

void IkeBudget::forget_old(MonotonicTime now) {
    if (gateways_.size() < sweep_at_) return;
    std::erase_if(gateways_, [&](const auto& item) {
        const Gateway& entry = item.second;
        const bool old = entry.count == 0 || now - entry.left.front() >= window;
        return old && !entry.in_flight && now >= entry.quiet_until;
    });
    // Amortised: the next sweep comes when as many again were added.
    sweep_at_ = std::max<size_t>(64, 2 * gateways_.size());
}

}  // namespace fairway
