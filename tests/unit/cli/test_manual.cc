// SPDX-License-Identifier: Apache-2.0
// Holds fairway(1) to what the program accepts.

#include <catch2/catch.hpp>
#include <fstream>

#include "cli/cli.h"

namespace {

/// The page without its formatting: fonts, escaped dashes, requests.
std::vector<std::string> manual() {
    std::ifstream in(FAIRWAY_SOURCE_DIR "/packaging/man/fairway.1");
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) {
        std::string plain;
        for (size_t i = 0; i < line.size(); ++i) {
            if (line[i] != '\\') {
                plain += line[i];
            } else if (i + 2 < line.size() && line[i + 1] == 'f') {
                i += 2;
            } else if (i + 1 < line.size()) {
                ++i;
                if (line[i] == '-') plain += '-';
            }
        }
        lines.push_back(plain);
    }
    return lines;
}

/// The lines of the command's own paragraph: from ".SS fairway drain ..." to the next heading.
std::string section(const std::vector<std::string>& lines, const std::string& path) {
    std::string text;
    bool inside = false;
    for (const std::string& line : lines) {
        if (line.rfind(".S", 0) == 0) {
            const std::string heading = line.size() > 4 ? line.substr(4) : "";
            inside = heading == path || heading.rfind(path + " ", 0) == 0;
        }
        if (inside) text += line + "\n";
    }
    return text;
}

}  // namespace

TEST_CASE("the manual page describes every command and every option, and no others") {
    const std::vector<std::string> lines = manual();
    REQUIRE(lines.size() > 100);
    const std::vector<fairway::cli::CommandHelp> commands = fairway::cli::describe_commands();
    std::string options_section;
    bool inside = false;
    for (const std::string& line : lines) {
        if (line.rfind(".SH", 0) == 0) inside = line == ".SH OPTIONS";
        if (inside) options_section += line + "\n";
    }
    std::vector<std::string> leaves;
    for (const auto& command : commands) {
        const std::string text = command.path == "fairway" ? options_section : section(lines, command.path);
        INFO(command.path);
        if (command.commands.empty()) {
            leaves.push_back(command.path);
            CHECK_FALSE(text.empty());
        }
        for (const std::string& option : command.options) {
            INFO(option);
            CHECK(text.find(option) != std::string::npos);
        }
    }
    for (const std::string& line : lines) {
        if (line.rfind(".SS fairway ", 0) != 0) continue;
        // The longest command that the heading begins with must be one.
        bool known = false;
        for (const std::string& leaf : leaves)
            known |= line.substr(4) == leaf || line.substr(4).rfind(leaf + " ", 0) == 0;
        INFO(line);
        CHECK(known);
    }
}
