// SPDX-License-Identifier: Apache-2.0
#include "pdns/json_reader.h"

#include <array>
#include <charconv>
#include <cmath>

namespace fairway::pdns {
namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

void append_utf8(std::string& out, uint32_t code) {
    const auto byte = [&out](uint32_t value) { out += static_cast<char>(static_cast<uint8_t>(value)); };
    if (code < 0x80) {
        byte(code);
    } else if (code < 0x800) {
        byte(0xc0 | code >> 6);
        byte(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        byte(0xe0 | code >> 12);
        byte(0x80 | (code >> 6 & 0x3f));
        byte(0x80 | (code & 0x3f));
    } else {
        byte(0xf0 | code >> 18);
        byte(0x80 | (code >> 12 & 0x3f));
        byte(0x80 | (code >> 6 & 0x3f));
        byte(0x80 | (code & 0x3f));
    }
}

}  // namespace

JsonFramer::State JsonFramer::look(std::string_view buffer) noexcept {
    if (complete_) return State::complete;
    for (; position_ < buffer.size(); ++position_) {
        const char c = buffer[position_];
        if (in_string_) {
            if (escaped_)
                escaped_ = false;
            else if (c == '\\')
                escaped_ = true;
            else if (c == '"')
                in_string_ = false;
            continue;
        }
        if (depth_ == 0) {
            if (is_space(c)) continue;
            if (c != '{') return State::junk;
        }
        if (c == '"') in_string_ = true;
        if (c == '{' || c == '[') {
            if (++depth_ > max_depth) return State::junk;
        }
        if ((c == '}' || c == ']') && --depth_ == 0) {
            ++position_;
            complete_ = true;
            return State::complete;
        }
    }
    return State::incomplete;
}

void JsonReader::fail() noexcept {
    ok_ = false;
    rest_ = {};
}

void JsonReader::skip_space() noexcept {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
}

bool JsonReader::accept(char c) noexcept {
    skip_space();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
}

void JsonReader::expect(char c) noexcept {
    if (!accept(c)) fail();
}

JsonReader::Kind JsonReader::peek() noexcept {
    skip_space();
    if (rest_.empty()) return Kind::end;
    switch (rest_.front()) {
        case '{':
            return Kind::object;
        case '[':
            return Kind::array;
        case '"':
            return Kind::string;
        case 't':
        case 'f':
            return Kind::boolean;
        case 'n':
            return Kind::null;
        default:
            return Kind::number;
    }
}

void JsonReader::enter_object() noexcept {
    expect('{');
    first_ = true;
}

bool JsonReader::next_member(std::string& key) {
    const bool first = first_;
    first_ = false;
    if (accept('}')) return false;
    if (!first) expect(',');
    skip_space();
    read_string(key);
    expect(':');
    return ok_;
}

uint32_t JsonReader::hex4() noexcept {
    uint32_t value = 0;
    if (rest_.size() < 4) {
        fail();
        return 0;
    }
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + 4, value, 16);
    if (error != std::errc{} || end != rest_.data() + 4) {
        fail();
        return 0;
    }
    rest_.remove_prefix(4);
    return value;
}

void JsonReader::read_string(std::string& out) {
    out.clear();
    expect('"');
    while (ok_) {
        // Plain runs go over at once.
        size_t run = 0;
        while (run < rest_.size() && rest_[run] != '"' && rest_[run] != '\\' &&
               static_cast<uint8_t>(rest_[run]) >= 0x20)
            ++run;
        out += rest_.substr(0, run);
        rest_.remove_prefix(run);
        if (rest_.empty() || static_cast<uint8_t>(rest_.front()) < 0x20) return fail();
        if (accept('"')) return;
        if (rest_.size() < 2) return fail();
        const char escape = rest_[1];
        rest_.remove_prefix(2);
        constexpr std::string_view from = "\"\\/bfnrt";
        constexpr std::string_view to = "\"\\/\b\f\n\r\t";
        if (const size_t known = from.find(escape); known != std::string_view::npos) {
            out += to[known];
            continue;
        }
        if (escape != 'u') return fail();
        uint32_t code = hex4();
        if (code >= 0xd800 && code < 0xdc00) {
            if (rest_.substr(0, 2) != "\\u") return fail();
            rest_.remove_prefix(2);
            const uint32_t low = hex4();
            if (low < 0xdc00 || low > 0xdfff) return fail();
            code = 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00));
        } else if (code >= 0xdc00 && code <= 0xdfff) {
            return fail();
        }
        if (ok_) append_utf8(out, code);
    }
}

