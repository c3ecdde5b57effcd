// SPDX-License-Identifier: Apache-2.0
#pragma once
// Rows of the tables as values, and how an override reads as JSON (the same in the audit trail and in the
// API).

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/event.h"
#include "model/override.h"
#include "store/store.h"

namespace fairway::store {

class Database;

/// "drain" and "down", "up", "maintenance": the words of the command line.
[[nodiscard]] std::string_view override_word(AdminState state) noexcept;
[[nodiscard]] std::optional<AdminState> parse_override_word(std::string_view word) noexcept;

[[nodiscard]] nlohmann::ordered_json to_json(const Override& item);

[[nodiscard]] std::vector<Override> read_overrides(Database& database);
[[nodiscard]] std::optional<Override> read_override(Database& database, int64_t id);
/// The id of one that has the same target and state; 0 if there is none.
[[nodiscard]] int64_t find_override(Database& database, const std::string& target, AdminState state);
/// Keeps `item.id` unless it is 0; sets it otherwise.
void insert_override(Database& database, Override& item);
void update_override(Database& database, const Override& item);
void delete_override(Database& database, int64_t id);

void insert_event(Database& database, const Event& event);
[[nodiscard]] std::vector<Event> read_events(Database& database, const EventQuery& query);
[[nodiscard]] int64_t last_event(Database& database);
void prune_events(Database& database, size_t keep);

void insert_audit(Database& database, const AuditEntry& entry);
[[nodiscard]] std::vector<AuditEntry> read_audit(Database& database, const EventQuery& query);

void replace_health(Database& database, const std::vector<RememberedHealth>& health);
[[nodiscard]] std::vector<RememberedHealth> read_health(Database& database);

void replace_zones(Database& database, const ZoneMemory& zones);
[[nodiscard]] ZoneMemory read_zones(Database& database);

void set_fact(Database& database, const std::string& name, int64_t value);
[[nodiscard]] std::optional<int64_t> fact(Database& database, const std::string& name);

}  // namespace fairway::store
