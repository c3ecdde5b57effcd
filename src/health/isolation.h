// SPDX-License-Identifier: Apache-2.0
#pragma once
// "Is it them or is it us?" When most of the endpoints that worked fall silent within a short time, and none
// of them says a word (no refusal, no reset, no answer of any kind), the likeliest cause is this node's own
// network. Then the last answers are better than none: the endpoints that fell silent keep the state they
// had, for answering, until somebody is heard again.

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace fairway {

struct IsolationSettings {
    bool enabled = true;
    double share = 1.0;     // of the endpoints that worked, how many must be silent
    uint32_t minimum = 3;   // fewer silent endpoints than this are never held against our network
    nanoseconds window{0};  // how long ago a fall still counts; 0: the slowest monitor's detection time
    friend bool operator==(const IsolationSettings&, const IsolationSettings&) = default;
};

/// Whether `silent` endpoints beside `answering` ones look like a fault of our own network.
[[nodiscard]] bool looks_isolated(const IsolationSettings& settings, size_t silent,
                                  size_t answering) noexcept;

}  // namespace fairway
