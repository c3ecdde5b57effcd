// SPDX-License-Identifier: Apache-2.0
// The compiled client map against a linear search: the input is a list of own prefixes, rule prefixes and
// questions; every answer must be the one that the longest matching prefixes give, and the same in all of its
// scope.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "steering/steering.h"

using namespace fairway;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

/// A kind (1 byte), a length (1 byte) and a few leading bytes of an address; the rest is zeros.
struct Item {
    uint8_t kind = 0;
    IpPrefix prefix;
};

Item read_item(Reader& in) {
    Item item;
    item.kind = in.u8();
    const uint8_t length = in.u8();
    std::array<uint8_t, 16> bytes{};
    const bool v6 = (item.kind & 0x80U) != 0;
    for (size_t i = 0; i < 4; ++i) bytes[v6 && i == 3 ? 15 : i] = in.u8();
    item.prefix = v6 ? IpPrefix(IpAddress::v6(bytes), length % 129)
                     : IpPrefix(IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]}), length % 33);
    return item;
}

/// Five regions on the equator, a gateway with an endpoint in each.
std::shared_ptr<Model> make_model(const std::vector<std::string>& rule_prefixes) {
    auto model = std::make_shared<Model>();
    Service service;
    service.id = ServiceId(size_t{0});
    service.name = "vpn.example";
    for (size_t i = 0; i < 5; ++i) {
        const std::string number = std::to_string(i);
        model->regions.push_back({RegionId(i), "r" + number, Coordinates{0, static_cast<double>(i) * 30}});
        Gateway gateway;
        gateway.id = GatewayId(i);
        gateway.name = "g" + number;
        gateway.region = RegionId(i);
        gateway.endpoints = {EndpointId(i)};
        model->gateways.push_back(std::move(gateway));
        Endpoint endpoint;
        endpoint.id = EndpointId(i);
        endpoint.gateway = GatewayId(i);
        endpoint.name = endpoint.host = "192.0.2." + number;
        model->endpoints.push_back(std::move(endpoint));
        service.gateways.push_back(GatewayId(i));
    }
    std::string rule;
    for (const std::string& prefix : rule_prefixes) rule += (rule.empty() ? "" : "|") + prefix;
    if (!rule.empty()) service.policy.push_back(FilterSpec::parse("rule(prefix " + rule + " -> g4)").value());
    service.policy.push_back(FilterSpec::parse("nearest").value());
    service.policy.push_back(FilterSpec::parse("first 1").value());
    model->services.push_back(std::move(service));
    return model;
}

IpAddress flip_below(const IpAddress& address, uint8_t scope, uint64_t bits) {
    std::array<uint8_t, 16> bytes{};
    std::copy(address.bytes().begin(), address.bytes().end(), bytes.begin());
    for (unsigned i = scope; i < address.bits(); ++i, bits = bits >> 1 | bits << 63)
        bytes[i / 8] = static_cast<uint8_t>(bytes[i / 8] ^ (bits & 1) << (7 - i % 8));
    if (address.is_v6()) return IpAddress::v6(bytes);
    return IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Reader in({data, std::min<size_t>(size, 600)});
    geoip::Sources sources;
    std::vector<std::string> rule_texts;
    std::vector<IpPrefix> rule_prefixes;
    std::vector<IpAddress> questions;
    while (in.remaining() >= 6) {
        const Item item = read_item(in);
        const unsigned what = item.kind & 0x0fU;
        if (what < 8) {
            Location location;
            if (what < 4) location.coordinates = Coordinates{1, what * 30.0};
            if (what == 4) location.asn = 1;
            sources.own.push_back({item.prefix, location});
        } else if (what < 10) {
            rule_prefixes.push_back(item.prefix);
            rule_texts.push_back(item.prefix.to_string());
        } else {
            questions.push_back(item.prefix.address());
        }
        questions.push_back(flip_below(item.prefix.address(), item.prefix.length(), UINT64_MAX));
        questions.push_back(item.prefix.address());
    }
    const auto model = make_model(rule_texts);
    const auto steering = Steering::compile(model, geoip::Locator::open(sources).value());
    HealthSnapshot health;
    for (const Endpoint& endpoint : model->endpoints) {
        EndpointStatus status;
        status.address = IpAddress::parse(endpoint.host).value();
        status.serving = true;
        health.endpoints.push_back(status);
    }
    health.gateways.resize(model->gateways.size());
    health.services.resize(1);

    Selection selection;
    Selection other;
    for (const IpAddress& question : questions) {
        const auto ask = [&](const IpAddress& address, Selection& out) {
            steering->select(ServiceId(size_t{0}), health, {address, std::nullopt}, out);
            require(out.endpoints.size() == 1);
        };
        ask(question, selection);
        size_t expected = 0;
        std::optional<uint8_t> longest;
        for (const auto& own : sources.own) {
            if (!own.prefix.contains(question) || (longest && own.prefix.length() < *longest)) continue;
            longest = own.prefix.length();
            expected =
                own.location.coordinates ? static_cast<size_t>(own.location.coordinates->longitude / 30) : 0;
        }
        for (const IpPrefix& prefix : rule_prefixes) {
            if (prefix.contains(question)) expected = 4;
        }
        require(selection.endpoints[0] == EndpointId(expected));
        for (const uint64_t bits : {UINT64_MAX, uint64_t{1}, uint64_t{size} * uint64_t{0x9e3779b97f4a7c15}}) {
            ask(flip_below(question, selection.scope, bits), other);
            require(other.endpoints == selection.endpoints && other.scope == selection.scope);
        }
    }
    return 0;
}
