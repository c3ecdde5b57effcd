// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/duration.h"
#include "base/text.h"
#include "cli/commands.h"

namespace fairway::cli {
namespace {

std::string words(const Json& list) {
    std::string joined;
    for (const Json& item : list)
        joined +=
            (joined.empty() ? "" : ", ") + harmless(item.is_string() ? item.get<std::string>() : item.dump());
    return joined;
}

std::string end_of(const Json& item, const std::string& now) {
    const std::string until = text(item, "until");
    if (until.empty()) return "permanent";
    return "until " + show_time(until, now) + " (" + show_span(-age(until, now)) + ")";
}

std::string changed(const Session& session, const Json& json, std::string_view verb) {
    const std::string now = now_text();
    std::string page;
    for (const Json& item : json["overrides"]) {
        page += text(item, "target") + ": " + std::string(verb) + text(item, "state") + ", " +
                end_of(item, now) + " (override " + text(item, "id") + ", revision " +
                text(item, "revision") + ")\n";
        if (const std::string clear = text(item, "clear_of_dns"); !clear.empty() && verb.empty())
            page +=
                "  clear of DNS at " + show_time(clear, now) + ", when the last answer's TTL has run out\n";
        if (const std::string warning = text(item, "warning"); !warning.empty())
            page += "  " + paint(session.style, Tone::doubtful, "warning: " + warning) + "\n";
    }
    return page;
}

std::string preview(const Session& session, const Json& json) {
    std::string page;
    for (const Json& item : json["overrides"])
        page += "would set: " + text(item, "target") + " " + text(item, "state") + ", " +
                end_of(item, now_text()) + ", on " + words(item["endpoints"]) + "\n";
    Table table;
    size_t same = 0;
    for (const Json& effect : json["effects"]) {
        if (!effect.value("changes", false)) {
            ++same;
            continue;
        }
        const std::string region = text(effect, "clients");
        table.row({text(effect, "service"), region.empty() ? "elsewhere" : "near " + region,
                   words(effect["before"]), session.style.unicode ? "→" : "->", words(effect["after"]),
                   effect.value("last_resort", false) ? "last resort" : ""});
    }
    page +=
        table.empty() ? "no answer would change\n" : "answers would change for clients\n" + table.text("  ");
    if (same > 0 && !table.empty()) page += std::to_string(same) + " other answers would stay\n";
    if (json.value("refused_without_force", false))
        page +=
            paint(session.style, Tone::bad,
                  "this leaves no gateway for " + words(json["emptied_services"]) + ": it needs --force") +
            "\n";
    return page;
}

std::optional<Json> find_override(Session& session, int64_t id) {
    auto json = session.get("/api/v1/overrides");
    if (!json) return std::nullopt;
    for (const Json& item : (*json)["overrides"])
        if (item.value("id", int64_t{0}) == id) return item;
    session.wrong("there is no override " + std::to_string(id) + " (fairway override list shows them)");
    session.exit = Exit::no_target;
    return std::nullopt;
}

/// Those that the operator wrote the same way; or, for a glob, all whose target it matches.
std::vector<Json> meant_by(const Json& overrides, const std::string& target) {
    std::vector<Json> found;
    for (const Json& item : overrides) {
        const std::string written = text(item, "target");
        if (written == target || (is_glob(target) && glob_match(target, written))) found.push_back(item);
    }
    return found;
}

/// Says why nothing is cleared: what acts on the target may have been written differently.
void explain_missing(Session& session, const Json& overrides, const std::string& target) {
    std::string hint;
    for (const Json& item : overrides)
        for (const Json& endpoint : item["endpoints"]) {
            const std::string path = harmless(endpoint.get<std::string>());
            if (path != target && path.substr(0, path.find('/')) != target) continue;
            hint += "\noverride " + text(item, "id") + " (" + text(item, "state") + " of " +
                    text(item, "target") + ") acts on it: fairway clear --id " + text(item, "id");
            break;
        }
    session.wrong("there is no override on \"" + harmless(target) + "\"" + hint);
    session.exit = Exit::no_target;
}

}  // namespace

Exit set_override(Session& session, const OverrideArguments& arguments) {
    const int ends = !arguments.duration.empty() + !arguments.until.empty() + arguments.permanent;
    if (ends != 1)
        return session.usage(arguments.state + " needs exactly one of --for, --until and --permanent");
    if (arguments.state == "up" && arguments.permanent)
        return session.usage("up beats the probes, so it must have an end: --for or --until");
    Json body = {{"state", arguments.state}, {"targets", arguments.targets}, {"reason", arguments.reason}};
    if (!arguments.duration.empty()) body["for"] = arguments.duration;
    if (!arguments.until.empty()) body["until"] = arguments.until;
    if (arguments.permanent) body["permanent"] = true;
    if (!arguments.ticket.empty()) body["ticket"] = arguments.ticket;
    if (arguments.dry_run) body["dry_run"] = true;
    if (arguments.force) body["force"] = true;
    const auto json = session.ask("POST", "/api/v1/overrides", &body);
    if (!json) return session.exit;
    session.show(*json,
                 [&] { return arguments.dry_run ? preview(session, *json) : changed(session, *json, ""); });
    if (const auto emptied = json->find("emptied_services");
        !arguments.dry_run && emptied != json->end() && !emptied->empty())
        session.note("warning: no gateway is left for " + words(*emptied));
    return arguments.dry_run && json->value("refused_without_force", false) && !arguments.force
               ? Exit::conflict
               : Exit::done;
}

Exit clear_override(Session& session, const ClearArguments& arguments) {
    if (arguments.targets.empty() == arguments.ids.empty())
        return session.usage("clear needs targets, or --id");
    const auto listed = session.get("/api/v1/overrides");
    if (!listed) return session.exit;
    const Json& overrides = (*listed)["overrides"];
    std::vector<Json> chosen;
    for (const std::string& target : arguments.targets) {
        const std::vector<Json> found = meant_by(overrides, target);
        if (found.empty()) {
            explain_missing(session, overrides, target);
            return session.exit;
        }
        chosen.insert(chosen.end(), found.begin(), found.end());
    }
    for (const int64_t id : arguments.ids) {
        const auto at = std::find_if(overrides.begin(), overrides.end(),
                                     [&](const Json& item) { return item.value("id", int64_t{0}) == id; });
        if (at == overrides.end()) {
            session.wrong("there is no override " + std::to_string(id));
            return session.exit = Exit::no_target;
        }
        chosen.push_back(*at);
    }
    Json cleared = {
        {"schema", "fairway/override-change/1"}, {"dry_run", false}, {"overrides", Json::array()}};
    std::vector<std::string> done;
    for (const Json& item : chosen) {
        const std::string id = text(item, "id");
        if (std::find(done.begin(), done.end(), id) != done.end()) continue;
        done.push_back(id);
        // By revision: what somebody has changed in the meantime is not ours to clear unseen.
        const auto json =
            session.ask("DELETE", "/api/v1/overrides/" + id + "?revision=" + text(item, "revision"));
        if (!json) break;
        for (const Json& gone : (*json)["overrides"]) cleared["overrides"].push_back(gone);
    }
    if (!cleared["overrides"].empty())
        session.show(cleared, [&] {
            std::string page;
            for (const Json& item : cleared["overrides"])
                page += text(item, "target") + ": no longer " + text(item, "state") + " (override " +
                        text(item, "id") + ")\n";
            return page;
        });
    return session.exit;
}

Exit override_list(Session& session) {
    const auto json = session.get("/api/v1/overrides");
    if (json)
        session.show(*json, [&] {
            const std::string now = now_text();
            Table table;
            for (const Json& item : (*json)["overrides"]) {
                const std::string ticket = text(item, "ticket");
                table.row({"#" + text(item, "id"), text(item, "state"), text(item, "target"),
                           end_of(item, now), "by " + text(item, "actor"),
                           text(item, "reason") + (ticket.empty() ? "" : " [" + ticket + "]"),
                           text(item, "warning").empty()
                               ? ""
                               : paint(session.style, Tone::doubtful, "warning: " + text(item, "warning"))});
            }
            return table.empty() ? std::string("No overrides.\n") : table.text();
        });
    return session.exit;
}

Exit override_show(Session& session, int64_t id) {
    auto item = find_override(session, id);
    if (!item) return session.exit;
    Json document = {{"schema", "fairway/override/1"}};
    document.update(*item);
    session.show(document, [&] {
        const std::string now = now_text();
        Table table;
        table.row({"override", text(*item, "id") + ", revision " + text(*item, "revision")});
        table.row({"state", text(*item, "state")});
        table.row({"target", text(*item, "target")});
        table.row({"stands for", words((*item)["endpoints"])});
        table.row({"by", text(*item, "actor")});
        table.row({"reason", text(*item, "reason")});
        if (!text(*item, "ticket").empty()) table.row({"ticket", text(*item, "ticket")});
        table.row({"since", show_time(text(*item, "since"), now)});
        table.row({"ends", end_of(*item, now)});
        if (!text(*item, "clear_of_dns").empty())
            table.row({"clear of DNS", show_time(text(*item, "clear_of_dns"), now)});
        if (!text(*item, "warning").empty()) table.row({"warning", text(*item, "warning")});
        return table.text();
    });
    return session.exit;
}

Exit override_extend(Session& session, const ExtendArguments& arguments) {
    const int ends = !arguments.duration.empty() + !arguments.until.empty() + arguments.permanent;
    if (ends != 1) return session.usage("extend needs exactly one of --for, --until and --permanent");
    const auto item = find_override(session, arguments.id);
    if (!item) return session.exit;
    Json body = {{"revision", (*item)["revision"]}};
    if (!arguments.duration.empty()) body["for"] = arguments.duration;
    if (!arguments.until.empty()) body["until"] = arguments.until;
    if (arguments.permanent) body["permanent"] = true;
    const auto json =
        session.ask("POST", "/api/v1/overrides/" + std::to_string(arguments.id) + "/extend", &body);
    if (json) session.show(*json, [&] { return changed(session, *json, "still "); });
    return session.exit;
}

Exit confirm(Session& session, const std::string& service) {
    const auto json = session.ask("POST", "/api/v1/services/" + percent_encode(service) + "/confirm");
    if (json)
        session.show(*json, [&] {
            return "service " + text(*json, "service") + " fails over: " + words((*json)["gateways"]) +
                   " no longer answered\n";
        });
    return session.exit;
}

}  // namespace fairway::cli
