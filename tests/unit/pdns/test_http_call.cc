// SPDX-License-Identifier: Apache-2.0
// The http connector's three forms say the same: each request as pdns-server writes it.
#include <catch2/catch.hpp>

#include "pdns/http_call.h"

using namespace fairway::pdns;

namespace {

/// What a request is taken for: its method and all that came with it, or "404 why".
std::string read(const std::string& method, const std::string& target, const std::string& body = {}) {
    HttpRequest request;
    request.method = method;
    request.target = target;
    request.body = body;
    request.remote = "192.0.2.53";
    request.real_remote = "198.51.100.0/24";
    request.zone_id = "-1";
    Call call;
    const auto done = read_http_call(request, call);
    if (!done) return std::to_string(done.error().status) + " " + done.error().detail;
    std::string text = call.method_name + "#" + std::to_string(static_cast<int>(call.method));
    for (const std::string* each :
         {&call.name, &call.qtype, &call.kind, &call.remote, &call.real_remote, &call.text})
        text += "|" + *each;
    for (const int64_t each : {call.zone_id, call.id, call.serial, call.max_results})
        text += "|" + std::to_string(each);
    return text;
}

std::string expected(const std::string& name, Method method, const std::string& rest) {
    return name + "#" + std::to_string(static_cast<int>(method)) + rest;
}

const std::string nothing = "|||||||-1|-1|0|100";
const std::string steered = "|192.0.2.53|198.51.100.0/24|";

}  // namespace

TEST_CASE("the RESTful form puts parameters into the path, headers, query and body") {
    CHECK(read("GET", "/pdns/lookup/vpn%2eexample%2ecom%2e/ANY") ==
          expected("lookup", Method::lookup, "|vpn.example.com.|ANY|" + steered + "|-1|-1|0|100"));
    CHECK(read("GET", "/APILookup/a%2e/A") ==
          expected("APILookup", Method::api_lookup, "|a.|A|" + steered + "|-1|-1|0|100"));
    CHECK(read("GET", "/lookup/%2e/SOA") ==
          expected("lookup", Method::lookup, "|.|SOA|" + steered + "|-1|-1|0|100"));
    CHECK(read("GET", "/pdns/list/17/example%2ecom%2e") ==
          expected("list", Method::list, "|example.com.||" + steered + "|-1|-1|0|100"));
    CHECK(read("GET", "/pdns/getAllDomains?includeDisabled=true") ==
          expected("getAllDomains", Method::get_all_domains, "|||" + steered + "|-1|-1|0|100"));
    CHECK(read("GET", "/getDomainMetadata/example%2ecom%2e/ALSO%2dNOTIFY") ==
          expected("getDomainMetadata", Method::get_domain_metadata,
                   "|example.com.||ALSO-NOTIFY" + steered + "|-1|-1|0|100"));
    CHECK(read("GET", "/getBeforeAndAfterNamesAbsolute/17/www%2e") ==
          expected("getBeforeAndAfterNamesAbsolute", Method::get_before_and_after_names,
                   "|www.||" + steered + "|-1|17|0|100"));
    CHECK(read("GET", "/searchRecords?pattern=%2agw%3f%2e&maxResults=7") ==
          expected("searchRecords", Method::search_records, "|||" + steered + "*gw?.|-1|-1|0|7"));
    CHECK(read("POST", "/directBackendCmd", "query=drain%20fra1+for%201h") ==
          expected("directBackendCmd", Method::direct_backend_cmd,
                   "|||" + steered + "drain fra1 for 1h|-1|-1|0|100"));
    CHECK(read("PATCH", "/setNotified/17", "serial=2026010100.000000") ==
          expected("setNotified", Method::set_notified, "|||" + steered + "|-1|17|2026010100|100"));
    CHECK(read("GET", "/getTSIGKey/transfer%2e") ==
          expected("getTSIGKey", Method::get_tsig_key, "|transfer.||" + steered + "|-1|-1|0|100"));
}

