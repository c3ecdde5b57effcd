// SPDX-License-Identifier: Apache-2.0
// ACME challenges (RFC 8555 section 8.4): TXT records that stand for a limited time.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/control.h"
#include "api/describe.h"
#include "api/routes.h"
#include "base/duration.h"

namespace fairway::api {
namespace {

constexpr std::string_view usual = "1h";
constexpr nanoseconds longest = std::chrono::hours{24};

Response problem_of(const StoreError& error) {
    return error.kind == StoreError::Kind::not_found ? no_such_target(error.message)
                                                     : problem(409, "conflict", error.message);
}

Json describe(const Challenge& item) {
    return {{"zone", item.zone},
            {"name", item.name},
            {"value", item.value},
            {"until", format_rfc3339(item.until)},
            {"actor", item.actor}};
}

Json challenge_document(const std::vector<Challenge>& challenges) {
    Json json = document("challenges");
    json["challenges"] = Json::array();
    for (const Challenge& item : challenges) json["challenges"].push_back(describe(item));
    return json;
}

}  // namespace

Response get_challenges(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {})) return *wrong;
    return ok(challenge_document(control.challenges()));
}

Response post_challenge(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {})) return *wrong;
    BodyReader body(request.body);
    const std::string name = body.text("name");
    const std::string value = body.text("value");
    std::string duration = body.text("for");
    if (const auto read = body.finish(); !read) return bad_request(read.error().message);
    if (name.empty()) return bad_request("\"name\" is missing");
    if (value.empty()) return bad_request("\"value\" is missing");
    if (duration.empty()) duration = usual;
    const auto length = parse_duration(duration);
    if (!length) return bad_request("for: " + length.error().message);
    if (*length < seconds{1} || *length > longest)
        return bad_request("for: " + duration + " is not from a second to a day");
    const WallTime until = control.now() + std::chrono::duration_cast<WallTime::duration>(*length);
    const auto set = control.set_challenge(name, value, until, request.caller.name);
    if (!set) return problem_of(set.error());
    return ok(challenge_document({*set}), 201);
}

Response delete_challenge(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {"name", "value"})) return *wrong;
    const std::string* name = request.target.find("name");
    const std::string* value = request.target.find("value");
    if (name == nullptr || name->empty()) return bad_request("the argument \"name\" is missing");
    const auto gone =
        control.clear_challenge(*name, value == nullptr ? std::string() : *value, request.caller.name);
    if (!gone) return problem_of(gone.error());
    return ok(challenge_document(*gone));
}

}  // namespace fairway::api
