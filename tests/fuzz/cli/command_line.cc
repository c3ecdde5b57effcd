// SPDX-License-Identifier: Apache-2.0
// A line of an operator's words: arguments or a refusal, and never a command that reads the server's files.
#include <cstdlib>

#include "base/bytes.h"
#include "cli/command_line.h"

using namespace fairway;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const auto arguments = cli::arguments_of_line(as_text({data, size}));
    if (!arguments) {
        if (arguments.error().message.empty()) std::abort();
        return 0;
    }
    if (arguments->empty()) std::abort();
    const std::string& command = arguments->front();
    if (command == "completion" ||
        (command == "config" && (arguments->size() != 2 || (*arguments)[1] != "diff")))
        std::abort();
    size_t octets = 0;
    for (const std::string& argument : *arguments) octets += argument.size();
    // No more than the words, and two dashes or the name of an option for each.
    if (octets > size * 9 + 16) std::abort();
    return 0;
}
