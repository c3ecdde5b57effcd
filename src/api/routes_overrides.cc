// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "api/control.h"
#include "api/describe.h"
#include "api/routes.h"
#include "api/what_if.h"
#include "base/duration.h"
#include "dns/serving.h"
#include "geoip/locator.h"
#include "model/target.h"
#include "steering/steering.h"
#include "store/records.h"

namespace fairway::api {
namespace {

constexpr size_t max_reason = 1000;
constexpr size_t max_ticket = 100;

Response store_problem(const StoreError& error) {
    switch (error.kind) {
        case StoreError::Kind::not_found:
            return problem(404, "no-such-override", error.message);
        case StoreError::Kind::conflict:
            return problem(409, "conflict", error.message);
        case StoreError::Kind::unavailable:
            break;
    }
    return problem(503, "store-unavailable", error.message);
}

/// The end of an override out of `for`, `until` and `permanent`, of which exactly one is given.
Result<std::optional<WallTime>> end_of(BodyReader& body, WallTime now) {
    const std::string duration = body.text("for");
    const std::string until = body.text("until");
    const bool permanent = body.flag("permanent");
    if ((duration.empty() ? 0 : 1) + (until.empty() ? 0 : 1) + (permanent ? 1 : 0) != 1)
        return fail("give one of \"for\", \"until\" and \"permanent\"");
    if (permanent) return std::optional<WallTime>();
    if (!until.empty()) {
        auto time = parse_rfc3339(until);
        if (!time) return fail("until: " + time.error().message);
        if (*time <= now) return fail("until: " + until + " is not in the future");
        return std::optional<WallTime>(*time);
    }
    const auto length = parse_duration(duration);
    if (!length) return fail("for: " + length.error().message);
    constexpr nanoseconds longest = std::chrono::hours(24 * 3660);
    if (*length <= nanoseconds(0) || *length > longest)
        return fail("for: " + duration + " is not a sensible time");
    return std::optional<WallTime>(now + std::chrono::duration_cast<WallTime::duration>(*length));
}

Result<int64_t> number_of(const std::string& text, std::string_view what) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 0)
        return fail(std::string(what) + " \"" + text + "\" is not a number");
    return number;
}

std::vector<std::string> answered(const Model& model, const Selection& selection) {
    switch (selection.kind) {
        case SelectionKind::endpoints:
            break;
        case SelectionKind::name:
            return {"CNAME " + model[selection.service].fallback_name};
        case SelectionKind::nodata:
            return {"no data"};
        case SelectionKind::servfail:
            return {"SERVFAIL"};
        case SelectionKind::refuse:
            return {"REFUSED"};
    }
    std::vector<std::string> paths;
    for (const EndpointId id : selection.endpoints) paths.push_back(endpoint_path(model, id));
    return paths;
}

Json describe_effects(const std::vector<Effect>& all, const Model& model) {
    Json json = Json::array();
    for (const Effect& effect : all)
        json.push_back(
            {{"service", model[effect.service].key},
             {"clients", effect.client.region.empty() ? Json(nullptr) : Json(effect.client.region)},
             {"sample", effect.client.address.to_string()},
             {"changes", effect.differs()},
             {"before", answered(model, effect.before)},
             {"after", answered(model, effect.after)},
             {"last_resort", effect.after.last_resort}});
    return json;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

struct Asked {
    std::vector<Override> overrides;
    bool dry_run = false;
    bool force = false;
};

Result<Asked> read_override(const Request& request, const Control& control) {
    BodyReader body(request.body);
    Asked asked;
    const std::vector<std::string> targets = body.texts("targets");
    const std::string word = body.text("state");
    Override item;
    item.reason = body.text("reason");
    item.ticket = body.text("ticket");
    asked.dry_run = body.flag("dry_run");
    asked.force = body.flag("force");
    item.actor = request.caller.name;
    item.since = control.now();
    const auto end = end_of(body, item.since);
    if (const auto read = body.finish(); !read) return tl::unexpected(read.error());
    if (targets.empty()) return fail("\"targets\" is missing");
    const auto state = store::parse_override_word(word);
    if (!state || *state == AdminState::maintenance)
        return fail("\"state\" must be \"drain\", \"down\" or \"up\"");
    item.state = *state;
    if (item.reason.find_first_not_of(" \t\r\n") == std::string::npos) return fail("\"reason\" is missing");
    if (item.reason.size() > max_reason) return fail("\"reason\" is longer than 1000 octets");
    if (item.ticket.size() > max_ticket) return fail("\"ticket\" is longer than 100 octets");
    if (!end) return tl::unexpected(end.error());
    item.until = *end;
    if (item.state == AdminState::forced_up && !item.until)
        return fail("\"up\" beats the probes, so it must have an end: give \"for\" or \"until\"");
    for (const std::string& target : targets) {
        const bool twice = std::any_of(asked.overrides.begin(), asked.overrides.end(),
                                       [&](const Override& other) { return other.target == target; });
        if (twice) continue;
        item.target = target;
        asked.overrides.push_back(item);
    }
    return asked;
}

/// What the answer of POST says beyond the overrides themselves.
Json change_document(Control& control, const std::vector<Override>& overrides) {
    Json json = document("override-change");
    json["dry_run"] = false;
    json["overrides"] = Json::array();
    for (const Override& item : overrides) json["overrides"].push_back(describe_override(control, item));
    return json;
}

}  // namespace

