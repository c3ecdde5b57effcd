// SPDX-License-Identifier: Apache-2.0
#pragma once
// Warnings about peers, of which a hostile or broken one can cause any number: so many a period are logged,
// the others are counted and told as one line when the period is over.

#include <cstdint>
#include <string_view>

#include "base/clock.h"

namespace fairway::pdns {

class Complaints {
  public:
    /// Logs `text` as a warning, or counts it.
    void warn(MonotonicTime now, std::string_view text);
    /// Call now and then, so that what was held back is told although nothing follows.
    void flush(MonotonicTime now);
    /// Something is held back that flush() has yet to tell.
    [[nodiscard]] bool pending() const noexcept { return held_back_ != 0; }

    static constexpr uint32_t burst = 10;
    static constexpr nanoseconds period = seconds{10};

  private:
    MonotonicTime begin_{};
    uint32_t logged_ = 0;
    uint64_t held_back_ = 0;
};

}  // namespace fairway::pdns
