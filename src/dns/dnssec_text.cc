// SPDX-License-Identifier: Apache-2.0
#include "dns/dnssec_text.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace fairway::dns {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr int64_t latest = 4'291'747'199;  // the end of 2105: what fits 32 bits

}  // namespace

std::string to_base64(ByteSpan data) {
    std::string text;
    text.reserve((data.size() + 2) / 3 * 4);
    for (size_t at = 0; at < data.size(); at += 3) {
        uint32_t group = 0;
        const size_t have = std::min<size_t>(3, data.size() - at);
        for (size_t i = 0; i < 3; ++i) group = group << 8 | (i < have ? data[at + i] : 0U);
        for (size_t i = 0; i < 4; ++i) text += i <= have ? alphabet[group >> (18 - 6 * i) & 0x3f] : '=';
    }
    return text;
}

std::optional<std::vector<uint8_t>> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::vector<uint8_t> data;
    data.reserve(text.size() / 4 * 3);
    for (size_t at = 0; at < text.size(); at += 4) {
        const bool is_last = at + 4 == text.size();
        size_t padding = 0;
        if (is_last && text[at + 3] == '=') padding = text[at + 2] == '=' ? 2 : 1;
        uint32_t group = 0;
        for (size_t i = 0; i < 4; ++i) {
            size_t value = 0;
            if (i < 4 - padding) {
                value = alphabet.find(text[at + i]);
                if (value == std::string_view::npos) return std::nullopt;
            }
            group = group << 6 | static_cast<uint32_t>(value);
        }
        // Bits that stand for nothing must be zero: one value has one spelling.
        if ((padding == 1 && (group & 0xff) != 0) || (padding == 2 && (group & 0xffff) != 0))
            return std::nullopt;
        for (size_t i = 0; i < 3 - padding; ++i) data.push_back(static_cast<uint8_t>(group >> (16 - 8 * i)));
    }
    return data;
}

std::string to_hex(ByteSpan data) {
    static constexpr std::string_view digits = "0123456789ABCDEF";
    std::string text;
    text.reserve(data.size() * 2);
    for (const uint8_t byte : data) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

std::string to_time_text(int64_t unix_seconds) {
    using namespace std::chrono;
    const sys_seconds at{seconds{std::clamp<int64_t>(unix_seconds, 0, latest)}};
    const sys_days day = floor<days>(at);
    const year_month_day date(day);
    const hh_mm_ss time(at - day);
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%04d%02u%02u%02d%02d%02d", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                  static_cast<int>(time.seconds().count()));
    return text.data();
}

std::optional<int64_t> from_time_text(std::string_view text) {
    using namespace std::chrono;
    if (text.size() != 14 ||
        !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
        return std::nullopt;
    const auto number = [&](size_t at, size_t count) {
        int value = 0;
        for (size_t i = at; i < at + count; ++i) value = value * 10 + (text[i] - '0');
        return value;
    };
    const year_month_day date{year{number(0, 4)}, month{static_cast<unsigned>(number(4, 2))},
                              day{static_cast<unsigned>(number(6, 2))}};
    const int hour = number(8, 2);
    const int minute = number(10, 2);
    const int second = number(12, 2);
    if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
    const int64_t at = (sys_days(date).time_since_epoch() / seconds{1}) + hour * 3600 + minute * 60 + second;
    if (at < 0 || at > latest) return std::nullopt;
    return at;
}

}  // namespace fairway::dns
