// SPDX-License-Identifier: Apache-2.0
// Every command against the real API on a real socket: the server in this thread, `fairway` in another.

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "api/server.h"
#include "base/duration.h"
#include "base/unique_fd.h"
#include "cli/cli.h"
#include "net/loop.h"
#include "unit/api/world.h"

using namespace fairway;
using nlohmann::ordered_json;

namespace {

struct Outcome {
    int exit = -1;
    std::string out;
    std::string error;
    ordered_json json() const { return ordered_json::parse(out); }
    bool says(std::string_view part) const { return out.find(part) != std::string::npos; }
    bool complains(std::string_view part) const { return error.find(part) != std::string::npos; }
};

Outcome run(std::vector<std::string> arguments) {
    // Whatever shell the tests were started from.
    ::setenv("LC_ALL", "C", 1);
    for (const char* name : {"FAIRWAY_SERVER", "FAIRWAY_TOKEN", "NO_COLOR"}) ::unsetenv(name);
    std::ostringstream out, error;
    Outcome outcome;
    outcome.exit = cli::run(arguments, out, error);
    outcome.out = out.str();
    outcome.error = error.str();
    return outcome;
}

struct Fixture {
    net::Loop loop;
    World world{[this](std::function<void()> action) { loop.post(std::move(action)); }};
    TemporaryFolder folder;
    std::optional<api::Server> server;
    config::Api settings;

    Fixture() {
        settings.unix_path = folder.path / "control.sock";
        server.emplace(loop, world, settings);
        // The screen's times are relative to the wall clock where a document has none.
        world.advance(std::chrono::system_clock::now() - world.now());
    }
    Outcome fairway(std::vector<std::string> arguments) {
        arguments.insert(arguments.end(), {"--server", settings.unix_path.string()});
        Outcome outcome;
        std::thread client([&] {
            outcome = run(arguments);
            loop.post([this] { loop.stop(); });
        });
        loop.run();
        client.join();
        return outcome;
    }
};

}  // namespace

TEST_CASE("status fits on one screen and tells states by shape and word") {
    Fixture f;
    f.world.fail("iad1");
    const Outcome page = f.fairway({"status"});
    CHECK(page.exit == 0);
    CHECK(page.error.empty());
    for (const char* part :
         {"test-1  fairway 1.2.3, up 5h, ready", "Services\n  vpn", "degraded", "3 gateways", "Regions\n",
          "Gateways\n  fra1", "x down", "connect refused", "No overrides."}) {
        INFO(page.out);
        CHECK(page.says(part));
    }
    CHECK(page.out.find('\033') == std::string::npos);
    const Outcome json = f.fairway({"status", "--json"});
    CHECK(json.json()["schema"] == "fairway/status/1");
    CHECK(f.fairway({"--json", "status"}).json()["schema"] == "fairway/status/1");
    CHECK(f.fairway({"status", "--quiet"}).out.empty());
}

TEST_CASE("gateways are listed, shown and probed") {
    Fixture f;
    f.world.fail("fra1/203.0.113.11", "timeout");
    CHECK(f.fairway({"gateway", "list"}).says("1 of 2 serve"));
    const Outcome shown = f.fairway({"gateway", "show", "fra1"});
    CHECK(shown.exit == 0);
    CHECK(shown.says("provider=azure"));
    CHECK(shown.says("fra1/203.0.113.11  x down for"));
    CHECK(shown.says("transport: timeout"));
    const Outcome probed = f.fairway({"gateway", "probe", "fra1"});
    CHECK(probed.exit == 1);
    CHECK(probed.says("connect fra1/203.0.113.10: ok"));
    CHECK(f.fairway({"gateway", "probe", "fra1/203.0.113.10", "--monitor", "tcp"}).exit == 0);
    const Outcome unknown = f.fairway({"gateway", "show", "fra"});
    CHECK(unknown.exit == 4);
    CHECK(unknown.error == "fairway: no gateway \"fra\" (did you mean \"fra1\"?)\n");
    CHECK(unknown.out.empty());
}

