// SPDX-License-Identifier: Apache-2.0
#include "pdns/complaints.h"

#include <string>

#include "base/log.h"

namespace fairway::pdns {

void Complaints::warn(MonotonicTime now, std::string_view text) {
    flush(now);
    if (logged_ == 0) begin_ = now;
    if (logged_ == burst) {
        ++held_back_;
        return;
    }
    ++logged_;
    log::warning(text);
}

void Complaints::flush(MonotonicTime now) {
    if (logged_ == 0 || now - begin_ < period) return;
    if (held_back_ != 0)
        log::warning("pdns: " + std::to_string(held_back_) + " more warnings like these were not logged");
    logged_ = 0;
    held_back_ = 0;
}

}  // namespace fairway::pdns
