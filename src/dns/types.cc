// SPDX-License-Identifier: Apache-2.0
#include "dns/types.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"

namespace fairway::dns {
namespace {

struct TypeName {
    uint16_t number;
    std::string_view name;
};

constexpr std::array type_names{
    TypeName{1, "A"},           TypeName{2, "NS"},          TypeName{5, "CNAME"},     TypeName{6, "SOA"},
    TypeName{12, "PTR"},        TypeName{13, "HINFO"},      TypeName{15, "MX"},       TypeName{16, "TXT"},
    TypeName{17, "RP"},         TypeName{18, "AFSDB"},      TypeName{24, "SIG"},      TypeName{25, "KEY"},
    TypeName{28, "AAAA"},       TypeName{29, "LOC"},        TypeName{33, "SRV"},      TypeName{35, "NAPTR"},
    TypeName{37, "CERT"},       TypeName{39, "DNAME"},      TypeName{41, "OPT"},      TypeName{42, "APL"},
    TypeName{43, "DS"},         TypeName{44, "SSHFP"},      TypeName{45, "IPSECKEY"}, TypeName{46, "RRSIG"},
    TypeName{47, "NSEC"},       TypeName{48, "DNSKEY"},     TypeName{49, "DHCID"},    TypeName{50, "NSEC3"},
    TypeName{51, "NSEC3PARAM"}, TypeName{52, "TLSA"},       TypeName{53, "SMIMEA"},   TypeName{59, "CDS"},
    TypeName{60, "CDNSKEY"},    TypeName{61, "OPENPGPKEY"}, TypeName{62, "CSYNC"},    TypeName{63, "ZONEMD"},
    TypeName{64, "SVCB"},       TypeName{65, "HTTPS"},      TypeName{99, "SPF"},      TypeName{108, "EUI48"},
    TypeName{109, "EUI64"},     TypeName{249, "TKEY"},      TypeName{250, "TSIG"},    TypeName{251, "IXFR"},
    TypeName{252, "AXFR"},      TypeName{253, "MAILB"},     TypeName{254, "MAILA"},   TypeName{255, "ANY"},
    TypeName{256, "URI"},       TypeName{257, "CAA"},
};

constexpr std::array<std::string_view, 12> rcode_names{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
                                                       "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
                                                       "NXRRSET", "NOTAUTH", "NOTZONE",  "DSOTYPENI"};

}  // namespace

std::string to_string(RecordType type) {
    const auto number = static_cast<uint16_t>(type);
    const auto found = std::find_if(type_names.begin(), type_names.end(),
                                    [number](const TypeName& entry) { return entry.number == number; });
    if (found != type_names.end()) return std::string(found->name);
    return "TYPE" + std::to_string(number);
}

std::optional<RecordType> parse_record_type(std::string_view text) {
    const std::string lower = ascii_lower(text);
    for (const TypeName& entry : type_names)
        if (ascii_lower(entry.name) == lower) return static_cast<RecordType>(entry.number);
    if (!lower.starts_with("type")) return std::nullopt;
    uint16_t number = 0;
    const char* end = lower.data() + lower.size();
    const auto [at, error] = std::from_chars(lower.data() + 4, end, number);
    if (error != std::errc{} || at != end) return std::nullopt;
    return static_cast<RecordType>(number);
}

std::string to_string(Rcode rcode) {
    const auto number = static_cast<uint16_t>(rcode);
    if (number < rcode_names.size()) return std::string(rcode_names[number]);
    if (rcode == Rcode::badvers) return "BADVERS";
    if (rcode == Rcode::badcookie) return "BADCOOKIE";
    return "RCODE" + std::to_string(number);
}

}  // namespace fairway::dns
