// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/commands.h"

namespace fairway::cli {
namespace {

std::string path_of(const std::string& zone) {
    return "/api/v1/zones/" + percent_encode(zone);
}

std::string list_page(const Session& session, const Json& json) {
    Table table;
    table.row({"ZONE", "SERIAL", "SIGNED", "KEYS"});
    for (const Json& zone : json["zones"]) {
        std::string keys;
        for (const Json& key : zone.value("keys", Json::array()))
            if (key.value("published", false))
                keys += (keys.empty() ? "" : ", ") + text(key, "role") + " " + text(key, "tag") + " " +
                        text(key, "state");
        const std::string trouble = text(zone, "trouble");
        if (!trouble.empty()) keys = paint(session.style, Tone::bad, trouble);
        table.row(
            {text(zone, "name"), text(zone, "serial"), zone.value("signed", false) ? "yes" : "no", keys});
    }
    return table.text();
}

std::string keys_page(const Session& session, const Json& json) {
    const std::string now = now_text();
    std::string page;
    if (const std::string trouble = text(json, "trouble"); !trouble.empty())
        page += paint(session.style, Tone::bad, "the keys cannot be used: " + trouble) + "\n";
    Table table;
    table.row({"KEY", "ALGORITHM", "STATE", "SIGNS", "CDS", "NEXT"});
    for (const Json& key : json.value("keys", Json::array())) {
        std::string signs = key.value("signs_keys", false) ? "keys" : "";
        if (key.value("signs_zone", false)) signs += signs.empty() ? "zone" : " and zone";
        // The first of its times that is still to come.
        std::string next, what;
        for (const auto& [name, at] : key["times"].items()) {
            const std::string time = at.get<std::string>();
            if (time <= now || (!next.empty() && next <= time)) continue;
            next = time;
            what = name;
        }
        table.row({text(key, "role") + " " + text(key, "tag"), text(key, "algorithm"), text(key, "state"),
                   signs.empty() ? "nothing" : signs, key.value("in_cds", false) ? "yes" : "no",
                   next.empty() ? "" : harmless(what) + " " + show_time(next, now)});
    }
    return page + table.text();
}

std::string ds_page(const Session& session, const Json& json, bool sha384) {
    std::string page;
    for (const Json& key : json.value("keys", Json::array())) {
        const auto ds = key.find("ds");
        if (ds == key.end()) continue;
        const std::string state = text(*ds, "state");
        const std::string name = text(key, "role") + " " + text(key, "tag");
        std::string say = "; " + name + ": ";
        if (state == "publish")
            say += "give this to the parent, then say: fairway zone ds-seen " + text(json, "name");
        if (state == "published") say += "the parent has this";
        if (state == "withdraw") say += "the parent can forget this";
        if (state == "wait")
            say += "do not give this to the parent before " + show_time(text(*ds, "not_before"), now_text());
        page += paint(session.style, Tone::faint, say) + "\n" + text(*ds, "sha256") + "\n";
        if (sha384) page += text(*ds, "sha384") + "\n";
    }
    return page;
}

std::optional<Json> signed_zone(Session& session, const std::string& zone) {
    auto json = session.get(path_of(zone));
    if (!json) return json;
    if (json->value("signed", false)) return json;
    session.wrong("the zone " + harmless(zone) + " is not signed (dnssec = true makes it so)");
    session.exit = Exit::conflict;
    return std::nullopt;
}

std::string done_page(const Json& json) {
    std::string page;
    for (const Json& note : json["done"])
        page += text(json, "zone") + ": " + harmless(note.get<std::string>()) + "\n";
    return page;
}

}  // namespace

Exit zone_list(Session& session) {
    if (const auto json = session.get("/api/v1/zones"))
        session.show(*json, [&] { return list_page(session, *json); });
    return session.exit;
}

Exit zone_keys(Session& session, const std::string& zone) {
    if (const auto json = signed_zone(session, zone))
        session.show(*json, [&] { return keys_page(session, *json); });
    return session.exit;
}

Exit zone_ds(Session& session, const ZoneArguments& arguments) {
    if (const auto json = signed_zone(session, arguments.zone))
        session.show(*json, [&] { return ds_page(session, *json, arguments.sha384); });
    return session.exit;
}

Exit zone_roll(Session& session, const ZoneArguments& arguments) {
    if (arguments.zsk + arguments.ksk + arguments.csk != 1)
        return session.usage("roll needs exactly one of --zsk, --ksk and --csk");
    const Json body = {{"key", arguments.zsk ? "zsk" : arguments.ksk ? "ksk" : "csk"}};
    if (const auto json = session.ask("POST", path_of(arguments.zone) + "/roll", &body))
        session.show(*json, [&] { return done_page(*json); });
    return session.exit;
}

Exit zone_ds_seen(Session& session, const std::string& zone) {
    if (const auto json = session.ask("POST", path_of(zone) + "/ds-seen"))
        session.show(*json, [&] { return done_page(*json); });
    return session.exit;
}

}  // namespace fairway::cli
