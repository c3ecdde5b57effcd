// SPDX-License-Identifier: Apache-2.0
#include "base/duration.h"

#include <array>
#include <charconv>
#include <cstdio>

namespace fairway {
namespace {

struct Unit {
    std::string_view name;
    nanoseconds length;
};

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::weeks;

// Longest first, which is also the order in which a duration is written.
constexpr std::array<Unit, 8> units{{{"w", weeks{1}},
                                     {"d", days{1}},
                                     {"h", hours{1}},
                                     {"m", minutes{1}},
                                     {"s", seconds{1}},
                                     {"ms", milliseconds{1}},
                                     {"us", microseconds{1}},
                                     {"ns", nanoseconds{1}}}};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// Takes exactly `count` digits off the front of `text`.
bool take_digits(std::string_view& text, size_t count, int& value) {
    if (text.size() < count) return false;
    value = 0;
    for (size_t i = 0; i < count; ++i) {
        if (!is_digit(text[i])) return false;
        value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(count);
    return true;
}

bool take(std::string_view& text, char c) {
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
}

}  // namespace

Result<nanoseconds> parse_duration(std::string_view text) {
    const std::string start(text.substr(0, 80));
    const auto bad = [&start](const char* why) {
        return fail("\"" + start + "\" is not a duration: " + why);
    };
    if (text.empty()) return bad("it is empty");
    nanoseconds total{0};
    while (!text.empty()) {
        // The integer and fractional parts are kept apart so that every whole number of nanoseconds is exact.
        int64_t integer = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), integer);
        if (error != std::errc{} || !is_digit(text.front()))
            return bad("a number such as 5s or 200ms is needed");
        text.remove_prefix(static_cast<size_t>(end - text.data()));
        std::string_view fraction;
        if (take(text, '.')) {
            size_t digits = 0;
            while (digits < text.size() && is_digit(text[digits])) ++digits;
            if (digits == 0 || digits > 9) return bad("one to nine digits must follow the point");
            fraction = text.substr(0, digits);
            text.remove_prefix(digits);
        }
        size_t letters = 0;
        while (letters < text.size() && !is_digit(text[letters])) ++letters;
        const std::string_view name = text.substr(0, letters);
        text.remove_prefix(letters);
        if (name.empty()) return bad("a unit is missing (ms, s, m, h, d)");
        const Unit* unit = nullptr;
        for (const Unit& candidate : units) {
            if (candidate.name == name) unit = &candidate;
        }
        if (unit == nullptr) return bad("the unit must be one of ns, us, ms, s, m, h, d, w");
        constexpr int64_t limit = nanoseconds{weeks{52 * 100}}.count();
        if (integer > limit / unit->length.count()) return bad("it is longer than a century");
        total += integer * unit->length;
        int64_t scale = unit->length.count();
        for (const char digit : fraction) {
            scale /= 10;
            total += nanoseconds{scale * (digit - '0')};
        }
        if (total.count() > limit) return bad("it is longer than a century");
    }
    return total;
}

std::string format_duration(nanoseconds value) {
    if (value == nanoseconds{0}) return "0s";
    std::string text;
    // Unsigned, because the most negative value has no positive counterpart.
    auto left = static_cast<uint64_t>(value.count());
    if (value < nanoseconds{0}) {
        text = "-";
        left = 0 - left;
    }
    for (const Unit& unit : units) {
        if (unit.name == "w") continue;
        const auto length = static_cast<uint64_t>(unit.length.count());
        if (left < length) continue;
        text += std::to_string(left / length);
        text += unit.name;
        left %= length;
    }
    return text;
}

std::string format_rfc3339(WallTime time) {
    const auto whole = std::chrono::floor<milliseconds>(time);
    const auto day = std::chrono::floor<days>(whole);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{whole - day};
    std::array<char, 48> buffer{};
    const int length = std::snprintf(
        buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return {buffer.data(), static_cast<size_t>(length)};
}

Result<WallTime> parse_rfc3339(std::string_view text) {
    const std::string start(text.substr(0, 80));
    const auto bad = [&start] {
        return fail("\"" + start + "\" is not an RFC 3339 time such as 2026-01-31T09:30:00Z");
    };
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    if (!take_digits(text, 4, year) || !take(text, '-') || !take_digits(text, 2, month) || !take(text, '-') ||
        !take_digits(text, 2, day) || (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) ||
        !take_digits(text, 2, hour) || !take(text, ':') || !take_digits(text, 2, minute) ||
        !take(text, ':') || !take_digits(text, 2, second))
        return bad();
    nanoseconds fraction{0};
    if (take(text, '.')) {
        int64_t scale = 100'000'000;
        bool any = false;
        while (!text.empty() && is_digit(text.front())) {
            fraction += nanoseconds{scale * (text.front() - '0')};
            scale /= 10;
            any = true;
            text.remove_prefix(1);
        }
        if (!any) return bad();
    }
    seconds offset{0};
    if (!take(text, 'Z') && !take(text, 'z')) {
        int sign = 0, offset_hours = 0, offset_minutes = 0;
        if (take(text, '+')) sign = 1;
        if (sign == 0 && take(text, '-')) sign = -1;
        if (sign == 0 || !take_digits(text, 2, offset_hours) || !take(text, ':') ||
            !take_digits(text, 2, offset_minutes) || offset_hours > 23 || offset_minutes > 59)
            return bad();
        offset = sign * (hours{offset_hours} + minutes{offset_minutes});
    }
    const std::chrono::year_month_day date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    if (!text.empty() || !date.ok() || hour > 23 || minute > 59 || second > 60) return bad();
    // A WallTime counts nanoseconds in 64 bits: 1677 to 2262.
    if (year < 1678 || year > 2261) return fail("\"" + start + "\" is not between the years 1678 and 2261");
    const auto instant =
        std::chrono::sys_days{date} + hours{hour} + minutes{minute} + seconds{second} - offset;
    return WallTime{std::chrono::duration_cast<WallTime::duration>(instant.time_since_epoch() + fraction)};
}

}  // namespace fairway
