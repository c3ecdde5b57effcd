// SPDX-License-Identifier: Apache-2.0
#pragma once
// The tree of commands: what `fairway` accepts, its help, and its completions. One description serves
// parsing,
// --help, the shells and the test that holds the man page to it.

#include <iosfwd>
#include <string>
#include <vector>

#include "cli/client.h"

namespace fairway::cli {

/// Runs one command line (without the program's name) and returns the exit status. With `transport`, that is
/// the way to the server, whatever the arguments and the environment say.
int run(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& error,
        const Transport& transport = {});

/// One command with its own options, for completions and documentation.
struct CommandHelp {
    std::string path;  // "fairway override extend"; the program itself is first
    std::string summary;
    std::vector<std::string> commands;  // below it
    std::vector<std::string> options;   // "--reason"; those that every command takes are the program's only
};

/// Every command, parents before their children.
[[nodiscard]] std::vector<CommandHelp> describe_commands();

/// A completion script for "bash", "zsh" or "fish"; empty for any other shell.
[[nodiscard]] std::string completion_script(const std::string& shell);

}  // namespace fairway::cli
