// SPDX-License-Identifier: Apache-2.0
// Databases that were cut short, overwritten, or made to hurt.

#include <catch2/catch.hpp>

#include "base/random.h"
#include "geoip/mmdb_check.h"
#include "unit/geoip/mmdb_fixture.h"

using namespace fairway;
using namespace fairway::geoip;
using namespace fairway::geoip::test;

namespace {

Bytes small(MmdbSchema schema = MmdbSchema::nested, uint8_t record_size = 24) {
    MmdbOptions options;
    options.record_size = record_size;
    options.alias_ipv4 = true;
    return make_mmdb(rows(small_table), schema, options).value();
}

/// A file made by hand: tree, data section and the metadata of a good one with other numbers.
Bytes by_hand(const Bytes& tree, const std::string& data, uint32_t node_count, uint8_t ip_version = 4) {
    Bytes file = tree;
    file.insert(file.end(), 16, 0);
    file.insert(file.end(), data.begin(), data.end());
    const std::string metadata = std::string("\xab\xcd\xefMaxMind.com\xe8") +
                                 "\x5b"
                                 "binary_format_major_version\xa1\x02" +
                                 "\x5b"
                                 "binary_format_minor_version\xa1\x01" +
                                 "\x4b"
                                 "build_epoch\x01\x02\x01" +
                                 "\x4d"
                                 "database_type\x41X" +
                                 "\x4b"
                                 "description\xe0" +
                                 "\x4a"
                                 "ip_version\xa1" +
                                 static_cast<char>(ip_version) +
                                 "\x4a"
                                 "node_count\xc4" +
                                 static_cast<char>(node_count >> 24) + static_cast<char>(node_count >> 16) +
                                 static_cast<char>(node_count >> 8) + static_cast<char>(node_count) +
                                 "\x4b"
                                 "record_size\xa1\x18";
    file.insert(file.end(), metadata.begin(), metadata.end());
    return file;
}

std::string why(const Bytes& file) {
    const auto checked = check_mmdb(file);
    return checked ? "fine" : checked.error().message;
}

}  // namespace

TEST_CASE("a database that was cut short anywhere is refused") {
    for (const MmdbSchema schema : {MmdbSchema::nested, MmdbSchema::flat}) {
        const Bytes whole = small(schema);
        CHECK(why(whole) == "fine");
        size_t accepted = 0;
        for (size_t size = 0; size < whole.size(); ++size)
            accepted += check_mmdb(ByteSpan(whole).first(size)).has_value() ? 1 : 0;
        CHECK(accepted == 0);
    }
}

TEST_CASE("a database that was overwritten anywhere is refused or still usable, never a fault") {
    const Folder folder;
    Random random(1);
    size_t refused = 0;
    const Bytes whole = small(MmdbSchema::nested, 28);
    for (int i = 0; i < 1500; ++i) {
        Bytes damaged = whole;
        for (uint64_t k = 0; k <= random.below(4); ++k)
            damaged[random.below(damaged.size())] = static_cast<uint8_t>(random.next());
        const auto locator = open_one(folder.write("damaged.mmdb", damaged));
        refused += locator.has_value() ? 0 : 1;
        if (!locator) continue;
        for (const char* text : {"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8:1::1"})
            CHECK((*locator)->locate(ip(text)).network.contains(ip(text)));
    }
    CHECK(refused > 100);
}

