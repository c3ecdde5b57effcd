// SPDX-License-Identifier: Apache-2.0
#include "pdns/http_call.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "pdns/json_reader.h"

namespace fairway::pdns {
namespace {

using Outcome = tl::expected<void, HttpRefusal>;

tl::unexpected<HttpRefusal> refuse(uint16_t status, std::string_view detail) {
    return tl::unexpected(HttpRefusal{status, std::string(detail)});
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// The value of `key` in "a=1&b=2", still encoded.
std::optional<std::string_view> form_value(std::string_view form, std::string_view key) {
    while (!form.empty()) {
        const size_t end = std::min(form.find('&'), form.size());
        const std::string_view item = form.substr(0, end);
        const size_t equals = std::min(item.find('='), item.size());
        if (item.substr(0, equals) == key) return item.substr(std::min(equals + 1, item.size()));
        form.remove_prefix(std::min(end + 1, form.size()));
    }
    return std::nullopt;
}

bool read_number(std::string_view text, int64_t& out) {
    JsonReader reader(text);
    out = reader.read_integer();
    reader.expect_end();
    return reader.ok();
}

/// The component without the url-suffix. A name ends in an encoded dot; the others hold no dots at all.
std::string_view without_suffix(std::string_view component, char kind) {
    const size_t dot = component.find('.');
    if (dot == std::string_view::npos) return component;
    if (kind != 'n') return component.substr(0, dot);
    const bool after_name = dot >= 3 && ascii_lower(component.substr(dot - 3, 3)) == "%2e";
    return after_name ? component.substr(0, dot) : component;
}

/// The components of the path into the call, as the method's rule lays them out.
Outcome read_path(std::string_view path, const MethodRule& rule, Call& call) {
    for (size_t i = 0; i < rule.path.size(); ++i) {
        if (path.empty() || path.front() != '/')
            return refuse(400, std::string(rule.name) + ": the path lacks a component");
        path.remove_prefix(1);
        const bool is_last = i + 1 == rule.path.size();
        const size_t end = is_last ? path.size() : std::min(path.find('/'), path.size());
        const char kind = rule.path[i];
        const std::string_view component =
            is_last ? without_suffix(path.substr(0, end), kind) : path.substr(0, end);
        path.remove_prefix(end);
        std::string decoded;
        if (component.find('/') != std::string_view::npos || !append_percent_decoded(decoded, component))
            return refuse(400, std::string(rule.name) + ": a malformed component in the path");
        switch (kind) {
            case 'n':
                call.name = std::move(decoded);
                break;
            case 'q':
                call.qtype = std::move(decoded);
                break;
            case 'k':
                call.kind = std::move(decoded);
                break;
            case 'z':
            case 'i':
                if (!read_number(decoded, kind == 'z' ? call.zone_id : call.id))
                    return refuse(400, std::string(rule.name) + ": an id that is no number");
                break;
            default:
                break;
        }
    }
    return {};
}

/// What a RESTful request carries in its query or its body.
bool read_form(std::string_view form, Call& call) {
    if (const auto value = form_value(form, "pattern"))
        if (!append_percent_decoded(call.text, *value)) return false;
    if (const auto value = form_value(form, "query"))
        if (!append_percent_decoded(call.text, *value)) return false;
    std::string number;
    if (const auto value = form_value(form, "maxResults"))
        if (!append_percent_decoded(number, *value) || !read_number(number, call.max_results)) return false;
    number.clear();
    if (const auto value = form_value(form, "serial"))
        if (!append_percent_decoded(number, *value) || !read_number(number, call.serial)) return false;
    return true;
}

bool is_answered_false(Method method) {
    return method == Method::write_content || method == Method::write_metadata ||
           method == Method::write_keys || method == Method::write_tsig || method == Method::secondary;
}

Outcome read_restful(const HttpRequest& request, std::string_view path, std::string_view query,
                     const MethodRule& rule, Call& call) {
    call.clear();
    call.method_name = rule.name;
    if (rule.method == Method::direct_backend_cmd && request.method != "POST")
        return refuse(405, "commands are given by POST");
    if (is_answered_false(rule.method)) {
        // Whatever it is about: 4.7 garbles the bodies of some of these.
        call.method = rule.method;
        return {};
    }
    if (auto read = read_path(path, rule, call); !read) return read;
    if (!read_form(query, call) || !read_form(request.body, call))
        return refuse(400, std::string(rule.name) + ": a malformed argument");
    call.remote = request.remote;
    call.real_remote = request.real_remote;
    if (!request.zone_id.empty() && !read_number(request.zone_id, call.zone_id))
        return refuse(400, "an X-RemoteBackend-Zone-Id that is no number");
    if (rule.needs_name && call.name.empty()) return refuse(400, std::string(rule.name) + " without a name");
    call.method = rule.method;
    return {};
}

Outcome of(const Result<void>& parsed) {
    if (!parsed) return refuse(400, parsed.error().message);
    return {};
}

}  // namespace

bool append_percent_decoded(std::string& out, std::string_view text) {
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i] == '+' ? ' ' : text[i];
            continue;
        }
        if (text.size() - i < 3) return false;
        const int high = hex_digit(text[i + 1]);
        const int low = hex_digit(text[i + 2]);
        if (high < 0 || low < 0) return false;
        out += static_cast<char>(static_cast<uint8_t>(high << 4 | low));
        i += 2;
    }
    return true;
}

tl::expected<void, HttpRefusal> read_http_call(const HttpRequest& request, Call& call) {
    const size_t mark = std::min(request.target.find('?'), request.target.size());
    std::string_view path = request.target.substr(0, mark);
    const std::string_view query = request.target.substr(std::min(mark + 1, request.target.size()));
    if (path.empty() || path.front() != '/') return refuse(404, "the remote backend is at / and /pdns");
    if (path.substr(0, 5) == "/pdns" && (path.size() == 5 || path[5] == '/')) path.remove_prefix(5);

    if (path.empty() || path == "/") {
        if (request.method != "POST") return refuse(405, "calls without a method in their path are POSTs");
        return of(parse_call(request.body, call));
    }
    path.remove_prefix(1);
    const size_t end = std::min({path.find('/'), path.find('.'), path.size()});
    const std::string_view name = path.substr(0, end);
    const MethodRule* rule = find_method(name);
    if (rule == nullptr) {
        // Later versions may have methods that we know nothing of: these are answered false, not with an
        // error that costs PowerDNS its connection.
        const bool is_word =
            !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
                return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
            });
        if (!is_word) return refuse(404, "the remote backend is at / and /pdns");
        call.clear();
        call.method_name = name;
        return {};
    }
    if (request.method == "POST") {
        if (const auto parameters = form_value(request.body, "parameters")) {
            std::string json;
            if (!append_percent_decoded(json, *parameters))
                return refuse(400, std::string(rule->name) + ": malformed parameters");
            return of(parse_call(rule->name, json, call));
        }
    }
    return read_restful(request, path.substr(end), query, *rule, call);
}

}  // namespace fairway::pdns
