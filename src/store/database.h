// SPDX-License-Identifier: Apache-2.0
#pragma once
// SQLite behind RAII, for this folder only. A Database keeps its first error until the transaction ends, so
// that work reads as a straight line and is asked once, at commit(), whether it happened.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"

struct sqlite3;
struct sqlite3_stmt;

namespace fairway::store {

struct SqlError {
    int code = 0;  // SQLite's primary result code
    std::string message;
    /// The file is damaged or is no database: no later attempt on it will succeed.
    [[nodiscard]] bool damaged() const noexcept;
    static SqlError damage(std::string message);
};

/// One connection. One thread at a time.
class Database {
  public:
    enum class Mode : uint8_t { read_write, read_only };
    /// How much a commit guarantees: `lazy` survives the death of the process, `durable` that of the machine.
    enum class Sync : uint8_t { lazy, durable };

    /// Opens without touching a page: the first error may come later.
    Database(const std::filesystem::path& file, Mode mode);

    void begin(Sync sync);
    /// Ends the transaction: commits, or rolls back when there was an error or abandon() was called.
    std::optional<SqlError> commit();
    /// Nothing of this transaction is to remain; not an error.
    void abandon() noexcept { abandoned_ = true; }
    [[nodiscard]] bool in_transaction() const noexcept;

    void run(const std::string& sql);
    [[nodiscard]] const std::optional<SqlError>& error() const noexcept { return error_; }
    /// Sets the error that sticks, unless there is one.
    void fail(SqlError error) {
        if (!error_) error_ = std::move(error);
    }
    [[nodiscard]] std::optional<SqlError> take_error() { return std::exchange(error_, std::nullopt); }
    [[nodiscard]] int64_t last_id() const noexcept;
    [[nodiscard]] int64_t changes() const noexcept;

  private:
    friend class Statement;
    struct Closer {
        void operator()(sqlite3* connection) const noexcept;
    };
    void note(int code);

    std::unique_ptr<sqlite3, Closer> connection_;
    std::optional<SqlError> error_;
    bool abandoned_ = false;
    Sync sync_ = Sync::lazy;
};

/// A prepared statement; parameters are bound in order. After an error of its database it does nothing.
class Statement {
  public:
    Statement(Database& database, std::string_view sql);

    Statement& bind(int64_t value);
    Statement& bind(const std::string& value);
    /// Milliseconds since 1970.
    Statement& bind(WallTime value);
    Statement& bind(std::optional<WallTime> value);

    /// True while there is a row.
    bool step();
    /// Runs a statement that returns no rows.
    void run() {
        while (step()) {
        }
    }

    [[nodiscard]] int64_t integer(int column) const;
    [[nodiscard]] std::string text(int column) const;
    [[nodiscard]] WallTime time(int column) const;
    [[nodiscard]] std::optional<WallTime> optional_time(int column) const;

  private:
    struct Finalizer {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };
    Database& database_;
    std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
    int next_ = 1;
};

/// What the file keeps of a time.
[[nodiscard]] inline WallTime stored(WallTime time) {
    return WallTime(std::chrono::floor<milliseconds>(time.time_since_epoch()));
}

}  // namespace fairway::store
