// SPDX-License-Identifier: Apache-2.0
#pragma once
// The three forms in which PowerDNS' http connector makes its calls, as a Call:
//
//     post_json   POST /                     {"method": "lookup", "parameters": {...}}
//     post        POST /lookup               parameters=<percent-encoded JSON object>
//     RESTful     GET /lookup/<name>/<type>  and headers X-RemoteBackend-...
//
// All below / and below /pdns. Connection strings with a url-suffix work too: PowerDNS writes everything but
// letters and digits as escapes, so that what follows a dot that is not one is no part of a component.

#include <string>
#include <string_view>

#include "base/result.h"
#include "pdns/http_request.h"
#include "pdns/protocol.h"

namespace fairway::pdns {

/// Why a request is no call.
struct HttpRefusal {
    uint16_t status = 400;
    std::string detail;  // one sentence without a full stop
};

[[nodiscard]] tl::expected<void, HttpRefusal> read_http_call(const HttpRequest& request, Call& call);

/// Appends the octets that percent-encoded text stands for, a plus sign included; false when an escape is
/// none.
[[nodiscard]] bool append_percent_decoded(std::string& out, std::string_view text);

}  // namespace fairway::pdns
