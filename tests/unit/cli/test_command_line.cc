// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <sstream>

#include "cli/cli.h"
#include "cli/command_line.h"

using namespace fairway;
using namespace fairway::cli;

namespace {

/// The arguments with "|" between, or "refused: why".
std::string parted(std::string_view line) {
    const auto arguments = arguments_of_line(line);
    if (!arguments) return "refused: " + arguments.error().message;
    std::string text;
    for (const std::string& argument : *arguments) text += (text.empty() ? "" : "|") + argument;
    return text;
}

}  // namespace

TEST_CASE("a line of plain words becomes the arguments of a command") {
    CHECK(parted("status") == "status");
    CHECK(parted("  status\n") == "status");
    CHECK(parted("") == "--help");
    CHECK(parted("help") == "--help");
    CHECK(parted("drain fra1 for 2h reason kernel update") == "drain|fra1|--for|2h|--reason|kernel update");
    CHECK(parted("drain fra1 iad1 permanent force ref OPS-1 reason \"kernel  update\"") ==
          "drain|fra1|iad1|--permanent|--force|--ref|OPS-1|--reason|kernel  update");
    CHECK(parted("down region:eu-central until 2026-01-31T18:00:00Z dry-run reason power for all") ==
          "down|region:eu-central|--until|2026-01-31T18:00:00Z|--dry-run|--reason|power for all");
    CHECK(parted("drain fra1 --for 2h --reason 'it''s late'") == "drain|fra1|--for|2h|--reason|its late");
    CHECK(parted("explain vpn.example.com 192.0.2.1") == "explain|vpn.example.com|--client|192.0.2.1");
    CHECK(parted("explain vpn client 192.0.2.1 ecs 198.51.100.0/24") ==
          "explain|vpn|--client|192.0.2.1|--ecs|198.51.100.0/24");
    CHECK(parted("clear fra1") == "clear|fra1");
    CHECK(parted("clear id 17") == "clear|--id|17");
    CHECK(parted("override extend 17 for 1h") == "override|extend|17|--for|1h");
    CHECK(parted("events since 2h subject fra1") == "events|--since|2h|--subject|fra1");
    CHECK(parted("gateway probe fra1 monitor tls") == "gateway|probe|fra1|--monitor|tls");
    CHECK(parted("config diff") == "config|diff");
}

TEST_CASE("a word that is an option elsewhere may be a target") {
    CHECK(parted("drain for for 1h reason x") == "drain|for|--for|1h|--reason|x");
    CHECK(parted("drain fra1 'reason' for 1h") == "drain|fra1|reason|--for|1h");
}

TEST_CASE("lines that are no commands, or that would read files here, are refused") {
    for (const char* line : {"config show /etc/shadow", "config check", "config"})
        CHECK(parted(line) == "refused: of config, only \"config diff\" is a command here");
    CHECK(parted("completion bash") == "refused: there is no command \"completion\" here (help lists them)");
    CHECK(parted("drian fra1") == "refused: there is no command \"drian\" here (did you mean \"drain\"?)");
    CHECK(parted("drain fra1 for") == "refused: for of what?");
    CHECK(parted("drain fra1 for 1h reason") == "refused: reason says nothing");
    CHECK(parted("drain 'fra1") == "refused: a quote is not closed");
    CHECK(parted(std::string("status\0", 7)) == "refused: a command has no control characters");
    CHECK(parted(std::string(5000, 'x')) == "refused: a command has at most 4096 characters");
}

TEST_CASE("a command goes the way that it is given, and nowhere else") {
    std::vector<std::string> asked;
    const Transport transport = [&](std::string_view method, const std::string& target, std::string body,
                                    nanoseconds) -> tl::expected<HttpReply, Failure> {
        asked.push_back(std::string(method) + " " + target + " " + body);
        return HttpReply{403, "application/problem+json",
                         R"({"type":"urn:fairway:problem:read-only","detail":"not over TCP"})"};
    };
    std::ostringstream out;
    CHECK(run({"drain", "fra1", "--for", "1h", "--reason", "x", "--server", "/nonexistent"}, out, out,
              transport) == 7);
    CHECK(asked ==
          std::vector<std::string>{
              R"(POST /api/v1/overrides {"state":"drain","targets":["fra1"],"reason":"x","for":"1h"})"});
    CHECK(out.str() == "fairway: not over TCP\n");
    out.str({});
    const Transport quiet = [](std::string_view, const std::string&, std::string,
                               nanoseconds) -> tl::expected<HttpReply, Failure> {
        return HttpReply{200, "application/json", R"({"schema":"fairway/events/1","events":[]})"};
    };
    CHECK(run({"events", "--follow"}, out, out, quiet) == 2);
    CHECK(out.str() == "fairway: what is still to happen can be followed with the command line only\n");
}
