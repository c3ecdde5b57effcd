// SPDX-License-Identifier: Apache-2.0
#pragma once
// DNS cookies (RFC 7873) with the interoperable server cookie of RFC 9018, so that all nodes behind one
// anycast address that share a secret accept each other's cookies. Pure: secrets and time come from outside.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/ip.h"
#include "base/result.h"

namespace fairway::dns {

using CookieSecret = std::array<uint8_t, 16>;
using ClientCookie = std::array<uint8_t, 8>;
using ServerCookie = std::array<uint8_t, 16>;

/// Cookies are made with `current`; those of `previous` are still accepted (RFC 9018 section 5).
struct CookieSecrets {
    CookieSecret current{};
    std::optional<CookieSecret> previous;

    /// `next` becomes current, current becomes previous.
    void rotate(const CookieSecret& next) noexcept {
        previous = current;
        current = next;
    }
    friend bool operator==(const CookieSecrets&, const CookieSecrets&) = default;
};

/// One or two secrets of 32 hexadecimal digits each, apart by white space: the current one, then one that is
/// still accepted. The error does not repeat them.
[[nodiscard]] Result<CookieSecrets> parse_cookie_secrets(std::string_view text);

/// RFC 9018 section 4: version 1, `unix_seconds`, SipHash-2-4 over both, the client cookie and the address.
[[nodiscard]] ServerCookie make_server_cookie(const CookieSecret& secret, const ClientCookie& client,
                                              const IpAddress& source, uint32_t unix_seconds) noexcept;
/// Whether `server` was made by us for this client at most an hour ago and not more than five minutes ahead.
[[nodiscard]] bool check_server_cookie(const CookieSecrets& secrets, const ClientCookie& client,
                                       ByteSpan server, const IpAddress& source,
                                       uint32_t unix_seconds) noexcept;

/// SipHash-2-4 with a 64-bit result.
[[nodiscard]] uint64_t siphash24(const CookieSecret& key, ByteSpan data) noexcept;

}  // namespace fairway::dns
