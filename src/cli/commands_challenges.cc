// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"

namespace fairway::cli {
namespace {

std::string page_of(const Json& json, std::string_view verb) {
    const std::string now = now_text();
    Table table;
    for (const Json& item : json["challenges"])
        table.row({text(item, "name"), std::string(verb) + text(item, "value"),
                   "until " + show_time(text(item, "until"), now), "by " + text(item, "actor")});
    return table.empty() ? std::string("No challenges.\n") : table.text();
}

}  // namespace

Exit challenge_set(Session& session, const ChallengeArguments& arguments) {
    Json body = {{"name", arguments.name}, {"value", arguments.value}};
    if (!arguments.duration.empty()) body["for"] = arguments.duration;
    const auto json = session.ask("POST", "/api/v1/challenges", &body);
    if (json) session.show(*json, [&] { return page_of(*json, ""); });
    return session.exit;
}

Exit challenge_clear(Session& session, const ChallengeArguments& arguments) {
    std::string target = "/api/v1/challenges?name=" + percent_encode(arguments.name);
    if (!arguments.value.empty()) target += "&value=" + percent_encode(arguments.value);
    const auto json = session.ask("DELETE", target);
    if (json) session.show(*json, [&] { return page_of(*json, "no longer "); });
    return session.exit;
}

Exit challenge_list(Session& session) {
    const auto json = session.get("/api/v1/challenges");
    if (json) session.show(*json, [&] { return page_of(*json, ""); });
    return session.exit;
}

}  // namespace fairway::cli
