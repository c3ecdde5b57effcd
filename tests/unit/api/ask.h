// SPDX-License-Identifier: Apache-2.0
#pragma once
// Asks the routes as a connection would, and waits for the answer.

#include <nlohmann/json.hpp>

#include "api/routes.h"
#include "unit/api/world.h"

namespace fairway {

struct Answer {
    int status = 0;
    nlohmann::ordered_json json;
    std::string body;
    std::string content_type;
    std::optional<api::Follow> follow;

    /// The problem's type without the prefix; empty when it is none.
    std::string problem() const {
        if (content_type != "application/problem+json") return {};
        return json["type"].get<std::string>().substr(api::problem_prefix.size());
    }
};

inline Answer ask(World& world, Posted& loop, api::Method method, const std::string& target,
                  const std::string& body = {}, api::Caller caller = {"alice", true}) {
    api::Request request;
    request.method = method;
    request.body = body;
    request.caller = std::move(caller);
    request.target = *api::Target::parse(target);
    std::optional<api::Response> done;
    api::dispatch(request, world, [&](api::Response response) { done = std::move(response); });
    const api::Response response = loop.until(done);
    Answer answer{response.status, {}, response.body, response.content_type, response.follow};
    if (!response.body.empty() && response.body.front() == '{')
        answer.json = nlohmann::ordered_json::parse(response.body);
    return answer;
}
inline Answer get(World& world, Posted& loop, const std::string& target) {
    return ask(world, loop, api::Method::get, target);
}
inline Answer post(World& world, Posted& loop, const std::string& target, const std::string& body = {}) {
    return ask(world, loop, api::Method::post, target, body);
}

}  // namespace fairway
