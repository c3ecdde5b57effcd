// SPDX-License-Identifier: Apache-2.0
#include "probes/http_request.h"

#include <algorithm>
#include <array>

#include "base/ip.h"
#include "base/text.h"

namespace fairway {

namespace {

constexpr size_t max_path = 4096;
constexpr size_t max_host = 300;

bool is_visible(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool is_token(std::string_view text) {
    constexpr std::string_view separators = "\"(),/:;<=>?@[\\]{}";
    return !text.empty() && is_visible(text) && text.find_first_of(separators) == std::string_view::npos;
}

bool is_field_value(std::string_view text) {
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return (static_cast<uint8_t>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

bool is_path(std::string_view text) {
    return text.starts_with('/') && text.size() <= max_path && is_visible(text) &&
           text.find('#') == std::string_view::npos;
}

// The authority without its scheme's own port, in lower case: equal for equal places.
std::string normal_authority(std::string_view authority, HttpScheme scheme) {
    const std::string_view port = scheme == HttpScheme::http ? ":80" : ":443";
    if (authority.ends_with(port)) authority.remove_suffix(port.size());
    return ascii_lower(authority);
}

bool has_header(const HttpProbe& settings, std::string_view name) {
    return std::any_of(settings.headers.begin(), settings.headers.end(),
                       [&](const auto& header) { return ascii_lower(header.first) == name; });
}

}  // namespace

Result<void> check_http_settings(const HttpProbe& settings) {
    if (!is_token(settings.method))
        return fail("\"" + escape_text(settings.method, 40) + "\" is not an HTTP method");
    if (settings.method == "CONNECT") return fail("an HTTP probe cannot CONNECT");
    if (!is_path(settings.path))
        return fail("\"" + escape_text(settings.path, 80) + "\" is not a path that can be asked for");
    if (!is_visible(settings.host) || settings.host.size() > max_host)
        return fail("\"" + escape_text(settings.host, 80) + "\" cannot be a Host header");
    constexpr std::array<std::string_view, 5> own{"host", "connection", "content-length", "transfer-encoding",
                                                  "upgrade"};
    for (const auto& [name, value] : settings.headers) {
        if (!is_token(name)) return fail("\"" + escape_text(name, 40) + "\" cannot be a header's name");
        if (!is_field_value(value))
            return fail("the value of header " + name + " contains control characters");
        if (std::find(own.begin(), own.end(), ascii_lower(name)) != own.end())
            return fail("header " + name + " is set by the probe itself" +
                        (ascii_lower(name) == "host" ? "; use host" : ""));
    }
    return {};
}

std::string http_host(const HttpProbe& settings, std::string_view endpoint_host, uint16_t port) {
    if (!settings.host.empty()) return settings.host;
    const bool named = settings.tls && !settings.tls->server_name.empty();
    std::string host(named ? std::string_view(settings.tls->server_name) : endpoint_host);
    if (host.find(':') != std::string::npos) host = "[" + host + "]";
    const uint16_t usual = settings.tls ? 443 : 80;
    if (port != usual) host += ":" + std::to_string(port);
    return host;
}

std::string http_request(const HttpProbe& settings, std::string_view host, std::string_view path) {
    std::string text;
    text.reserve(256);
    text.append(settings.method).append(" ").append(path).append(" HTTP/1.1\r\nHost: ").append(host);
    text += "\r\nConnection: close\r\n";
    if (!has_header(settings, "user-agent")) text += "User-Agent: fairway/" FAIRWAY_VERSION "\r\n";
    if (!has_header(settings, "accept")) text += "Accept: */*\r\n";
    if (!has_header(settings, "accept-encoding")) text += "Accept-Encoding: identity\r\n";
    // Methods that are expected to have a body must say that there is none (RFC 9110 section 8.6).
    if (settings.method == "POST" || settings.method == "PUT" || settings.method == "PATCH")
        text += "Content-Length: 0\r\n";
    for (const auto& [name, value] : settings.headers)
        text.append(name).append(": ").append(value).append("\r\n");
    return text += "\r\n";
}

Result<std::string> redirect_path(std::string_view location, HttpScheme scheme, std::string_view host,
                                  std::string_view from) {
    const std::string shown = "redirect to \"" + escape_text(location, 80) + "\"";
    if (location.empty()) return fail("redirect without a Location");
    std::string_view rest = location.substr(0, location.find('#'));
    const std::string start = ascii_lower(rest.substr(0, 8));
    bool absolute = rest.starts_with("//");
    if (start.starts_with("http:") || start.starts_with("https:")) {
        if (start.starts_with("https:") != (scheme == HttpScheme::https))
            return fail(shown + " changes the scheme");
        rest.remove_prefix(rest.find(':') + 1);
        absolute = rest.starts_with("//");
        if (!absolute) return fail(shown + " cannot be followed");
    }
    if (absolute) {
        rest.remove_prefix(2);
        const size_t end = std::min(rest.find_first_of("/?"), rest.size());
        if (normal_authority(rest.substr(0, end), scheme) != normal_authority(host, scheme))
            return fail(shown + " leads to another host");
        rest.remove_prefix(end);
        if (!rest.starts_with('/')) {
            const std::string path = "/" + std::string(rest);
            if (!is_path(path)) return fail(shown + " cannot be followed");
            return path;
        }
    }
    std::string path(rest);
    if (!rest.starts_with('/')) {
        // Relative to the path that was asked for, without its query (RFC 3986 section 5.2.3).
        const std::string_view base = from.substr(0, from.find('?'));
        const size_t colon = rest.find(':');
        if (colon < rest.find_first_of("/?")) return fail(shown + " changes the scheme");
        if (rest.empty())
            path = from;
        else if (rest.starts_with('?'))
            path = std::string(base) + path;
        else
            path = std::string(base.substr(0, base.rfind('/') + 1)) + path;
    }
    if (!is_path(path)) return fail(shown + " cannot be followed");
    return path;
}

}  // namespace fairway
