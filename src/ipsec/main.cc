// SPDX-License-Identifier: Apache-2.0
// fairway-gateway: plays VPN gateways, well or badly, for demos, drills and tests.

#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "base/log.h"
#include "ipsec/gateway_config.h"
#include "ipsec/gateway_control.h"
#include "ipsec/gateway_fleet.h"
#include "net/loop.h"
#include "net/signal.h"

namespace {

using fairway::ipsec::ControlError;
using Json = nlohmann::ordered_json;

// As the other programs of the project exit.
enum Exit : int {
    exit_done = 0,
    exit_failed = 1,
    exit_usage = 2,
    exit_unreachable = 3,
    exit_no_such_target = 4,
    exit_timed_out = 6
};

struct Options {
    std::filesystem::path config;
    std::filesystem::path control;
    std::filesystem::path ca;
    std::string target;
    std::string fault;
    bool json = false;
};

int run(const Options& options) {
    auto load = fairway::ipsec::load_fleet(options.config);
    if (!load.settings) {
        for (const std::string& problem : load.problems) std::fprintf(stderr, "%s\n", problem.c_str());
        return exit_usage;
    }
    if (!options.ca.empty()) load.settings->ca = options.ca;
    std::filesystem::path control = options.control;
    if (control.empty()) control = load.settings->control;
    if (control.empty()) control = fairway::ipsec::default_control_path();

    // A peer that is gone is an ordinary error of write(), also inside OpenSSL.
    std::signal(SIGPIPE, SIG_IGN);
    fairway::net::Loop loop;
    fairway::ipsec::Fleet fleet(loop, std::move(*load.settings));
    if (control.has_parent_path()) std::filesystem::create_directories(control.parent_path());
    const fairway::ipsec::ControlServer server(loop, control, fleet);
    const fairway::net::Signal on_term(loop, SIGTERM, [&] { loop.stop(); });
    const fairway::net::Signal on_int(loop, SIGINT, [&] { loop.stop(); });
    fairway::log::info("playing " + std::to_string(fleet.settings().gateways.size()) + " gateways on " +
                       std::to_string(fleet.addresses().size()) + " addresses; control socket " +
                       control.string());
    loop.run();
    return exit_done;
}

/// The answer to a request, or the exit code after having said why there is none.
std::optional<Json> ask(const Options& options, const Json& request, int& code) {
    const std::filesystem::path path =
        options.control.empty() ? fairway::ipsec::default_control_path() : options.control;
    const auto reply = fairway::ipsec::ask_control(
        path, request.dump(-1, ' ', false, Json::error_handler_t::replace), std::chrono::seconds(10));
    if (!reply) {
        const bool late = reply.error() == ControlError::timed_out;
        std::fprintf(stderr, "fairway-gateway: %s on %s\n", late ? "no answer in time" : "nothing answers",
                     path.c_str());
        code = late ? exit_timed_out : exit_unreachable;
        return std::nullopt;
    }
    Json answer = Json::parse(*reply, nullptr, false);
    if (!answer.is_object() || !answer.contains("ok")) {
        std::fprintf(stderr, "fairway-gateway: not an answer on %s\n", path.c_str());
        code = exit_unreachable;
        return std::nullopt;
    }
    if (!answer.value("ok", false)) {
        std::fprintf(stderr, "fairway-gateway: %s\n", answer.value("message", "refused").c_str());
        const std::string error = answer.value("error", "");
        code = error == "no-such-target" ? exit_no_such_target : error == "usage" ? exit_usage : exit_failed;
        return std::nullopt;
    }
    return answer;
}

int set_fault(const Options& options) {
    int code = exit_done;
    auto answer =
        ask(options, {{"command", "fault"}, {"target", options.target}, {"fault", options.fault}}, code);
    if (!answer) return code;
    if (options.json) {
        const Json shown{{"schema", "fairway-gateway.fault/1"},
                         {"fault", (*answer)["fault"]},
                         {"addresses", (*answer)["addresses"]}};
        std::printf("%s\n", shown.dump(2).c_str());
        return exit_done;
    }
    const std::string fault = answer->value("fault", "");
    for (const Json& address : (*answer)["addresses"]) {
        std::printf("%s: %s\n", address.get<std::string>().c_str(), fault.c_str());
    }
    return exit_done;
}

int show_status(const Options& options) {
    int code = exit_done;
    auto answer = ask(options, {{"command", "status"}}, code);
    if (!answer) return code;
    const Json& status = (*answer)["status"];
    if (options.json) {
        std::printf("%s\n", status.dump(2).c_str());
        return exit_done;
    }
    std::printf("%-16s %-24s %-24s %s\n", "GATEWAY", "ADDRESS", "FAULT", "PORTS");
    for (const Json& address : status["addresses"]) {
        std::string ports;
        for (const auto& [service, port] : address["ports"].items()) {
            ports += (ports.empty() ? "" : " ") + service + "=" + std::to_string(port.get<int>());
        }
        std::printf("%-16s %-24s %-24s %s\n", address.value("gateway", "").c_str(),
                    address.value("address", "").c_str(), address.value("fault", "").c_str(), ports.c_str());
    }
    return exit_done;
}

std::string fault_help() {
    std::string text = "Faults:\n";
    for (const auto& fault : fairway::ipsec::fault_names()) {
        std::string line = "  " + std::string(fault.name);
        line.resize(std::max<size_t>(line.size() + 1, 20), ' ');
        text += line + std::string(fault.meaning) + "\n";
    }
    return text +
           "\nExit status: 0 done, 1 failed, 2 usage or configuration, 3 nothing answers on the control "
           "socket, 4 no such target, 6 timed out.";
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"Plays VPN gateways on loopback or lab addresses, and breaks them on demand."};
    app.footer(fault_help());
    app.set_version_flag("--version", "fairway-gateway " FAIRWAY_VERSION);
    app.fallthrough();
    app.add_option("--config", options.config, "what to play (TOML); see fairway-gateway(1)")
        ->type_name("FILE");
    app.add_option("--control", options.control, "control socket")
        ->envname("FAIRWAY_GATEWAY_CONTROL")
        ->type_name("PATH");
    app.add_option("--ca", options.ca, "write the certificate authority here, beside its FILE.key")
        ->type_name("FILE");
    app.add_flag("--json", options.json, "print JSON");
    const CLI::App* run_command = app.add_subcommand("run", "play the gateways of --config until SIGTERM");
    CLI::App* fault_command =
        app.add_subcommand("fault", "break a gateway of a running fairway-gateway, or heal it");
    fault_command->add_option("TARGET", options.target, "GATEWAY, GATEWAY/ADDRESS, or a glob over either")
        ->required();
    fault_command->add_option("FAULT", options.fault, "what is wrong from now on; none heals")->required();
    const CLI::App* status_command =
        app.add_subcommand("status", "show gateways, ports and faults of a running one");
    app.require_subcommand(0, 1);

    try {
        app.parse(argc, argv);
        if (*fault_command) return set_fault(options);
        if (*status_command) return show_status(options);
        if (options.config.empty()) {
            throw CLI::RequiredError(*run_command ? "--config FILE" : "a command, or --config FILE,");
        }
        return run(options);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? exit_done : exit_usage;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "fairway-gateway: %s\n", error.what());
        return exit_failed;
    }
}
