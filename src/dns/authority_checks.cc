// SPDX-License-Identifier: Apache-2.0
// What may not stand beside what in a zone, and what is worth a warning.
#include <set>

#include "dns/authority_builder.h"

namespace fairway::dns {
namespace {

constexpr size_t max_records = 100;  // BIND refuses RRsets with more, as a server and as a resolver
constexpr size_t max_set_size =
    60'000;  // octets of an RRset that still fits a message with everything around it

bool is_address(RecordType type) {
    return type == RecordType::a || type == RecordType::aaaa;
}

}  // namespace

bool AuthorityBuilder::has_addresses(const Name& name) const {
    const DraftNode* node = find_node(name);
    if (node == nullptr) return false;
    return node->service.valid() || node->find(RecordType::a) != nullptr ||
           node->find(RecordType::aaaa) != nullptr;
}

void AuthorityBuilder::check_name_server(size_t zone, const DraftNode& at, const DraftRecord& record) {
    Reader data(record.data);
    const Name target = Name::read_uncompressed(data);
    const DraftNode* node = find_node(target);
    if (node != nullptr && node->find(RecordType::cname) != nullptr)
        report(Severity::warning, zone, record.line,
               "the name server " + target.to_text() + " is an alias (CNAME), which resolvers may refuse");
    // Only names that nobody but this zone could know must be known here.
    const bool must_know = at.cut ? target.is_within(at.name) : zone_of(target) == zone;
    if (!must_know || has_addresses(target)) return;
    if (node != nullptr && node->cut && !at.cut) return;
    const auto wildcard = target.is_root() ? Result<Name>(fail("")) : target.parent().child("*");
    if (wildcard && has_addresses(*wildcard)) return;
    report(
        Severity::warning, zone, record.line,
        "the name server " + target.to_text() + " of " + at.name.to_text() + " has no address in the zone");
}

void AuthorityBuilder::check_zones() {
    for (size_t i = 0; i < zones_.size(); ++i) {
        if (!zones_[i].apex) continue;
        if (nodes_[zones_[i].node].find(RecordType::ns) == nullptr)
            report(Severity::error, i, 0, "it has no name servers: give `ns`, or an NS record in its file");
    }
}

void AuthorityBuilder::check_size(const DraftNode& node, const DraftSet& set) {
    size_t size = 0;
    for (const DraftRecord& record : set.records) size += record.data.size() + 12;
    const uint32_t line = set.records.front().line;
    const std::string what = to_string(set.type) + " of " + node.name.to_text();
    if (size > max_set_size)
        report(Severity::error, node.zone, line, "all " + what + " together do not fit into a DNS message");
    else if (set.records.size() > max_records)
        report(Severity::warning, node.zone, line,
               "there are more than 100 " + what + ", which some resolvers refuse");
}

void AuthorityBuilder::check_nodes() {
    for (const DraftNode& node : nodes_) {
        const bool is_apex = node.name == *zones_[node.zone].apex;
        const DraftSet* cname = node.find(RecordType::cname);
        if (cname != nullptr && node.sets.size() > 1)
            report(Severity::error, node.zone, cname->records.front().line,
                   "the CNAME of " + node.name.to_text() + " must be its only record");
        if (node.name.is_wildcard() && node.find(RecordType::ns) != nullptr)
            report(Severity::error, node.zone, node.find(RecordType::ns)->records.front().line,
                   "NS of the wildcard " + node.name.to_text() + " has no meaning (RFC 4592 section 4.2)");
        for (const DraftSet& set : node.sets) {
            check_size(node, set);
            if (set.type == RecordType::ns)
                for (const DraftRecord& record : set.records) check_name_server(node.zone, node, record);
            if (!node.cut || is_apex || is_address(set.type)) continue;
            const DraftNode& cut = nodes_[*node.cut];
            if (cut.name == node.name && (set.type == RecordType::ns || set.type == RecordType::ds)) continue;
            report(Severity::warning, node.zone, set.records.front().line,
                   "the " + to_string(set.type) + " of " + node.name.to_text() +
                       " is hidden by the delegation of " + cut.name.to_text());
        }
    }
}

bool AuthorityBuilder::may_answer_cname(const Service& service) const {
    std::set<ServiceId> seen;
    const Service* at = &service;
    while (seen.insert(at->id).second) {
        if (at->answer == AnswerKind::cname) return true;
        if (at->all_down != AllDown::fallback) return false;
        if (!at->fallback_name.empty()) return true;
        if (!at->fallback_service.valid()) return false;
        at = &(*model_)[at->fallback_service];
    }
    return false;
}

void AuthorityBuilder::compile_records() {
    std::vector<SteeredRecords::Problem> problems;
    steered_records_ = SteeredRecords::compile(*model_, problems);
    for (const SteeredRecords::Problem& problem : problems)
        report_service((*model_)[problem.service], problem.message);
}

void AuthorityBuilder::check_services() {
    for (const Service& service : model_->services) {
        const auto& name = service_names_[service.id.index()];
        if (!name) continue;
        const DraftNode& node = *find_node(*name);
        if (node.cut) {
            report_service(service,
                           "its name is hidden by the delegation of " + nodes_[*node.cut].name.to_text());
            continue;
        }
        const bool cname = may_answer_cname(service);
        if (!service.records.empty() && service.answer == AnswerKind::cname)
            report_service(service, "answer = \"cname\" leaves no room for records beside the CNAME");
        for (const DraftSet& set : node.sets) {
            const uint32_t line = set.records.front().line;
            const std::string where = line > 0
                                          ? model_->zones[node.zone].file + ":" + std::to_string(line) + ": "
                                          : "zone " + model_->zones[node.zone].name + ": ";
            if (is_address(set.type) || set.type == RecordType::cname)
                report_service(
                    service, where + "a static " + to_string(set.type) + " of the same name contradicts it");
            else if (std::any_of(service.records.begin(), service.records.end(),
                                 [&set](const RecordTemplates& records) {
                                     return parse_record_type(records.type) == set.type;
                                 }))
                report_service(service, where + "a static " + to_string(set.type) +
                                            " of the same name contradicts its records." +
                                            to_string(set.type));
            else if (cname)
                report_service(service, where + "it may be answered with CNAME, beside which the static " +
                                            to_string(set.type) + " of the same name is not allowed");
        }
        if (!service.fallback_name.empty()) {
            const auto fallback = Name::parse(service.fallback_name);
            if (!fallback)
                report_service(service, "all_down: " + fallback.error().message);
            else if (*fallback == *name)
                report_service(service, "all_down: it falls back to its own name");
        }
        if (service.answer != AnswerKind::cname) continue;
        for (const GatewayId gateway : service.gateways)
            for (const EndpointId id : (*model_)[gateway].endpoints) {
                const auto host = Name::parse((*model_)[id].host);
                const std::string path = endpoint_path(*model_, id);
                if ((*model_)[id].address)
                    report_service(service,
                                   "answer = \"cname\" needs host names, but " + path + " is an address");
                else if (!host)
                    report_service(service, path + ": " + host.error().message);
                else if (*host == *name)
                    report_service(service, path + " is the service's own name");
            }
    }
}

}  // namespace fairway::dns
