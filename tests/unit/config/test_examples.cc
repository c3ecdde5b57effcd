// SPDX-License-Identifier: Apache-2.0
// Every configuration that comes with the project loads without a word of complaint.

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "unit/config/example.h"

using namespace fairway;
using namespace fairway::config;

TEST_CASE("every example configuration loads without a warning, and shows as itself") {
    const std::filesystem::path conf = std::filesystem::path(FAIRWAY_SOURCE_DIR) / "conf";
    std::vector<std::filesystem::path> files{conf / "fairway.toml", conf / "demo.toml"};
    for (const auto& entry : std::filesystem::directory_iterator(conf / "examples"))
        if (entry.path().extension() == ".toml") files.push_back(entry.path());
    CHECK(files.size() >= 6);
    for (const std::filesystem::path& file : files) {
        const LoadResult result = load(file);
        INFO(file << "\n" << lines(result.diagnostics));
        REQUIRE(result.config);
        CHECK(result.diagnostics.empty());
        const LoadResult again = load_text(show(*result.config), file);
        REQUIRE(again.config);
        CHECK(*again.config->model == *result.config->model);
    }
}