Response get_overrides(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {})) return *wrong;
    Json json = document("overrides");
    json["overrides"] = Json::array();
    for (const Override& item : control.store().overrides())
        json["overrides"].push_back(describe_override(control, item));
    return ok(json);
}

void post_override(const Request& request, Control& control, Reply reply) {
    if (auto wrong = unexpected_arguments(request, {})) return reply(*wrong);
    auto asked = read_override(request, control);
    if (!asked) return reply(bad_request(asked.error().message));

    const std::shared_ptr<const dns::Serving> serving = control.serving();
    const HealthSnapshot& before = *serving->health;
    for (const Override& item : asked->overrides)
        if (const auto resolved = resolve_target(*before.model, item.target); !resolved)
            return reply(no_such_target(resolved.error().message));

    std::vector<Override> all = control.store().overrides();
    all.insert(all.end(), asked->overrides.begin(), asked->overrides.end());
    const HealthSnapshot after = with_overrides(before, all);
    const std::vector<std::string> emptied = emptied_services(before, after);

    if (asked->dry_run) {
        Json json = change_document(control, asked->overrides);
        json["dry_run"] = true;
        json["refused_without_force"] = !emptied.empty();
        json["emptied_services"] = emptied;
        json["effects"] = describe_effects(
            effects(*serving->steering, before, after, sample_clients(*before.model, control.locator())),
            *before.model);
        return reply(ok(json));
    }
    if (!emptied.empty() && !asked->force) {
        Response refusal =
            problem(409, "would-empty-service",
                    "this would leave no gateway for " + joined(emptied) + "; force it if that is meant");
        return reply(std::move(refusal));
    }
    control.set_overrides(std::move(asked->overrides),
                          [&control, emptied, reply](StoreResult<std::vector<Override>> outcome) {
                              if (!outcome) return reply(store_problem(outcome.error()));
                              Json json = change_document(control, *outcome);
                              json["emptied_services"] = emptied;
                              reply(ok(json, 201));
                          });
}

void post_override_extend(const Request& request, Control& control, Reply reply) {
    if (auto wrong = unexpected_arguments(request, {})) return reply(*wrong);
    const auto id = number_of(request.target.segments[3], "override");
    if (!id) return reply(bad_request(id.error().message));
    BodyReader body(request.body);
    const std::optional<int64_t> revision = body.number("revision");
    const auto end = end_of(body, control.now());
    if (const auto read = body.finish(); !read) return reply(bad_request(read.error().message));
    if (!end) return reply(bad_request(end.error().message));
    for (const Override& item : control.store().overrides())
        if (item.id == *id && item.state == AdminState::forced_up && !*end)
            return reply(bad_request("\"up\" beats the probes, so it must have an end"));
    control.extend_override(*id, revision, *end, request.caller.name,
                            [&control, reply](StoreResult<Override> outcome) {
                                if (!outcome) return reply(store_problem(outcome.error()));
                                reply(ok(change_document(control, {*outcome})));
                            });
}

void delete_override(const Request& request, Control& control, Reply reply) {
    if (auto wrong = unexpected_arguments(request, {"revision"})) return reply(*wrong);
    const auto id = number_of(request.target.segments[3], "override");
    if (!id) return reply(bad_request(id.error().message));
    std::optional<int64_t> revision;
    if (const std::string* given = request.target.find("revision")) {
        const auto number = number_of(*given, "revision");
        if (!number) return reply(bad_request(number.error().message));
        revision = *number;
    }
    control.clear_override(*id, revision, request.caller.name,
                           [&control, reply](StoreResult<Override> outcome) {
                               if (!outcome) return reply(store_problem(outcome.error()));
                               reply(ok(change_document(control, {*outcome})));
                           });
}

}  // namespace fairway::api