TEST_CASE("explain prints the answer and the trace") {
    Fixture f;
    const Outcome page = f.fairway({"explain", "vpn", "--client", "198.51.100.7"});
    CHECK(page.exit == 0);
    INFO(page.out);
    CHECK(page.says("vpn.gslb.example.com (service vpn) for 198.51.100.7"));
    CHECK(page.says("203.0.113.10  fra1/203.0.113.10  eu"));
    CHECK(page.says("TTL 30 s"));
    CHECK(page.says("nearest"));
    CHECK(f.fairway({"explain", "vpn", "--client", "198.51.100.7", "--without", "fra1", "--json"})
              .json()["answer"]["endpoints"][0]["gateway"] == "iad1");
    CHECK(f.fairway({"explain", "vpn"}).exit == 2);
    CHECK(f.fairway({"explain", "vpn", "--client", "x"}).exit == 2);
    CHECK(f.fairway({"explain", "vpm", "--client", "192.0.2.1"}).complains("did you mean \"vpn\"?"));
}

TEST_CASE("a gateway is drained, seen to be, extended and cleared") {
    Fixture f;
    const Outcome drained =
        f.fairway({"drain", "iad1", "sin1", "--reason", "kernel update", "--for", "2h", "--ref", "OPS-7"});
    CHECK(drained.exit == 0);
    INFO(drained.out);
    CHECK(drained.says("iad1: drain, until"));
    CHECK(drained.says("clear of DNS at"));
    CHECK(f.fairway({"status"}).says("#1 drain iad1 by"));
    CHECK(f.fairway({"override", "list"}).says("kernel update [OPS-7]"));
    CHECK(f.fairway({"override", "show", "2"}).says("sin1/203.0.113.30"));
    CHECK(f.fairway({"override", "show", "7"}).exit == 4);
    CHECK(f.fairway({"override", "extend", "1", "--for", "5h"}).says("iad1: still drain"));
    CHECK(f.fairway({"override", "list", "--json"}).json()["overrides"][0]["revision"] == 2);
    const Outcome again = f.fairway({"drain", "iad1", "--reason", "r", "--for", "1h"});
    CHECK(again.exit == 5);
    CHECK(again.complains("override 1 is a drain of iad1 already"));
    const Outcome cleared = f.fairway({"clear", "iad1"});
    CHECK(cleared.exit == 0);
    CHECK(cleared.out == "iad1: no longer drain (override 1)\n");
    const Outcome nothing = f.fairway({"clear", "iad1"});
    CHECK(nothing.exit == 4);
    CHECK(nothing.complains("there is no override on \"iad1\""));
    CHECK(f.fairway({"clear", "--id", "2"}).exit == 0);
    CHECK(f.fairway({"clear", "--id", "2"}).exit == 4);
    CHECK(f.fairway({"clear"}).exit == 2);
    CHECK(f.world.store().overrides().empty());
    const Outcome trail = f.fairway({"audit"});
    CHECK(trail.says("override.set"));
    CHECK(trail.says("override.extend"));
    CHECK(trail.says("override.clear"));
}

TEST_CASE("clear names the override that acts on a target under another name") {
    Fixture f;
    REQUIRE(f.fairway({"drain", "region:us", "--reason", "r", "--permanent"}).exit == 0);
    const Outcome cleared = f.fairway({"clear", "iad1"});
    CHECK(cleared.exit == 4);
    CHECK(cleared.complains("override 1 (drain of region:us) acts on it: fairway clear --id 1"));
    CHECK(f.fairway({"clear", "region:*"}).exit == 0);
}

TEST_CASE("an override that empties a service needs force") {
    Fixture f;
    const Outcome refused = f.fairway({"down", "fra1", "--reason", "r", "--for", "1h"});
    CHECK(refused.exit == 5);
    CHECK(refused.complains("this would leave no gateway for eu (--force if that is meant)"));
    const Outcome preview = f.fairway({"down", "fra1", "--reason", "r", "--for", "1h", "--dry-run"});
    CHECK(preview.exit == 5);
    INFO(preview.out);
    CHECK(preview.says("would set: fra1 down"));
    CHECK(preview.says("vpn  near eu    fra1/203.0.113.10                     ->  iad1/203.0.113.20\n"));
    CHECK(f.world.store().overrides().empty());
    const Outcome forced = f.fairway({"down", "fra1", "--reason", "r", "--for", "1h", "--force"});
    CHECK(forced.exit == 0);
    CHECK(forced.complains("warning: no gateway is left for eu"));
}

