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

/// The IPv4 client subnet's address, in host order, of an ordinary query that has one; else 0. Only for
/// guessing what answering will need: nothing is checked that reading safely does not need.
[[nodiscard]] uint32_t peek_subnet(ByteSpan message) noexcept;

}  // namespace fairway::dns
