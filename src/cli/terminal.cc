// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <algorithm>
#include <array>

namespace fairway::cli {

std::string harmless(std::string_view text) {
    std::string clean;
    for (size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<uint8_t>(text[i]);
        // C1 controls are two octets in UTF-8; terminals obey them as well.
        const bool c1 = byte == 0xc2 && i + 1 < text.size() && static_cast<uint8_t>(text[i + 1]) < 0xa0;
        if (c1) ++i;
        clean += byte < 0x20 || byte == 0x7f || c1 ? '?' : text[i];
    }
    return clean;
}

std::string paint(const Style& style, Tone tone, std::string_view text) {
    if (!style.colour || tone == Tone::plain) return std::string(text);
    static constexpr std::array<std::string_view, 6> codes{"", "32", "33", "31", "2", "1"};
    return "\033[" + std::string(codes[static_cast<size_t>(tone)]) + "m" + std::string(text) + "\033[0m";
}

Tone tone_of(std::string_view state) noexcept {
    if (state == "up" || state == "ok" || state == "pass" || state == "info") return Tone::good;
    if (state == "down" || state == "fail" || state == "critical") return Tone::bad;
    if (state == "unknown") return Tone::faint;
    return Tone::doubtful;
}

std::string show_state(const Style& style, std::string_view state) {
    const Tone tone = tone_of(state);
    std::string_view shape;
    switch (tone) {
        case Tone::good:
            shape = style.unicode ? "●" : "+";
            break;
        case Tone::bad:
            shape = style.unicode ? "■" : "x";
            break;
        case Tone::faint:
            shape = style.unicode ? "○" : "?";
            break;
        default:
            shape = style.unicode ? "▲" : "!";
            break;
    }
    return paint(style, tone, std::string(shape) + " " + harmless(state));
}

size_t width(std::string_view text) noexcept {
    size_t columns = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\033') {
            while (i < text.size() && text[i] != 'm') ++i;
            continue;
        }
        columns += (static_cast<uint8_t>(text[i]) & 0xc0) != 0x80;
    }
    return columns;
}

std::string Table::text(std::string_view indent) const {
    std::vector<size_t> widths;
    for (const auto& row : rows_) {
        widths.resize(std::max(widths.size(), row.size()));
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
    }
    std::string text;
    for (const auto& row : rows_) {
        std::string line(indent);
        for (size_t i = 0; i < row.size(); ++i) {
            line += row[i];
            // A column in which nothing stands takes no room.
            if (widths[i] > 0) line += std::string(widths[i] - width(row[i]) + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::string show_span(nanoseconds span) {
    if (span < nanoseconds(0)) return "0s";
    struct Unit {
        int64_t seconds;
        char letter;
    };
    static constexpr std::array<Unit, 4> units{{{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}}};
    int64_t left = std::chrono::round<seconds>(span).count();
    std::string text;
    for (size_t i = 0; i < units.size(); ++i) {
        if (left < units[i].seconds) continue;
        text += std::to_string(left / units[i].seconds) + units[i].letter;
        left %= units[i].seconds;
        if (i + 1 < units.size() && left / units[i + 1].seconds > 0)
            text += std::to_string(left / units[i + 1].seconds) + units[i + 1].letter;
        return text;
    }
    return "0s";
}

}  // namespace fairway::cli
