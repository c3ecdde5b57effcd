// SPDX-License-Identifier: Apache-2.0
#include "dns/answer_records.h"

#include <algorithm>
#include <iterator>

#include "dns/zone_file.h"
#include "dns/zone_overlay.h"
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

// What the overlay says about the records of the table.
void apply_serial(const Serving& serving, const ServedZone& zone, std::vector<Record>& records) {
    if (serving.overlay == nullptr) return;
    const size_t index = index_of(*serving.authority, zone);
    for (Record& record : records) {
        if (record.type != RecordType::soa) continue;
        const ByteSpan data = serving.overlay->soa_data(index);
        record.data.assign(data.begin(), data.end());
        record.content = serving.overlay->soa_text(index);
    }
}

// "\"text\"", with what is not plain as \DDD.
std::string quoted(ByteSpan text) {
    std::string out = "\"";
    for (const uint8_t octet : text) {
        if (octet == '"' || octet == '\\') out += '\\';
        if (octet < 0x20 || octet > 0x7e) {
            out += '\\';
            for (const int unit : {100, 10, 1}) out += static_cast<char>('0' + octet / unit % 10);
        } else {
            out += static_cast<char>(octet);
        }
    }
    return out + "\"";
}

// Beside those that are in `out` already.
void append_challenge(const ZoneOverlay::Entry& entry, const Name& owner, std::vector<Record>& out) {
    const auto same = [](const Record& record) { return record.type == RecordType::txt; };
    if (entry.texts.empty()) return;
    uint32_t ttl = ZoneOverlay::challenge_ttl;
    for (const Record& record : out)
        if (same(record)) ttl = std::min(ttl, record.ttl);
    for (const std::vector<uint8_t>& text : entry.texts) {
        const bool known = std::any_of(out.begin(), out.end(), [&](const Record& record) {
            return same(record) && record.data == text;
        });
        if (!known)
            out.push_back(
                {owner, RecordType::txt, ttl, text, quoted(ByteSpan(text).subspan(1)), 0, true, false});
    }
    // RFC 2181 section 5.2.
    for (Record& record : out)
        if (same(record)) record.ttl = ttl;
}

const ZoneOverlay::Entry* challenge_at(const Serving& serving, ByteSpan lowered) {
    return serving.overlay == nullptr ? nullptr : serving.overlay->find(lowered);
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
    const ZoneOverlay::Entry* challenge = out.delegated ? nullptr : challenge_at(serving, lowered.wire());
    if (!exact) {
        out.status = OwnerStatus::nonexistent;
        if (challenge == nullptr) return;
        out.status = challenge->texts.empty() ? OwnerStatus::empty_non_terminal : OwnerStatus::exists;
        append_challenge(*challenge, owner, out.records);
        return;
    }
    if (node.debug_of.valid()) {
        // States are told only to whom our own server can tell by its address; here they do not exist.
        out.status = OwnerStatus::empty_non_terminal;
        return;
    }
    out.status = is_empty(node) ? OwnerStatus::empty_non_terminal : OwnerStatus::exists;
    append_sets(table, table.sets(node), owner, !out.delegated, out.records);
    apply_serial(serving, *out.zone, out.records);
    if (challenge != nullptr && !challenge->texts.empty() &&
        table.find_set(node, RecordType::cname) == nullptr) {
        append_challenge(*challenge, owner, out.records);
        out.status = OwnerStatus::exists;
    }
    if (!node.service.valid()) return;
    out.service = node.service;
    if (!serving.health->first_round_done) {
        out.status = OwnerStatus::not_ready;
        return;
    }
    serving.steering->select(node.service, *serving.health, client, out.selection, trace);
    append_selection(serving, owner, node.service, out.selection, out.records);
}

uint32_t serial_of(const Serving& serving, const ServedZone& zone) {
    return serving.overlay == nullptr ? zone.serial
                                      : serving.overlay->serial(index_of(*serving.authority, zone));
}

Record soa_of(const Serving& serving, const ServedZone& zone) {
    const ZoneTable& table = serving.authority->table();
    std::vector<Record> records;
    const StaticSet& set = table.set(zone.soa_set);
    append_sets(table, {&set, 1}, zone.apex, true, records);
    apply_serial(serving, zone, records);
    return std::move(records.front());
}

ZoneRecords::ZoneRecords(const Serving& serving, const ServedZone& zone) noexcept
    : serving_(serving), zone_(zone), node_(zone.first_node) {}

bool ZoneRecords::next(std::vector<Record>& out) {
    const Authority& authority = *serving_.authority;
    const ZoneTable& table = authority.table();
    out.clear();
    if (node_ < zone_.last_node) {
        const Node& node = table.node(node_);
        const Name owner = name_of(table.name(node));
        append_sets(table, table.sets(node), owner, node.cut == no_index, out);
        apply_serial(serving_, zone_, out);
        const ZoneOverlay::Entry* challenge =
            node.cut == no_index ? challenge_at(serving_, table.name(node)) : nullptr;
        if (challenge != nullptr && table.find_set(node, RecordType::cname) == nullptr)
            append_challenge(*challenge, owner, out);
        const bool is_cut = node.cut == node_;
        for (Record& record : out)
            if (is_cut && record.type == RecordType::ds) record.authoritative = true;
        if (node.service.valid()) append_members(serving_, owner, node.service, out);
        ++node_;
        return true;
    }
    // What this zone holds about children that are served here too: the delegation, and the addresses of
    // name servers inside, which the table has in the child's own zone.
    const auto zone_index = static_cast<uint32_t>(&zone_ - authority.zones().data());
    for (; child_ < authority.zones().size(); ++child_) {
        const ServedZone& child = authority.zones()[child_];
        const Node& apex = table.node(child.first_node);
        if (apex.parent_zone != zone_index) continue;
        append_sets(table, table.parent_sets(apex), child.apex, false, out);
        for (const StaticSet& set : table.parent_sets(apex)) {
            for (const StaticRecord& record : table.records(set)) {
                if (record.target == no_index) continue;
                const Node& host = table.node(record.target);
                const bool outside =
                    host.zone == zone_index || !name_of(table.name(host)).is_within(zone_.apex);
                if (outside || std::find(glue_.begin(), glue_.end(), record.target) != glue_.end()) continue;
                glue_.push_back(record.target);
                for (const StaticSet& addresses : table.sets(host))
                    if (addresses.type == RecordType::a || addresses.type == RecordType::aaaa)
                        append_sets(table, {&addresses, 1}, name_of(table.name(host)), false, out);
            }
        }
        ++child_;
        return true;
    }
    if (challenges_done_ || serving_.overlay == nullptr) return false;
    challenges_done_ = true;
    // Those at names that the table does not have.
    for (const auto& [key, entry] : serving_.overlay->entries()) {
        if (entry.zone != zone_index || entry.texts.empty()) continue;
        const Name owner = name_of(as_bytes(key));
        bool exact = false;
        const uint32_t found = table.find_encloser(owner.wire(), owner.labels(), exact);
        if (exact || found == no_index || table.node(found).cut != no_index) continue;
        std::vector<Record> of_owner;
        append_challenge(entry, owner, of_owner);
        out.insert(out.end(), of_owner.begin(), of_owner.end());
    }
    return true;
}

std::vector<Record> records_of(const Serving& serving, const ServedZone& zone) {
    std::vector<Record> all;
    std::vector<Record> of_owner;
    ZoneRecords walk(serving, zone);
    while (walk.next(of_owner))
        all.insert(all.end(), std::make_move_iterator(of_owner.begin()),
                   std::make_move_iterator(of_owner.end()));
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
