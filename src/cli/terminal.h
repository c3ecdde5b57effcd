// SPDX-License-Identifier: Apache-2.0
#pragma once
// What people see: states as a shape, a word and, on a terminal, a colour; columns that line up; text from
// elsewhere made harmless.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace fairway::cli {

/// How to write: decided once, from the terminal, the environment and the options.
struct Style {
    bool colour = false;
    bool unicode = false;
};

enum class Tone : uint8_t { plain, good, doubtful, bad, faint, strong };

/// Without control characters: a reason must not move the cursor.
[[nodiscard]] std::string harmless(std::string_view text);

[[nodiscard]] std::string paint(const Style& style, Tone tone, std::string_view text);
[[nodiscard]] Tone tone_of(std::string_view state) noexcept;
/// "● up", "▲ degraded", "■ down"; in ASCII "+ up", "! degraded", "x down".
[[nodiscard]] std::string show_state(const Style& style, std::string_view state);

/// Columns on the screen that `text` takes: UTF-8 characters, escape sequences not counted.
[[nodiscard]] size_t width(std::string_view text) noexcept;

/// Rows of cells, written with each column as wide as its widest cell and two blanks between.
class Table {
  public:
    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
    /// Each line ends with a newline and no blanks.
    [[nodiscard]] std::string text(std::string_view indent = "") const;

  private:
    std::vector<std::vector<std::string>> rows_;
};

/// "3d4h", "5m", "12s": two units at most.
[[nodiscard]] std::string show_span(nanoseconds span);

}  // namespace fairway::cli