TEST_CASE("up must end, and every override has a reason and one end") {
    Fixture f;
    CHECK(f.fairway({"up", "fra1", "--reason", "r", "--permanent"}).exit == 2);
    CHECK(f.fairway({"up", "fra1", "--reason", "r"}).exit == 2);
    CHECK(f.fairway({"up", "fra1", "--reason", "r", "--for", "soon"}).exit == 2);
    CHECK(f.fairway({"drain", "fra1", "--for", "1h"}).exit == 2);
    CHECK(f.fairway({"drain", "iad1", "--reason", "r", "--for", "1h", "--permanent"}).exit == 2);
    CHECK(f.fairway({"drain", "--reason", "r", "--for", "1h"}).exit == 2);
    CHECK(f.fairway({"drain", "nowhere", "--reason", "r", "--for", "1h"}).exit == 4);
    CHECK(f.world.store().overrides().empty());
    CHECK(f.fairway({"up", "iad1", "--reason", "r", "--for", "10m"}).exit == 0);
}

TEST_CASE("a waiting failover is confirmed") {
    Fixture f;
    CHECK(f.fairway({"confirm", "eu"}).exit == 5);
    CHECK(f.fairway({"confirm", "ue"}).exit == 4);
}

TEST_CASE("events are shown with their transitions") {
    Fixture f;
    Event event;
    event.time = f.world.now();
    event.kind = EventKind::gateway;
    event.severity = Severity::critical;
    event.subject = "fra1";
    event.from = "up";
    event.to = "down";
    event.message = "no endpoint\033[2J left";
    f.world.store().append(event);
    const Outcome page = f.fairway({"events", "--since", "1h"});
    CHECK(page.exit == 0);
    INFO(page.out);
    CHECK(page.says("x critical  fra1  up -> down  no endpoint?[2J left"));
    CHECK(f.fairway({"events", "--json"}).json()["events"][0]["subject"] == "fra1");
    CHECK(f.fairway({"events", "--subject", "iad1"}).out.empty());
    CHECK(f.fairway({"events", "--since", "soon"}).exit == 2);
    CHECK(f.fairway({"events", "--limit", "0"}).exit == 2);
}

TEST_CASE("the configuration is checked, shown and compared, with a daemon and without") {
    Fixture f;
    CHECK(f.fairway({"config", "show"}).says("vpn.gslb.example.com"));
    CHECK(f.fairway({"config", "diff"}).out == "no difference\n");
    CHECK(f.fairway({"reload"}).out == "reloaded; nothing differs\n");
    f.world.next_config.replace(f.world.next_config.find("max = 30"), 8, "max = 60");
    CHECK(f.fairway({"config", "diff"}).says("service vpn"));
    f.world.next_config.replace(f.world.next_config.find("nsid"), 4, "nsld");
    const Outcome refused = f.fairway({"reload"});
    CHECK(refused.exit == 2);
    CHECK(refused.complains("fairway.toml:3:1: error: unknown key \"nsld\" (did you mean \"nsid\"?)"));

    const std::string file = (f.folder.path / "fairway.toml").string();
    std::ofstream(file) << three_regions;
    CHECK(run({"config", "check", file}).exit == 0);
    CHECK(run({"config", "show", file}).says("[service.vpn]"));
    std::ofstream(file) << "[server]\nnsld = \"x\"\n";
    const Outcome bad = run({"config", "check", file});
    CHECK(bad.exit == 2);
    CHECK(bad.complains(file + ":2:1: error: unknown key \"nsld\""));
    CHECK(run({"config", "check", file, "--json"}).json()["accepted"] == false);
    CHECK(ordered_json::parse(run({"config", "schema"}).out).contains("$schema"));
}

TEST_CASE("the geo databases are asked and reloaded") {
    Fixture f;
    CHECK(f.fairway({"geoip", "lookup", "198.51.100.7"}).says("198.51.100.7 is in 198.51.100.0/25: DE"));
    CHECK(f.fairway({"geoip", "lookup", "x"}).exit == 2);
    CHECK(f.fairway({"geoip", "info"}).says("3 own prefixes"));
    CHECK(f.fairway({"geoip", "reload"}).exit == 0);
}

TEST_CASE("check speaks Nagios") {
    Fixture f;
    CHECK(f.fairway({"check"}).exit == 0);
    CHECK(f.fairway({"check", "fra1"}).out == "FAIRWAY OK - fra1: 2 of 2 endpoints serve\n");
    f.world.fail("fra1/203.0.113.10");
    CHECK(f.fairway({"check", "fra1"}).exit == 1);
    f.world.fail("fra1");
    const Outcome critical = f.fairway({"check", "service:eu"});
    CHECK(critical.exit == 2);
    CHECK(critical.says("FAIRWAY CRITICAL - service eu is down"));
    CHECK(f.fairway({"check", "nowhere"}).exit == 3);
    CHECK(run({"check", "fra1", "--server", "/nonexistent/socket"}).exit == 3);
    CHECK(run({"check", "--nonsense"}).exit == 3);
}

