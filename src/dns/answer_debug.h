// SPDX-License-Identifier: Apache-2.0
#pragma once
// What TXT at `_fairway.<name>` tells: the decision for this client in a line, then one line for each member.
// For people with dig; it may allocate.

#include <functional>

#include "base/bytes.h"
#include "dns/serving.h"
#include "model/ids.h"
#include "steering/selection.h"

namespace fairway::dns {

/// Calls `add` with the data of one TXT record after another, until it returns false; then returns false.
/// Stops by itself, with a record that says so, before the records outgrow a DNS message.
bool describe_service(const Serving& serving, ServiceId service, const Selection& selection,
                      const std::function<bool(ByteSpan)>& add);

}  // namespace fairway::dns
