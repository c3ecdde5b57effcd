// SPDX-License-Identifier: Apache-2.0
#include "model/filter_spec.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace fairway;

namespace {
FilterSpec read(std::string_view text) {
    return FilterSpec::parse(text).value();
}
std::string said(std::string_view text) {
    const auto parsed = FilterSpec::parse(text);
    return parsed ? "" : parsed.error().message;
}
}  // namespace

TEST_CASE("filters without arguments are their names") {
    for (const char* name :
         {"all", "failover", "healthy", "latency", "nearest", "shed", "sticky", "weighted"}) {
        CHECK(read(name) == FilterSpec{name, {}, {}, {}});
        CHECK(read(" " + std::string(name) + "\t") == read(name));
        CHECK(read(name).to_string() == name);
    }
    CHECK(std::is_sorted(filter_names().begin(), filter_names().end()));
    CHECK(filter_names().size() == 11);
}

TEST_CASE("first takes a number, region names, rule clauses") {
    CHECK(read("first 2") == FilterSpec{"first", 2, {}, {}});
    CHECK(read("first(2)") == read("first 2"));
    CHECK(read("first( 99 )").number == 99U);
    CHECK(read("region( eu-central , us-* )") == FilterSpec{"region", {}, {"eu-central", "us-*"}, {}});
    using Kind = RuleClause::Kind;
    CHECK(read("rule(country de|AT -> fra*|ams1, continent na->iad1, asn AS64500|1 -> x, prefix "
               "10.0.0.0/8|2001:DB8::/32|192.0.2.1 -> y)") ==
          FilterSpec{"rule",
                     {},
                     {},
                     {{Kind::country, {"DE", "AT"}, {"fra*", "ams1"}},
                      {Kind::continent, {"NA"}, {"iad1"}},
                      {Kind::asn, {"64500", "1"}, {"x"}},
                      {Kind::prefix, {"10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"}, {"y"}}}});
}

TEST_CASE("filters are written as they are read") {
    for (const char* text : {"first 2", "region(eu-central, us-*)",
                             "rule(country DE|AT -> fra1, prefix 10.0.0.0/8 -> fra1|iad1)", "nearest"}) {
        CHECK(read(text).to_string() == text);
        CHECK(read(read(text).to_string()) == read(text));
    }
}

TEST_CASE("what is not a filter is refused, with how it is written") {
    CHECK(said("nearst") == "unknown policy filter \"nearst\" (did you mean \"nearest\"?)");
    CHECK(said("xyzzy") ==
          "unknown policy filter \"xyzzy\"; known are all, failover, first, healthy, latency, nearest, "
          "region, rule, "
          "shed, sticky, weighted");
    CHECK(said("") ==
          "unknown policy filter \"\"; known are all, failover, first, healthy, latency, nearest, region, "
          "rule, shed, sticky, weighted");
    CHECK(said("healthy 3") == "policy filter \"healthy 3\": it takes no argument; write it as \"healthy\"");
    for (const std::string text :
         {"first", "first 0", "first 100", "first x", "first 2 3", "first ()", "first -1"})
        CHECK(said(text) ==
              "policy filter \"" + text + "\": it needs a number from 1 to 99; write it as \"first 2\"");
    const std::string region = "; write it as \"region(eu-central, eu-west)\"";
    CHECK(said("region") == "policy filter \"region\": it needs arguments in parentheses" + region);
    CHECK(said("region(a") == "policy filter \"region(a\": it needs arguments in parentheses" + region);
    CHECK(said("region()") == "policy filter \"region()\": an argument is empty" + region);
    CHECK(said("region(a,)") == "policy filter \"region(a,)\": an argument is empty" + region);
    const auto rule = [](const std::string& clause) {
        const std::string message = said("rule(" + clause + ")");
        const std::string begin = "policy filter \"rule(" + clause + ")\": ";
        REQUIRE(message.substr(0, begin.size()) == begin);
        return message.substr(begin.size(), message.find("; write") - begin.size());
    };
    CHECK(rule("DE -> fra1") == "a rule reads \"country DE|AT -> fra1\", not \"DE -> fra1\"");
    CHECK(rule("country DE") == "a rule reads \"country DE|AT -> fra1\", not \"country DE\"");
    CHECK(rule("contry DE -> a") ==
          "a rule is about country, continent, asn or prefix, not \"contry\" (did you mean \"country\"?)");
    CHECK(rule("country DEU -> a") == "\"DEU\" is not a two-letter country code");
    CHECK(rule("country D1 -> a") == "\"D1\" is not a two-letter country code");
    CHECK(rule("country DE| -> a") == "\"\" is not a two-letter country code");
    CHECK(rule("continent XX -> a") == "\"XX\" is not a continent (AF AN AS EU NA OC SA)");
    CHECK(rule("asn 0 -> a") == "\"0\" is not an AS number");
    CHECK(rule("asn 4294967296 -> a") == "\"4294967296\" is not an AS number");
    CHECK(rule("asn AS -> a") == "\"AS\" is not an AS number");
    CHECK(rule("prefix 10.0.0.1/8 -> a") ==
          "\"10.0.0.1/8\" has bits set beyond its length; meant 10.0.0.0/8?");
    CHECK(rule("country DE ->") == "a gateway is missing after \"->\"");
    CHECK(rule("country DE -> a|") == "a gateway is missing after \"->\"");
}
