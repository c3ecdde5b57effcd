// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reads the queries that nearly all are: an uncompressed question and at most an OPT with a client subnet, a
// cookie or nothing in it. Straight through the octets, so that reading costs a few nanoseconds; whatever is
// out of the ordinary, malformed or merely unusual, is left to the strict reader (message.h), which reads the
// same from those that are accepted here.

#include "base/bytes.h"
#include "dns/message.h"

namespace fairway::dns {

/// False, with `query` in any state, for all but the ordinary; true means that
/// parse_query_strictly() would give QueryFault::none and the same Query.
[[nodiscard]] bool read_ordinary_query(ByteSpan message, Query& query) noexcept;

}  // namespace fairway::dns
