// SPDX-License-Identifier: Apache-2.0
#include "dns/answer_records.h"

#include <algorithm>

#include "dns/zone_file.h"
#include "health/snapshot.h"
#include "steering/steering.h"

namespace fairway::dns {
namespace {

Name name_of(ByteSpan wire) {
    Reader reader(wire);
    return Name::read_uncompressed(reader);
}

uint32_t ttl_of(const Selection& selection) {
    return static_cast<uint32_t>(std::max<int64_t>(selection.ttl.count(), 0));
}

void append_sets(const ZoneTable& table, std::span<const StaticSet> sets, const Name& owner,
                 bool authoritative, std::vector<Record>& out) {
    for (const StaticSet& set : sets)
        for (const StaticRecord& record : table.records(set)) {
            const ByteSpan data = table.data(record);
            out.push_back({owner,
                           set.type,
                           set.ttl,
                           {data.begin(), data.end()},
                           std::string(table.text(record)),
                           0,
                           authoritative,
                           false});
        }
}

Record address_record(const Name& owner, const IpAddress& address, uint32_t ttl, uint8_t scope) {
    return {owner,
            address.is_v4() ? RecordType::a : RecordType::aaaa,
            ttl,
            {address.bytes().begin(), address.bytes().end()},
            address.to_string(),
            scope,
            true,
            true};
}

Record alias_record(const Name& owner, ByteSpan target, uint32_t ttl, uint8_t scope) {
    return {owner,
            RecordType::cname,
            ttl,
            {target.begin(), target.end()},
            name_of(target).to_string(),
            scope,
            true,
            true};
}

// What the service makes beside addresses.
void append_made(const Serving& serving, const Name& owner, ServiceId service, const Selection& selection,
                 std::vector<Record>& out) {
    const SteeredRecords& records = serving.authority->steered_records();
    SteeredRecords::Made made;
    records.for_each_type(service, [&](RecordType type) {
        records.make(service, type, selection.endpoints, *serving.health, made);
        for (const ByteSpan data : made.records)
            out.push_back({owner,
                           type,
                           ttl_of(selection),
                           {data.begin(), data.end()},
                           presentation_of(type, data),
                           selection.scope,
                           true,
                           true});
    });
}

// What Answerer would give at the name of `service`: for A, AAAA and what is made beside them, or for CNAME.
void append_selection(const Serving& serving, const Name& owner, ServiceId service,
                      const Selection& selection, std::vector<Record>& out) {
    const Authority& authority = *serving.authority;
    const uint32_t ttl = ttl_of(selection);
    if (selection.kind == SelectionKind::name) {
        const ByteSpan target = authority.steered(selection.service).fallback;
        if (!target.empty()) out.push_back(alias_record(owner, target, ttl, selection.scope));
        return;
    }
    if (selection.kind != SelectionKind::endpoints) return;
    const bool is_alias = authority.model()[selection.service].answer == AnswerKind::cname;
    for (const EndpointId id : selection.endpoints) {
        if (is_alias) {
            const ByteSpan host = authority.host_of(id);
            if (host.empty()) continue;
            out.push_back(alias_record(owner, host, ttl, selection.scope));
            return;  // one owner has one CNAME
        }
        const auto& address = (*serving.health)[id].address;
        if (address) out.push_back(address_record(owner, *address, ttl, selection.scope));
    }
    if (!is_alias) append_made(serving, owner, service, selection, out);
}

// As if all were healthy and every client got everything.
void append_members(const Serving& serving, const Name& owner, ServiceId id, std::vector<Record>& out) {
    const Model& model = serving.authority->model();
    const Service& service = model[id];
    Selection all;
    all.service = id;
    all.ttl = service.ttl_max;
    for (const GatewayId gateway : service.gateways)
        for (const EndpointId endpoint : model[gateway].endpoints)
            if (all.endpoints.size() < Selection::max_endpoints) all.endpoints.push_back(endpoint);
    append_selection(serving, owner, id, all, out);
}

bool is_empty(const Node& node) {
    return node.set_count == 0 && !node.service.valid() && !node.debug_of.valid();
}

}  // namespace

void records_at(const Serving& serving, const Name& owner, const Client& client, OwnerRecords& out,
                Trace* trace) {
    const Authority& authority = *serving.authority;
    const ZoneTable& table = authority.table();
    out.status = OwnerStatus::not_ours;
    out.zone = nullptr;
    out.records.clear();
    out.delegated = false;
    out.service = ServiceId();

    const Name lowered = owner.lowered();
    bool exact = false;
    const uint32_t found = table.find_encloser(lowered.wire(), lowered.labels(), exact);
    if (found == no_index) return;
    const Node& node = table.node(found);
    out.zone = &authority.zones()[node.zone];
    out.delegated = node.cut != no_index;
    if (!exact) {
        out.status = OwnerStatus::nonexistent;
        return;
    }
    if (node.debug_of.valid()) {
        // States are told only to whom our own server can tell by its address; here they do not exist.
        out.status = OwnerStatus::empty_non_terminal;
        return;
    }
    out.status = is_empty(node) ? OwnerStatus::empty_non_terminal : OwnerStatus::exists;
    append_sets(table, table.sets(node), owner, !out.delegated, out.records);
    if (!node.service.valid()) return;
    out.service = node.service;
    if (!serving.health->first_round_done) {
        out.status = OwnerStatus::not_ready;
        return;
    }
    serving.steering->select(node.service, *serving.health, client, out.selection, trace);
    append_selection(serving, owner, node.service, out.selection, out.records);
}

std::vector<Record> records_of(const Serving& serving, const ServedZone& zone) {
    const Authority& authority = *serving.authority;
    const ZoneTable& table = authority.table();
    std::vector<Record> all;
    const auto is_cut = [&](uint32_t index) { return table.node(index).cut == index; };
    for (uint32_t index = zone.first_node; index < zone.last_node; ++index) {
        const Node& node = table.node(index);
        const Name owner = name_of(table.name(node));
        const size_t first = all.size();
        append_sets(table, table.sets(node), owner, node.cut == no_index, all);
        if (is_cut(index))
            for (size_t i = first; i < all.size(); ++i)
                if (all[i].type == RecordType::ds) all[i].authoritative = true;
        if (node.service.valid()) append_members(serving, owner, node.service, all);
    }
    // What this zone holds about children that are served here too.
    const auto zone_index = static_cast<uint32_t>(&zone - authority.zones().data());
    for (const ServedZone& child : authority.zones()) {
        const Node& apex = table.node(child.first_node);
        if (apex.parent_zone != zone_index) continue;
        append_sets(table, table.parent_sets(apex), child.apex, false, all);
    }
    std::stable_partition(all.begin(), all.end(),
                          [](const Record& record) { return record.type == RecordType::soa; });
    return all;
}

std::vector<Name> empty_non_terminals(const Authority& authority, const ServedZone& zone) {
    const ZoneTable& table = authority.table();
    std::vector<Name> names;
    for (uint32_t index = zone.first_node; index < zone.last_node; ++index)
        if (is_empty(table.node(index)) && table.node(index).cut == no_index)
            names.push_back(name_of(table.name(table.node(index))));
    return names;
}

}  // namespace fairway::dns
