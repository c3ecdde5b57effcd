// SPDX-License-Identifier: Apache-2.0
#pragma once
// Compiles a Model's zones, their files and the services into an Authority. Every step runs even when one
// before it found errors, so that an operator sees all findings at once; the Authority is only made when
// there are none.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "dns/authority.h"
#include "dns/zone_file.h"

namespace fairway::dns {

class AuthorityBuilder {
  public:
    AuthorityBuilder(std::shared_ptr<const Model> model, uint32_t serial);

    Authority::Built build(const std::vector<std::optional<std::string>>& file_texts);
    /// Findings made before build(), such as an unreadable file.
    void add(ZoneDiagnostic diagnostic) { diagnostics_.push_back(std::move(diagnostic)); }

  private:
    using Severity = ZoneDiagnostic::Severity;

    struct DraftRecord {
        std::vector<uint8_t> data;
        std::string text;
        uint32_t line = 0;  // 0: made here
    };
    struct DraftSet {
        RecordType type{};
        uint32_t ttl = 0;
        std::vector<DraftRecord> records;
    };
    struct DraftNode {
        Name name;  // lower case
        size_t zone = 0;
        std::vector<DraftSet> sets;
        std::vector<DraftSet> parent_sets;  // at an apex: what the parent zone has here
        std::optional<size_t> parent_zone;
        ServiceId service;
        ServiceId debug_of;
        std::optional<size_t> cut;  // node

        [[nodiscard]] const DraftSet* find(RecordType type) const;
    };
    struct DraftZone {
        std::optional<Name> apex;  // absent: its name is no domain name
        size_t node = 0;
    };

    // In the order in which they run.
    void add_apexes();
    void add_file(size_t zone, std::string_view text);
    void add_made_records(size_t zone);
    void add_services();
    void add_empty_non_terminals();
    void find_cuts();
    void check_zones();
    void check_nodes();
    void check_services();
    void compile_records();

    void report(Severity severity, size_t zone, uint32_t line, std::string message);
    void report_service(const Service& service, const std::string& message);
    void add_to(std::vector<DraftSet>& sets, size_t zone, const Name& owner, FileRecord&& record);
    size_t node_at(const Name& name, size_t zone);
    [[nodiscard]] const DraftNode* find_node(const Name& name) const;
    [[nodiscard]] std::optional<size_t> zone_of(const Name& name) const;
    [[nodiscard]] bool has_addresses(const Name& name) const;
    [[nodiscard]] bool may_answer_cname(const Service& service) const;
    [[nodiscard]] bool may_have(const Service& service, IpFamily family) const;
    void check_name_server(size_t zone, const DraftNode& at, const DraftRecord& record);
    void check_size(const DraftNode& node, const DraftSet& set);

    // Into the Authority.
    void flatten(Authority& authority);
    uint32_t flatten_sets(Authority& authority, const std::vector<DraftSet>& sets);
    void link_targets(Authority& authority);
    void flatten_names(Authority& authority);
    void name_zones(Authority& authority);

    std::shared_ptr<const Model> model_;
    uint32_t serial_;
    std::vector<ZoneDiagnostic> diagnostics_;
    std::vector<DraftZone> zones_;  // by position in the model
    std::vector<DraftNode> nodes_;
    std::unordered_map<std::string, size_t> node_of_;  // lower-cased wire form -> nodes_
    std::unordered_map<std::string, size_t> apex_of_;  // lower-cased wire form -> zones_
    std::vector<std::optional<Name>> service_names_;   // by ServiceId
    SteeredRecords steered_records_;
};

}  // namespace fairway::dns
