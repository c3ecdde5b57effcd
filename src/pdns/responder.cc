// SPDX-License-Identifier: Apache-2.0
#include "pdns/responder.h"

#include <charconv>

#include "base/text.h"
#include "dns/authority.h"
#include "pdns/json_reader.h"

namespace fairway::pdns {
namespace {

void append_number(std::string& out, int64_t value) {
    char digits[24];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), value).ptr;
    out.append(digits, end);
}

/// One element of the array of lookup and list. `separator` is "" before the first.
void append_record(std::string& out, std::string_view owner, std::string_view type, std::string_view content,
                   uint32_t ttl, int32_t zone_id, uint8_t scope, bool authoritative) {
    if (out.back() != '[') out += ',';
    out += R"({"qname":)";
    append_json_string(out, owner);
    out += R"(,"qtype":")";
    out += type;
    out += R"(","content":)";
    append_json_string(out, content);
    out += R"(,"ttl":)";
    append_number(out, ttl);
    out += R"(,"domain_id":)";
    append_number(out, zone_id);
    if (scope != 0) {
        out += R"(,"scopeMask":)";
        append_number(out, scope);
    }
    if (!authoritative) out += R"(,"auth":0)";
    out += '}';
}

void append_zone(std::string& out, const dns::ServedZone& zone) {
    out += R"({"id":)";
    append_number(out, zone.id);
    out += R"(,"zone":)";
    append_json_string(out, zone.apex.to_string());
    out += R"(,"kind":"native","serial":)";
    append_number(out, zone.serial);
    out += '}';
}

const dns::ServedZone* zone_named(const dns::Authority& authority, std::string_view text) {
    const auto name = dns::Name::parse(text);
    return name ? authority.zone_at(*name) : nullptr;
}

std::string_view why_read_only(Method method) {
    switch (method) {
        case Method::write_metadata:
            return "refused, metadata of zones follow from Fairway's configuration: change fairway.toml and "
                   "run `fairway reload`";
        case Method::write_keys:
            return "refused, keys of zones are kept by Fairway: see dnssec of [zone.NAME] in fairway.toml(5)";
        case Method::write_tsig:
            return "refused, TSIG keys are those of Fairway's configuration: change fairway.toml and run "
                   "`fairway reload`";
        default:
            return "refused, the content of zones is Fairway's: change fairway.toml or the zone's file and "
                   "run `fairway reload`, or steer with `fairway drain`, `down` and `up`";
    }
}

}  // namespace

Responder::Outcome Responder::respond(const dns::Serving& serving, const Call& call, std::string& out) {
    switch (call.method) {
        case Method::initialize:
            out += R"({"result":true})";
            return Outcome::answered;
        case Method::lookup:
            return lookup(serving, call, out);
        case Method::list:
            list(serving, call, out);
            return Outcome::answered;
        case Method::get_all_domains: {
            out += R"({"result":[)";
            for (const dns::ServedZone& zone : serving.authority->zones()) {
                if (out.back() != '[') out += ',';
                append_zone(out, zone);
            }
            out += "]}";
            return Outcome::answered;
        }
        case Method::get_domain_info: {
            const dns::ServedZone* zone = zone_named(*serving.authority, call.name);
            if (zone == nullptr) break;
            out += R"({"result":)";
            append_zone(out, *zone);
            out += '}';
            return Outcome::answered;
        }
        case Method::get_all_domain_metadata:
            out += R"({"result":{}})";
            return Outcome::answered;
        case Method::get_domain_metadata:
            out += R"({"result":[]})";
            return Outcome::answered;
        case Method::write_content:
        case Method::write_metadata:
        case Method::write_keys:
        case Method::write_tsig:
            append_refusal(out, call.method_name + ": " + std::string(why_read_only(call.method)));
            return Outcome::answered;
        default:
            break;
    }
    append_refusal(out);
    return Outcome::answered;
}

