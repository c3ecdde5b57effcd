// SPDX-License-Identifier: Apache-2.0
#include "store/schema.h"

#include <sqlite3.h>

#include <array>

namespace fairway::store {
namespace {

// Times are milliseconds since 1970; states are spelled as in the API, so that the sqlite3 shell is readable.
constexpr std::array steps{
    R"sql(
CREATE TABLE override (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL,
    maintenance_down INTEGER NOT NULL,
    target TEXT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    ticket TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    revision INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX override_once ON override (target, state);

CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    subject TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state TEXT NOT NULL,
    message TEXT NOT NULL,
    actor TEXT NOT NULL
) STRICT;
CREATE INDEX event_of_subject ON event (subject, id);

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_keeps_its_words BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_keeps_its_rows BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

CREATE TABLE health (
    endpoint TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE fact (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
CREATE TABLE zone_serial (
    zone TEXT PRIMARY KEY,
    serial INTEGER NOT NULL,
    content INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE challenge (
    zone TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    until INTEGER NOT NULL,
    actor TEXT NOT NULL,
    PRIMARY KEY (name, value)
) STRICT, WITHOUT ROWID;
)sql",
};

}  // namespace

void migrate(Database& database) {
    int64_t version = 0;
    if (Statement read(database, "PRAGMA user_version"); read.step()) version = read.integer(0);
    if (database.error()) return;
    if (version > static_cast<int64_t>(steps.size())) {
        database.fail({SQLITE_MISMATCH, "schema " + std::to_string(version) +
                                            " is newer than this program's " + std::to_string(steps.size())});
        return;
    }
    for (auto step = static_cast<size_t>(version); step < steps.size(); ++step) {
        database.begin(Database::Sync::durable);
        database.run(steps[step]);
        database.run("PRAGMA user_version=" + std::to_string(step + 1));
        if (auto error = database.commit()) {
            database.fail(std::move(*error));
            return;
        }
    }
}

}  // namespace fairway::store
