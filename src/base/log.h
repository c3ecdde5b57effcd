// SPDX-License-Identifier: Apache-2.0
#pragma once
// The program's log, one line an entry on standard error. Pure code does not log: it returns what happened.

#include <string_view>

namespace fairway::log {

enum class Level { debug, info, warning, error };

/// Once, at start-up. Without it, info and above are written.
void set_level(Level level);
/// True for "debug", "info", "warning", "error"; sets `level`.
[[nodiscard]] bool parse_level(std::string_view text, Level& level);

/// Any thread. Control characters in `message` are escaped, so that untrusted text cannot forge lines.
void debug(std::string_view message);
void info(std::string_view message);
void warning(std::string_view message);
void error(std::string_view message);

}  // namespace fairway::log
