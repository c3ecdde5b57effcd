// SPDX-License-Identifier: Apache-2.0
#include "store/database.h"

#include <sqlite3.h>

#include <utility>

namespace fairway::store {

bool SqlError::damaged() const noexcept {
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

SqlError SqlError::damage(std::string message) {
    return {SQLITE_CORRUPT, std::move(message)};
}

void Database::Closer::operator()(sqlite3* connection) const noexcept {
    sqlite3_close_v2(connection);
}

void Statement::Finalizer::operator()(sqlite3_stmt* statement) const noexcept {
    sqlite3_finalize(statement);
}

Database::Database(const std::filesystem::path& file, Mode mode) {
    sqlite3* connection = nullptr;
    const int flags =
        mode == Mode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    const int code = sqlite3_open_v2(file.c_str(), &connection,
                                     flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    connection_.reset(connection);
    note(code);
    if (error_) {
        error_->message += " (" + file.string() + ")";
        return;
    }
    // Somebody with the sqlite3 shell may hold a lock for a moment.
    sqlite3_busy_timeout(connection, 2000);
}

void Database::note(int code) {
    if (error_ || code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return;
    error_ = SqlError{code & 0xff, connection_ ? sqlite3_errmsg(connection_.get()) : sqlite3_errstr(code)};
}

void Database::run(const std::string& sql) {
    if (error_) return;
    note(sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr));
}

void Database::begin(Sync sync) {
    error_.reset();
    abandoned_ = false;
    if (sync != sync_) {
        run(sync == Sync::durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
        sync_ = sync;
    }
    run("BEGIN IMMEDIATE");
}

std::optional<SqlError> Database::commit() {
    if (!error_ && !abandoned_) run("COMMIT");
    // A failed COMMIT may leave the transaction open; some errors close it by themselves.
    if (in_transaction()) sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    return take_error();
}

bool Database::in_transaction() const noexcept {
    return connection_ && sqlite3_get_autocommit(connection_.get()) == 0;
}

int64_t Database::last_id() const noexcept {
    return sqlite3_last_insert_rowid(connection_.get());
}
int64_t Database::changes() const noexcept {
    return sqlite3_changes64(connection_.get());
}

Statement::Statement(Database& database, std::string_view sql) : database_(database) {
    if (database_.error_) return;
    sqlite3_stmt* statement = nullptr;
    database_.note(sqlite3_prepare_v2(database_.connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      &statement, nullptr));
    statement_.reset(statement);
}

Statement& Statement::bind(int64_t value) {
    if (statement_) database_.note(sqlite3_bind_int64(statement_.get(), next_++, value));
    return *this;
}

Statement& Statement::bind(const std::string& value) {
    if (statement_)
        database_.note(sqlite3_bind_text64(statement_.get(), next_++, value.data(), value.size(),
                                           SQLITE_TRANSIENT, SQLITE_UTF8));
    return *this;
}

Statement& Statement::bind(WallTime value) {
    return bind(static_cast<int64_t>(std::chrono::floor<milliseconds>(value.time_since_epoch()).count()));
}

Statement& Statement::bind(std::optional<WallTime> value) {
    if (value) return bind(*value);
    ++next_;  // unbound is NULL
    return *this;
}

bool Statement::step() {
    if (!statement_ || database_.error_) return false;
    const int code = sqlite3_step(statement_.get());
    database_.note(code);
    if (code == SQLITE_ROW) return true;
    sqlite3_reset(statement_.get());
    next_ = 1;
    return false;
}

int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

std::string Statement::text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
    const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column));
    return bytes == nullptr ? std::string() : std::string(bytes, size);
}

WallTime Statement::time(int column) const {
    return WallTime(milliseconds(integer(column)));
}

std::optional<WallTime> Statement::optional_time(int column) const {
    if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
    return time(column);
}

}  // namespace fairway::store
