// SPDX-License-Identifier: Apache-2.0
#include "geoip/locator.h"

#include <catch2/catch.hpp>

#include "unit/geoip/mmdb_fixture.h"

using namespace fairway;
using namespace fairway::geoip;
using namespace fairway::geoip::test;

namespace {

Location place(const std::string& country, const std::string& continent, double latitude, double longitude,
               uint32_t asn) {
    Location location;
    location.country = country;
    location.continent = continent;
    location.coordinates = Coordinates{latitude, longitude};
    location.asn = asn;
    return location;
}

/// As if an operator had written only a country.
Location only(const std::string& country) {
    Location location;
    location.country = country;
    return location;
}

}  // namespace

TEST_CASE("the nested schema is read with every record size, IPv4 inside the tree of IPv6 included") {
    const Folder folder;
    for (const int record_size : {24, 28, 32}) {
        MmdbOptions options;
        options.record_size = static_cast<uint8_t>(record_size);
        options.alias_ipv4 = true;
        const auto path =
            folder.write("nested.mmdb", make_mmdb(rows(small_table), MmdbSchema::nested, options).value());
        const auto locator = open_one(path).value();
        const Located berlin = locator->locate(ip("192.0.2.77"));
        CHECK(berlin.location == place("DE", "EU", 52.52, 13.405, 64496));
        CHECK(berlin.network.to_string() == "192.0.2.0/24");
        CHECK(berlin.origin == Origin::database);
        CHECK_FALSE(berlin.from_centroid);
        CHECK(locator->locate(ip("198.51.100.127")).network.to_string() == "198.51.100.0/25");
        CHECK(locator->locate(ip("198.51.100.128")).location == Location{});
        CHECK(locator->locate(ip("2001:db8:2::1")).location == place("US", "NA", 40.7128, -74.006, 64497));
        CHECK(locator->locate(ip("2001:db8:2::1")).network.to_string() == "2001:db8:2::/48");
        // 6to4 of 192.0.2.1 is an IPv6 address of nobody here, not the IPv4 address inside.
        CHECK(locator->locate(ip("2002:c000:201::1")).location == Location{});
    }
}

TEST_CASE("the flat schema is read: coordinates as float, AS numbers as text, empty texts as absent") {
    const Folder folder;
    const auto path = folder.write("flat.mmdb", make_mmdb(rows(small_table), MmdbSchema::flat, {}).value());
    const auto locator = open_one(path).value();
    const Location berlin = locator->locate(ip("192.0.2.1")).location;
    CHECK(berlin.country == "DE");
    CHECK(berlin.continent == "EU");
    CHECK(berlin.asn == 64496);
    CHECK(berlin.coordinates->latitude == Approx(52.52));
    CHECK(berlin.coordinates->longitude == Approx(13.405));
    const DatabaseInfo info = locator->databases().at(0);
    CHECK(info.has_country);
    CHECK_FALSE(info.has_continent);
    CHECK(info.has_coordinates);
    CHECK(info.has_asn);
}

TEST_CASE("numbers may be text and a plain country field counts only as two capital letters") {
    const Folder folder;
    MmdbWriter writer({});
    writer.insert(
        IpPrefix::parse("192.0.2.0/24").value(),
        {{"country", {std::string("DE")}}, {"lat", {std::string("52.5")}}, {"lon", {std::string("13.4")}}});
    writer.insert(
        IpPrefix::parse("198.51.100.0/24").value(),
        {{"country", {std::string("Germany")}}, {"lat", {std::string("")}}, {"lon", {std::string("x")}}});
    writer.insert(IpPrefix::parse("203.0.113.0/24").value(),
                  {{"country", {std::string("ID")}}, {"lat", {91.0}}, {"lon", {181.0}}});
    writer.insert(IpPrefix::parse("203.0.113.128/25").value(),
                  {{"country", {std::string("ZZ")}}, {"lat", {0.0}}, {"lon", {0.0}}});
    const auto locator = open_one(folder.write("odd.mmdb", writer.finish().value())).value();
    CHECK(locator->locate(ip("192.0.2.1")).location == place("DE", "EU", 52.5, 13.4, 0));
    CHECK(locator->locate(ip("198.51.100.1")).location == Location{});
    CHECK(locator->locate(ip("203.0.113.1")).from_centroid);
    CHECK(locator->locate(ip("203.0.113.200")).location == only("ZZ"));
}

TEST_CASE("a country without coordinates is in the middle of its largest piece of land") {
    const Folder folder;
    const auto path = folder.write(
        "countries.mmdb",
        make_mmdb(rows("192.0.2.0/24, FR\n198.51.100.0/24, US\n"), MmdbSchema::flat, {}).value());
    const auto locator = open_one(path).value();
    const Located france = locator->locate(ip("192.0.2.1"));
    CHECK(france.from_centroid);
    CHECK(france.location.continent == "EU");
    CHECK(france.location.coordinates->latitude == Approx(46.5).margin(0.3));
    CHECK(france.location.coordinates->longitude == Approx(2.5).margin(0.3));
}

