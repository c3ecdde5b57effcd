// SPDX-License-Identifier: Apache-2.0
#pragma once
// A TOML document as a tree in which every key and value knows where it stands, and the collector of what is
// wrong with it. Internal to src/config. It knows TOML but no key: their meaning is in the tables.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace fairway::config {

/// `file` is an index into Reporter::files(); lines and columns count from 1, line 0 is the whole file.
struct Position {
    uint32_t file = 0;
    uint32_t line = 0;
    uint32_t column = 0;
};

/// A value that remembers where it was written; two are equal wherever they stand.
template <class T>
struct Located {
    T value{};
    Position where;
    /// False where the key was absent or its value was refused.
    [[nodiscard]] bool given() const noexcept { return where.line != 0; }
    friend bool operator==(const Located& a, const Located& b) { return a.value == b.value; }
};

/// `text` in double quotes, escaped so that TOML and JSON read the same.
[[nodiscard]] std::string quote(std::string_view text);

struct Entry;

struct Node {
    enum class Kind : uint8_t { text, integer, number, flag, date, array, table };
    Kind kind = Kind::table;
    Position where;
    std::string text;            // text
    int64_t integer = 0;         // integer
    double number = 0;           // number
    bool flag = false;           // flag
    std::vector<Node> items;     // array
    std::vector<Entry> entries;  // table, in the order of the document

    /// The value at `key` of a table, or null.
    [[nodiscard]] const Entry* find(std::string_view key) const noexcept;
    /// "a string", "an integer", ... for messages.
    [[nodiscard]] std::string_view kind_name() const noexcept;
};

struct Entry {
    std::string key;
    Position where;
    Node value;
};

/// Collects diagnostics; the files are known by index so that a Position stays small.
class Reporter {
  public:
    uint32_t add_file(std::string name);
    [[nodiscard]] const std::vector<std::string>& files() const noexcept { return files_; }

    /// Control characters in a message are escaped, so that each diagnostic stays one line.
    void error(Position where, const std::string& message);
    void warning(Position where, const std::string& message);
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    /// ` (did you mean "x"?)`, or nothing. Costs a bounded amount of work over the whole load, so that ten
    /// thousand wrong names do not take minutes.
    [[nodiscard]] std::string suggest(std::string_view text, const std::vector<std::string>& candidates);
    /// "conf/fairway.toml:12:1"
    [[nodiscard]] std::string place(Position where) const;
    /// Everything so far, in order of file, line and column.
    [[nodiscard]] std::vector<Diagnostic> take();

  private:
    struct Item {
        Position where;
        Diagnostic::Severity severity;
        std::string message;
    };
    std::vector<std::string> files_;
    std::vector<Item> items_;
    size_t suggestion_budget_ = 200'000;
    bool failed_ = false;
};

/// Bounds on what is read: one file, and the nesting of tables, arrays and dotted keys in it.
inline constexpr size_t max_file_size = size_t{16} << 20;
inline constexpr size_t max_depth = 32;

/// The tree of one file. What is not TOML is reported; a table or key that only stands twice is reported too,
/// and the first one kept, so that the rest can still be checked. Absent when nothing useful could be read.
[[nodiscard]] std::optional<Node> parse_document(Reporter& report, uint32_t file, std::string_view text);

/// Adds what `from` (a later file) says to `into`: sections are joined; a key or a named table that is in
/// both is an error that names both places, except that arrays of tables are joined.
void merge_document(Reporter& report, Node& into, Node from);

}  // namespace fairway::config
