// SPDX-License-Identifier: Apache-2.0
#pragma once
// One request at a time to the server's API, blocking, over its Unix socket or TCP, with a deadline for the
// whole exchange.

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace fairway::cli {

/// Where the server is.
struct ServerAddress {
    std::string socket;  // a path; empty: TCP
    std::string host;
    std::string port;

    /// "/run/fairway/control.sock", "unix:PATH", "http://host:port".
    static Result<ServerAddress> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;
};

struct Failure {
    enum class Kind : uint8_t { unreachable, timed_out, garbled };
    Kind kind = Kind::unreachable;
    std::string message;  // with what to try
};

struct HttpReply {
    int status = 0;
    std::string content_type;
    std::string body;
};

/// Another way to the server than a socket: for commands that are run inside of it.
using Transport = std::function<tl::expected<HttpReply, Failure>(
    std::string_view method, const std::string& target, std::string body, nanoseconds timeout)>;

class Client {
  public:
    Client(ServerAddress server, std::string token, nanoseconds timeout)
        : server_(std::move(server)), token_(std::move(token)), timeout_(timeout) {}

    [[nodiscard]] tl::expected<HttpReply, Failure> request(std::string_view method, std::string_view target,
                                                           std::string_view body = {});
    /// Reads a stream of server-sent events until it ends or `heard` returns false; `heard` gets each event's
    /// data. The deadline is for its beginning only; a stream on which nothing comes for a minute has ended.
    /// A status other than 200 is the reply.
    [[nodiscard]] tl::expected<HttpReply, Failure> follow(std::string_view target,
                                                          const std::function<bool(std::string_view)>& heard);

    [[nodiscard]] const ServerAddress& server() const noexcept { return server_; }

  private:
    using Deadline = std::chrono::steady_clock::time_point;

    [[nodiscard]] tl::expected<UniqueFd, Failure> connect(Deadline deadline) const;
    [[nodiscard]] std::optional<Failure> send(int fd, std::string_view bytes, Deadline deadline) const;
    /// Appends to `bytes`; nothing was added: the server has closed.
    [[nodiscard]] std::optional<Failure> receive(int fd, std::string& bytes, Deadline deadline) const;
    [[nodiscard]] std::string head(std::string_view method, std::string_view target, std::string_view accept,
                                   size_t body) const;
    [[nodiscard]] Failure unreachable(int error) const;
    [[nodiscard]] Failure timed_out() const;

    ServerAddress server_;
    std::string token_;
    nanoseconds timeout_;
};

/// For a path segment or an argument of a request target.
[[nodiscard]] std::string percent_encode(std::string_view text);

}  // namespace fairway::cli