TEST_CASE("of several databases the first that knows the place wins, and AS numbers may come from another") {
    const Folder folder;
    MmdbOptions v4;
    v4.ip_version = 4;
    const std::string table4 = "192.0.2.0/24, DE, 52.52, 13.405\n";
    const std::string table6 = "2001:db8::/32, JP, 35.68, 139.69\n";
    Sources sources;
    sources.databases = {
        folder.write("v4.mmdb", make_mmdb(rows(table4), MmdbSchema::nested, v4).value()),
        folder.write("v6.mmdb", make_mmdb(rows(table6), MmdbSchema::flat, {}).value()),
        folder.write("all.mmdb",
                     make_mmdb(rows("192.0.0.0/8, US\n2001:db8::/32, US\n"), MmdbSchema::nested, {}).value()),
        folder.write("asn.mmdb",
                     make_mmdb(rows("192.0.2.128/25, , , , , 64499\n"), MmdbSchema::nested, v4).value())};
    const auto locator = Locator::open(sources).value();
    CHECK(locator->locate(ip("192.0.2.1")).location == place("DE", "EU", 52.52, 13.405, 0));
    CHECK(locator->locate(ip("192.0.2.129")).location.asn == 64499);
    CHECK(locator->locate(ip("192.0.2.129")).location.country == "DE");
    CHECK(locator->locate(ip("192.0.2.129")).network.to_string() == "192.0.2.128/25");
    const Located other = locator->locate(ip("192.0.3.1"));
    CHECK(other.location.country == "US");
    CHECK(other.database == 2);
    CHECK(locator->locate(ip("2001:db8::1")).location.country == "JP");
    CHECK(locator->locate(ip("2001:db8::1")).database == 1);
}

TEST_CASE("own prefixes beat the databases, the longest first") {
    const Folder folder;
    Sources sources;
    sources.databases = {
        folder.write("db.mmdb", make_mmdb(rows(small_table), MmdbSchema::nested, {}).value())};
    sources.own = {{IpPrefix::parse("10.0.0.0/8").value(), only("FR")},
                   {IpPrefix::parse("10.20.0.0/16").value(), place("DE", "EU", 50.11, 8.68, 0)},
                   {IpPrefix::parse("192.0.2.128/25").value(), only("AT")}};
    const auto locator = Locator::open(sources).value();
    CHECK(locator->locate(ip("10.20.30.40")).location == place("DE", "EU", 50.11, 8.68, 0));
    CHECK(locator->locate(ip("10.20.30.40")).network.to_string() == "10.20.0.0/16");
    CHECK(locator->locate(ip("10.21.0.1")).location.country == "FR");
    CHECK(locator->locate(ip("10.21.0.1")).network.to_string() == "10.21.0.0/16");
    const Located own = locator->locate(ip("192.0.2.200"));
    CHECK(own.origin == Origin::own_prefix);
    CHECK(own.location.country == "AT");
    CHECK(own.location.asn == 64496);
    CHECK(locator->locate(ip("192.0.2.1")).origin == Origin::database);
}

