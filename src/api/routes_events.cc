// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <nlohmann/json.hpp>

#include "api/control.h"
#include "api/describe.h"
#include "api/routes.h"
#include "base/duration.h"

namespace fairway::api {
namespace {

constexpr size_t max_limit = 10'000;

/// `after` (an id), `since` (an instant), `subject` and `limit`.
Result<EventQuery> query_of(const Request& request) {
    EventQuery query;
    const auto number = [&](std::string_view key, uint64_t otherwise, uint64_t most) -> Result<uint64_t> {
        const std::string* text = request.target.find(key);
        if (text == nullptr) return otherwise;
        uint64_t value = 0;
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
        if (error != std::errc() || end != text->data() + text->size() || value > most)
            return fail("\"" + std::string(key) + "\" must be a number up to " + std::to_string(most));
        return value;
    };
    const auto after = number("after", 0, INT64_MAX);
    if (!after) return tl::unexpected(after.error());
    const auto limit = number("limit", 1000, max_limit);
    if (!limit) return tl::unexpected(limit.error());
    query.after_id = static_cast<int64_t>(*after);
    query.limit = static_cast<size_t>(*limit);
    if (const std::string* since = request.target.find("since")) {
        const auto time = parse_rfc3339(*since);
        if (!time) return fail("since: " + time.error().message);
        query.since = *time;
    }
    if (const std::string* subject = request.target.find("subject")) query.subject = *subject;
    return query;
}

}  // namespace

void get_events(const Request& request, Control& control, Reply reply) {
    if (auto wrong = unexpected_arguments(request, {"after", "since", "subject", "limit"}))
        return reply(*wrong);
    const auto query = query_of(request);
    if (!query) return reply(bad_request(query.error().message));
    if (request.event_stream) {
        // The stream itself belongs to the connection; it asks the store again from here on.
        Response response;
        response.content_type = "text/event-stream";
        response.follow.emplace();
        if (request.target.find("after") != nullptr) response.follow->after_id = query->after_id;
        response.follow->subject = query->subject;
        return reply(std::move(response));
    }
    control.store().events(*query, [reply](StoreResult<std::vector<Event>> events) {
        if (!events) return reply(problem(503, "store-unavailable", events.error().message));
        Json json = document("events");
        json["events"] = Json::array();
        for (const Event& event : *events) json["events"].push_back(describe_event(event));
        reply(ok(json));
    });
}

void get_audit(const Request& request, Control& control, Reply reply) {
    if (auto wrong = unexpected_arguments(request, {"after", "since", "subject", "limit"}))
        return reply(*wrong);
    const auto query = query_of(request);
    if (!query) return reply(bad_request(query.error().message));
    control.store().audit(*query, [reply](StoreResult<std::vector<AuditEntry>> entries) {
        if (!entries) return reply(problem(503, "store-unavailable", entries.error().message));
        Json json = document("audit");
        json["entries"] = Json::array();
        for (const AuditEntry& entry : *entries) json["entries"].push_back(describe_audit(entry));
        reply(ok(json));
    });
}

}  // namespace fairway::api
