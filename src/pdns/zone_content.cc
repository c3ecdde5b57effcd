// SPDX-License-Identifier: Apache-2.0
#include "pdns/zone_content.h"

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "dns/answer_records.h"
#include "pdns/reply.h"

namespace fairway::pdns {
namespace {

using dns::no_index;

/// Calls `use` with each record of a zone until it returns false.
template <class Use>
void each_record(const dns::Serving& serving, const dns::ServedZone& zone, Use use) {
    std::vector<dns::Record> of_owner;
    for (dns::ZoneRecords walk(serving, zone); walk.next(of_owner);)
        for (const dns::Record& record : of_owner)
            if (!use(record)) return;
}

void append(std::string& out, const dns::Record& record, std::string_view owner,
            const dns::ServedZone& zone) {
    append_record(out, {.owner = owner,
                        .type = dns::to_string(record.type),
                        .content = record.content,
                        .ttl = record.ttl,
                        .zone_id = zone.id,
                        .authoritative = record.authoritative});
}

dns::Name name_of(const dns::ZoneTable& table, uint32_t node) {
    Reader reader(table.name(table.node(node)));
    return dns::Name::read_uncompressed(reader);
}

bool is_in_chain(const dns::ZoneTable& table, uint32_t index) {
    const dns::Node& node = table.node(index);
    if (node.cut != no_index) return node.cut == index;
    return node.set_count != 0 || node.service.valid();
}

/// Without the apex's labels: "www." becomes "www", the apex itself "".
std::string relative(const dns::Name& name, const dns::Name& apex) {
    if (name == apex) return {};
    std::string text = name.to_string();
    const std::string end = "." + apex.to_string();
    if (!apex.is_root() && text.size() > end.size()) text.resize(text.size() - end.size());
    if (!text.empty() && text.back() == '.') text.pop_back();
    return text;
}

}  // namespace

void append_content(std::string& out, const dns::Serving& serving, const dns::ServedZone& zone) {
    const auto is_soa = [](const dns::Record& record) { return record.type == dns::RecordType::soa; };
    append(out, dns::soa_of(serving, zone), zone.apex.to_string(), zone);
    each_record(serving, zone, [&](const dns::Record& record) {
        if (!is_soa(record)) append(out, record, record.owner.to_string(), zone);
        return true;
    });
}

void append_content_at(std::string& out, const dns::Serving& serving, const dns::ServedZone& zone,
                       std::string_view name, std::string_view type) {
    const auto owner = dns::Name::parse(name);
    if (!owner || !owner->is_within(zone.apex)) return;
    each_record(serving, zone, [&](const dns::Record& record) {
        if (record.owner == *owner && (type == "ANY" || type == dns::to_string(record.type)))
            append(out, record, name, zone);
        return true;
    });
}

void append_found_content(std::string& out, const dns::Serving& serving, std::string_view pattern,
                          size_t most) {
    const std::string wanted = ascii_lower(pattern);
    size_t found = 0;
    for (const dns::ServedZone& zone : serving.authority->zones()) {
        if (found == most) return;
        each_record(serving, zone, [&](const dns::Record& record) {
            const std::string owner = record.owner.to_string();
            const std::string lowered = ascii_lower(owner);
            const bool matches =
                glob_match(wanted, lowered) ||
                glob_match(wanted, std::string_view(lowered).substr(0, lowered.size() - 1)) ||
                glob_match(wanted, ascii_lower(record.content));
            if (!matches) return true;
            append(out, record, owner, zone);
            return ++found < most;
        });
    }
}

// Nodes are in canonical order, but the apexes of child zones that are served here too are not among them:
// to this zone they are delegations.
Neighbours neighbours_of(const dns::Authority& authority, const dns::ServedZone& zone,
                         std::string_view name) {
    const dns::ZoneTable& table = authority.table();
    dns::Name wanted = zone.apex;
    if (!name.empty() && name != ".") {
        std::string absolute(name);
        if (absolute.back() != '.') absolute += '.';
        if (!zone.apex.is_root()) absolute += zone.apex.to_string();
        if (auto parsed = dns::Name::parse(absolute)) wanted = *parsed;
    }
    const auto zone_index = static_cast<uint32_t>(&zone - authority.zones().data());
    // The last node that is not behind the wanted name; the apex never is.
    uint32_t low = zone.first_node;
    uint32_t high = zone.last_node;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        (name_of(table, middle) <= wanted ? low : high) = middle;
    }
    while (low != zone.first_node && !is_in_chain(table, low)) --low;
    while (high != zone.last_node && !is_in_chain(table, high)) ++high;
    dns::Name before = name_of(table, low);
    bool wraps = high == zone.last_node;
    dns::Name after = wraps ? zone.apex : name_of(table, high);
    for (const dns::ServedZone& child : authority.zones()) {
        const dns::Node& apex = table.node(child.first_node);
        if (apex.parent_zone != zone_index || apex.parent_set_count == 0) continue;
        if (child.apex <= wanted) {
            if (before < child.apex) before = child.apex;
        } else if (wraps || child.apex < after) {
            after = child.apex;
            wraps = false;
        }
    }
    return {relative(before, zone.apex), relative(after, zone.apex)};
}

}  // namespace fairway::pdns
