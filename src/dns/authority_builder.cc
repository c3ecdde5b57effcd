// SPDX-License-Identifier: Apache-2.0
#include "dns/authority_builder.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <tuple>

#include "base/random.h"

namespace fairway::dns {
namespace {

std::string key_of(const Name& name) {
    return std::string(as_text(name.lowered().wire()));
}

bool is_address(RecordType type) {
    return type == RecordType::a || type == RecordType::aaaa;
}

// Where the target's name starts in the data of types that name a host; nothing for others.
std::optional<size_t> target_offset(RecordType type) {
    switch (type) {
        case RecordType::ns:
            return 0;
        case RecordType::mx:
            return 2;
        case RecordType::srv:
            return 6;
        default:
            return std::nullopt;
    }
}

Name name_in(ByteSpan data, size_t offset) {
    Reader reader(data);
    reader.skip(offset);
    return Name::read_uncompressed(reader);
}

FileRecord made_record(const Name& owner, RecordType type, uint32_t ttl, ByteSpan data, std::string text) {
    return {owner, type, ttl, {data.begin(), data.end()}, std::move(text), 0};
}

FileRecord address_record(const Name& owner, uint32_t ttl, const IpAddress& address) {
    return made_record(owner, address.is_v4() ? RecordType::a : RecordType::aaaa, ttl, address.bytes(),
                       address.to_string());
}

// "hostmaster@example.com" as the domain name that stands for it in a SOA (RFC 1035 section 8).
Result<Name> mailbox(const Zone& zone, const Name& apex) {
    if (zone.contact.empty()) return apex.child("hostmaster");
    const size_t at = zone.contact.find('@');
    if (at == std::string::npos) return Name::parse(zone.contact);
    auto domain = Name::parse(std::string_view(zone.contact).substr(at + 1));
    if (!domain) return domain;
    return domain->child(std::string_view(zone.contact).substr(0, at));
}

uint32_t seconds_of(seconds duration) {
    return static_cast<uint32_t>(std::clamp<int64_t>(duration.count(), 0, INT32_MAX));
}

}  // namespace

const AuthorityBuilder::DraftSet* AuthorityBuilder::DraftNode::find(RecordType type) const {
    const auto found =
        std::find_if(sets.begin(), sets.end(), [type](const DraftSet& set) { return set.type == type; });
    return found == sets.end() ? nullptr : &*found;
}

AuthorityBuilder::AuthorityBuilder(std::shared_ptr<const Model> model, uint32_t serial)
    : model_(std::move(model)), serial_(serial) {}

Authority::Built AuthorityBuilder::build(const std::vector<std::optional<std::string>>& file_texts) {
    add_apexes();
    for (size_t i = 0; i < zones_.size(); ++i)
        if (i < file_texts.size() && file_texts[i] && zones_[i].apex) add_file(i, *file_texts[i]);
    for (size_t i = 0; i < zones_.size(); ++i)
        if (zones_[i].apex) add_made_records(i);
    add_services();
    add_empty_non_terminals();
    find_cuts();
    check_zones();
    check_nodes();
    check_services();
    compile_records();

    Authority::Built built;
    const bool failed = std::any_of(diagnostics_.begin(), diagnostics_.end(),
                                    [](const ZoneDiagnostic& d) { return d.severity == Severity::error; });
    if (!failed) {
        const std::shared_ptr<Authority> authority(new Authority);
        authority->model_ = model_;
        flatten(*authority);
        authority->steered_records_ = std::move(steered_records_);
        built.authority = authority;
    }
    // As one reads the files; what is about the configuration comes first.
    std::stable_sort(diagnostics_.begin(), diagnostics_.end(),
                     [](const ZoneDiagnostic& a, const ZoneDiagnostic& b) {
                         return std::tie(a.file, a.line) < std::tie(b.file, b.line);
                     });
    built.diagnostics = std::move(diagnostics_);
    return built;
}

void AuthorityBuilder::report(Severity severity, size_t zone, uint32_t line, std::string message) {
    const Zone& of = model_->zones[zone];
    diagnostics_.push_back({severity, line > 0 ? of.file : std::string(), line,
                            line > 0 ? std::move(message) : "zone " + of.name + ": " + message});
}

void AuthorityBuilder::report_service(const Service& service, const std::string& message) {
    diagnostics_.push_back(
        {Severity::error, "", 0, "service " + service.key + " (" + service.name + "): " + message});
}

size_t AuthorityBuilder::node_at(const Name& name, size_t zone) {
    const auto [at, fresh] = node_of_.try_emplace(key_of(name), nodes_.size());
    if (fresh) {
        DraftNode node;
        node.name = name.lowered();
        node.zone = zone;
        nodes_.push_back(std::move(node));
    }
    return at->second;
}

const AuthorityBuilder::DraftNode* AuthorityBuilder::find_node(const Name& name) const {
    const auto found = node_of_.find(key_of(name));
    return found == node_of_.end() ? nullptr : &nodes_[found->second];
}

std::optional<size_t> AuthorityBuilder::zone_of(const Name& name) const {
    for (Name at = name;; at = at.parent()) {
        const auto found = apex_of_.find(key_of(at));
        if (found != apex_of_.end()) return found->second;
        if (at.is_root()) return std::nullopt;
    }
}

void AuthorityBuilder::add_apexes() {
    zones_.resize(model_->zones.size());
    for (size_t i = 0; i < zones_.size(); ++i) {
        const auto apex = Name::parse(model_->zones[i].name);
        if (!apex) {
            report(Severity::error, i, 0, apex.error().message);
        } else if (!apex_of_.try_emplace(key_of(*apex), i).second) {
            report(Severity::error, i, 0, "the zone is configured twice");
        } else {
            zones_[i].apex = apex->lowered();
            zones_[i].node = node_at(*apex, i);
        }
    }
    for (const DraftZone& zone : zones_)
        if (zone.apex && !zone.apex->is_root()) nodes_[zone.node].parent_zone = zone_of(zone.apex->parent());
}

void AuthorityBuilder::add_to(std::vector<DraftSet>& sets, size_t zone, const Name& owner,
                              FileRecord&& record) {
    auto set = std::find_if(sets.begin(), sets.end(),
                            [&record](const DraftSet& candidate) { return candidate.type == record.type; });
    if (set == sets.end()) {
        sets.push_back({record.type, record.ttl, {}});
        set = sets.end() - 1;
    }
    const std::string what = to_string(record.type) + " of " + owner.to_text();
    for (const DraftRecord& other : set->records)
        if (other.data == record.data) {
            report(Severity::warning, zone, record.line, "the " + what + " is here twice; once is enough");
            return;
        }
    if (set->ttl != record.ttl) {
        // RFC 2181 section 5.2: one TTL for all of them.
        set->ttl = std::min(set->ttl, record.ttl);
        report(Severity::warning, zone, record.line,
               "the " + what + " has records with different TTLs; all get " + std::to_string(set->ttl));
    }
    if (record.type == RecordType::soa || record.type == RecordType::cname)
        if (!set->records.empty())
            report(Severity::error, zone, record.line, "there must be only one " + what);
    set->records.push_back({std::move(record.data), std::move(record.text), record.line});
}

void AuthorityBuilder::add_file(size_t zone, std::string_view text) {
    const Name& apex = *zones_[zone].apex;
    ZoneFile file = parse_zone_file(text, apex, seconds_of(model_->zones[zone].ttl));
    for (ZoneFileError& error : file.errors)
        diagnostics_.push_back(
            {Severity::error, model_->zones[zone].file, error.line, std::move(error.message)});
    for (FileRecord& record : file.records) {
        const Name owner = record.owner.lowered();
        const std::string what = to_string(record.type) + " of " + owner.to_text();
        if (!owner.is_within(apex)) {
            report(Severity::error, zone, record.line,
                   "the " + what + " is outside of the zone " + apex.to_text());
            continue;
        }
        switch (record.type) {
            case RecordType::dname:
                report(Severity::error, zone, record.line,
                       "DNAME (of " + owner.to_text() + ") is not supported: write CNAME records instead");
                continue;
            case RecordType::rrsig:
            case RecordType::nsec:
            case RecordType::nsec3:
            case RecordType::nsec3param:
                report(Severity::error, zone, record.line,
                       "the " + what + " belongs to a signed zone: give the unsigned zone file");
                continue;
            case RecordType::dnskey:
            case RecordType::cds:
            case RecordType::cdnskey:
                if (!model_->zones[zone].dnssec.enabled) break;
                report(Severity::error, zone, record.line,
                       "the " + what + " comes from the zone's own keys (dnssec): leave it out of the file");
                continue;
            case RecordType::soa:
                if (owner != apex) {
                    report(Severity::error, zone, record.line,
                           "the " + what + " is not at the top of the zone");
                    continue;
                }
                break;
            default:
                break;
        }
        const size_t actual = *zone_of(owner);
        if (actual == zone) {
            add_to(nodes_[node_at(owner, zone)].sets, zone, owner, std::move(record));
            continue;
        }
        // The name is in a child zone that is served here too: the parent keeps what makes the delegation.
        DraftNode& child = nodes_[zones_[actual].node];
        if (owner == child.name && child.parent_zone == zone &&
            (record.type == RecordType::ns || record.type == RecordType::ds)) {
            add_to(child.parent_sets, zone, owner, std::move(record));
        } else if (!is_address(record.type)) {
            report(Severity::warning, zone, record.line,
                   "the " + what + " is hidden by the zone " + model_->zones[actual].name);
        }
    }
}

void AuthorityBuilder::add_made_records(size_t zone) {
    const Zone& config = model_->zones[zone];
    const Name& apex = *zones_[zone].apex;
    const size_t apex_node = zones_[zone].node;
    const uint32_t ttl = seconds_of(config.ttl);

    if (nodes_[apex_node].find(RecordType::ns) == nullptr) {
        for (const NameServer& server : config.ns) {
            const auto name = Name::parse(server.name);
            if (!name) {
                report(Severity::error, zone, 0, "ns: " + name.error().message);
                continue;
            }
            add_to(nodes_[apex_node].sets, zone, apex,
                   made_record(apex, RecordType::ns, ttl, name->wire(), name->to_string()));
        }
    }
    for (const NameServer& server : config.ns) {
        const auto name = Name::parse(server.name);
        // Addresses of name servers outside of the zone are not ours to tell.
        if (!name || zone_of(*name) != zone) continue;
        // A file that knows addresses of the server knows better.
        const size_t node = node_at(*name, zone);
        const bool known = std::any_of(nodes_[node].sets.begin(), nodes_[node].sets.end(),
                                       [](const DraftSet& set) { return is_address(set.type); });
        if (known) continue;
        for (const IpAddress& address : server.addresses)
            add_to(nodes_[node].sets, zone, *name, address_record(*name, ttl, address));
    }

    const DraftSet* ns = nodes_[apex_node].find(RecordType::ns);
    if (nodes_[apex_node].find(RecordType::soa) != nullptr) return;
    const auto contact = mailbox(config, apex);
    if (!contact) {
        report(Severity::error, zone, 0, "contact: " + contact.error().message);
        return;
    }
    const Name primary = ns != nullptr ? name_in(ns->records.front().data, 0) : apex;
    const uint32_t minimum = seconds_of(config.negative_ttl);
    constexpr uint32_t refresh = 3600;
    constexpr uint32_t retry = 600;
    constexpr uint32_t expire = 1'209'600;
    std::array<uint8_t, 2 * Name::max_size + 20> data{};
    Writer writer(data);
    writer.bytes(primary.wire());
    writer.bytes(contact->wire());
    for (const uint32_t number : {serial_, refresh, retry, expire, minimum}) writer.u32(number);
    std::ostringstream text;
    text << primary.to_string() << ' ' << contact->to_string();
    for (const uint32_t number : {serial_, refresh, retry, expire, minimum}) text << ' ' << number;
    add_to(nodes_[apex_node].sets, zone, apex,
           made_record(apex, RecordType::soa, ttl, writer.written(), text.str()));
}

void AuthorityBuilder::add_services() {
    service_names_.resize(model_->services.size());
    for (const Service& service : model_->services) {
        const auto name = Name::parse(service.name);
        if (!name) {
            report_service(service, name.error().message);
            continue;
        }
        const auto zone = zone_of(*name);
        if (!zone) {
            report_service(service, "its name is in none of the zones");
            continue;
        }
        const size_t node = node_at(*name, *zone);
        if (nodes_[node].service.valid()) {
            report_service(service,
                           "the service " + (*model_)[nodes_[node].service].key + " already has this name");
            continue;
        }
        nodes_[node].service = service.id;
        service_names_[service.id.index()] = *name;
        if (service.txt_allow.empty() || name->is_wildcard()) continue;
        const auto debug_name = name->child("_fairway");
        if (!debug_name) {
            report_service(service, "txt_allow: " + debug_name.error().message);
            continue;
        }
        const auto debug_zone = zone_of(*debug_name);
        nodes_[node_at(*debug_name, *debug_zone)].debug_of = service.id;
    }
}

void AuthorityBuilder::add_empty_non_terminals() {
    // Nodes made on the way are walked too, and find their parents there.
    for (size_t i = 0; i < nodes_.size(); ++i) {
        const size_t zone = nodes_[i].zone;
        Name name = nodes_[i].name;
        while (name != *zones_[zone].apex) {
            name = name.parent();
            if (node_of_.contains(key_of(name))) break;
            node_at(name, zone);
        }
    }
}

void AuthorityBuilder::find_cuts() {
    for (DraftNode& node : nodes_) {
        const Name& apex = *zones_[node.zone].apex;
        // The highest delegation is the one that counts: what it hides may hold others.
        for (Name name = node.name; name != apex; name = name.parent()) {
            const size_t at = node_of_.at(key_of(name));
            if (nodes_[at].find(RecordType::ns) != nullptr) node.cut = at;
        }
    }
}

bool AuthorityBuilder::may_have(const Service& service, IpFamily family) const {
    std::set<ServiceId> seen;
    const Service* at = &service;
    while (seen.insert(at->id).second) {
        for (const GatewayId gateway : at->gateways)
            for (const EndpointId endpoint : (*model_)[gateway].endpoints) {
                const auto& address = (*model_)[endpoint].address;
                if (!address || address->family() == family) return true;
            }
        if (!at->fallback_service.valid()) return false;
        at = &(*model_)[at->fallback_service];
    }
    return false;
}

void AuthorityBuilder::flatten(Authority& authority) {
    // In canonical order within the zone; sorting pointers keeps the moves small.
    std::vector<size_t> order(nodes_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [this](size_t a, size_t b) {
        if (nodes_[a].zone != nodes_[b].zone) return nodes_[a].zone < nodes_[b].zone;
        return nodes_[a].name < nodes_[b].name;
    });
    std::vector<uint32_t> place(nodes_.size());
    for (size_t i = 0; i < order.size(); ++i) place[order[i]] = static_cast<uint32_t>(i);

    ZoneTable& table = authority.table_;
    for (const size_t from : order) {
        const DraftNode& draft = nodes_[from];
        Node node;
        node.hash = hash_wire(draft.name.wire());
        node.name = static_cast<uint32_t>(table.bytes_.size());
        node.name_size = static_cast<uint8_t>(draft.name.size());
        node.labels = static_cast<uint8_t>(draft.name.labels());
        table.bytes_.insert(table.bytes_.end(), draft.name.wire().begin(), draft.name.wire().end());
        node.zone = static_cast<uint32_t>(draft.zone);
        node.first_set = flatten_sets(authority, draft.sets);
        node.set_count = static_cast<uint16_t>(draft.sets.size());
        node.first_parent_set = flatten_sets(authority, draft.parent_sets);
        node.parent_set_count = static_cast<uint16_t>(draft.parent_sets.size());
        if (draft.parent_zone) node.parent_zone = static_cast<uint32_t>(*draft.parent_zone);
        if (draft.cut) node.cut = place[*draft.cut];
        node.service = draft.service;
        node.debug_of = draft.debug_of;
        table.nodes_.push_back(node);
    }
    for (size_t i = 0; i < nodes_.size(); ++i) {
        if (!nodes_[i].name.is_wildcard() || nodes_[i].name == *zones_[nodes_[i].zone].apex) continue;
        table.nodes_[place[node_of_.at(key_of(nodes_[i].name.parent()))]].wildcard = place[i];
    }
    table.index();
    link_targets(authority);
    flatten_names(authority);

    for (size_t i = 0; i < zones_.size(); ++i) {
        ServedZone zone;
        zone.apex = *zones_[i].apex;
        zone.name = zone.apex.to_text();
        zone.first_node = place[zones_[i].node];
        zone.last_node = zone.first_node;
        while (zone.last_node < table.nodes_.size() && table.nodes_[zone.last_node].zone == i)
            ++zone.last_node;
        const StaticSet* soa = table.find_set(table.nodes_[zone.first_node], RecordType::soa);
        zone.soa_set = static_cast<uint32_t>(soa - table.sets_.data());
        Reader tail(table.data(table.records(*soa).front()));
        tail.skip(tail.remaining() - 20);
        zone.serial = tail.u32();
        zone.soa_is_made = nodes_[zones_[i].node].find(RecordType::soa)->records.front().line == 0;
        tail.skip(12);
        zone.soa_ttl = soa->ttl;
        zone.negative_ttl = std::min(soa->ttl, tail.u32());
        authority.zones_.push_back(std::move(zone));
    }
    name_zones(authority);
}

uint32_t AuthorityBuilder::flatten_sets(Authority& authority, const std::vector<DraftSet>& sets) {
    ZoneTable& table = authority.table_;
    const auto first = static_cast<uint32_t>(table.sets_.size());
    for (const DraftSet& draft : sets) {
        table.sets_.push_back({draft.type, static_cast<uint16_t>(draft.records.size()), draft.ttl,
                               static_cast<uint32_t>(table.records_.size())});
        for (const DraftRecord& record : draft.records) {
            StaticRecord flat;
            flat.data = static_cast<uint32_t>(table.bytes_.size());
            flat.data_size = static_cast<uint16_t>(record.data.size());
            table.bytes_.insert(table.bytes_.end(), record.data.begin(), record.data.end());
            flat.text = static_cast<uint32_t>(table.bytes_.size());
            flat.text_size = static_cast<uint32_t>(record.text.size());
            table.bytes_.insert(table.bytes_.end(), record.text.begin(), record.text.end());
            table.records_.push_back(flat);
        }
    }
    return first;
}

void AuthorityBuilder::link_targets(Authority& authority) {
    ZoneTable& table = authority.table_;
    for (const StaticSet& set : table.sets_) {
        const auto offset = target_offset(set.type);
        if (!offset) continue;
        for (uint32_t i = set.first_record; i < set.first_record + set.count; ++i) {
            const Name target = name_in(table.data(table.records_[i]), *offset).lowered();
            const uint32_t node = table.find(target.wire());
            if (node == no_index) continue;
            if (table.find_set(table.nodes_[node], RecordType::a) != nullptr ||
                table.find_set(table.nodes_[node], RecordType::aaaa) != nullptr)
                table.records_[i].target = node;
        }
    }
}

void AuthorityBuilder::flatten_names(Authority& authority) {
    struct Place {
        size_t at = 0;
        size_t size = 0;
    };
    const auto append = [&authority](std::string_view text) {
        const auto name = Name::parse(text);
        if (!name) return Place{};
        const Place place{authority.names_.size(), name->size()};
        authority.names_.insert(authority.names_.end(), name->wire().begin(), name->wire().end());
        return place;
    };
    std::vector<Place> fallbacks;
    std::vector<Place> hosts;
    for (const Service& service : model_->services)
        fallbacks.push_back(service.fallback_name.empty() ? Place{} : append(service.fallback_name));
    for (const Endpoint& endpoint : model_->endpoints)
        hosts.push_back(endpoint.address ? Place{} : append(endpoint.host));
    // The bytes stay where they are from here on.
    const ByteSpan names(authority.names_);
    for (const Service& service : model_->services) {
        SteeredName steered;
        const auto& name = service_names_[service.id.index()];
        steered.node = authority.table_.find(name->lowered().wire());
        steered.may_have_v4 = may_have(service, IpFamily::v4);
        steered.may_have_v6 = may_have(service, IpFamily::v6);
        const Place& fallback = fallbacks[service.id.index()];
        steered.fallback = names.subspan(fallback.at, fallback.size);
        authority.steered_.push_back(steered);
    }
    for (const Place& host : hosts) authority.hosts_.push_back(names.subspan(host.at, host.size));
}

void AuthorityBuilder::name_zones(Authority& authority) {
    // Two names with one hash are told apart in alphabetical order, so that every node with these zones
    // agrees.
    std::map<std::string, ServedZone*> by_name;
    for (ServedZone& zone : authority.zones_) by_name[zone.name] = &zone;
    std::set<int32_t> taken;
    for (const auto& [name, zone] : by_name) {
        auto id = static_cast<int32_t>(stable_hash(name) & INT32_MAX);
        while (id == 0 || !taken.insert(id).second) id = id == INT32_MAX ? 1 : id + 1;
        zone->id = id;
    }
}

Authority::Built Authority::build(std::shared_ptr<const Model> model, uint32_t serial,
                                  const std::vector<std::optional<std::string>>& file_texts) {
    return AuthorityBuilder(std::move(model), serial).build(file_texts);
}

Authority::Built Authority::build(std::shared_ptr<const Model> model, uint32_t serial) {
    std::vector<std::optional<std::string>> texts(model->zones.size());
    AuthorityBuilder builder(model, serial);
    for (size_t i = 0; i < texts.size(); ++i) {
        const Zone& zone = model->zones[i];
        if (zone.file.empty()) continue;
        const auto cannot = [&](const std::string& why) {
            builder.add({ZoneDiagnostic::Severity::error, zone.file, 0, "cannot read the zone file: " + why});
        };
        errno = 0;
        std::ifstream file(zone.file, std::ios::binary);
        if (!file) {
            cannot(std::strerror(errno));
            continue;
        }
        std::error_code error;
        if (std::filesystem::is_directory(zone.file, error)) {
            cannot("it is a directory");
            continue;
        }
        std::string text(std::istreambuf_iterator<char>(file), {});
        if (file.bad()) {
            cannot("a read failed");
            continue;
        }
        texts[i] = std::move(text);
    }
    return builder.build(texts);
}

}  // namespace fairway::dns
