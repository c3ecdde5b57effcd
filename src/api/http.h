// SPDX-License-Identifier: Apache-2.0
#pragma once
// A request and its response as values, without a connection: what routes work on.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace fairway::api {

enum class Method : uint8_t { get, post, delete_ };

[[nodiscard]] std::string_view to_string(Method method) noexcept;

/// Who asks, as the connection knows it.
struct Caller {
    std::string name;       // of the socket's peer, or "token"; for the audit trail
    bool operates = false;  // may change things
};

/// What is asked for: decoded, and checked to be UTF-8 without control characters.
struct Target {
    std::vector<std::string> segments;  // "/api/v1/status": three
    std::vector<std::pair<std::string, std::string>> query;

    /// From a percent-decoded path and its decoded "key=value" arguments. Refuses empty and dot segments,
    /// repeated keys and anything excessive.
    static Result<Target> make(std::string_view path, const std::vector<std::string>& arguments);
    /// From a request target as it was sent: "/api/v1/explain?name=vpn.example.com&client=192.0.2.1". Every
    /// '%' must begin an escape.
    static Result<Target> parse(std::string_view sent);

    /// The argument's value; null when it was not given.
    [[nodiscard]] const std::string* find(std::string_view key) const noexcept;
};

struct Request {
    Method method = Method::get;
    Target target;
    std::string body;
    Caller caller;
    bool event_stream = false;  // Accept: text/event-stream

    static constexpr size_t max_body = 1 << 20;  // octets
};

/// What an event stream begins after (absent: now), and what it is about.
struct Follow {
    std::optional<int64_t> after_id;
    std::optional<std::string> subject;
};

struct Response {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
    /// The body is a stream of server-sent events that does not end by itself.
    std::optional<Follow> follow;
};

/// Takes the response, once, on the loop's thread; may be called inside the route.
using Reply = std::function<void(Response)>;

/// An RFC 9457 problem document. `type` is the stable last part of its URI, for programs: "no-such-target".
[[nodiscard]] Response problem(int status, std::string_view type, std::string_view detail);

inline constexpr std::string_view problem_prefix = "urn:fairway:problem:";

}  // namespace fairway::api
