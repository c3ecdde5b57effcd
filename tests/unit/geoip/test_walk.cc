// SPDX-License-Identifier: Apache-2.0
// The walk over all networks, against the lookups of single addresses.

#include <catch2/catch.hpp>

#include "base/random.h"
#include "unit/geoip/mmdb_fixture.h"

using namespace fairway;
using namespace fairway::geoip;
using namespace fairway::geoip::test;

namespace {

IpAddress last_of(const IpPrefix& prefix) {
    std::array<uint8_t, 16> bytes{};
    std::copy(prefix.address().bytes().begin(), prefix.address().bytes().end(), bytes.begin());
    for (unsigned i = prefix.length(); i < prefix.address().bits(); ++i)
        bytes[i / 8] = static_cast<uint8_t>(bytes[i / 8] | 0x80U >> (i % 8));
    if (prefix.address().is_v6()) return IpAddress::v6(bytes);
    return IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
}

/// The address after, or nothing after the last.
std::optional<IpAddress> next(const IpAddress& address) {
    std::array<uint8_t, 16> bytes{};
    const size_t size = address.bytes().size();
    std::copy(address.bytes().begin(), address.bytes().end(), bytes.begin());
    for (size_t i = size; i-- > 0;) {
        if (++bytes[i] != 0) {
            if (address.is_v6()) return IpAddress::v6(bytes);
            return IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
        }
    }
    return std::nullopt;
}

IpPrefix random_prefix(Random& random, IpFamily family) {
    // Few distinct leading bytes, so that networks nest and touch.
    if (family == IpFamily::v4) {
        const auto address = static_cast<uint32_t>(random.below(4) << 24 | random.below(1 << 24));
        return {IpAddress::v4(address), static_cast<uint8_t>(random.below(33))};
    }
    std::array<uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8};
    for (size_t i = 4; i < 16; ++i) bytes[i] = static_cast<uint8_t>(random.below(256));
    return {IpAddress::v6(bytes), static_cast<uint8_t>(random.below(129))};
}

Bytes random_database(Random& random, uint8_t ip_version) {
    constexpr const char* countries[] = {"DE", "US", "SG", "", "JP"};
    std::vector<NetworkRow> table;
    for (int i = 0; i < 60; ++i) {
        NetworkRow row;
        const bool v6 = ip_version == 6 && random.below(2) == 0;
        row.prefix = random_prefix(random, v6 ? IpFamily::v6 : IpFamily::v4);
        row.country = countries[random.below(5)];
        row.asn = static_cast<uint32_t>(random.below(3));
        if (random.below(2) == 0) row.coordinates = Coordinates{static_cast<double>(random.below(5)), 1};
        table.push_back(row);
    }
    MmdbOptions options;
    options.ip_version = ip_version;
    options.alias_ipv4 = random.below(2) == 0;
    const auto schema = random.below(2) == 0 ? MmdbSchema::nested : MmdbSchema::flat;
    return make_mmdb(table, schema, options).value();
}

}  // namespace

TEST_CASE("the walk covers the address space in order, and says in each network what a lookup says there") {
    const Folder folder;
    for (uint64_t seed = 1; seed <= 30; ++seed) {
        Random random(seed);
        Sources sources;
        for (uint64_t i = 0; i < 1 + random.below(3); ++i)
            sources.databases.push_back(folder.write("db" + std::to_string(i) + ".mmdb",
                                                     random_database(random, random.below(2) == 0 ? 4 : 6)));
        for (uint64_t i = 0; i < random.below(6); ++i) {
            Location location;
            location.country = "AT";
            location.asn = static_cast<uint32_t>(random.below(2));
            sources.own.push_back(
                {random_prefix(random, random.below(2) == 0 ? IpFamily::v4 : IpFamily::v6), location});
        }
        const auto locator = Locator::open(sources).value();
        std::vector<IpPrefix> cuts;
        for (int i = 0; i < 8; ++i)
            cuts.push_back(random_prefix(random, i % 2 == 0 ? IpFamily::v4 : IpFamily::v6));

        for (const IpFamily family : {IpFamily::v4, IpFamily::v6}) {
            std::optional<IpAddress> expected = family == IpFamily::v4 ? IpAddress::v4(0) : IpAddress::v6({});
            std::vector<Location> locations;
            size_t wrong = 0;
            locator->for_each_network(family, cuts, [&](const Locator::Network& network) {
                const IpAddress first = network.prefix.address();
                const IpAddress last = last_of(network.prefix);
                wrong += first != expected;
                expected = next(last);
                if (network.location != nullptr) {
                    wrong += network.location_number != locations.size();
                    locations.push_back(*network.location);
                }
                wrong += locator->locate(first).location != locations.at(network.location_number);
                wrong += locator->locate(last).location != locations.at(network.location_number);
                std::optional<uint32_t> longest;
                for (uint32_t i = 0; i < cuts.size(); ++i) {
                    const bool around = cuts[i].contains(first);
                    wrong += around != cuts[i].contains(last);
                    if (around && (!longest || cuts[i].length() >= cuts[*longest].length())) longest = i;
                }
                wrong += network.cut != longest;
            });
            INFO("seed " << seed);
            CHECK(wrong == 0);
            CHECK_FALSE(expected.has_value());
        }
    }
}
