// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/duration.h"
#include "cli/commands.h"

namespace fairway::cli {
namespace {

std::string place(const Json& location) {
    std::string text_of_place;
    const auto add = [&](const std::string& part) {
        if (!part.empty()) text_of_place += (text_of_place.empty() ? "" : ", ") + part;
    };
    add(text(location, "country"));
    add(text(location, "continent"));
    if (!text(location, "latitude").empty())
        add(text(location, "latitude") + "," + text(location, "longitude"));
    if (!text(location, "asn").empty()) add("AS" + text(location, "asn"));
    return text_of_place.empty() ? "location unknown" : text_of_place;
}

std::string explanation(const Session& session, const Json& json) {
    const Json& client = json["client"];
    const Json& answer = json["answer"];
    std::string page = paint(session.style, Tone::strong, text(json, "name")) + " (service " +
                       text(json, "service") + ") for " + text(client, "source");
    if (!text(client, "ecs").empty()) page += " with ECS " + text(client, "ecs");
    if (!text(json, "without").empty()) page += ", without " + text(json, "without");
    page += "\n" + text(answer, "decided_by") + " decides: " + place(client["location"]) + "\n";

    page += "\n" + paint(session.style, Tone::strong, "Answer") + "\n";
    const std::string kind = text(answer, "kind");
    if (kind == "endpoints") {
        Table table;
        for (const Json& item : answer["endpoints"])
            table.row({text(item, "address").empty() ? "(no address)" : text(item, "address"),
                       text(item, "endpoint"), text(item, "region")});
        page += table.empty() ? "  nothing\n" : table.text("  ");
    } else if (kind == "name") {
        page += "  CNAME " + text(answer, "cname") + "\n";
    } else {
        page += "  " +
                (kind == "nodata"   ? std::string("no data")
                 : kind == "refuse" ? "REFUSED"
                                    : "SERVFAIL") +
                "\n";
    }
    page += "  TTL " + text(answer, "ttl") + " s, ECS scope /" + text(answer, "scope") + "\n";
    if (answer.value("last_resort", false))
        page += "  " + paint(session.style, Tone::bad, "nothing is healthy: this is the last resort") + "\n";

    page += "\n" + paint(session.style, Tone::strong, "Why") + "\n";
    for (const Json& step : json["trace"]) {
        page += "  " + paint(session.style, Tone::strong, text(step, "filter"));
        if (!text(step, "note").empty()) page += ": " + text(step, "note");
        page += "\n";
        std::string kept;
        for (const Json& item : step["kept"]) {
            kept += (kept.empty() ? "" : ", ") + text(item, "endpoint");
            if (!text(item, "mark").empty()) kept += " (" + text(item, "mark") + ")";
        }
        if (!kept.empty()) page += "      keeps " + kept + "\n";
        for (const Json& item : step["removed"]) {
            page += "      drops " + text(item, "endpoint") + ": " + text(item, "why");
            if (!text(item, "because").empty()) page += " (" + text(item, "because") + ")";
            page += "\n";
        }
    }
    return page;
}

}  // namespace

Exit explain(Session& session, const ExplainArguments& arguments) {
    if (arguments.client.empty() && arguments.ecs.empty())
        return session.usage("explain needs --client IP (who asks), --ecs PREFIX (for whom), or both");
    std::string target = "/api/v1/explain?name=" + percent_encode(arguments.name);
    if (!arguments.client.empty()) target += "&client=" + percent_encode(arguments.client);
    if (!arguments.ecs.empty()) target += "&ecs=" + percent_encode(arguments.ecs);
    if (!arguments.without.empty()) target += "&without=" + percent_encode(arguments.without);
    const auto json = session.get(target);
    if (json) session.show(*json, [&] { return explanation(session, *json); });
    return session.exit;
}

Exit geoip_lookup(Session& session, const std::string& address) {
    const auto json = session.get("/api/v1/geoip/lookup?ip=" + percent_encode(address));
    if (json)
        session.show(*json, [&] {
            return text(*json, "ip") + " is in " + text(*json, "network") + ": " +
                   place((*json)["location"]) +
                   ((*json).value("from_centroid", false) ? " (the country's middle)" : "") + "\nfrom " +
                   text(*json, "origin") + "\n";
        });
    return session.exit;
}

Exit geoip_info(Session& session) {
    const auto json = session.get("/api/v1/geoip/info");
    if (json)
        session.show(*json, [&] {
            std::string page = text(*json, "own_prefixes") + " own prefixes\n";
            Table table;
            for (const Json& item : (*json)["databases"]) {
                std::string fields;
                for (const char* field : {"country", "continent", "coordinates", "asn"})
                    if (item.value(field, false)) fields += (fields.empty() ? "" : ", ") + std::string(field);
                table.row({text(item, "path"), text(item, "type"), "IPv" + text(item, "ip_version"),
                           "built " + text(item, "built").substr(0, 10) + " (" +
                               show_span(seconds(item.value("age_seconds", int64_t{0}))) + " old)",
                           text(item, "bytes") + " octets", fields});
            }
            return page + table.text();
        });
    return session.exit;
}

Exit geoip_reload(Session& session) {
    const auto json = session.ask("POST", "/api/v1/geoip/reload", nullptr, seconds(60));
    if (json) session.show(*json, [&] { return text(*json, "databases") + " databases are open\n"; });
    return session.exit;
}

}  // namespace fairway::cli
