// SPDX-License-Identifier: Apache-2.0
#include "pdns/responder.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "dns/authority.h"
#include "pdns/json_reader.h"
#include "pdns/reply.h"
#include "pdns/zone_content.h"
#include "pdns/zone_facts.h"

namespace fairway::pdns {
namespace {

/// As many as PowerDNS' own API shows, and more than anyone reads.
constexpr int64_t most_found = 1000;

const dns::ServedZone* zone_named(const dns::Authority& authority, std::string_view text) {
    const auto name = dns::Name::parse(text);
    return name ? authority.zone_at(*name) : nullptr;
}

/// Null for an id that is none of ours, -1 included.
const dns::ServedZone* zone_with(const dns::Authority& authority, int64_t id) {
    return id > 0 && id <= INT32_MAX ? authority.zone_by_id(static_cast<int32_t>(id)) : nullptr;
}

std::optional<dns::RecordType> type_of_delegation(std::string_view type) {
    if (type == "NS") return dns::RecordType::ns;
    if (type == "DS") return dns::RecordType::ds;
    return std::nullopt;
}

constexpr std::string_view why_secret =
    "keys are told over socket files only, unless [pdns] has secrets_over_tcp = true";

void append_texts(std::string& out, const std::vector<std::string>& texts) {
    out += '[';
    for (const std::string& text : texts) {
        if (out.back() != '[') out += ',';
        append_json_string(out, text);
    }
    out += ']';
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

Responder::Outcome Responder::respond(const dns::Serving& serving, const Call& call, std::string& out,
                                      Audience audience) {
    const dns::Authority& authority = *serving.authority;
    const auto zone_of_call = [&] { return zone_named(authority, call.name); };
    switch (call.method) {
        case Method::initialize:
            out += R"({"result":true})";
            return Outcome::answered;
        case Method::lookup:
            return lookup(serving, call, out);
        case Method::api_lookup: {
            const auto owner = dns::Name::parse(call.name);
            const dns::ServedZone* zone = nullptr;
            if (owner) zone = authority.find_zone(*owner);
            if (const dns::ServedZone* asked = zone_with(authority, call.zone_id)) zone = asked;
            out += R"({"result":[)";
            if (zone != nullptr) append_content_at(out, serving, *zone, call.name, call.qtype);
            out += "]}";
            return Outcome::answered;
        }
        case Method::list: {
            const dns::ServedZone* zone = zone_of_call();
            if (zone == nullptr) break;
            out += R"({"result":[)";
            append_content(out, serving, *zone);
            out += "]}";
            return Outcome::answered;
        }
        case Method::search_records:
            out += R"({"result":[)";
            append_found_content(out, serving, call.text,
                                 static_cast<size_t>(std::clamp<int64_t>(call.max_results, 0, most_found)));
            out += "]}";
            return Outcome::answered;
        case Method::get_all_domains:
            append_zones(serving, out);
            return Outcome::answered;
        case Method::get_domain_info: {
            const dns::ServedZone* zone = zone_of_call();
            if (zone == nullptr) break;
            out += R"({"result":)";
            append_zone(
                out,
                {.zone = zone, .serial = dns::serial_of(serving, *zone), .notified_serial = notified(*zone)});
            out += '}';
            return Outcome::answered;
        }
        case Method::get_updated_masters:
            append_changed_zones(serving, out);
            return Outcome::answered;
        case Method::set_notified: {
            const dns::ServedZone* zone = zone_with(authority, call.id);
            if (zone == nullptr) break;
            notified_[zone->id] = static_cast<uint32_t>(call.serial);
            out += R"({"result":true})";
            return Outcome::answered;
        }
        case Method::get_before_and_after_names: {
            const dns::ServedZone* zone = zone_with(authority, call.id);
            if (zone == nullptr) break;
            const Neighbours found = neighbours_of(authority, *zone, call.name);
            out += R"({"result":{"unhashed":)";
            append_json_string(out, found.before);
            out += R"(,"before":)";
            append_json_string(out, found.before);
            out += R"(,"after":)";
            append_json_string(out, found.after);
            out += "}}";
            return Outcome::answered;
        }
        case Method::get_all_domain_metadata: {
            const dns::ServedZone* zone = zone_of_call();
            out += R"({"result":{)";
            if (zone != nullptr) {
                for (const auto& [kind, values] : metadata_of(serving, *zone)) {
                    if (out.back() != '{') out += ',';
                    append_json_string(out, kind);
                    out += ':';
                    append_texts(out, values);
                }
            }
            out += "}}";
            return Outcome::answered;
        }
        case Method::get_domain_metadata: {
            const dns::ServedZone* zone = zone_of_call();
            std::vector<std::string> found;
            if (zone != nullptr)
                for (auto& [kind, values] : metadata_of(serving, *zone))
                    if (kind == call.kind) found = std::move(values);
            out += R"({"result":)";
            append_texts(out, found);
            out += '}';
            return Outcome::answered;
        }
        case Method::get_domain_keys: {
            const dns::ServedZone* zone = zone_of_call();
            if (zone == nullptr) break;
            if (audience == Audience::anybody && is_signed(serving, *zone)) {
                append_refusal(out, call.method_name + ": " + call.name + " " + std::string(why_secret));
                return Outcome::answered;
            }
            out += R"({"result":[)";
            append_keys(out, serving, *zone);
            out += "]}";
            return Outcome::answered;
        }
        case Method::write_content:
        case Method::write_metadata:
        case Method::write_keys:
        case Method::write_tsig:
            append_refusal(out, call.method_name + ": " + std::string(why_read_only(call.method)));
            return Outcome::answered;
        case Method::get_tsig_key: {
            if (audience == Audience::anybody) {
                append_refusal(out, call.method_name + ": TSIG " + std::string(why_secret));
                return Outcome::answered;
            }
            const size_t begin = out.size();
            out += R"({"result":)";
            if (append_tsig_key(out, serving, call.name)) {
                out += '}';
                return Outcome::answered;
            }
            out.resize(begin);
            break;
        }
        case Method::get_tsig_keys:
            if (audience == Audience::anybody) {
                append_refusal(out, call.method_name + ": TSIG " + std::string(why_secret));
                return Outcome::answered;
            }
            out += R"({"result":[)";
            append_tsig_keys(out, serving);
            out += "]}";
            return Outcome::answered;
        case Method::direct_backend_cmd:
        case Method::secondary:
        case Method::unknown:
            break;
    }
    append_refusal(out);
    return Outcome::answered;
}

uint32_t Responder::notified(const dns::ServedZone& zone) const {
    const auto known = notified_.find(zone.id);
    return known == notified_.end() ? 0 : known->second;
}

void Responder::append_zones(const dns::Serving& serving, std::string& out) const {
    out += R"({"result":[)";
    for (const dns::ServedZone& zone : serving.authority->zones()) {
        if (out.back() != '[') out += ',';
        append_zone(
            out, {.zone = &zone, .serial = dns::serial_of(serving, zone), .notified_serial = notified(zone)});
    }
    out += "]}";
}

// Only a PowerDNS with primary=yes asks, and it sends NOTIFY for these.
void Responder::append_changed_zones(const dns::Serving& serving, std::string& out) const {
    out += R"({"result":[)";
    for (const dns::ServedZone& zone : serving.authority->zones()) {
        const uint32_t serial = dns::serial_of(serving, zone);
        if (notified(zone) == serial) continue;
        if (out.back() != '[') out += ',';
        append_zone(out,
                    {.zone = &zone, .kind = "master", .serial = serial, .notified_serial = notified(zone)});
    }
    out += "]}";
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
// SOA, NS and DS are never steered and the same for everybody. PowerDNS asks for NS at each name on the way,
// so these come straight from the table.
Responder::Outcome Responder::lookup(const dns::Serving& serving, const Call& call, std::string& out) {
    const size_t begin = out.size();
    out += R"({"result":[)";
    const auto owner = dns::Name::parse(call.name);
    const std::optional<dns::RecordType> delegation = type_of_delegation(call.qtype);
    if (owner && delegation) {
        append_delegation(*serving.authority, call, *owner, *delegation, out);
    } else if (owner) {
        const CallClient client = client_of(call);
        dns::records_at(serving, *owner, client.client, found_);
        const bool finds_zone = !client.scoped && found_.zone != nullptr && found_.zone->apex == *owner;
        if (found_.service.valid() && !finds_zone && call.qtype != "SOA") {
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

void Responder::append_delegation(const dns::Authority& authority, const Call& call, const dns::Name& owner,
                                  dns::RecordType type, std::string& out) {
    const dns::ZoneTable& table = authority.table();
    const uint32_t index = table.find(owner.lowered().wire());
    if (index == dns::no_index) return;
    const dns::Node& node = table.node(index);
    const dns::ServedZone& zone = authority.zones()[node.zone];
    if (call.zone_id >= 0 && call.zone_id != zone.id) return append_of_parent(authority, call, owner, out);
    const dns::StaticSet* set = table.find_set(node, type);
    if (set == nullptr) return;
    for (const dns::StaticRecord& record : table.records(*set))
        append_record(out, {.owner = call.name,
                            .type = call.qtype,
                            .content = table.text(record),
                            .ttl = set->ttl,
                            .zone_id = zone.id,
                            .authoritative = node.cut == dns::no_index || type == dns::RecordType::ds});
}

void Responder::append_found(const dns::Serving& serving, const Call& call, const dns::Name& owner,
                             const CallClient& client, std::string& out) const {
    if (found_.zone == nullptr) return;
    const bool any = call.qtype == "ANY";
    if (call.zone_id >= 0 && call.zone_id != found_.zone->id)
        return append_of_parent(*serving.authority, call, owner, out);
    for (const dns::Record& record : found_.records) {
        const std::string type = dns::to_string(record.type);
        if (!any && type != call.qtype) continue;
        append_record(out, {.owner = call.name,
                            .type = type,
                            .content = record.content,
                            .ttl = record.ttl,
                            .zone_id = found_.zone->id,
                            .scope = client.scoped ? record.scope : uint8_t{0},
                            .authoritative = record.authoritative || record.type == dns::RecordType::ds});
    }
    if (any && found_.records.empty() && found_.status != dns::OwnerStatus::nonexistent)
        append_record(out,
                      {.owner = call.name, .ttl = found_.zone->negative_ttl, .zone_id = found_.zone->id});
}

// The zone that was asked for is not the deepest one: it may hold the delegation to that one.
void Responder::append_of_parent(const dns::Authority& authority, const Call& call, const dns::Name& owner,
                                 std::string& out) {
    const dns::ZoneTable& table = authority.table();
    const uint32_t index = table.find(owner.lowered().wire());
    if (index == dns::no_index) return;
    const dns::Node& node = table.node(index);
    if (node.parent_zone == dns::no_index) return;
    const dns::ServedZone& parent = authority.zones()[node.parent_zone];
    if (parent.id != call.zone_id) return;
    for (const dns::StaticSet& set : table.parent_sets(node)) {
        const std::string type = dns::to_string(set.type);
        if (call.qtype != "ANY" && type != call.qtype) continue;
        for (const dns::StaticRecord& record : table.records(set))
            append_record(out, {.owner = call.name,
                                .type = type,
                                .content = table.text(record),
                                .ttl = set.ttl,
                                .zone_id = parent.id,
                                .authoritative = set.type == dns::RecordType::ds});
    }
}

}  // namespace fairway::pdns
