// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/duration.h"
#include "cli/commands.h"

namespace fairway::cli {
namespace {

/// The query that `events` and `audit` share; nothing when --since is no duration.
std::optional<std::string> query_of(Session& session, const EventArguments& arguments) {
    std::string query = "?limit=" + std::to_string(arguments.limit);
    if (!arguments.since.empty()) {
        std::string since = arguments.since;
        if (!parse_rfc3339(since)) {
            const auto span = parse_duration(since);
            if (!span) {
                session.usage("--since: " + span.error().message);
                return std::nullopt;
            }
            since = format_rfc3339(std::chrono::system_clock::now() -
                                   std::chrono::duration_cast<WallTime::duration>(*span));
        }
        query += "&since=" + percent_encode(since);
    }
    if (!arguments.subject.empty()) query += "&subject=" + percent_encode(arguments.subject);
    return query;
}

std::string event_line(const Session& session, const Json& event) {
    std::string time = text(event, "time");
    if (time.size() > 20) time = time.substr(0, 10) + " " + time.substr(11, 12);
    const std::string severity = text(event, "severity");
    std::string line = time + "  " + show_state(session.style, severity) +
                       std::string(severity.size() < 8 ? 8 - severity.size() : 0, ' ') + "  ";
    const std::string subject = text(event, "subject");
    line += paint(session.style, Tone::strong, subject.empty() ? text(event, "kind") : subject);
    const std::string from = text(event, "from"), to = text(event, "to");
    if (!to.empty())
        line += "  " + (from.empty() ? to : from + (session.style.unicode ? " → " : " -> ") + to);
    if (const std::string message = text(event, "message"); !message.empty()) line += "  " + message;
    if (const std::string actor = text(event, "actor"); !actor.empty()) line += " (" + actor + ")";
    return line;
}

}  // namespace

Exit events(Session& session, const EventArguments& arguments) {
    const auto query = query_of(session, arguments);
    if (!query) return session.exit;
    const auto json = session.get("/api/v1/events" + *query);
    if (!json) return session.exit;
    const Json& list = (*json)["events"];
    if (!arguments.follow) {
        session.show(*json, [&] {
            std::string page;
            for (const Json& event : list) page += event_line(session, event) + "\n";
            return page;
        });
        return session.exit;
    }
    // A stream of documents: with --json one event a line.
    int64_t last = 0;
    const auto show = [&](const Json& event) {
        last = event.value("id", last);
        session.show(event, [&] { return event_line(session, event) + "\n"; });
        return std::cout.good();
    };
    for (const Json& event : list) show(event);
    std::string stream = "/api/v1/events?after=";
    const std::string subject =
        arguments.subject.empty() ? "" : "&subject=" + percent_encode(arguments.subject);
    if (!session.follow(stream + std::to_string(last) + subject, show)) return session.exit;
    session.note("fairwayd ended the stream");
    return session.exit;
}

Exit audit(Session& session, const EventArguments& arguments) {
    const auto query = query_of(session, arguments);
    if (!query) return session.exit;
    const auto json = session.get("/api/v1/audit" + *query);
    if (json)
        session.show(*json, [&] {
            Table table;
            for (const Json& entry : (*json)["entries"]) {
                const Json& shown = entry["after"].is_null() ? entry["before"] : entry["after"];
                std::string detail;
                if (shown.is_object()) {
                    detail = text(shown, "state");
                    if (!text(shown, "reason").empty()) detail += ": " + text(shown, "reason");
                    if (!text(shown, "ticket").empty()) detail += " [" + text(shown, "ticket") + "]";
                } else if (!shown.is_null()) {
                    detail = harmless(shown.dump());
                }
                std::string time = text(entry, "time");
                if (time.size() > 20) time = time.substr(0, 10) + " " + time.substr(11, 8);
                table.row(
                    {time, text(entry, "actor"), text(entry, "action"), text(entry, "subject"), detail});
            }
            return table.text();
        });
    return session.exit;
}

}  // namespace fairway::cli