TEST_CASE("search trees that are no trees are refused") {
    const std::string empty_map("\xe0", 1);
    CHECK(why(by_hand({0, 0, 17, 0, 0, 17}, empty_map, 1)) == "fine");
    CHECK(why(by_hand({0, 0, 0, 0, 0, 17}, empty_map, 1)) ==
          "the search tree is not a tree: node 0 is reached twice");
    CHECK(why(by_hand({0, 0, 0, 0, 0, 17}, empty_map, 1, 6)) ==
          "the search tree is not a tree: node 0 is reached twice");
    // Two nodes that point at each other twice would unfold to 2^32 networks.
    CHECK(why(by_hand({0, 0, 1, 0, 0, 1, 0, 0, 2, 0, 0, 2}, empty_map, 2)) ==
          "the search tree is not a tree: node 1 is reached twice");
    CHECK(why(by_hand({0, 0, 17, 0, 0, 18}, empty_map, 1)) ==
          "the search tree points outside the data, at node 0");
    CHECK(why(by_hand({0, 0, 16, 0, 0, 17}, empty_map, 1)) ==
          "the search tree points outside the data, at node 0");
    CHECK(why(by_hand({0, 0, 17, 0, 0, 17}, empty_map, 1'000'000)) ==
          "the search tree does not fit into the file: truncated or overwritten");
    CHECK(why(by_hand({0, 0, 17, 0, 0, 17}, empty_map, 0)) == "the search tree is empty or too large");
    Bytes chain;
    for (uint8_t i = 1; i <= 40; ++i) chain.insert(chain.end(), {0, 0, i, 0, 0, 41});
    chain.insert(chain.end(), {0, 0, 41, 0, 0, 41});
    CHECK(why(by_hand(chain, empty_map, 41)) == "the search tree is deeper than an address has bits");
}

TEST_CASE("values that loop, nest without end or claim too much are refused") {
    const std::string damaged = "the record at offset 0 of the data section is damaged";
    const auto data = [](const std::string& bytes) { return why(by_hand({0, 0, 17, 0, 0, 17}, bytes, 1)); };
    CHECK(data(std::string("\xe1\x41"
                           "a\x41"
                           "b",
                           5)) == "fine");
    CHECK(data(std::string("\xe1\x41"
                           "a\x20\x00",
                           5)) == "fine");  // a pointer to the map itself, never followed twice
    CHECK(data(std::string("\x41"
                           "a",
                           2)) == damaged);              // not a map
    CHECK(data(std::string("\x20\x00", 2)) == damaged);  // a pointer to itself
    CHECK(data(std::string("\xe1\x20\x01\x41"
                           "b",
                           5)) == damaged);  // a key that points at itself
    CHECK(data(std::string("\xe1\xa1\x01\x41"
                           "b",
                           5)) == damaged);  // a key that is a number
    CHECK(data(std::string("\xe1\x41"
                           "a\x5f\xff\xff\xff",
                           7)) == damaged);  // a text of 16 MB
    CHECK(data(std::string("\xff\xff\xff\xff\x41"
                           "a",
                           6)) == damaged);  // a map of 16 million
    CHECK(data(std::string("\xe1\x41"
                           "a\x00\x05",
                           5)) == damaged);  // a container, in no file
    CHECK(data(std::string("\xe1\x41"
                           "a\x67",
                           4)) == damaged);  // a double of 7 bytes
    std::string nested(
        "\xe1\x41"
        "a",
        3);
    for (int i = 0; i < 100'000; ++i) nested += std::string("\x01\x04", 2);  // an array of one array of ...
    CHECK(data(nested) == damaged);
}

TEST_CASE("metadata of another version or of nonsense is refused with its reason") {
    const Bytes good = by_hand({0, 0, 17, 0, 0, 17}, "\xe0", 1);
    const auto with = [&good](const std::string& key, const std::string& value) {
        std::string text(as_text(good));
        const size_t at = text.rfind(key) + key.size();
        text.replace(at, value.size(), value);
        return why(Bytes(text.begin(), text.end()));
    };
    CHECK(with("major_version", "\xa1\x03") == "format version 3, but only 2 is known");
    CHECK(with("record_size", "\xa1\x14") == "a record size of 20 bits is not in the format");
    CHECK(with("ip_version", "\xa1\x05") == "IP version 5 is neither 4 nor 6");
    CHECK(with("databas", "X") == "the metadata lacks a required field");
    CHECK(with("MaxMind.com", "\x41") == "the metadata is damaged");
}
