// SPDX-License-Identifier: Apache-2.0
#pragma once
// A command as one line of text, from where there is no shell to part it into arguments: what operators write
// behind `pdnsutil backend-cmd remote`. The options of a command may be written as plain words.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fairway::cli {

/// The arguments for run() that a line stands for:
///
///     drain fra1 for 2h reason kernel update   drain fra1 --for 2h --reason "kernel update"
///     explain vpn.example.com 192.0.2.1        explain vpn.example.com --client 192.0.2.1
///
/// Words in single or double quotes are one and are taken as they are. Refused with a sentence: commands that
/// read the files of whoever runs them, since that is the server here, and what is no line of words.
[[nodiscard]] Result<std::vector<std::string>> arguments_of_line(std::string_view line);

}  // namespace fairway::cli
