// SPDX-License-Identifier: Apache-2.0
#include "health/isolation.h"

namespace fairway {

bool looks_isolated(const IsolationSettings& settings, size_t silent, size_t answering) noexcept {
    if (!settings.enabled || silent < settings.minimum || silent == 0) return false;
    return static_cast<double>(silent) >= settings.share * static_cast<double>(silent + answering);
}

}  // namespace fairway
