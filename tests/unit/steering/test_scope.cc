// SPDX-License-Identifier: Apache-2.0
// Client subnets: which address decides, and for whom else the answer holds. The compiled map is held against
// a naive computation from single lookups, and scopes against the answers inside and outside of them.

#include <catch2/catch.hpp>

#include <map>

#include "base/random.h"
#include "steering/great_circle.h"
#include "steering/range_table.h"
#include "unit/geoip/mmdb_fixture.h"
#include "unit/steering/fleet.h"

using namespace fairway;
using namespace fairway::test;
using Paths = std::vector<std::string>;

namespace {

IpAddress with_bits(const IpAddress& address, unsigned from, Random& random) {
    std::array<uint8_t, 16> bytes{};
    std::copy(address.bytes().begin(), address.bytes().end(), bytes.begin());
    for (unsigned i = from; i < address.bits(); ++i) {
        const auto mask = static_cast<uint8_t>(0x80U >> (i % 8));
        bytes[i / 8] =
            static_cast<uint8_t>(random.below(2) == 0 ? bytes[i / 8] & ~mask : bytes[i / 8] | mask);
    }
    if (address.is_v6()) return IpAddress::v6(bytes);
    return IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
}

IpAddress flipped(const IpAddress& address, unsigned bit) {
    std::array<uint8_t, 16> bytes{};
    std::copy(address.bytes().begin(), address.bytes().end(), bytes.begin());
    bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ 0x80U >> (bit % 8));
    if (address.is_v6()) return IpAddress::v6(bytes);
    return IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
}

/// Public addresses only, close together.
IpAddress random_address(Random& random) {
    if (random.below(2) == 0) return IpAddress::v4(static_cast<uint32_t>(0x20000000 + random.below(1 << 16)));
    std::array<uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8};
    for (size_t i = 4; i < 16; ++i) bytes[i] = static_cast<uint8_t>(random.below(i < 6 ? 4 : 256));
    return IpAddress::v6(bytes);
}

std::filesystem::path random_database(const geoip::test::Folder& folder, Random& random) {
    std::vector<geoip::NetworkRow> rows;
    for (int i = 0; i < 300; ++i) {
        geoip::NetworkRow row;
        const IpAddress address = random_address(random);
        const unsigned most = address.is_v4() ? 32 : 64;
        row.prefix = IpPrefix(address, static_cast<uint8_t>(most - random.below(18)));
        row.country = random.below(3) == 0 ? "DE" : random.below(2) == 0 ? "US" : "";
        row.asn = static_cast<uint32_t>(random.below(3));
        if (random.below(4) != 0)
            row.coordinates = Coordinates{random.fraction() * 140 - 70, random.fraction() * 360 - 180};
        rows.push_back(row);
    }
    return folder.write("random.mmdb", make_mmdb(rows, geoip::MmdbSchema::nested, {}).value());
}

}  // namespace

TEST_CASE("range tables agree with a linear search, and their scopes are the widest inside the range") {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        Random random(seed);
        std::map<uint32_t, uint32_t> starts{{0, 0}};
        for (int i = 0; i < 200; ++i)
            starts[static_cast<uint32_t>(random.next() >> (32 + random.below(20)))] =
                static_cast<uint32_t>(random.below(3));
        RangeTable table;
        for (const auto& [start, value] : starts) table.append(IpAddress::v4(start), value);
        table.append(IpAddress::v6({}), 0);
        table.finish();
        const auto value_of = [&](uint32_t key) { return std::prev(starts.upper_bound(key))->second; };
        const auto uniform = [&](uint32_t key, uint8_t length) {
            const uint64_t size = uint64_t{1} << (32 - length);
            const uint64_t first = key & ~(size - 1);
            for (auto at = starts.lower_bound(static_cast<uint32_t>(first));
                 at != starts.end() && at->first < first + size; ++at) {
                if (at->second != value_of(key)) return false;
            }
            return value_of(static_cast<uint32_t>(first)) == value_of(key);
        };
        for (const auto& [start, value] : starts) {
            for (const uint32_t key : {start, start - 1, start + 1, static_cast<uint32_t>(random.next())}) {
                const ClassHit hit = table.find(IpAddress::v4(key));
                CHECK(hit.value == value_of(key));
                CHECK(uniform(key, hit.scope));
                if (hit.scope > 0) CHECK_FALSE(uniform(key, static_cast<uint8_t>(hit.scope - 1)));
            }
        }
    }
}

