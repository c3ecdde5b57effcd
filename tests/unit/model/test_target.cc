// SPDX-License-Identifier: Apache-2.0
#include "model/target.h"

#include <catch2/catch.hpp>

#include "model/event.h"
#include "model/probe_result.h"

using namespace fairway;

namespace {

/// fra1 (two endpoints), fra2, iad1 (an IPv6 endpoint) in two regions.
Model example() {
    Model model;
    model.regions = {
        {RegionId(0), "eu-central", {}}, {RegionId(1), "us-east", {}}, {RegionId(2), "empty", {}}};
    const auto add = [&model](const char* name, size_t region, const char* zone, const char* provider,
                              std::initializer_list<const char*> hosts) {
        Gateway gateway;
        gateway.id = GatewayId(model.gateways.size());
        gateway.name = name;
        gateway.region = RegionId(region);
        gateway.zone = zone;
        gateway.labels = {{"provider", provider}};
        for (const char* host : hosts) {
            Endpoint endpoint;
            endpoint.id = EndpointId(model.endpoints.size());
            endpoint.gateway = gateway.id;
            endpoint.name = endpoint.host = host;
            gateway.endpoints.push_back(endpoint.id);
            model.endpoints.push_back(endpoint);
        }
        model.gateways.push_back(gateway);
    };
    add("fra1", 0, "fra-az1", "azure", {"203.0.113.10", "203.0.113.11"});
    add("fra2", 0, "", "aws", {"203.0.113.20"});
    add("iad1", 1, "iad-az1", "aws", {"2001:db8::1"});
    return model;
}

/// Names of what a target stands for, or what is said.
std::string resolved(std::string_view target) {
    const Model model = example();
    const auto found = resolve_target(model, target);
    if (!found) return "! " + found.error().message;
    CHECK(found->gateways.empty() != found->endpoints.empty());
    std::string text;
    for (const GatewayId id : found->gateways) text += model[id].name + " ";
    for (const EndpointId id : found->endpoints) text += endpoint_path(model, id) + " ";
    return text;
}

}  // namespace

TEST_CASE("a target is a gateway, an endpoint, a region, a zone, a label or a glob") {
    CHECK(resolved("fra1") == "fra1 ");
    CHECK(resolved("fra*") == "fra1 fra2 ");
    CHECK(resolved("*") == "fra1 fra2 iad1 ");
    CHECK(resolved("fra1/203.0.113.10") == "fra1/203.0.113.10 ");
    CHECK(resolved("*/203.0.113.?0") == "fra1/203.0.113.10 fra2/203.0.113.20 ");
    CHECK(resolved("iad1/2001:db8::1") == "iad1/2001:db8::1 ");
    CHECK(resolved("region:eu-central") == "fra1 fra2 ");
    CHECK(resolved("region:*") == "fra1 fra2 iad1 ");
    CHECK(resolved("zone:*-az1") == "fra1 iad1 ");
    CHECK(resolved("zone:*") == "fra1 iad1 ");
    CHECK(resolved("label:provider=aws") == "fra2 iad1 ");
    CHECK(resolved("label:provider=a*") == "fra1 fra2 iad1 ");
}

TEST_CASE("a target that nothing answers to says what was near") {
    CHECK(resolved("") == "! no gateway \"\"");
    CHECK(resolved("fra") == "! no gateway \"fra\" (did you mean \"fra1\"?)");
    CHECK(resolved("x*") == "! no gateway \"x*\"");
    CHECK(resolved("fra1/203.0.113.12") ==
          "! no endpoint \"fra1/203.0.113.12\" (did you mean \"fra1/203.0.113.10\"?)");
    CHECK(resolved("region:eu-centrl") ==
          "! no gateway is in region \"eu-centrl\" (did you mean \"eu-central\"?)");
    CHECK(resolved("region:empty") == "! no gateway is in region \"empty\"");
    CHECK(resolved("zone:fra-az2") == "! no gateway is in zone \"fra-az2\" (did you mean \"fra-az1\"?)");
    CHECK(resolved("zone:") == "! no gateway is in zone \"\"");
    CHECK(resolved("label:provider=axs") ==
          "! no gateway has label \"provider=axs\" (did you mean \"provider=aws\"?)");
    CHECK(resolved("label:provider") == "! a label target is label:KEY=VALUE");
    CHECK(resolved("label:=") == "! no gateway has label \"=\"");
}

TEST_CASE("every endpoint under a target is found") {
    const Model model = example();
    CHECK(endpoints_of(model, resolve_target(model, "region:eu-central").value()) ==
          std::vector{EndpointId(0), EndpointId(1), EndpointId(2)});
    CHECK(endpoints_of(model, resolve_target(model, "fra1/*1").value()) == std::vector{EndpointId(1)});
}

TEST_CASE("states, verdicts, layers and events have the names that people read") {
    CHECK(to_string(HealthState::unknown) == "unknown");
    CHECK(to_string(HealthState::down) == "down");
    CHECK(to_string(AdminState::automatic) == "automatic");
    CHECK(to_string(AdminState::maintenance) == "maintenance");
    CHECK(to_string(Verdict::fail) == "fail");
    CHECK(to_string(ProbeLayer::none) == "none");
    CHECK(to_string(ProbeLayer::internal) == "internal");
    CHECK(to_string(EventKind::override_) == "override");
    CHECK(to_string(EventKind::system) == "system");
    CHECK(to_string(Severity::critical) == "critical");
    CHECK(to_string(static_cast<HealthState>(200)) == "?");
    ProbeResult result;
    CHECK(describe(result) == "fail");
    result.layer = ProbeLayer::tls;
    result.reason = "certificate expired 3 days ago";
    CHECK(describe(result) == "TLS: certificate expired 3 days ago");
    result = {};
    result.verdict = Verdict::pass;
    CHECK(describe(result) == "ok");
    CHECK(Monitor{}.type() == "tcp");
    CHECK(type_name(IcmpProbe{}) == "icmp");
    CHECK(type_name(UnfinishedProbe{"tunnel"}) == "tunnel");
}
