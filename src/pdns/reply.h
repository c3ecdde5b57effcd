// SPDX-License-Identifier: Apache-2.0
#pragma once
// The pieces that replies to PowerDNS are written with.

#include <cstdint>
#include <string>
#include <string_view>

#include "dns/authority.h"

namespace fairway::pdns {

void append_number(std::string& out, int64_t value);

/// One record as an element of the array that `out` ends in. `type` empty: the name exists, and that is all.
struct ReplyRecord {
    std::string_view owner{};
    std::string_view type{};
    std::string_view content{};
    uint32_t ttl = 0;
    int32_t zone_id = 0;
    uint8_t scope = 0;
    bool authoritative = true;
};
void append_record(std::string& out, const ReplyRecord& record);

/// A zone as PowerDNS' DomainInfo.
struct ReplyZone {
    const dns::ServedZone* zone = nullptr;
    std::string_view kind = "native";  // or "master", exactly
    uint32_t serial = 0;
    uint32_t notified_serial = 0;
};
void append_zone(std::string& out, const ReplyZone& zone);

/// {"result":false}
void append_refusal(std::string& out);
/// The same with a line for PowerDNS' log.
void append_refusal(std::string& out, std::string_view why);
/// {"result":null}: PowerDNS takes it for trouble, answers SERVFAIL and connects anew.
void append_trouble(std::string& out);
/// {"result":"text"}
void append_text_result(std::string& out, std::string_view text);

}  // namespace fairway::pdns