TEST_CASE("block tables of any fineness and of many classes agree with the ranges that they were made of") {
    // Values below: how long the ranges are at the most, in bits, and how many classes there are.
    const std::pair<int, uint32_t> shapes[] = {{3, 2}, {6, 100}, {9, 3}, {12, 200'000}, {20, 5}, {28, 40}};
    for (const auto& [bits, classes] : shapes) {
        Random random(static_cast<uint64_t>(bits));
        std::vector<std::pair<uint32_t, uint32_t>> ranges{{0, 0}};
        // From a place where the dense part crosses borders of /8, /16 and /24.
        uint64_t at = 0x0affff00;
        while (at <= UINT32_MAX && ranges.size() < 100'000) {
            ranges.emplace_back(static_cast<uint32_t>(at), static_cast<uint32_t>(random.below(classes)));
            at += 1 + random.below(uint64_t{1} << bits);
        }
        BlockTableV4 table;
        for (const auto& [start, value] : ranges) table.append(IpAddress::v4(start), value);
        table.finish();
        size_t wrong = 0;
        const auto range_of = [&](uint32_t key) {
            return std::prev(std::upper_bound(ranges.begin(), ranges.end(), std::pair(key, UINT32_MAX)));
        };
        for (size_t i = 0; i < ranges.size(); ++i) {
            for (const uint32_t key : {ranges[i].first, ranges[i].first - 1}) {
                const ClassHit hit = table.find(IpAddress::v4(key));
                wrong += hit.value != range_of(key)->second;
                // Both ends of the block, and the widest one that has them.
                const uint64_t size = uint64_t{1} << (32 - hit.scope);
                const auto first = static_cast<uint32_t>(key & ~(size - 1));
                wrong += table.find(IpAddress::v4(first)) != hit;
                wrong += table.find(IpAddress::v4(static_cast<uint32_t>(first + (size - 1)))) != hit;
            }
        }
        CAPTURE(bits, classes);
        CHECK(wrong == 0);
    }
}

TEST_CASE("the compiled map answers like single lookups, and everyone inside a scope gets the same answer") {
    const geoip::test::Folder folder;
    const std::vector<std::vector<std::string>> policies{
        {"healthy", "nearest"},
        {"healthy", "rule(country DE -> g1|g4, asn 2 -> g2, prefix 32.0.16.0/20|2001:db8:1::/48 -> g5)",
         "nearest"},
        {"healthy", "rule(continent NA -> g3)", "first 2"},
        {"healthy", "nearest", "weighted", "first 1"},
        {"sticky", "first 1"},
        {"healthy", "first 1"}};
    for (uint64_t seed = 1; seed <= 6; ++seed) {
        Random random(seed);
        Fleet fleet;
        for (int i = 0; i < 6; ++i) {
            const std::string number = std::to_string(i);
            fleet.region("r" + number,
                         Coordinates{random.fraction() * 140 - 70, random.fraction() * 360 - 180});
            fleet.gateway("g" + number, "r" + number, {"203.0.113." + number});
        }
        for (size_t i = 0; i < policies.size(); ++i) fleet.service("s" + std::to_string(i), policies[i]);
        fleet.sources().databases = {random_database(folder, random)};
        fleet.down("g" + std::to_string(random.below(6)));
        fleet.health().endpoints[random.below(6)].in_doubt = true;
        if (random.below(2) == 0) fleet.model().default_location = in("JP");
        const Steering& steering = fleet.steering();

        size_t wrong_order = 0;
        size_t differs_inside = 0;
        size_t overlaps = 0;
        for (int i = 0; i < 1500; ++i) {
            const IpAddress address = random_address(random);
            const Client client{IpAddress::parse("9.9.9.9").value(),
                                IpPrefix(address, static_cast<uint8_t>(address.is_v4() ? 32 : 64))};
            Selection selection;
            Selection other;
            for (size_t service = 0; service < policies.size(); ++service) {
                steering.select(ServiceId(service), fleet.health(), client, selection);
                for (int k = 0; k < 4; ++k) {
                    const IpAddress neighbour = with_bits(address, selection.scope, random);
                    steering.select(ServiceId(service), fleet.health(), {neighbour, std::nullopt}, other);
                    differs_inside += selection.endpoints != other.endpoints || selection.ttl != other.ttl ||
                                      selection.kind != other.kind;
                    overlaps += selection.scope != other.scope;
                }
            }
            // The order of `nearest`, from the location itself.
            steering.select(ServiceId(size_t{0}), fleet.health(), client, selection);
            const geoip::Located located = steering.locator()->locate(client.ecs->address());
            Location location = located.location;
            if (location.country.empty() && !location.coordinates && fleet.model().default_location)
                location.coordinates = Coordinates{36.2, 138.0};
            std::vector<EndpointId> expected;
            for (const Endpoint& endpoint : fleet.model().endpoints) {
                if (fleet.health()[endpoint.id].serving) expected.push_back(endpoint.id);
            }
            if (located.location.coordinates) {
                std::stable_sort(expected.begin(), expected.end(), [&](EndpointId a, EndpointId b) {
                    const auto km = [&](EndpointId id) {
                        return great_circle_km(*located.location.coordinates,
                                               *fleet.model().regions[id.index()].location);
                    };
                    return km(a) < km(b);
                });
                wrong_order += selection.endpoints != expected;
            } else if (!location.coordinates) {
                wrong_order += selection.endpoints != expected;
            }
        }
        INFO("seed " << seed);
        CHECK(wrong_order == 0);
        CHECK(differs_inside == 0);
        CHECK(overlaps == 0);
    }
}

TEST_CASE("scopes are as wide as the answer allows: equal neighbours merge across networks") {
    Fleet fleet = three_regions({"healthy", "nearest", "first 1"});
    // Two towns of one class next to each other, then another class.
    fleet.own("20.0.0.0/10", in("DE", Coordinates{52.5, 13.4}));
    fleet.own("20.64.0.0/10", in("AT", Coordinates{48.2, 16.4}));
    fleet.own("20.128.0.0/9", in("US", Coordinates{40.7, -74.0}));
    CHECK(fleet.select(Fleet::client_of("20.1.2.0/24")).scope == 9);
    CHECK(fleet.select(Fleet::client_of("20.127.255.0/24")).scope == 9);
    CHECK(fleet.select(Fleet::client_of("20.128.0.0/24")).scope == 9);
    CHECK(fleet.answer("20.64.0.0/24") == Paths{"fra1/203.0.113.10"});

    SECTION("one flipped bit above the scope leads to another class somewhere") {
        const Selection selection = fleet.select(Fleet::client_of("20.1.2.0/24"));
        const Client sibling{flipped(IpAddress::parse("20.1.2.0").value(), selection.scope - 1U),
                             std::nullopt};
        CHECK(fleet.select(sibling).endpoints != selection.endpoints);
    }
    SECTION("an answer that is the same for all clients has scope 0") {
        for (const char* name : {"fra1", "fra2", "sin1"}) fleet.down(name);
        CHECK(fleet.answer("20.1.2.0/24") == Paths{"iad1/203.0.113.30"});
        CHECK(fleet.select(Fleet::client_of("20.1.2.0/24")).scope == 0);
    }
}

TEST_CASE("services that ask nothing about the client have scope 0") {
    Fleet fleet = three_regions({"healthy", "failover", "first 1"});
    CHECK(fleet.select(Fleet::client_of("192.0.2.0/24")).scope == 0);
    CHECK(fleet.steering().size().maps == 0);
}

TEST_CASE("an empty client subnet leaves the decision to the source, with scope 0") {
    Fleet fleet = three_regions({"healthy", "nearest", "first 1"});
    Client client = Fleet::client_of("198.51.100.53");
    for (const char* empty : {"0.0.0.0/0", "::/0"}) {
        client.ecs = IpPrefix::parse(empty).value();
        const Selection selection = fleet.select(client);
        CHECK(selection.endpoints == std::vector{fleet.id("iad1/203.0.113.30")});
        CHECK(selection.scope == 0);
        CHECK_FALSE(selection.used_ecs);
    }
}

TEST_CASE("a private client subnet leaves the decision to the source, with the private block as scope") {
    Fleet fleet = three_regions({"healthy", "nearest", "first 1"});
    fleet.own("10.20.0.0/16", in("SG"));
    const auto ask = [&](const std::string& subnet) {
        Client client = Fleet::client_of("198.51.100.53");
        client.ecs = IpPrefix::parse(subnet).value();
        return fleet.select(client);
    };
    const auto us = std::vector{fleet.id("iad1/203.0.113.30")};
    CHECK(ask("172.16.5.0/24").endpoints == us);
    CHECK(ask("172.16.5.0/24").scope == 12);
    CHECK(ask("192.168.1.0/24").scope == 16);
    CHECK(ask("100.64.1.0/24").scope == 10);
    CHECK(ask("127.0.0.0/24").scope == 8);
    CHECK(ask("fd00:1::/48").endpoints == us);
    CHECK(ask("fd00:1::/48").scope == 7);
    CHECK(ask("fe80::/64").scope == 10);
    CHECK(ask("::1/128").scope == 128);

    // Own knowledge about a part of 10/8: it decides there, and beside it the scope leaves it out.
    const Selection known = ask("10.20.1.0/24");
    CHECK(known.endpoints == std::vector{fleet.id("sin1/203.0.113.40")});
    CHECK(known.used_ecs);
    CHECK(known.scope == 16);
    CHECK(ask("10.21.1.0/24").endpoints == us);
    CHECK(ask("10.21.1.0/24").scope == 16);
    CHECK(ask("10.128.0.0/24").scope == 9);
    // A source that is private is simply looked up.
    CHECK(fleet.answer("10.20.1.1") == Paths{"sin1/203.0.113.40"});
}

TEST_CASE("services with the same questions share a map, and more than eight kinds still answer right") {
    Fleet fleet = three_regions({"healthy", "nearest", "first 1"});
    fleet.service("second", {"nearest"});
    CHECK(fleet.compile().steering().size().maps == 1);
    // Each asks about other regions, so each would have a map of its own.
    for (int i = 0; i < 12; ++i) {
        const std::string number = std::to_string(i);
        fleet.region("r" + number,
                     Coordinates{static_cast<double>(i * 10 - 60), static_cast<double>(i * 25 - 150)});
        fleet.gateway("g" + number, "r" + number, {"192.0.2." + number});
        fleet.service("kind" + number, {"healthy", "nearest", "first 1"});
        fleet.service("ruled" + number,
                      {"healthy", "rule(country DE -> g" + number + ")", "nearest", "first 1"});
    }
    fleet.compile();
    CHECK(fleet.steering().size().maps == 8);
    const Model& model = fleet.model();
    for (const Service& service : model.services) {
        const Selection selection =
            fleet.select(Fleet::client_of("198.51.100.0/24"), nullptr, service.id.index());
        const Coordinates client{40.71, -74.01};
        GatewayId nearest = service.gateways[0];
        for (const GatewayId gateway : service.gateways) {
            const auto km = [&](GatewayId id) {
                return great_circle_km(client, *model[model[id].region].location);
            };
            if (km(gateway) < km(nearest)) nearest = gateway;
        }
        INFO(service.key);
        CHECK(model[selection.endpoints.at(0)].gateway == nearest);
        if (service.key.starts_with("ruled")) {
            const auto german = fleet.answer("192.0.2.0/24", service.id.index());
            CHECK(german.at(0).starts_with("g" + service.key.substr(5) + "/"));
        }
    }
}