// What is found at the name, and what PowerDNS hears:
//
//     found                              type asked     reply
//     nothing of ours, or nothing        any            no records
//     records of that type, or ANY       any            these
//     an existing name without any       ANY            one record of type "": NODATA, not NXDOMAIN
//     a steered name: servfail, refuse   not SOA NS DS  result null: SERVFAIL (a backend cannot say REFUSED)
//     a steered name, round not done     not SOA NS DS  unable
//     either of these at the apex, for   ANY            the static records: this is how PowerDNS finds the
//     nobody in particular                              zone itself, and without it every name would fail
//
// SOA, NS and DS are never steered and the same for everybody.
Responder::Outcome Responder::lookup(const dns::Serving& serving, const Call& call, std::string& out) {
    const size_t begin = out.size();
    out += R"({"result":[)";
    if (const auto owner = dns::Name::parse(call.name)) {
        const CallClient client = client_of(call);
        dns::records_at(serving, *owner, client.client, found_);
        const bool finds_zone = !client.scoped && found_.zone != nullptr && found_.zone->apex == *owner;
        const bool is_static = call.qtype == "SOA" || call.qtype == "NS" || call.qtype == "DS";
        if (found_.service.valid() && !finds_zone && !is_static) {
            const SelectionKind kind = found_.selection.kind;
            if (found_.status == dns::OwnerStatus::not_ready) {
                out.resize(begin);
                return Outcome::unable;
            }
            if (kind == SelectionKind::servfail || kind == SelectionKind::refuse) {
                out.resize(begin);
                append_trouble(out);
                return Outcome::answered;
            }
        }
        append_found(serving, call, *owner, client, out);
    }
    out += "]}";
    return Outcome::answered;
}

void Responder::append_found(const dns::Serving& serving, const Call& call, const dns::Name& owner,
                             const CallClient& client, std::string& out) const {
    if (found_.zone == nullptr) return;
    const bool any = call.qtype == "ANY";
    if (call.zone_id >= 0 && call.zone_id != found_.zone->id)
        return append_of_parent(serving, call, owner, out);
    for (const dns::Record& record : found_.records) {
        const std::string type = dns::to_string(record.type);
        if (!any && type != call.qtype) continue;
        append_record(out, call.name, type, record.content, record.ttl, found_.zone->id,
                      client.scoped ? record.scope : uint8_t{0}, record.authoritative);
    }
    if (any && found_.records.empty() && found_.status != dns::OwnerStatus::nonexistent)
        append_record(out, call.name, "", "", found_.zone->negative_ttl, found_.zone->id, 0, true);
}

// The zone that was asked for is not the deepest one: it may hold the delegation to that one.
void Responder::append_of_parent(const dns::Serving& serving, const Call& call, const dns::Name& owner,
                                 std::string& out) const {
    const dns::ZoneTable& table = serving.authority->table();
    const uint32_t index = table.find(owner.lowered().wire());
    if (index == dns::no_index) return;
    const dns::Node& node = table.node(index);
    if (node.parent_zone == dns::no_index) return;
    const dns::ServedZone& parent = serving.authority->zones()[node.parent_zone];
    if (parent.id != call.zone_id) return;
    for (const dns::StaticSet& set : table.parent_sets(node)) {
        const std::string type = dns::to_string(set.type);
        if (call.qtype != "ANY" && type != call.qtype) continue;
        for (const dns::StaticRecord& record : table.records(set))
            append_record(out, call.name, type, table.text(record), set.ttl, parent.id, 0,
                          set.type == dns::RecordType::ds);
    }
}

void Responder::list(const dns::Serving& serving, const Call& call, std::string& out) const {
    const dns::ServedZone* zone = zone_named(*serving.authority, call.name);
    if (zone == nullptr) return append_refusal(out);
    out += R"({"result":[)";
    for (const dns::Record& record : dns::records_of(serving, *zone)) {
        append_record(out, record.owner.to_string(), dns::to_string(record.type), record.content, record.ttl,
                      zone->id, 0, record.authoritative);
    }
    out += "]}";
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
