// SPDX-License-Identifier: Apache-2.0
// fairwayd: reads the command line and the configuration, then leaves everything to Server.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

#include "base/log.h"
#include "config/config.h"
#include "generation.h"
#include "net/loop.h"
#include "net/open_files.h"
#include "server.h"

namespace {

enum ExitStatus { ended = 0, cannot_start = 1, wrong_usage = 2 };

int check(const std::filesystem::path& file) {
    const fairway::BuiltGeneration built =
        fairway::build_generation(file, fairway::FileTrouble::is_error, nullptr);
    for (const auto& diagnostic : built.diagnostics)
        std::fprintf(stderr, "%s\n", diagnostic.to_string().c_str());
    if (!built.generation) return wrong_usage;
    std::printf("%s is right\n", file.c_str());
    return ended;
}

int serve(const std::filesystem::path& file) {
    using namespace fairway;
    BuiltGeneration built = build_generation(file, FileTrouble::is_warning, nullptr);
    for (const auto& diagnostic : built.diagnostics) {
        if (diagnostic.severity == config::Diagnostic::Severity::error)
            log::error(diagnostic.to_string());
        else
            log::warning(diagnostic.to_string());
    }
    if (!built.generation) {
        log::error("not started: the configuration has errors");
        return wrong_usage;
    }
    log::Level level{};
    if (log::parse_level(built.generation->config.server.log_level, level)) log::set_level(level);
    net::raise_open_file_limit();
    net::Loop loop;
    Server(loop, std::move(*built.generation), file).run();
    return ended;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"fairwayd probes VPN gateways and answers DNS with the nearest healthy one.", "fairwayd"};
    std::string config_file = "/etc/fairway/fairway.toml";
    std::string check_file;
    app.add_option("--config", config_file, "The configuration")->type_name("FILE")->capture_default_str();
    auto* check_option =
        app.add_option("--check", check_file, "Say everything that is wrong with a configuration, and exit")
            ->type_name("FILE");
    bool schema = false;
    app.add_flag("--schema", schema, "Print a JSON Schema of the configuration, and exit");
    app.set_version_flag("--version", "fairwayd " FAIRWAY_VERSION);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? ended : wrong_usage;
    }
    try {
        if (schema) {
            std::printf("%s\n", fairway::config::json_schema().c_str());
            return ended;
        }
        return *check_option ? check(check_file) : serve(config_file);
    } catch (const std::exception& error) {
        fairway::log::error(std::string("not started: ") + error.what());
        return cannot_start;
    }
}
