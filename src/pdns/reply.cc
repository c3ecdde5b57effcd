// SPDX-License-Identifier: Apache-2.0
#include "pdns/reply.h"

#include <charconv>

#include "pdns/json_reader.h"

namespace fairway::pdns {
namespace {

void begin_element(std::string& out) {
    if (out.back() != '[') out += ',';
}

}  // namespace

void append_number(std::string& out, int64_t value) {
    char digits[24];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), value).ptr;
    out.append(digits, end);
}

void append_record(std::string& out, const ReplyRecord& record) {
    begin_element(out);
    out += R"({"qname":)";
    append_json_string(out, record.owner);
    out += R"(,"qtype":")";
    out += record.type;
    out += R"(","content":)";
    append_json_string(out, record.content);
    out += R"(,"ttl":)";
    append_number(out, record.ttl);
    out += R"(,"domain_id":)";
    append_number(out, record.zone_id);
    if (record.scope != 0) {
        out += R"(,"scopeMask":)";
        append_number(out, record.scope);
    }
    if (!record.authoritative) out += R"(,"auth":0)";
    out += '}';
}

void append_zone(std::string& out, const ReplyZone& zone) {
    out += R"({"id":)";
    append_number(out, zone.zone->id);
    out += R"(,"zone":)";
    append_json_string(out, zone.zone->apex.to_string());
    out += R"(,"kind":")";
    out += zone.kind;
    out += R"(","serial":)";
    append_number(out, zone.serial);
    out += R"(,"notified_serial":)";
    append_number(out, zone.notified_serial);
    out += '}';
}

void append_refusal(std::string& out) {
    out += R"({"result":false})";
}

void append_refusal(std::string& out, std::string_view why) {
    out += R"({"result":false,"log":[)";
    append_json_string(out, why);
    out += "]}";
}

void append_trouble(std::string& out) {
    out += R"({"result":null})";
}

void append_text_result(std::string& out, std::string_view text) {
    out += R"({"result":)";
    append_json_string(out, text);
    out += '}';
}

}  // namespace fairway::pdns