//     number := [-] ( 0 | digit1-9 {digit} ) [ . digit {digit} ] [ (e|E) [+|-] digit {digit} ]
std::string_view JsonReader::number() noexcept {
    skip_space();
    size_t i = 0;
    const auto at = [this, &i](char c) { return i < rest_.size() && rest_[i] == c; };
    const auto digits = [this, &i] {
        const size_t begin = i;
        while (i < rest_.size() && is_digit(rest_[i])) ++i;
        return i > begin;
    };
    if (at('-')) ++i;
    bool good = true;
    if (at('0'))
        ++i;
    else
        good = digits();
    if (at('.')) {
        ++i;
        good = digits() && good;
    }
    if (at('e') || at('E')) {
        ++i;
        if (at('+') || at('-')) ++i;
        good = digits() && good;
    }
    if (!good) {
        fail();
        return {};
    }
    const std::string_view text = rest_.substr(0, i);
    rest_.remove_prefix(i);
    return text;
}

int64_t JsonReader::read_integer() {
    std::string_view text;
    if (peek() == Kind::string) {
        read_string(scratch_);
        text = scratch_;
    } else {
        text = number();
    }
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    constexpr double limit = 9007199254740992.0;  // 2^53: beyond it a double is no longer exact
    if (!ok_ || text.empty() || error != std::errc{} || end != text.data() + text.size() ||
        !(value >= -limit && value <= limit) || value != std::floor(value)) {
        fail();
        return 0;
    }
    return static_cast<int64_t>(value);
}

void JsonReader::literal(std::string_view word) noexcept {
    skip_space();
    if (rest_.substr(0, word.size()) != word) return fail();
    rest_.remove_prefix(word.size());
}

bool JsonReader::read_boolean() noexcept {
    skip_space();
    const bool value = !rest_.empty() && rest_.front() == 't';
    literal(value ? "true" : "false");
    return value && ok_;
}

// Without recursion: the stack of open brackets is the only state.
void JsonReader::skip_value() {
    std::array<char, JsonFramer::max_depth> open{};
    size_t depth = 0;
    do {
        // A value, or the end of an empty array or object.
        switch (peek()) {
            case Kind::object:
            case Kind::array: {
                if (depth == open.size()) return fail();
                const bool is_object = rest_.front() == '{';
                open[depth++] = is_object ? '}' : ']';
                rest_.remove_prefix(1);
                if (accept(open[depth - 1])) {
                    --depth;
                    break;
                }
                if (is_object) {
                    skip_space();
                    read_string(scratch_);
                    expect(':');
                }
                continue;
            }
            case Kind::string:
                read_string(scratch_);
                break;
            case Kind::boolean:
                (void)read_boolean();
                break;
            case Kind::null:
                literal("null");
                break;
            case Kind::number:
                (void)number();
                break;
            case Kind::end:
                return fail();
        }
        // After a value: the ends of what it closes, then a comma if something is still open.
        while (depth > 0 && ok_ && accept(open[depth - 1])) --depth;
        if (depth > 0) {
            expect(',');
            if (open[depth - 1] == '}') {
                skip_space();
                read_string(scratch_);
                expect(':');
            }
        }
    } while (depth > 0 && ok_);
}

void JsonReader::expect_end() noexcept {
    skip_space();
    if (!rest_.empty()) fail();
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<uint8_t>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20) {
            constexpr std::string_view digits = "0123456789abcdef";
            out += "\\u00";
            out += digits[byte >> 4];
            out += digits[byte & 15];
        } else {
            out += c;
        }
    }
    out += '"';
}

}  // namespace fairway::pdns
