// SPDX-License-Identifier: Apache-2.0
#pragma once
// EDNS(0), RFC 6891: the OPT record of a query, read strictly, and that of its response. Options that are not
// listed here are ignored and not echoed (RFC 6891 section 6.1.2).

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/ip.h"
#include "dns/cookie.h"
#include "dns/types.h"

namespace fairway::dns {

/// RFC 7871 section 6, as sent. FAMILY is 1 (IPv4), 2 (IPv6), or 0 with SOURCE 0 ("tell nobody", as dig's
/// +subnet=0 sends).
struct ClientSubnet {
    uint16_t family = 0;
    uint8_t source = 0;  // SOURCE PREFIX-LENGTH
    ByteSpan address;    // in the query: ceil(source / 8) octets

    /// What steering may use; nothing for FAMILY 0.
    [[nodiscard]] std::optional<IpPrefix> prefix() const noexcept;
};

/// The OPT of a query; its spans point into the query.
struct Edns {
    bool present = false;
    uint8_t version = 0;
    bool dnssec_ok = false;
    bool compact_ok = false;  // CO, RFC 9824 section 5.1
    uint16_t udp_size = 0;    // as sent
    bool wants_nsid = false;
    bool wants_keepalive = false;
    bool wants_padding = false;
    bool has_cookie = false;
    bool has_subnet = false;
    ClientCookie client_cookie{};
    ByteSpan server_cookie;  // empty when the client has none yet
    ClientSubnet subnet;
};

enum class EdnsFault : uint8_t { none, formerr, badvers };

/// `udp_size` is CLASS, `ttl` the TTL field and `rdata` the options of an OPT record. The options of another
/// version than 0 are not looked at: the answer to it is BADVERS.
[[nodiscard]] EdnsFault parse_edns(uint16_t udp_size, uint32_t ttl, ByteSpan rdata, Edns& edns) noexcept;

/// The OPT of a response. Its size is known before the answer is written, so that it always has room; only
/// what is about the answer (the error) and what fills it up (padding) come with what room is left.
struct EdnsResponse {
    uint16_t udp_size = 0;
    bool dnssec_ok = false;
    bool compact_ok = false;  // CO, RFC 9824 section 5.1
    std::string_view nsid;    // empty: none
    bool has_cookie = false;
    ClientCookie client_cookie{};
    ServerCookie server_cookie{};
    const ClientSubnet* subnet = nullptr;  // echoed; null: none
    uint8_t scope = 0;                     // SCOPE PREFIX-LENGTH
    std::optional<uint16_t> keepalive;     // units of 100 ms
    std::optional<ExtendedError> error;
    std::string_view error_text;  // UTF-8
    /// Octets of the Padding option's body (RFC 7830); absent: no such option.
    std::optional<uint16_t> padding;

    /// Octets of the whole record.
    [[nodiscard]] size_t size() const noexcept;
    void write(Writer& writer, Rcode rcode) const noexcept;

  private:
    [[nodiscard]] uint16_t flags() const noexcept;
    void write_ordinary(Writer& writer, Rcode rcode) const noexcept;
};

}  // namespace fairway::dns
