// SPDX-License-Identifier: Apache-2.0
// The configuration: of a running server through its API, or of a file with the very loader that the server
// uses.

#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "config/config.h"

namespace fairway::cli {
namespace {

Json describe(const std::vector<config::Diagnostic>& diagnostics) {
    Json list = Json::array();
    for (const config::Diagnostic& item : diagnostics)
        list.push_back(
            {{"severity", item.severity == config::Diagnostic::Severity::error ? "error" : "warning"},
             {"file", item.file},
             {"line", item.line},
             {"column", item.column},
             {"message", item.message},
             {"text", item.to_string()}});
    return list;
}

/// Warnings are messages; the list of changes is the data.
void show_outcome(Session& session, const Json& json, std::string_view nothing) {
    if (!session.globals.json)
        for (const Json& item : json["diagnostics"]) session.note(text(item, "text"));
    session.show(json, [&] {
        std::string page;
        for (const Json& change : json["changes"]) page += harmless(change.get<std::string>()) + "\n";
        return page.empty() ? std::string(nothing) + "\n" : page;
    });
}

}  // namespace

Exit config_check(Session& session, const std::string& file) {
    if (file.empty()) {
        const auto json = session.ask("POST", "/api/v1/config/check", nullptr, seconds(60));
        if (json) show_outcome(session, *json, "the configuration is good, and the same as the one in force");
        return session.exit;
    }
    const config::LoadResult loaded = config::load(file);
    const bool good = loaded.config.has_value();
    const Json json = {{"schema", "fairway/config-check/1"},
                       {"accepted", good},
                       {"changes", Json::array()},
                       {"diagnostics", describe(loaded.diagnostics)}};
    if (!session.globals.json)
        for (const config::Diagnostic& item : loaded.diagnostics)
            if (!good || !session.globals.quiet) session.wrong(item.to_string());
    session.show(json, [&] { return good ? file + ": good\n" : std::string(); });
    return session.exit = good ? Exit::done : Exit::usage;
}

Exit config_show(Session& session, const std::string& file) {
    if (file.empty()) {
        const auto json = session.get("/api/v1/config");
        if (json)
            session.show(*json, [&] {
                const auto at = json->find("toml");
                return at == json->end() || !at->is_string() ? std::string() : at->get<std::string>();
            });
        return session.exit;
    }
    const config::LoadResult loaded = config::load(file);
    if (!loaded.config) {
        for (const config::Diagnostic& item : loaded.diagnostics) session.wrong(item.to_string());
        return session.exit = Exit::usage;
    }
    const std::string toml = config::show(*loaded.config);
    Json files = Json::array();
    for (const auto& read : loaded.config->files) files.push_back(read.string());
    session.show({{"schema", "fairway/config/1"}, {"files", std::move(files)}, {"toml", toml}},
                 [&] { return toml; });
    return session.exit;
}

Exit config_diff(Session& session) {
    const auto json = session.ask("POST", "/api/v1/config/check", nullptr, seconds(60));
    if (json) show_outcome(session, *json, "no difference");
    return session.exit;
}

Exit config_schema(Session& session) {
    // The schema is itself the document.
    session.say(config::json_schema());
    return session.exit;
}

Exit reload(Session& session) {
    const auto json = session.ask("POST", "/api/v1/reload", nullptr, seconds(60));
    if (json) show_outcome(session, *json, "reloaded; nothing differs");
    return session.exit;
}

}  // namespace fairway::cli
