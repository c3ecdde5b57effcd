// SPDX-License-Identifier: Apache-2.0
#include "store/records.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/duration.h"
#include "store/database.h"

namespace fairway::store {
namespace {

constexpr std::array<std::pair<AdminState, std::string_view>, 4> override_words{{
    {AdminState::drain, "drain"},
    {AdminState::forced_down, "down"},
    {AdminState::forced_up, "up"},
    {AdminState::maintenance, "maintenance"},
}};

template <class Enum, size_t count>
Enum parse_name(const std::array<Enum, count>& values, std::string_view name, Enum otherwise) {
    for (const Enum value : values)
        if (to_string(value) == name) return value;
    return otherwise;
}

constexpr std::array health_states{HealthState::unknown, HealthState::up, HealthState::suspect,
                                   HealthState::degraded, HealthState::down};
constexpr std::array event_kinds{EventKind::endpoint, EventKind::gateway, EventKind::zone,
                                 EventKind::region,   EventKind::service, EventKind::override_,
                                 EventKind::config,   EventKind::geoip,   EventKind::system};
constexpr std::array severities{Severity::info, Severity::warning, Severity::critical};

constexpr std::string_view override_columns =
    "id, state, maintenance_down, target, actor, reason, ticket, since, until, revision";

/// A row whose state no program of ours writes is skipped.
std::optional<Override> override_of(const Statement& row) {
    const auto state = parse_override_word(row.text(1));
    if (!state) return std::nullopt;
    Override item;
    item.id = row.integer(0);
    item.state = *state;
    item.maintenance_down = row.integer(2) != 0;
    item.target = row.text(3);
    item.actor = row.text(4);
    item.reason = row.text(5);
    item.ticket = row.text(6);
    item.since = row.time(7);
    item.until = row.optional_time(8);
    item.revision = row.integer(9);
    return item;
}

/// The WHERE clause and its parameters, common to events and audit; newest first, as many as asked for.
std::string matching(const EventQuery& query) {
    std::string sql = " WHERE id > ?";
    if (query.since) sql += " AND time >= ?";
    if (query.subject) sql += " AND subject = ?";
    return sql + " ORDER BY id DESC LIMIT ?";
}

void bind(Statement& statement, const EventQuery& query) {
    statement.bind(query.after_id);
    if (query.since) statement.bind(*query.since);
    if (query.subject) statement.bind(*query.subject);
    statement.bind(static_cast<int64_t>(query.limit));
}

}  // namespace

std::string_view override_word(AdminState state) noexcept {
    for (const auto& [value, word] : override_words)
        if (value == state) return word;
    return "automatic";
}

std::optional<AdminState> parse_override_word(std::string_view word) noexcept {
    for (const auto& [value, name] : override_words)
        if (name == word) return value;
    return std::nullopt;
}

nlohmann::ordered_json to_json(const Override& item) {
    nlohmann::ordered_json json = {
        {"id", item.id},
        {"target", item.target},
        {"state", override_word(item.state)},
        {"actor", item.actor},
        {"reason", item.reason},
        {"ticket", item.ticket},
        {"since", format_rfc3339(item.since)},
        {"until", nullptr},
        {"revision", item.revision},
    };
    if (item.until) json["until"] = format_rfc3339(*item.until);
    if (item.state == AdminState::maintenance) json["maintenance_down"] = item.maintenance_down;
    return json;
}

std::vector<Override> read_overrides(Database& database) {
    std::vector<Override> items;
    Statement read(database, "SELECT " + std::string(override_columns) + " FROM override ORDER BY id");
    while (read.step())
        if (auto item = override_of(read)) items.push_back(std::move(*item));
    return items;
}

std::optional<Override> read_override(Database& database, int64_t id) {
    Statement read(database, "SELECT " + std::string(override_columns) + " FROM override WHERE id = ?");
    if (!read.bind(id).step()) return std::nullopt;
    return override_of(read);
}

int64_t find_override(Database& database, const std::string& target, AdminState state) {
    Statement read(database, "SELECT id FROM override WHERE target = ? AND state = ?");
    return read.bind(target).bind(std::string(override_word(state))).step() ? read.integer(0) : 0;
}

void insert_override(Database& database, Override& item) {
    Statement insert(database, "INSERT INTO override (" + std::string(override_columns) +
                                   ") VALUES (nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    insert.bind(item.id)
        .bind(std::string(override_word(item.state)))
        .bind(int64_t{item.maintenance_down})
        .bind(item.target)
        .bind(item.actor)
        .bind(item.reason)
        .bind(item.ticket)
        .bind(item.since)
        .bind(item.until)
        .bind(item.revision)
        .run();
    if (!database.error()) item.id = database.last_id();
}

void update_override(Database& database, const Override& item) {
    Statement(database, "UPDATE override SET until = ?, revision = ? WHERE id = ?")
        .bind(item.until)
        .bind(item.revision)
        .bind(item.id)
        .run();
}

void delete_override(Database& database, int64_t id) {
    Statement(database, "DELETE FROM override WHERE id = ?").bind(id).run();
}

void insert_event(Database& database, const Event& event) {
    Statement(
        database,
        "INSERT OR REPLACE INTO event (id, time, kind, severity, subject, from_state, to_state, message, "
        "actor) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(event.id)
        .bind(event.time)
        .bind(std::string(to_string(event.kind)))
        .bind(std::string(to_string(event.severity)))
        .bind(event.subject)
        .bind(event.from)
        .bind(event.to)
        .bind(event.message)
        .bind(event.actor)
        .run();
}

std::vector<Event> read_events(Database& database, const EventQuery& query) {
    std::vector<Event> events;
    Statement read(
        database,
        "SELECT id, time, kind, severity, subject, from_state, to_state, message, actor FROM event" +
            matching(query));
    bind(read, query);
    while (read.step()) {
        Event event;
        event.id = read.integer(0);
        event.time = read.time(1);
        event.kind = parse_name(event_kinds, read.text(2), EventKind::system);
        event.severity = parse_name(severities, read.text(3), Severity::info);
        event.subject = read.text(4);
        event.from = read.text(5);
        event.to = read.text(6);
        event.message = read.text(7);
        event.actor = read.text(8);
        events.push_back(std::move(event));
    }
    std::reverse(events.begin(), events.end());
    return events;
}

int64_t last_event(Database& database) {
    Statement read(database, "SELECT coalesce(max(id), 0) FROM event");
    return read.step() ? read.integer(0) : 0;
}

void prune_events(Database& database, size_t keep) {
    Statement(database,
              "DELETE FROM event WHERE id <= (SELECT id FROM event ORDER BY id DESC LIMIT 1 OFFSET ?)")
        .bind(static_cast<int64_t>(keep))
        .run();
}

void insert_audit(Database& database, const AuditEntry& entry) {
    Statement(database,
              "INSERT INTO audit (time, actor, action, subject, before, after) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(entry.time)
        .bind(entry.actor)
        .bind(entry.action)
        .bind(entry.subject)
        .bind(entry.before)
        .bind(entry.after)
        .run();
}

std::vector<AuditEntry> read_audit(Database& database, const EventQuery& query) {
    std::vector<AuditEntry> entries;
    Statement read(database,
                   "SELECT id, time, actor, action, subject, before, after FROM audit" + matching(query));
    bind(read, query);
    while (read.step())
        entries.push_back({read.integer(0), read.time(1), read.text(2), read.text(3), read.text(4),
                           read.text(5), read.text(6)});
    std::reverse(entries.begin(), entries.end());
    return entries;
}

void replace_health(Database& database, const std::vector<RememberedHealth>& health) {
    database.run("DELETE FROM health");
    Statement insert(database, "INSERT OR REPLACE INTO health (endpoint, state, at) VALUES (?, ?, ?)");
    for (const RememberedHealth& item : health)
        insert.bind(item.endpoint).bind(std::string(to_string(item.state))).bind(item.at).run();
}

std::vector<RememberedHealth> read_health(Database& database) {
    std::vector<RememberedHealth> health;
    Statement read(database, "SELECT endpoint, state, at FROM health ORDER BY endpoint");
    while (read.step())
        health.push_back(
            {read.text(0), parse_name(health_states, read.text(1), HealthState::unknown), read.time(2)});
    return health;
}

void replace_zones(Database& database, const ZoneMemory& zones) {
    database.run("DELETE FROM zone_serial");
    Statement serial(database, "INSERT OR REPLACE INTO zone_serial (zone, serial, content) VALUES (?, ?, ?)");
    for (const RememberedSerial& item : zones.serials)
        serial.bind(item.zone)
            .bind(static_cast<int64_t>(item.serial))
            .bind(static_cast<int64_t>(item.content))
            .run();
    database.run("DELETE FROM challenge");
    Statement challenge(
        database,
        "INSERT OR REPLACE INTO challenge (zone, name, value, until, actor) VALUES (?, ?, ?, ?, ?)");
    for (const Challenge& item : zones.challenges)
        challenge.bind(item.zone).bind(item.name).bind(item.value).bind(item.until).bind(item.actor).run();
}

ZoneMemory read_zones(Database& database) {
    ZoneMemory zones;
    Statement serials(database, "SELECT zone, serial, content FROM zone_serial ORDER BY zone");
    while (serials.step())
        zones.serials.push_back({serials.text(0), static_cast<uint32_t>(serials.integer(1)),
                                 static_cast<uint64_t>(serials.integer(2))});
    Statement challenges(database,
                         "SELECT zone, name, value, until, actor FROM challenge ORDER BY name, value");
    while (challenges.step())
        zones.challenges.push_back({challenges.text(0), challenges.text(1), challenges.text(2),
                                    challenges.time(3), challenges.text(4)});
    return zones;
}

void set_fact(Database& database, const std::string& name, int64_t value) {
    Statement(database, "INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)")
        .bind(name)
        .bind(value)
        .run();
}

std::optional<int64_t> fact(Database& database, const std::string& name) {
    Statement read(database, "SELECT value FROM fact WHERE name = ?");
    if (!read.bind(name).step()) return std::nullopt;
    return read.integer(0);
}

}  // namespace fairway::store
