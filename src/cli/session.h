// SPDX-License-Identifier: Apache-2.0
#pragma once
// One invocation of `fairway`: its options, where it writes, and its way to the server. Commands ask through
// it and return an exit code.

#include <functional>
#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/terminal.h"

namespace fairway::cli {

using Json = nlohmann::ordered_json;

/// What the shell gets; the same for every command (except `check`, which speaks Nagios).
enum class Exit : int {
    done = 0,
    failed = 1,
    usage = 2,
    unreachable = 3,
    no_target = 4,
    conflict = 5,
    timed_out = 6,
    not_permitted = 7
};

struct Globals {
    bool json = false;
    bool quiet = false;
    bool no_color = false;
    std::string server;
    std::string token_file;
    std::string timeout = "10s";
};

class Session {
  public:
    /// Without `transport` the server is where the options and the environment say.
    Session(Globals globals, std::ostream& out, std::ostream& error, Transport transport = {});
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// The document, or nothing: then it has said why and `exit` is set. Longer than --timeout where the
    /// server itself takes time: `patience` is added.
    [[nodiscard]] std::optional<Json> ask(std::string_view method, const std::string& target,
                                          const Json* body = nullptr, nanoseconds patience = nanoseconds(0));
    [[nodiscard]] std::optional<Json> get(const std::string& target);
    /// Like Client::follow(), with the same reports as ask(). True when it ended well.
    bool follow(const std::string& target, const std::function<bool(const Json&)>& heard);

    /// With --json the document and nothing else, without it `text()`; with --quiet neither.
    void show(const Json& document, const std::function<std::string()>& text);
    void say(std::string_view line);    // standard output
    void note(std::string_view line);   // standard error, unless --quiet
    void wrong(std::string_view line);  // standard error
    Exit usage(std::string_view line);

    const Globals globals;
    Style style;
    Exit exit = Exit::done;

  private:
    [[nodiscard]] std::optional<Client> client(nanoseconds patience);
    [[nodiscard]] std::optional<Json> judge(const tl::expected<HttpReply, Failure>& reply);

    const Transport transport_;
    std::ostream& out_;
    std::ostream& error_;
};

/// A member as harmless text; empty when it is absent or null. Numbers as they are written.
[[nodiscard]] std::string text(const Json& json, std::string_view key);
/// A time of a document as "12:00:35" when it is on the day of `now`, else with its date; UTC.
[[nodiscard]] std::string show_time(const std::string& rfc3339, const std::string& now);
/// How long before `now` a time is; negative when it comes after. Zero when either is no time.
[[nodiscard]] nanoseconds age(const std::string& rfc3339, const std::string& now);
/// RFC 3339 of the wall clock.
[[nodiscard]] std::string now_text();

}  // namespace fairway::cli