TEST_CASE("a database that did not change is shared with the locator before, a changed one is read again") {
    const Folder folder;
    const auto path = folder.write("db.mmdb", make_mmdb(rows(small_table), MmdbSchema::nested, {}).value());
    Sources sources;
    sources.databases = {path};
    const auto first = Locator::open(sources).value();
    CHECK_FALSE(first->changed());

    MmdbOptions newer;
    newer.build_epoch = 1'800'000'000;
    folder.write("next.mmdb", make_mmdb(rows("192.0.2.0/24, JP\n"), MmdbSchema::nested, newer).value());
    std::filesystem::rename(folder / "next.mmdb", path);
    CHECK(first->changed());
    CHECK(first->locate(ip("192.0.2.1")).location.country == "DE");
    const auto second = Locator::open(sources, first.get()).value();
    CHECK(second->locate(ip("192.0.2.1")).location.country == "JP");
    CHECK(second->databases().at(0).built.time_since_epoch() == seconds{1'800'000'000});

    // Overwritten in place with rubbish: the one in use is a copy, and opening says no.
    folder.write("db.mmdb", Bytes(100, 0));
    CHECK(second->changed());
    CHECK(second->locate(ip("192.0.2.1")).location.country == "JP");
    const auto third = Locator::open(sources, second.get());
    REQUIRE_FALSE(third.has_value());
    CHECK(third.error().message == "cannot use geo database " + path.string() +
                                       ": no MaxMind DB metadata at its end: not such a file, or truncated");

    std::filesystem::remove(path);
    CHECK(second->changed());
    CHECK(Locator::open(sources, second.get()).error().message ==
          "cannot use geo database " + path.string() + ": No such file or directory");
}

TEST_CASE(
    "the copy that is looked into is a file without a name, or memory where there can be no such file") {
    const Folder folder;
    const Folder copies;
    const auto path = folder.write("db.mmdb", make_mmdb(rows(small_table), MmdbSchema::nested, {}).value());
    const auto check = [&](const std::filesystem::path& where, bool in_memory) {
        Sources sources;
        sources.databases = {path};
        sources.copies = where;
        const auto locator = Locator::open(sources).value();
        CHECK(locator->databases().at(0).in_memory == in_memory);
        CHECK(locator->locate(ip("192.0.2.1")).location.country == "DE");
        // What was let go of comes back, also when the original is something else by then.
        const Bytes good = read_file(path);
        folder.write("db.mmdb", Bytes(good.size(), 0));
        locator->rest();
        CHECK(locator->locate(ip("192.0.2.1")).location.country == "DE");
        folder.write("db.mmdb", good);
    };
    check(copies / ".", false);
    CHECK(std::filesystem::is_empty(copies / "."));
    check({}, true);
    check(copies / "missing", true);
}

TEST_CASE("what is no database says why it cannot be used") {
    const Folder folder;
    const auto why = [](const std::filesystem::path& path) {
        const auto opened = open_one(path);
        REQUIRE_FALSE(opened.has_value());
        const std::string& message = opened.error().message;
        return message.substr(message.find(": ") + 2);
    };
    CHECK(why(folder.write("empty.mmdb", {})) == "the file is empty");
    std::filesystem::create_directory(folder / "folder.mmdb");
    CHECK(why(folder / "folder.mmdb") == "not a regular file");
    MmdbWriter isp({});
    isp.insert(IpPrefix::parse("192.0.2.0/24").value(), {{"isp", {std::string("Example")}}});
    CHECK(why(folder.write("isp.mmdb", isp.finish().value())) ==
          "type \"Fairway\" has no country, continent, coordinates or AS number");
    CHECK(why(folder.write("nothing.mmdb", MmdbWriter({}).finish().value())) == "it holds no networks");
}

TEST_CASE("what is known about a database can be shown") {
    const Folder folder;
    MmdbOptions options;
    options.type = "Test-City";
    options.description = "A test";
    options.build_epoch = 1'700'000'000;
    options.record_size = 28;
    const Bytes bytes = make_mmdb(rows(small_table), MmdbSchema::nested, options).value();
    const auto path = folder.write("db.mmdb", bytes);
    const DatabaseInfo info = open_one(path).value()->databases().at(0);
    CHECK(info.path == path);
    CHECK(info.type == "Test-City");
    CHECK(info.description == "A test");
    CHECK(info.ip_version == 6);
    CHECK(info.record_size == 28);
    CHECK(info.file_size == bytes.size());
    CHECK(info.built.time_since_epoch() == seconds{1'700'000'000});
    CHECK(info.has_continent);
}

TEST_CASE("the demonstration's database is made from its table, byte for byte") {
    const auto root = std::filesystem::path(FAIRWAY_SOURCE_DIR);
    const Bytes table = read_file(root / "conf/demo-networks.csv");
    MmdbOptions options;
    options.type = "Fairway-Demo";
    options.description = "Documentation networks";
    options.build_epoch = 1767225600;
    const auto made = make_mmdb(parse_network_table(as_text(table)).value(), MmdbSchema::nested, options);
    CHECK(made.value() == read_file(root / "conf/demo.mmdb"));
    const auto locator = open_one(root / "conf/demo.mmdb").value();
    CHECK(locator->locate(ip("203.0.113.5")).location == place("ID", "AS", -6.2088, 106.8456, 64498));
}

TEST_CASE("a table of networks is refused with the line that is wrong") {
    CHECK(parse_network_table("# only a comment\n\n192.0.2.0/24, DE\n").value().size() == 1);
    const auto why = [](const char* table) { return parse_network_table(table).error().message; };
    CHECK(why("192.0.2.0/24, DE\n192.0.2.1/24, DE\n").starts_with("line 2: "));
    CHECK(why("192.0.2.0/24, XX") == "line 1: \"XX\" is not a country code");
    CHECK(why("192.0.2.0/24, DE, 1") == "line 1: a latitude without a longitude, or the reverse");
    CHECK(why("192.0.2.0/24, DE, 91, 0") == "line 1: the coordinates are not degrees");
    CHECK(why("192.0.2.0/24, DE, , , x, y") == "line 1: \"y\" is not an AS number");
    CHECK(why("192.0.2.0/24, DE, , , x, 1, z") == "line 1: more than six fields");
}
