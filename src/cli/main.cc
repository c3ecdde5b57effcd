// SPDX-License-Identifier: Apache-2.0
// The `fairway` command.

#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "cli/cli.h"

int main(int argc, char** argv) {
    try {
        return fairway::cli::run(std::vector<std::string>(argv + 1, argv + argc), std::cout, std::cerr);
    } catch (const std::exception& error) {
        std::cerr << "fairway: " << error.what() << "\n";
        return 1;
    }
}