TEST_CASE("a daemon that is not there is exit 3, and the message says what to try") {
    const Outcome outcome = run({"status", "--server", "/nonexistent/control.sock"});
    CHECK(outcome.exit == 3);
    CHECK(outcome.complains("/nonexistent/control.sock: No such file or directory"));
    CHECK(outcome.complains("Is fairwayd running?"));
    CHECK(run({"status", "--server", "nonsense"}).exit == 2);
    CHECK(run({"status", "--server", "https://x"}).exit == 2);
    CHECK(run({"status", "--timeout", "soon"}).exit == 2);
}

TEST_CASE("a daemon that does not answer is exit 6") {
    const TemporaryFolder folder;
    const std::string path = (folder.path / "mute.sock").string();
    const UniqueFd mute(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(mute.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(mute.get(), 1) == 0);
    const Outcome outcome = run({"status", "--server", path, "--timeout", "100ms"});
    CHECK(outcome.exit == 6);
    CHECK(outcome.complains("did not answer within 100ms"));
}

TEST_CASE("over TCP a token is needed to be let in, and without one only reading is") {
    Fixture f;
    config::Api tcp;
    tcp.unix_path.clear();
    tcp.listen = SocketAddress::parse("127.0.0.1:0").value();
    tcp.token = config::Secret{"env:X", "s3cret"};
    f.server.emplace(f.loop, f.world, tcp);
    const std::string where = "http://" + f.server->tcp()->to_string();
    const auto over_tcp = [&](std::vector<std::string> arguments) {
        Outcome outcome;
        arguments.insert(arguments.end(), {"--server", where});
        std::thread client([&] {
            outcome = run(arguments);
            f.loop.post([&] { f.loop.stop(); });
        });
        f.loop.run();
        client.join();
        return outcome;
    };
    const Outcome refused = over_tcp({"status"});
    CHECK(refused.exit == 7);
    CHECK(refused.complains("a bearer token is needed (FAIRWAY_TOKEN or --token-file)"));
    const std::string file = (f.folder.path / "token").string();
    std::ofstream(file) << "s3cret\n";
    CHECK(over_tcp({"status", "--token-file", file}).exit == 0);
    CHECK(over_tcp({"drain", "iad1", "--reason", "r", "--for", "1h", "--token-file", file}).exit == 0);
    CHECK(f.world.store().overrides().at(0).actor == "token");
}

TEST_CASE("words that are no commands are usage errors that say what was meant") {
    const Outcome drian = run({"drian", "fra1"});
    CHECK(drian.exit == 2);
    CHECK(drian.complains("there is no command \"drian\" (did you mean \"drain\"?)"));
    CHECK(run({"gateway", "shwo", "x"}).complains("did you mean \"gateway show\"?"));
    CHECK(run({}).exit == 2);
    CHECK(run({"status", "--nonsense"}).exit == 2);
    CHECK(run({"--help"}).exit == 0);
    CHECK(run({"drain", "--help"}).says("--dry-run"));
    CHECK(run({"version"}).says("fairway "));
    CHECK(run({"version", "--json"}).json()["schema"] == "fairway/version/1");
}

TEST_CASE("completions are scripts of their shells") {
    const TemporaryFolder folder;
    const std::string file = (folder.path / "fairway.bash").string();
    std::ofstream(file) << run({"completion", "bash"}).out;
    CHECK(::system(("bash -n " + file).c_str()) == 0);
    const auto complete = [&](const std::string& line) {
        const std::string out = (folder.path / "out").string();
        std::ofstream(folder.path / "ask.bash") << "source " << file << "\nCOMP_WORDS=(" << line
                                                << ")\nCOMP_CWORD=$((${#COMP_WORDS[@]}-1))\n_fairway\n"
                                                << "printf '%s ' \"${COMPREPLY[@]}\" > " << out << "\n";
        REQUIRE(::system(("bash " + (folder.path / "ask.bash").string()).c_str()) == 0);
        std::ifstream in(out);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    CHECK(complete("fairway dr") == "drain ");
    CHECK(complete("fairway override e") == "extend ");
    CHECK(complete("fairway drain --re") == "--reason --ref ");
    CHECK(run({"completion", "zsh"}).says("#compdef fairway"));
    CHECK(run({"completion", "fish"}).says("complete -c fairway"));
    CHECK(run({"completion", "tcsh"}).exit == 2);
}
