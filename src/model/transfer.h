// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who may copy a zone, and who is told that it has changed.

#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"

namespace fairway {

/// Matches a request from these addresses, or signed with this TSIG key, or, where both are given, one that
/// is both. At least one is.
struct TransferRule {
    std::optional<IpPrefix> from;
    std::string key;  // absolute, lower case, without the trailing dot; or empty
    friend bool operator==(const TransferRule&, const TransferRule&) = default;
};

struct NotifyTarget {
    SocketAddress address;
    std::string key;  // that signs the message; or empty
    friend bool operator==(const NotifyTarget&, const NotifyTarget&) = default;
};

struct ZoneTransfer {
    std::vector<TransferRule> allow;  // one that matches is enough; empty: nobody
    std::vector<NotifyTarget> notify;
    friend bool operator==(const ZoneTransfer&, const ZoneTransfer&) = default;
};

}  // namespace fairway
