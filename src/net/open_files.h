// SPDX-License-Identifier: Apache-2.0
#pragma once
// The limit of open descriptors of this process.

#include <cstdint>

namespace fairway::net {

/// Raises the soft limit as far as the hard one allows, and the hard one too where the process may. Returns
/// the limit from now on. Once, at start-up.
uint64_t raise_open_file_limit(uint64_t wanted = 1U << 20) noexcept;

}  // namespace fairway::net
