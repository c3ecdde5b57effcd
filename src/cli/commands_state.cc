// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/duration.h"
#include "cli/commands.h"

namespace fairway::cli {
namespace {

std::string heading(const Session& session, std::string_view words) {
    return "\n" + paint(session.style, Tone::strong, words) + "\n";
}

std::string of_total(const Json& json, std::string_view up, std::string_view total, std::string_view what) {
    return text(json, up) + " of " + text(json, total) + " " + std::string(what);
}

/// The effective state; what operators decided stands beside it.
std::string state_cell(const Session& session, const Json& json) {
    const std::string admin = text(json, "admin");
    std::string cell = show_state(session.style, text(json, "state"));
    if (!admin.empty() && admin != "automatic")
        cell += " " + paint(session.style, Tone::doubtful, "[" + admin + "]") + " measured " +
                text(json, "measured");
    return cell;
}

std::string since_cell(const Json& json, const std::string& now) {
    const std::string since = text(json, "since");
    return since.empty() ? "" : "for " + show_span(age(since, now));
}

void add_gateways(const Session& session, const Json& gateways, const std::string& now, Table& table) {
    for (const Json& item : gateways) {
        std::string place = text(item, "region");
        if (const std::string zone = text(item, "zone"); !zone.empty()) place += "/" + zone;
        // Why it is well is no news; why it is not is what the reader is here for.
        const bool well = text(item, "state") == "up" && text(item, "admin") == "automatic";
        table.row({text(item, "gateway"), state_cell(session, item),
                   of_total(item, "endpoints_serving", "endpoints_total", "serve"), since_cell(item, now),
                   place, well ? "" : text(item, "reason")});
    }
}

std::string override_line(const Json& item, const std::string& now) {
    std::string line = "#" + text(item, "id") + " " + text(item, "state") + " " + text(item, "target") +
                       " by " + text(item, "actor");
    const std::string until = text(item, "until");
    line += until.empty()
                ? ", permanent"
                : ", until " + show_time(until, now) + " (" + show_span(-age(until, now)) + " left)";
    line += ": " + text(item, "reason");
    if (const std::string ticket = text(item, "ticket"); !ticket.empty()) line += " [" + ticket + "]";
    if (const std::string clear = text(item, "clear_of_dns"); !clear.empty())
        line += age(clear, now) >= nanoseconds(0) ? "; clear of DNS"
                                                  : "; clear of DNS at " + show_time(clear, now);
    return line;
}

std::string status_page(const Session& session, const Json& json) {
    const std::string now = text(json, "time");
    const Json& node = json["node"];
    std::string page = paint(session.style, Tone::strong, text(node, "name")) + "  fairway " +
                       text(node, "version") + ", up " +
                       show_span(seconds(node.value("uptime_seconds", int64_t{0}))) +
                       (node.value("ready", false) ? ", ready" : ", not ready") + ", " + now;
    if (const auto takeovers = node.value("takeovers", uint64_t{0}); takeovers > 0)
        page += "\nserving since " + show_time(text(node, "serving_since"), now) + " through " +
                std::to_string(takeovers) + (takeovers == 1 ? " handover" : " handovers");
    for (const Json& address : node["dns"]) page += "\nDNS at " + harmless(address.get<std::string>());
    page += "\n";
    for (const Json& problem : json["problems"])
        page += paint(session.style, Tone::bad,
                      (session.style.unicode ? "■ " : "x ") + harmless(problem.get<std::string>())) +
                "\n";
    page += heading(session, "Services");
    Table services;
    for (const Json& item : json["services"])
        services.row({text(item, "service"), show_state(session.style, text(item, "state")),
                      of_total(item, "gateways_up", "gateways_total", "gateways"), text(item, "name")});
    page += services.text("  ");
    page += heading(session, "Regions");
    Table regions;
    for (const Json& item : json["regions"])
        regions.row({text(item, "region"), show_state(session.style, text(item, "state")),
                     of_total(item, "gateways_up", "gateways_total", "gateways")});
    page += regions.text("  ");
    page += heading(session, "Gateways");
    Table gateways;
    add_gateways(session, json["gateways"], now, gateways);
    page += gateways.text("  ");
    if (json["overrides"].empty()) return page + "\nNo overrides.\n";
    page += heading(session, "Overrides");
    for (const Json& item : json["overrides"]) {
        page += "  " + override_line(item, now) + "\n";
        if (const std::string warning = text(item, "warning"); !warning.empty())
            page += "     " + paint(session.style, Tone::doubtful, "warning: " + warning) + "\n";
    }
    return page;
}

std::string endpoint_lines(const Session& session, const Json& endpoint, const std::string& now) {
    std::string line = "  " + text(endpoint, "endpoint") + "  " + state_cell(session, endpoint) + " " +
                       since_cell(endpoint, now);
    line += endpoint.value("serving", false) ? ", serves" : ", does not serve";
    const std::string address = text(endpoint, "address");
    if (address != text(endpoint, "host"))
        line += ", " + text(endpoint, "host") + " is " + (address.empty() ? "not resolved" : address);
    if (const std::string held = text(endpoint, "held_until"); !held.empty())
        line += ", held down for flapping until " + show_time(held, now);
    if (endpoint.value("frozen", false)) line += ", frozen: our own network is suspected";
    line += "\n";
    Table monitors;
    for (const Json& item : endpoint["monitors"]) {
        const Json& last = item["last"];
        std::string result = last.is_object() ? text(last, "text") : "not probed yet";
        if (last.is_object() && !text(last, "detail").empty()) result += ", " + text(last, "detail");
        if (last.is_object() && !last["rtt_ms"].is_null()) result += ", " + text(last, "rtt_ms") + " ms";
        const std::string at = text(item, "last_at");
        monitors.row({text(item, "monitor"), show_state(session.style, text(item, "state")), result,
                      at.empty() ? "" : show_span(age(at, now)) + " ago"});
    }
    return line + monitors.text("    ");
}

std::string gateway_page(const Session& session, const Json& json, const std::string& now) {
    std::string page = paint(session.style, Tone::strong, text(json, "gateway")) + "  " +
                       state_cell(session, json) + " " + since_cell(json, now) + "\n";
    if (const std::string reason = text(json, "reason"); !reason.empty()) page += reason + "\n";
    Table facts;
    facts.row({"region", text(json, "region")});
    if (!text(json, "zone").empty()) facts.row({"zone", text(json, "zone")});
    facts.row({"mode", text(json, "mode")});
    facts.row({"health", text(json, "health")});
    if (!text(json, "active").empty()) facts.row({"active", text(json, "active")});
    if (!text(json, "failback_at").empty())
        facts.row({"failback at", show_time(text(json, "failback_at"), now)});
    std::string labels, services;
    for (const auto& [key, value] : json["labels"].items())
        labels += (labels.empty() ? "" : ", ") + harmless(key) + "=" + harmless(value.get<std::string>());
    if (!labels.empty()) facts.row({"labels", labels});
    for (const Json& item : json["services"])
        services += (services.empty() ? "" : ", ") + harmless(item.get<std::string>());
    facts.row({"services", services.empty() ? "none" : services});
    page += facts.text("  ") + heading(session, "Endpoints");
    for (const Json& item : json["endpoints"]) page += endpoint_lines(session, item, now);
    if (!json["overrides"].empty()) {
        page += heading(session, "Overrides");
        for (const Json& item : json["overrides"]) page += "  " + override_line(item, now) + "\n";
    }
    return page;
}

}  // namespace

Exit status(Session& session) {
    const auto json = session.get("/api/v1/status");
    if (json) session.show(*json, [&] { return status_page(session, *json); });
    return session.exit;
}

Exit gateway_list(Session& session) {
    const auto json = session.get("/api/v1/gateways");
    if (json)
        session.show(*json, [&] {
            Table table;
            add_gateways(session, (*json)["gateways"], now_text(), table);
            return table.text();
        });
    return session.exit;
}

Exit gateway_show(Session& session, const std::string& name) {
    const auto json = session.get("/api/v1/gateways/" + percent_encode(name));
    if (json) session.show(*json, [&] { return gateway_page(session, *json, now_text()); });
    return session.exit;
}

Exit gateway_probe(Session& session, const ProbeArguments& arguments) {
    const size_t slash = arguments.gateway.find('/');
    std::string target = "/api/v1/gateways/" + percent_encode(arguments.gateway.substr(0, slash)) + "/probe";
    if (slash != std::string::npos)
        target += "?endpoint=" + percent_encode(arguments.gateway.substr(slash + 1));
    if (!arguments.monitor.empty())
        target += (slash == std::string::npos ? "?" : "&") + ("monitor=" + percent_encode(arguments.monitor));
    // Each probe has its own time-out; they run side by side.
    const auto json = session.ask("POST", target, nullptr, seconds(60));
    if (!json) return session.exit;
    bool failed = false;
    for (const Json& item : (*json)["results"]) failed |= text(item["result"], "verdict") == "fail";
    session.show(*json, [&] {
        std::string page;
        for (const Json& item : (*json)["results"]) {
            page += text(item, "endpoint") + "  " + text(item, "monitor") + "  " +
                    show_state(session.style, text(item["result"], "verdict")) + "  " +
                    text(item["result"], "text");
            if (!text(item["result"], "detail").empty()) page += ", " + text(item["result"], "detail");
            if (!text(item["result"], "rtt_ms").empty())
                page += ", " + text(item["result"], "rtt_ms") + " ms";
            page += "\n";
            for (const Json& step : item["steps"]) page += "    " + harmless(step.get<std::string>()) + "\n";
        }
        return page;
    });
    return failed ? Exit::failed : Exit::done;
}

/// Monitoring systems read one line and the exit status: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
Exit check(Session& session, const std::string& target) {
    const auto json =
        session.get("/api/v1/check" + (target.empty() ? "" : "?target=" + percent_encode(target)));
    if (!json) {
        if (!session.globals.json) session.say("FAIRWAY UNKNOWN - see standard error");
        return static_cast<Exit>(3);
    }
    const std::string state = text(*json, "state");
    session.show(*json, [&] {
        std::string upper = state;
        for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        return "FAIRWAY " + upper + " - " + text(*json, "text") + "\n";
    });
    return static_cast<Exit>(state == "ok" ? 0 : state == "warning" ? 1 : state == "critical" ? 2 : 3);
}

Exit version(Session& session) {
    session.show({{"schema", "fairway/version/1"}, {"version", FAIRWAY_VERSION}},
                 [] { return std::string("fairway " FAIRWAY_VERSION "\n"); });
    return Exit::done;
}

}  // namespace fairway::cli
