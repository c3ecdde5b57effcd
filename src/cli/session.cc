// SPDX-License-Identifier: Apache-2.0
#include "cli/session.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/duration.h"
#include "base/text.h"

namespace fairway::cli {
namespace {

constexpr std::string_view default_server = "/run/fairway/control.sock";
constexpr std::string_view problem_prefix = "urn:fairway:problem:";

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

Style style_for(const Globals& globals, const std::ostream& out) {
    Style style;
    const bool terminal = &out == &std::cout && ::isatty(STDOUT_FILENO) == 1;
    style.colour =
        terminal && !globals.no_color && environment("NO_COLOR").empty() && environment("TERM") != "dumb";
    std::string locale = environment("LC_ALL");
    if (locale.empty()) locale = environment("LC_CTYPE");
    if (locale.empty()) locale = environment("LANG");
    locale = ascii_lower(locale);
    style.unicode = locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos;
    return style;
}

Exit exit_of(int status, std::string_view type) {
    if (type == "config-refused") return Exit::usage;
    switch (status) {
        case 400:
            return Exit::usage;
        case 401:
        case 403:
            return Exit::not_permitted;
        case 404:
            return Exit::no_target;
        case 409:
            return Exit::conflict;
        default:
            return Exit::failed;
    }
}

}  // namespace

Session::Session(Globals options, std::ostream& out, std::ostream& error, Transport transport)
    : globals(std::move(options)),
      style(style_for(globals, out)),
      transport_(std::move(transport)),
      out_(out),
      error_(error) {}
Session::~Session() = default;

std::optional<Client> Session::client(nanoseconds patience) {
    std::string where = globals.server;
    if (where.empty()) where = environment("FAIRWAY_SERVER");
    if (where.empty()) where = default_server;
    auto server = ServerAddress::parse(where);
    if (!server) {
        usage("--server: " + server.error().message);
        return std::nullopt;
    }
    const auto timeout = parse_duration(globals.timeout);
    if (!timeout || *timeout <= nanoseconds(0)) {
        usage("--timeout: " +
              (timeout ? globals.timeout + " is not a time to wait" : timeout.error().message));
        return std::nullopt;
    }
    std::string token = environment("FAIRWAY_TOKEN");
    if (!globals.token_file.empty()) {
        std::ifstream in(globals.token_file);
        if (!std::getline(in, token)) {
            usage("--token-file: cannot read " + globals.token_file);
            return std::nullopt;
        }
    }
    token = trim(token);
    for (const char c : token) {
        if (c > 0x20 && c < 0x7f) continue;
        usage("the token holds characters that a token cannot hold");
        return std::nullopt;
    }
    return Client(*server, token, *timeout + patience);
}

std::optional<Json> Session::judge(const tl::expected<HttpReply, Failure>& reply) {
    if (!reply) {
        switch (reply.error().kind) {
            case Failure::Kind::unreachable:
                exit = Exit::unreachable;
                break;
            case Failure::Kind::timed_out:
                exit = Exit::timed_out;
                break;
            case Failure::Kind::garbled:
                exit = Exit::failed;
                break;
        }
        wrong(reply.error().message);
        return std::nullopt;
    }
    Json json = Json::parse(reply->body, nullptr, false);
    if (json.is_discarded() || !json.is_object()) {
        exit = Exit::failed;
        wrong("the answer (status " + std::to_string(reply->status) +
              ") is not what fairwayd says: is it fairwayd?");
        return std::nullopt;
    }
    if (reply->status < 300) return json;
    std::string type = text(json, "type");
    if (type.rfind(problem_prefix, 0) == 0) type.erase(0, problem_prefix.size());
    exit = exit_of(reply->status, type);
    // Scripts that asked for JSON get the problem document where they look for documents.
    if (globals.json) out_ << json.dump() << "\n";
    std::string message = text(json, "detail");
    if (message.empty()) message = "status " + std::to_string(reply->status);
    if (type == "would-empty-service")
        message = message.substr(0, message.find(';')) + " (--force if that is meant)";
    if (reply->status == 401) message += " (FAIRWAY_TOKEN or --token-file)";
    wrong(message);
    if (const auto at = json.find("diagnostics"); at != json.end() && at->is_array())
        for (const Json& item : *at)
            if (item.is_object()) wrong(text(item, "text"));
    return std::nullopt;
}

std::optional<Json> Session::ask(std::string_view method, const std::string& target, const Json* body,
                                 nanoseconds patience) {
    std::string text = body == nullptr
                           ? std::string()
                           : body->dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace);
    if (transport_) return judge(transport_(method, target, std::move(text), patience));
    auto way = client(patience);
    if (!way) return std::nullopt;
    return judge(way->request(method, target, text));
}

std::optional<Json> Session::get(const std::string& target) {
    return ask("GET", target);
}

bool Session::follow(const std::string& target, const std::function<bool(const Json&)>& heard) {
    if (transport_) {
        usage("what is still to happen can be followed with the command line only");
        return false;
    }
    auto way = client(nanoseconds(0));
    if (!way) return false;
    const auto reply = way->follow(target, [&](std::string_view data) {
        const Json json = Json::parse(data, nullptr, false);
        return !json.is_object() || heard(json);
    });
    if (reply && reply->status == 200) return true;
    (void)judge(reply);
    return false;
}

void Session::show(const Json& document, const std::function<std::string()>& readable) {
    if (globals.quiet) return;
    if (globals.json)
        out_ << document.dump() << "\n";
    else
        out_ << readable();
    out_.flush();
}

void Session::say(std::string_view line) {
    out_ << line << "\n" << std::flush;
}

void Session::note(std::string_view line) {
    if (!globals.quiet) error_ << line << "\n";
}

void Session::wrong(std::string_view line) {
    error_ << "fairway: " << line << "\n";
}

Exit Session::usage(std::string_view line) {
    wrong(line);
    return exit = Exit::usage;
}

std::string text(const Json& json, std::string_view key) {
    if (!json.is_object()) return {};
    const auto at = json.find(std::string(key));
    if (at == json.end() || at->is_null()) return {};
    if (at->is_string()) return harmless(at->get<std::string>());
    return harmless(at->dump());
}

std::string show_time(const std::string& rfc3339, const std::string& now) {
    if (rfc3339.size() < 20) return rfc3339;
    const std::string clock = rfc3339.substr(11, 8);
    return rfc3339.compare(0, 10, now, 0, 10) == 0 ? clock : rfc3339.substr(0, 10) + " " + clock;
}

nanoseconds age(const std::string& rfc3339, const std::string& now) {
    const auto then = parse_rfc3339(rfc3339);
    const auto at = parse_rfc3339(now);
    if (!then || !at) return nanoseconds(0);
    return *at - *then;
}

std::string now_text() {
    return format_rfc3339(std::chrono::system_clock::now());
}

}  // namespace fairway::cli
