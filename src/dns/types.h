// SPDX-License-Identifier: Apache-2.0
#pragma once
// The numbers of the protocol that this code gives a meaning to. Every other number is legal too and is
// carried as a cast value (RFC 3597).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fairway::dns {

enum class RecordType : uint16_t {
    a = 1,
    ns = 2,
    cname = 5,
    soa = 6,
    ptr = 12,
    hinfo = 13,
    mx = 15,
    txt = 16,
    aaaa = 28,
    srv = 33,
    naptr = 35,
    dname = 39,
    opt = 41,
    ds = 43,
    rrsig = 46,
    nsec = 47,
    dnskey = 48,
    nsec3 = 50,
    nsec3param = 51,
    cds = 59,
    cdnskey = 60,
    svcb = 64,
    https = 65,
    nxname = 128,  // RFC 9824: only ever in an NSEC's bitmap
    tkey = 249,
    tsig = 250,
    ixfr = 251,
    axfr = 252,
    mailb = 253,
    maila = 254,
    any = 255,
    caa = 257,
};

enum class RecordClass : uint16_t { in = 1, chaos = 3, hesiod = 4, none = 254, any = 255 };

enum class Opcode : uint8_t { query = 0, iquery = 1, status = 2, notify = 4, update = 5, dso = 6 };

/// With the eight upper bits of EDNS (RFC 6891 section 6.1.3).
enum class Rcode : uint16_t {
    noerror = 0,
    formerr = 1,
    servfail = 2,
    nxdomain = 3,
    notimp = 4,
    refused = 5,
    notauth = 9,
    badvers = 16,
    badcookie = 23,
};

enum class EdnsOption : uint16_t {
    nsid = 3,
    client_subnet = 8,
    cookie = 10,
    tcp_keepalive = 11,
    padding = 12,
    extended_error = 15,
};

/// RFC 8914 section 4.
enum class ExtendedError : uint16_t {
    other = 0,
    stale_answer = 3,
    not_ready = 14,
    blocked = 15,
    prohibited = 18,
    not_authoritative = 20,
    not_supported = 21,
    invalid_query_type = 30,  // RFC 9824 section 9
};

/// "A", "TYPE65280".
[[nodiscard]] std::string to_string(RecordType type);
/// The inverse, in any case; also "ANY". Nothing when the text is no type.
[[nodiscard]] std::optional<RecordType> parse_record_type(std::string_view text);
/// "NOERROR", "NXDOMAIN", "RCODE77".
[[nodiscard]] std::string to_string(Rcode rcode);

}  // namespace fairway::dns
