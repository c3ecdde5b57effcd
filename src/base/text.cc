// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <algorithm>

namespace fairway {

bool glob_match(std::string_view pattern, std::string_view text) noexcept {
    // One remembered star is enough: a later star can always absorb what an earlier one would have.
    size_t p = 0, t = 0, star = std::string_view::npos, star_text = 0;
    while (t < text.size()) {
        if (p < pattern.size() && (pattern[p] == '?' || (pattern[p] == text[t] && pattern[p] != '*'))) {
            ++p;
            ++t;
        } else if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            star_text = t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

bool is_glob(std::string_view pattern) noexcept {
    return pattern.find_first_of("*?") != std::string_view::npos;
}

std::string nearest_name(std::string_view text, const std::vector<std::string>& candidates) {
    // Damerau-Levenshtein with adjacent transpositions; a third of the longer word may differ.
    const auto distance = [](std::string_view a, std::string_view b) {
        std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
        for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
        for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
        for (size_t i = 1; i <= a.size(); ++i) {
            for (size_t j = 1; j <= b.size(); ++j) {
                const size_t substitution = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, substitution});
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
            }
        }
        return d[a.size()][b.size()];
    };
    if (text.size() > 256) return {};
    const std::string wanted = ascii_lower(text);
    std::string best;
    size_t best_distance = 0;
    for (const std::string& candidate : candidates) {
        if (candidate.size() > 256) continue;
        const auto [shorter, longer] = std::minmax({text.size(), candidate.size()});
        const size_t most = std::max<size_t>(1, longer / 3);
        if (longer - shorter > most) continue;
        const size_t cost = distance(wanted, ascii_lower(candidate));
        // Words that share nothing are not near, however short they are.
        if (cost > most || cost >= longer) continue;
        if (best.empty() || cost < best_distance) {
            best = candidate;
            best_distance = cost;
        }
    }
    return best;
}

std::string ascii_lower(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) c = ascii_lower(c);
    return lower;
}

std::string_view trim(std::string_view text) noexcept {
    constexpr std::string_view blanks = " \t\r\n";
    const size_t first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string escape_text(std::string_view text, size_t limit) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string escaped;
    for (const char c : text.substr(0, limit)) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '\\' || c == '"') {
            escaped += '\\';
            escaped += c;
        } else if (c == '\r') {
            escaped += "\\r";
        } else if (c == '\n') {
            escaped += "\\n";
        } else if (octet < 0x20 || octet > 0x7e) {
            escaped += "\\x";
            escaped += digits[octet >> 4];
            escaped += digits[octet & 15];
        } else {
            escaped += c;
        }
    }
    if (text.size() > limit) escaped += "...";
    return escaped;
}

}  // namespace fairway
