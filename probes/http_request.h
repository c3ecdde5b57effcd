// SPDX-License-Identifier: Apache-2.0
#pragma once
// The request of an HTTP probe, and where a redirect leads. Text in, text out; whatever could break out of
// its line (carriage returns, line feeds, blanks) is refused, wherever it comes from.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/monitor.h"

namespace fairway {

enum class HttpScheme : uint8_t { http, https };

/// Refuses methods, paths, hosts and headers that cannot be sent as they are, and headers that the probe sets
/// itself.
[[nodiscard]] Result<void> check_http_settings(const HttpProbe& settings);

/// The Host header for an endpoint: the configured one, else the name (an IPv6 address in brackets) and the
/// port where it is not the scheme's own.
[[nodiscard]] std::string http_host(const HttpProbe& settings, std::string_view endpoint_host, uint16_t port);

/// Everything that is sent. `settings` has been checked, `path` is its path or one from redirect_path().
[[nodiscard]] std::string http_request(const HttpProbe& settings, std::string_view host,
                                       std::string_view path);

/// The path (with its query) to ask for next. Fails where a Location leads to another scheme, host or port,
/// or cannot be sent. `from` is the path that was asked for, `host` the Host header.
[[nodiscard]] Result<std::string> redirect_path(std::string_view location, HttpScheme scheme,
                                                std::string_view host, std::string_view from);

}  // namespace fairway
