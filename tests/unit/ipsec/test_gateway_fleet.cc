// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "ipsec/gateway_control.h"
#include "ipsec/gateway_fleet.h"
#include "net/loop.h"

using namespace fairway;
using namespace fairway::ipsec;
using Json = nlohmann::json;

namespace {

FleetSettings two_gateways() {
    auto load = load_fleet_text(R"(
        [defaults]
        tcp = 0
        https = 0
        ike = 0
        ike_nat = 0
        [gateway.fra1]
        addresses = ["127.0.0.1", "127.0.0.2"]
        [gateway.fra2]
        addresses = ["127.0.0.3"]
        fault = "refuse"
    )",
                                "g.toml");
    return std::move(load.settings.value());
}

size_t open_files() {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
    return count;
}

}  // namespace

TEST_CASE("targets are gateways, addresses or globs, and a near miss is suggested") {
    net::Loop loop;
    Fleet fleet(loop, two_gateways());
    CHECK(fleet.find("fra1").size() == 2);
    CHECK(fleet.find("fra1/127.0.0.2").size() == 1);
    CHECK(fleet.find("fra*").size() == 3);
    CHECK(fleet.find("*/127.0.0.3").size() == 1);
    CHECK(fleet.find("fra").empty());
    CHECK(fleet.unknown_target("fra") == "no gateway \"fra\" (did you mean \"fra1\"?)");
    CHECK(fleet.unknown_target("fra1/127.0.0.9") ==
          "no gateway \"fra1/127.0.0.9\" (did you mean \"fra1/127.0.0.1\"?)");
}

TEST_CASE("status shows the ports that the kernel picked, and they stay the same over a fault") {
    net::Loop loop;
    Fleet fleet(loop, two_gateways());
    const auto ports = [&] {
        std::vector<Json> all;
        const Json answer = Json::parse(answer_control(fleet, R"({"command":"status"})"));
        for (const Json& address : answer["status"]["addresses"]) {
            all.push_back(address["ports"]);
        }
        return all;
    };
    const auto before = ports();
    REQUIRE(before.size() == 3);
    for (const Json& address : before) {
        CHECK(address.size() == 4);
        for (const auto& [service, port] : address.items()) CHECK(port.get<int>() > 0);
    }
    const size_t open = open_files();
    for (const char* fault : {"refuse", "silent", "none", "silent", "silent", "refuse", "none"}) {
        const auto answer = Json::parse(
            answer_control(fleet, Json{{"command", "fault"}, {"target", "*"}, {"fault", fault}}.dump()));
        CHECK(answer["ok"] == true);
        CHECK(answer["addresses"].size() == 3);
    }
    CHECK(ports() == before);
    // fra2 listens as well now; nothing else was left open.
    CHECK(open_files() == open + 4);
}

TEST_CASE("a control request that makes no sense is refused with a reason") {
    net::Loop loop;
    Fleet fleet(loop, two_gateways());
    const auto refused = [&](std::string_view line) {
        const Json answer = Json::parse(answer_control(fleet, line));
        CHECK(answer["ok"] == false);
        return answer["error"].get<std::string>() + ": " + answer["message"].get<std::string>();
    };
    CHECK(refused("") == "usage: not a JSON object");
    CHECK(refused("[1]") == "usage: not a JSON object");
    CHECK(refused("{}") == "usage: no \"command\"");
    CHECK(refused(R"({"command":1})") == "usage: no \"command\"");
    CHECK(refused(R"({"command":"explode"})") == "usage: unknown command");
    CHECK(refused(R"({"command":"fault","target":"fra1"})") ==
          "usage: a fault needs \"target\" and \"fault\"");
    CHECK(refused(R"({"command":"fault","target":1,"fault":"none"})") ==
          "usage: a fault needs \"target\" and \"fault\"");
    CHECK(refused(R"({"command":"fault","target":"x","fault":"none"})") ==
          "no-such-target: no gateway \"x\"");
    CHECK(refused("{\"command\":\"fault\",\"target\":\"\xff\",\"fault\":\"none\"}") ==
          "usage: not a JSON object");
    CHECK(refused(std::string(100'000, '[')) == "usage: not a JSON object");
}

TEST_CASE("a port that somebody took meanwhile is a failure that names it, and healing again works") {
    net::Loop loop;
    Fleet fleet(loop, two_gateways());
    Fleet::Address& address = *fleet.find("fra1/127.0.0.1").front();
    REQUIRE(fleet.apply(address, *Fault::parse("refuse")));
    {
        TcpService* tcp = &address.tcp.front();
        ConnectionBudget budget{1, 0};
        TcpService thief(loop, Service::tcp, tcp->address(), budget,
                         [](Service) { return ConnectionPlan{}; });
        REQUIRE(thief.apply(FaultKind::none));
        CHECK(fleet.apply(address, Fault{}).error().message ==
              "cannot listen on " + tcp->address().to_string() + ": Address already in use");
    }
    CHECK(fleet.apply(address, Fault{}));
}

TEST_CASE("an authority that was written is taken over, and one that is broken is replaced") {
    const std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("fairway-ca-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    const std::filesystem::path path = folder / "ca.pem";
    const auto contents = [&] {
        std::string text;
        FILE* file = std::fopen(path.c_str(), "r");
        REQUIRE(file != nullptr);
        for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
        std::fclose(file);
        return text;
    };
    REQUIRE(Authority::open(path));
    const std::string first = contents();
    CHECK(std::filesystem::status(path.string() + ".key").permissions() ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
    REQUIRE(Authority::open(path));
    CHECK(contents() == first);
    std::filesystem::resize_file(path, 100);
    REQUIRE(Authority::open(path));
    CHECK(contents() != first);
    CHECK(Authority::open(folder / "absent" / "ca.pem").error().message ==
          "cannot write " + (folder / "absent" / "ca.pem").string() + ": No such file or directory");
    std::filesystem::remove_all(folder);
}
