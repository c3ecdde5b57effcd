// SPDX-License-Identifier: Apache-2.0
// fairwayd: reads the command line and the configuration, then leaves everything to Server.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/log.h"
#include "config/config.h"
#include "generation.h"
#include "handover/service_manager.h"
#include "handover/state_folder.h"
#include "handover/taker.h"
#include "net/loop.h"
#include "net/open_files.h"
#include "server.h"

namespace {

using namespace fairway;

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

/// The program as it would be started again: the file that is there now, not the one that runs.
std::vector<std::string> own_command(int argc, char** argv) {
    std::vector<std::string> command(argv, argv + argc);
    std::error_code failed;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
    if (!failed) command[0] = self.string();
    return command;
}

enum class Start { alone, in_place_of_another };

/// The lock on the state folder, by itself or from the process that is to be replaced.
struct Place {
    UniqueFd lock;
    std::optional<handover::Taker> predecessor;
};

Place take_place(const std::filesystem::path& folder, Start start) {
    Place place;
    handover::FolderLock lock = handover::lock_state_folder(folder);
    if (!lock.trouble.empty())
        log::warning("cannot tell whether another fairwayd works on " + folder.string() + ": " +
                     lock.trouble);
    if (!lock.is_held_by_another()) {
        if (start == Start::in_place_of_another) log::info("there is no fairwayd to replace");
        place.lock = std::move(lock.fd);
        return place;
    }
    const std::string other = "process " + std::to_string(lock.holder) + " works on " + folder.string();
    if (start == Start::alone)
        throw std::runtime_error("another fairwayd, " + other +
                                 " already; --replace takes over from it without losing a query");
    auto predecessor =
        handover::Taker::ask(handover::handover_socket(folder), {::getpid(), "fairwayd " FAIRWAY_VERSION});
    if (!predecessor || !*predecessor) {
        // Perhaps because it has just ended.
        lock = handover::lock_state_folder(folder);
        if (lock.is_held_by_another())
            throw std::runtime_error(
                other + (predecessor ? " and does not wait for a successor"
                                     : " and does not hand over: " + predecessor.error().message));
        place.lock = std::move(lock.fd);
        return place;
    }
    place.predecessor = std::move(*predecessor);
    place.lock = std::move(place.predecessor->offer().lock);
    return place;
}

int serve(const std::filesystem::path& file, Start start, std::vector<std::string> command) {
    handover::ServiceManager service_manager = handover::ServiceManager::from_environment();
    for (const std::string& problem : service_manager.problems()) log::warning(problem);
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
    // Everything that takes long has been done: from here on the other one waits for us, if there is one.
    Place place = take_place(built.generation->config.server.state, start);
    try {
        net::Loop loop;
        Beginning beginning{service_manager, place.predecessor ? &*place.predecessor : nullptr,
                            place.lock.get(), std::move(command)};
        Server(loop, std::move(*built.generation), file, std::move(beginning)).run();
    } catch (const std::exception& error) {
        if (place.predecessor) place.predecessor->failed(error.what());
        throw;
    }
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
    bool replace = false;
    app.add_flag("--replace", replace,
                 "Take over from the fairwayd that works on the same state folder, without losing a query");
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
        if (*check_option) return check(check_file);
        return serve(config_file, replace ? Start::in_place_of_another : Start::alone,
                     own_command(argc, argv));
    } catch (const std::exception& error) {
        fairway::log::error(std::string("not started: ") + error.what());
        return cannot_start;
    }
}