TEST_CASE("what will be refused is a call of its method, however it is written") {
    for (const char* target :
         {"/replaceRRSet/17/www%2eexample%2e/A", "/replaceRRSet", "/replaceRRSet/a/b/c/d"})
        CHECK(read("PATCH", target, "rrset[0][qtype]=Arrset[1]%%") ==
              expected("replaceRRSet", Method::write_content, nothing));
}

TEST_CASE("the post form carries the parameters as one JSON object") {
    CHECK(
        read("POST", "/pdns/lookup",
             "parameters=%7b%22qname%22%3a%20%22a%2eexample%2e%22%2c%20%22qtype%22%3a%22A%22%2c%20%22real%2d"
             "remote%22%3a%22192%2e0%2e2%2e0%2f24%22%2c%20%22zone%2did%22%3a%20%2d1%7d") ==
        expected("lookup", Method::lookup, "|a.example.|A|||192.0.2.0/24||-1|-1|0|100"));
    CHECK(read("POST", "/directBackendCmd.json", "parameters=%7b%22query%22%3a%22status%22%7d") ==
          expected("directBackendCmd", Method::direct_backend_cmd, "||||||status|-1|-1|0|100"));
}

TEST_CASE("the post_json form carries the whole call") {
    for (const char* target : {"/", "/pdns", "/pdns/"})
        CHECK(read("POST", target, R"({"method":"getDomainInfo","parameters":{"name":"a."}})") ==
              expected("getDomainInfo", Method::get_domain_info, "|a.||||||-1|-1|0|100"));
}

TEST_CASE("a url-suffix is no part of what is asked for, and a name written without escapes is whole") {
    CHECK(read("GET", "/lookup/a%2eexample%2e/A.json") == read("GET", "/lookup/a%2eexample%2e/A"));
    CHECK(read("GET", "/getDomainInfo/example%2ecom%2e.php") ==
          read("GET", "/getDomainInfo/example%2ecom%2e"));
    CHECK(read("GET", "/getDomainInfo/example.com.") == read("GET", "/getDomainInfo/example%2ecom%2e"));
    CHECK(read("GET", "/getAllDomains.json?includeDisabled=true") == read("GET", "/getAllDomains"));
}

TEST_CASE("methods are known in any case, and unknown ones are calls all the same") {
    CHECK(read("GET", "/getdomaininfo/a%2e") == read("GET", "/getDomainInfo/a%2e"));
    CHECK(read("GET", "/getSomethingNew/a%2e") == expected("getSomethingNew", Method::unknown, nothing));
}

TEST_CASE("requests that are no calls are told why") {
    CHECK(read("GET", "/") == "405 calls without a method in their path are POSTs");
    CHECK(read("POST", "/", "{}") == "400 a call without a method");
    CHECK(read("GET", "pdns") == "404 the remote backend is at / and /pdns");
    CHECK(read("GET", "//") == "404 the remote backend is at / and /pdns");
    CHECK(read("GET", "/%6cookup/a/A") == "404 the remote backend is at / and /pdns");
    CHECK(read("GET", "/lookup/a%2e") == "400 lookup: the path lacks a component");
    CHECK(read("GET", "/lookup/a%2e/A/B") == "400 lookup: a malformed component in the path");
    CHECK(read("GET", "/lookup/a%2/A") == "400 lookup: a malformed component in the path");
    CHECK(read("GET", "/lookup//A") == "400 lookup without a name");
    CHECK(read("GET", "/list/x/a%2e") == "400 list: an id that is no number");
    CHECK(read("GET", "/searchRecords?pattern=%zz") == "400 searchRecords: a malformed argument");
    CHECK(read("GET", "/searchRecords?pattern=a&maxResults=many") ==
          "400 searchRecords: a malformed argument");
    CHECK(read("GET", "/directBackendCmd?query=status") == "405 commands are given by POST");
    CHECK(read("POST", "/lookup", "parameters=%7") == "400 lookup: malformed parameters");
    CHECK(read("POST", "/lookup", "parameters=7") ==
          "400 parameters that are not a JSON object of the remote backend protocol");
}
