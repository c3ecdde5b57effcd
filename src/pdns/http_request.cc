// SPDX-License-Identifier: Apache-2.0
#include "pdns/http_request.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/text.h"
#include "pdns/json_reader.h"

namespace fairway::pdns {
namespace {

using Parsed = HttpRequestParser::Parsed;

Parsed refuse(uint16_t status, std::string_view reason) {
    Parsed parsed;
    parsed.state = HttpRequestParser::State::refused;
    parsed.status = status;
    parsed.reason = reason;
    return parsed;
}

// RFC 9110 section 5.6.2.
bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<uint8_t>(c);
        return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
    });
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
               return ascii_lower(x) == ascii_lower(y);
           });
}

/// Whether a comma-separated list has the word.
bool has_word(std::string_view list, std::string_view word) {
    while (!list.empty()) {
        const size_t comma = std::min(list.find(','), list.size());
        if (equals_ignoring_case(trim(list.substr(0, comma)), word)) return true;
        list.remove_prefix(std::min(comma + 1, list.size()));
    }
    return false;
}

/// The line up to CR LF, taken off the front; nothing when it holds a bare CR or LF.
std::optional<std::string_view> take_line(std::string_view& head) {
    const size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    if (line.find_first_of("\r\n") != std::string_view::npos) return std::nullopt;
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
    return line;
}

std::string_view phrase(uint16_t status) {
    switch (status) {
        case 200:
            return "OK";
        case 400:
            return "Bad Request";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 411:
            return "Length Required";
        case 413:
            return "Content Too Large";
        case 431:
            return "Request Header Fields Too Large";
        case 501:
            return "Not Implemented";
        case 503:
            return "Service Unavailable";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "Error";
    }
}

}  // namespace

HttpRequestParser::Parsed HttpRequestParser::parse(std::string_view buffer) {
    // A client may send an empty line or two before its request (RFC 9112 section 2.2).
    size_t begin = 0;
    while (buffer.substr(begin, 2) == "\r\n") begin += 2;
    const size_t end = buffer.find("\r\n\r\n", std::max(begin, looked_));
    if (end == std::string_view::npos) {
        if (buffer.size() - begin > max_head) return refuse(431, "the head of the request is too long");
        looked_ = buffer.size() > 3 ? buffer.size() - 3 : 0;
        return {};
    }
    if (end - begin > max_head) return refuse(431, "the head of the request is too long");
    looked_ = end;

    std::string_view head = buffer.substr(begin, end - begin);
    Parsed parsed;
    const auto line = take_line(head);
    if (!line) return refuse(400, "a malformed request line");
    const size_t first = line->find(' ');
    const size_t last = line->rfind(' ');
    if (first == std::string_view::npos || first == last) return refuse(400, "a malformed request line");
    parsed.request.method = line->substr(0, first);
    parsed.request.target = line->substr(first + 1, last - first - 1);
    const std::string_view version = line->substr(last + 1);
    if (!is_token(parsed.request.method) || parsed.request.target.empty() ||
        parsed.request.target.find(' ') != std::string_view::npos || !is_printable(parsed.request.target))
        return refuse(400, "a malformed request line");
    if (version != "HTTP/1.1" && version != "HTTP/1.0") {
        if (version.substr(0, 5) != "HTTP/") return refuse(400, "a malformed request line");
        return refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    }
    parsed.request.keep_alive = version == "HTTP/1.1";

    std::optional<size_t> length;
    for (size_t fields = 0; !head.empty(); ++fields) {
        if (fields == max_fields) return refuse(431, "too many header fields");
        const auto field = take_line(head);
        const size_t colon = field ? field->find(':') : std::string_view::npos;
        if (colon == std::string_view::npos || !is_token(field->substr(0, colon)) ||
            !is_printable(field->substr(colon + 1)))
            return refuse(400, "a malformed header field");
        const std::string_view name = field->substr(0, colon);
        const std::string_view value = trim(field->substr(colon + 1));
        if (equals_ignoring_case(name, "content-length")) {
            size_t octets = 0;
            const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), octets);
            if (error == std::errc::result_out_of_range) return refuse(413, "the body is too long");
            if (error != std::errc{} || stop != value.data() + value.size() || (length && *length != octets))
                return refuse(400, "a malformed Content-Length");
            length = octets;
        } else if (equals_ignoring_case(name, "transfer-encoding")) {
            return refuse(501, "only bodies with a Content-Length are read here");
        } else if (equals_ignoring_case(name, "connection")) {
            if (has_word(value, "close")) parsed.request.keep_alive = false;
            if (version == "HTTP/1.0" && has_word(value, "keep-alive")) parsed.request.keep_alive = true;
        } else if (equals_ignoring_case(name.substr(0, 16), "x-remotebackend-")) {
            const std::string_view parameter = name.substr(16);
            if (equals_ignoring_case(parameter, "remote")) parsed.request.remote = value;
            if (equals_ignoring_case(parameter, "real-remote")) parsed.request.real_remote = value;
            if (equals_ignoring_case(parameter, "zone-id")) parsed.request.zone_id = value;
        }
    }
    if (!length && parsed.request.method == "POST") return refuse(411, "a POST needs a Content-Length");
    if (length.value_or(0) > max_body) return refuse(413, "the body is too long");
    parsed.size = end + 4 + length.value_or(0);
    if (buffer.size() < parsed.size) return {};
    parsed.request.body = buffer.substr(end + 4, length.value_or(0));
    parsed.state = State::complete;
    return parsed;
}

void append_http_response(std::string& out, uint16_t status, std::string_view content_type,
                          std::string_view body, bool keep_alive) {
    out += "HTTP/1.1 ";
    out += std::to_string(status);
    out += ' ';
    out += phrase(status);
    out += "\r\nContent-Type: ";
    out += content_type;
    out += "\r\nContent-Length: ";
    out += std::to_string(body.size());
    if (status == 405) out += "\r\nAllow: POST";
    out += keep_alive ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
    out += body;
}

void append_http_problem(std::string& out, uint16_t status, std::string_view detail, bool keep_alive) {
    std::string body = R"({"type":"about:blank","title":)";
    append_json_string(body, phrase(status));
    body += R"(,"status":)" + std::to_string(status) + R"(,"detail":)";
    append_json_string(body, detail);
    body += '}';
    append_http_response(out, status, "application/problem+json", body, keep_alive);
}

}  // namespace fairway::pdns
