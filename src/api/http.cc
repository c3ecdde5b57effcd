// SPDX-License-Identifier: Apache-2.0
#include "api/http.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "api/json.h"

namespace fairway::api {
namespace {

constexpr size_t max_segments = 16;
constexpr size_t max_arguments = 32;

/// UTF-8 (RFC 3629: no overlong forms, surrogates or values beyond U+10FFFF) without control characters.
bool is_plain_text(std::string_view text) {
    for (size_t i = 0; i < text.size();) {
        const auto lead = static_cast<uint8_t>(text[i]);
        if (lead < 0x20 || lead == 0x7f) return false;
        const size_t length = lead < 0x80       ? 1
                              : lead >> 5 == 6  ? 2
                              : lead >> 4 == 14 ? 3
                              : lead >> 3 == 30 ? 4
                                                : 0;
        if (length == 0 || i + length > text.size()) return false;
        uint32_t value = length == 1 ? lead : lead & (0x7fU >> length);
        for (size_t k = 1; k < length; ++k) {
            const auto byte = static_cast<uint8_t>(text[i + k]);
            if (byte >> 6 != 2) return false;
            value = value << 6 | (byte & 0x3fU);
        }
        constexpr std::array<uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
        if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return false;
        // C1 controls and the separators that terminals and logs may act on.
        if ((value >= 0x80 && value < 0xa0) || value == 0x2028 || value == 0x2029) return false;
        i += length;
    }
    return true;
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

Result<std::string> percent_decode(std::string_view text) {
    std::string decoded;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
        if (high < 0 || low < 0) return fail("a percent sign begins no escape");
        decoded += static_cast<char>(high << 4 | low);
        i += 2;
    }
    return decoded;
}

/// Calls `part` for what stands between separators.
template <class Function>
void split(std::string_view text, char separator, Function part) {
    for (;;) {
        const size_t at = text.find(separator);
        part(text.substr(0, at));
        if (at == std::string_view::npos) return;
        text.remove_prefix(at + 1);
    }
}

std::string_view title_of(int status) {
    switch (status) {
        case 400:
            return "Bad request";
        case 401:
            return "Not authenticated";
        case 403:
            return "Not permitted";
        case 404:
            return "Not found";
        case 405:
            return "Method not allowed";
        case 409:
            return "Conflict";
        case 413:
            return "Too large";
        case 422:
            return "Refused";
        case 503:
            return "Unavailable";
        default:
            return "Failed";
    }
}

Result<Target> checked(Target target) {
    if (target.segments.size() > max_segments) return fail("the path has too many parts");
    for (const std::string& segment : target.segments) {
        if (segment.empty()) return fail("the path has an empty part");
        if (segment == "." || segment == "..") return fail("the path has a relative part");
        if (!is_plain_text(segment)) return fail("the path is not plain UTF-8 text");
    }
    if (target.query.size() > max_arguments) return fail("there are too many arguments");
    for (size_t i = 0; i < target.query.size(); ++i) {
        const auto& [key, value] = target.query[i];
        if (key.empty() || !is_plain_text(key) || !is_plain_text(value))
            return fail("the arguments are not plain UTF-8 text");
        for (size_t k = 0; k < i; ++k)
            if (target.query[k].first == key) return fail("the argument \"" + key + "\" is given twice");
    }
    return target;
}

}  // namespace

std::string_view to_string(Method method) noexcept {
    switch (method) {
        case Method::get:
            return "GET";
        case Method::post:
            return "POST";
        case Method::delete_:
            return "DELETE";
    }
    return "";
}

Result<Target> Target::make(std::string_view path, const std::vector<std::string>& arguments) {
    if (path.empty() || path.front() != '/') return fail("the path does not begin with a slash");
    Target target;
    if (path.size() > 1)
        split(path.substr(1), '/', [&](std::string_view part) { target.segments.emplace_back(part); });
    for (const std::string& argument : arguments) {
        const size_t equals = argument.find('=');
        target.query.emplace_back(argument.substr(0, equals),
                                  equals == std::string::npos ? "" : argument.substr(equals + 1));
    }
    return checked(std::move(target));
}

Result<Target> Target::parse(std::string_view sent) {
    const size_t question = sent.find('?');
    const std::string_view path = sent.substr(0, question);
    if (path.empty() || path.front() != '/') return fail("the path does not begin with a slash");
    Target target;
    std::optional<Error> wrong;
    const auto decode = [&](std::string_view text) {
        auto decoded = percent_decode(text);
        if (!decoded) wrong = decoded.error();
        return decoded.value_or("");
    };
    if (path.size() > 1)
        split(path.substr(1), '/', [&](std::string_view part) { target.segments.push_back(decode(part)); });
    if (question != std::string_view::npos)
        split(sent.substr(question + 1), '&', [&](std::string_view argument) {
            const size_t equals = argument.find('=');
            target.query.emplace_back(
                decode(argument.substr(0, equals)),
                equals == std::string_view::npos ? "" : decode(argument.substr(equals + 1)));
        });
    if (wrong) return tl::unexpected(*wrong);
    return checked(std::move(target));
}

const std::string* Target::find(std::string_view key) const noexcept {
    for (const auto& [name, value] : query)
        if (name == key) return &value;
    return nullptr;
}

Response problem(int status, std::string_view type, std::string_view detail) {
    const Json json = {{"type", std::string(problem_prefix) + std::string(type)},
                       {"title", title_of(status)},
                       {"status", status},
                       {"detail", detail}};
    return {status, "application/problem+json", text_of(json), {}, std::nullopt};
}

}  // namespace fairway::api
