// SPDX-License-Identifier: Apache-2.0
#pragma once
// Small questions about text that several folders ask: globs, near misses, ASCII case.

#include <string>
#include <string_view>
#include <vector>

namespace fairway {

/// Whether `text` matches `pattern`, in which `*` stands for any run of characters and `?` for any one.
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view text) noexcept;
/// Whether `pattern` holds a character that glob_match() treats specially.
[[nodiscard]] bool is_glob(std::string_view pattern) noexcept;
/// The candidate that `text` was most likely meant to be, or empty when none is near.
[[nodiscard]] std::string nearest_name(std::string_view text, const std::vector<std::string>& candidates);

[[nodiscard]] constexpr char ascii_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
[[nodiscard]] std::string ascii_lower(std::string_view text);

/// `text` without blanks at either end.
[[nodiscard]] std::string_view trim(std::string_view text) noexcept;

/// Text from an untrusted source for a message to people: at most `limit` octets of it, quotes, backslashes
/// and everything but printable ASCII written as escapes, with "..." where it was cut.
[[nodiscard]] std::string escape_text(std::string_view text, size_t limit);

}  // namespace fairway
