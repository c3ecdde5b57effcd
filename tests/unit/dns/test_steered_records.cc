// SPDX-License-Identifier: Apache-2.0
// SRV, MX, SVCB, HTTPS and TXT that follow the steering: what templates become, in answers and in listings,
// and which templates are refused.
#include <catch2/catch.hpp>

#include "dns/answer_records.h"
#include "unit/dns/responder.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

// fra1 has two addresses and a label, iad1 one of each family, six only IPv6, named a host name.
World made_world(const std::vector<RecordTemplates>& records, const std::vector<size_t>& gateways = {0, 1}) {
    World world = make_world();
    world.model->gateways[0].labels["tier"] = "gold; plated";
    world.model->gateways[1].zone = "b";
    world.model->endpoints[1].weight = 7;
    std::vector<GatewayId> members(gateways.begin(), gateways.end());
    world.add_service("made", "_made._udp.gslb.test", members).records = records;
    world.files[0] =
        std::string(zone_text) + "fra1.gw A 192.0.2.11\nfra1.gw AAAA 2001:db8::11\niad1.gw A 192.0.2.12\n";
    world.all_up();
    return world;
}

std::string answered(const World& world, RecordType type, Transport transport = Transport::udp) {
    Responder some(world);
    const std::string text = some.ask(Ask{"_made._udp.gslb.test", type}.with_edns(1232), transport);
    const std::string start =
        "4660 NOERROR qr aa\nquestion _made._udp.gslb.test. IN " + to_string(type) + "\n";
    REQUIRE(text.starts_with(start));
    const size_t end = text.find("\nedns 1232");
    REQUIRE(end != std::string::npos);
    return text.substr(start.size(), end - start.size());
}

std::string complaint(const std::string& type, const std::string& text,
                      const std::vector<size_t>& gateways = {0, 1}) {
    const Authority::Built built = made_world({{type, {text}}}, gateways).build();
    REQUIRE_FALSE(built.authority);
    REQUIRE(built.diagnostics.size() == 1);
    const std::string whole = built.diagnostics.front().to_string();
    const std::string start = "error: service made (_made._udp.gslb.test): records." + type + ": ";
    REQUIRE(whole.starts_with(start));
    return whole.substr(start.size());
}

const std::string answer = "answer _made._udp.gslb.test. 30 IN ";

}  // namespace

TEST_CASE("SRV and MX are made for each endpoint in order, with the addresses of hosts that are here") {
    const World world = made_world({{"SRV", {"{rank} {weight} 4433 {gateway}.gw.gslb.test"}},
                                    {"MX", {"{rank}0 {gateway}.gw.gslb.test."}}});
    CHECK(answered(world, RecordType::srv) ==
          answer + "SRV 1 1 4433 fra1.gw.gslb.test.\n" + answer + "SRV 2 7 4433 fra1.gw.gslb.test.\n" +
              answer + "SRV 3 1 4433 iad1.gw.gslb.test.\n" + answer +
              "SRV 4 1 4433 iad1.gw.gslb.test.\nadditional fra1.gw.gslb.test. 300 IN A 192.0.2.11\n"
              "additional fra1.gw.gslb.test. 300 IN AAAA 2001:db8::11\n"
              "additional iad1.gw.gslb.test. 300 IN A 192.0.2.12");
    CHECK(answered(world, RecordType::mx)
              .starts_with(answer + "MX 10 fra1.gw.gslb.test.\n" + answer + "MX 20 fra1.gw.gslb.test.\n" +
                           answer + "MX 30 iad1.gw.gslb.test.\n"));
    // Addresses are steered beside them, and what is neither made nor static is not there.
    CHECK(answered(world, RecordType::aaaa) == answer + "AAAA 2001:db8:2::20");
    CHECK(answered(world, RecordType::txt).starts_with("authority gslb.test. 30 IN SOA"));
    World down = world;
    down.set_down(GatewayId(0));
    CHECK(answered(down, RecordType::srv).starts_with(answer + "SRV 1 1 4433 iad1.gw.gslb.test.\n"));
}

TEST_CASE("HTTPS and SVCB hold all addresses in one record, or each endpoint's own") {
    const World all =
        made_world({{"HTTPS", {"1 . alpn=h2,h3 ipv4hint={addresses} port=443 ipv6hint={addresses}"}}});
    CHECK(answered(all, RecordType::https) ==
          answer +
              "HTTPS 1 . alpn=h2,h3 port=443 ipv4hint=203.0.113.10,203.0.113.11,198.51.100.20 "
              "ipv6hint=2001:db8:2::20");
    World four = all;
    four.set_down(GatewayId(1));
    // No empty parameter is left where there is no address (RFC 9460 section 7.3).
    CHECK(answered(four, RecordType::https) ==
          answer + "HTTPS 1 . alpn=h2,h3 port=443 ipv4hint=203.0.113.10,203.0.113.11");
    const World each = made_world(
        {{"SVCB", {"{rank} {gateway}.gw.gslb.test ipv6hint={address} ipv4hint={address} key65000=x"}}});
    CHECK(answered(each, RecordType::svcb) ==
          answer + "SVCB 1 fra1.gw.gslb.test. ipv4hint=203.0.113.10 key65000=x\n" + answer +
              "SVCB 2 fra1.gw.gslb.test. ipv4hint=203.0.113.11 key65000=x\n" + answer +
              "SVCB 3 iad1.gw.gslb.test. ipv4hint=198.51.100.20 key65000=x\n" + answer +
              "SVCB 4 iad1.gw.gslb.test. ipv6hint=2001:db8:2::20 key65000=x\n"
              "additional fra1.gw.gslb.test. 300 IN A 192.0.2.11\n"
              "additional fra1.gw.gslb.test. 300 IN AAAA 2001:db8::11\n"
              "additional iad1.gw.gslb.test. 300 IN A 192.0.2.12");
}

TEST_CASE("TXT takes every placeholder, and no record is there twice") {
    const World world =
        made_world({{"TXT", {"\"{gateway}/{endpoint} at {address}\"", "region={region}", "fixed"}}});
    CHECK(answered(world, RecordType::txt) ==
          answer + "TXT \"fixed\"\n" + answer + "TXT \"fra1/203.0.113.10 at 203.0.113.10\"\n" + answer +
              "TXT \"region=everywhere\"\n" + answer + "TXT \"fra1/203.0.113.11 at 203.0.113.11\"\n" +
              answer + "TXT \"iad1/198.51.100.20 at 198.51.100.20\"\n" + answer +
              "TXT \"iad1/2001:db8:2::20 at 2001:db8:2::20\"");
    CHECK(answered(made_world({{"TXT", {"{label:tier}"}}}, {0}), RecordType::txt) ==
          answer + "TXT \"gold; plated\"");
    CHECK(answered(made_world({{"TXT", {"{zone}"}}}, {1}), RecordType::txt) == answer + "TXT \"b\"");
    World resolved = made_world({{"SRV", {"{rank}00 {weight} 1 {host}"}}}, {3});
    resolved.health->endpoints[5].address = IpAddress::parse("192.0.2.111").value();
    CHECK(answered(resolved, RecordType::srv) == answer + "SRV 100 1 1 gw.example.net.");
}

TEST_CASE("of many endpoints less than 100 records are made") {
    std::vector<std::string> texts{"a={endpoint}", "b={endpoint}", "c={endpoint}"};
    const std::string text = answered(made_world({{"TXT", texts}}, {4}), RecordType::txt, Transport::tcp);
    CHECK(std::count(text.begin(), text.end(), '\n') + 1 == 99);
}

TEST_CASE("without a healthy member made records do as addresses do") {
    World world = made_world({{"SRV", {"{rank} 0 1 {gateway}.gw.gslb.test"}}});
    Service& service = world.model->services.back();
    service.all_down = AllDown::fallback;
    service.fallback_service = ServiceId(0);
    world.model->services[0].gateways = {GatewayId(2)};
    world.set_down(GatewayId(0));
    world.set_down(GatewayId(1));
    CHECK(
        answered(world, RecordType::srv).starts_with("answer _made._udp.gslb.test. 5 IN SRV 1 0 1 six.gw."));
    service.fallback_service = ServiceId();
    service.fallback_name = "last.example.net";
    CHECK(answered(world, RecordType::srv) == "answer _made._udp.gslb.test. 5 IN CNAME last.example.net.");
    service.all_down = AllDown::nodata;
    service.fallback_name.clear();
    Responder none(world);
    CHECK(none.ask(Ask{"_made._udp.gslb.test", RecordType::srv}).find("\nauthority gslb.test. 5 IN SOA") !=
          std::string::npos);
    world.health->first_round_done = false;
    Responder early(world);
    CHECK(early.ask(Ask{"_made._udp.gslb.test", RecordType::srv}).starts_with("4660 SERVFAIL qr\n"));
}

TEST_CASE("lists of a name and of a zone hold made records as answers do") {
    const World world = made_world(
        {{"SRV", {"{rank} {weight} 4433 {gateway}.gw.gslb.test"}}, {"HTTPS", {"1 . ipv4hint={addresses}"}}});
    const Serving serving = world.serving();
    const auto listed = [](const std::vector<Record>& records) {
        std::vector<std::string> lines;
        for (const Record& record : records)
            if (record.owner.to_text() == "_made._udp.gslb.test")
                lines.push_back(to_string(record.type) + " " + record.content);
        return lines;
    };
    const std::vector<std::string> expected{"A 203.0.113.10",
                                            "A 203.0.113.11",
                                            "A 198.51.100.20",
                                            "AAAA 2001:db8:2::20",
                                            "SRV 1 1 4433 fra1.gw.gslb.test.",
                                            "SRV 2 7 4433 fra1.gw.gslb.test.",
                                            "SRV 3 1 4433 iad1.gw.gslb.test.",
                                            "SRV 4 1 4433 iad1.gw.gslb.test.",
                                            "HTTPS 1 . ipv4hint=203.0.113.10,203.0.113.11,198.51.100.20"};
    OwnerRecords at;
    Client client;
    client.source = IpAddress::parse("192.0.2.200").value();
    records_at(serving, *Name::parse("_made._udp.gslb.test"), client, at);
    CHECK(listed(at.records) == expected);
    CHECK(listed(records_of(serving, serving.authority->zones().front())) == expected);
}

TEST_CASE("a template that cannot be is refused with a reason") {
    CHECK(complaint("SRV", "{rank} 0 443 {host}") ==
          "\"{rank} 0 443 {host}\" has {host}, but fra1/203.0.113.10 is an address, not a host name");
    CHECK(complaint("TXT", "{address}", {3}) ==
          "\"{address}\" has {address}, but named/gw.example.net is a host name, not an address");
    CHECK(complaint("TXT", "{zone}") == "\"{zone}\" has {zone}, but fra1/203.0.113.10 has none");
    CHECK(complaint("TXT", "{label:rack}") ==
          "\"{label:rack}\" has {label:rack}, but fra1/203.0.113.10 has none");
    CHECK(complaint("TXT", "{gatway}")
              .starts_with("\"{gatway}\" has {gatway}; there are {rank}, {weight}, {host}"));
    CHECK(complaint("TXT", "{gateway").starts_with("\"{gateway\" has {gateway; there are "));
    CHECK(complaint("TXT", "{rank}") == "\"{rank}\" must not have {rank}: these records have no order");
    CHECK(complaint("SRV", "1 {rank} 1 a.test") ==
          "\"1 {rank} 1 a.test\" may have {rank} only as its first field");
    CHECK(complaint("SRV", "{rank}5 0 1 a.test")
              .find("may have {rank}, {rank}0 or {rank}00 as its first field") != std::string::npos);
    CHECK(complaint("TXT", "{addresses}") ==
          "\"{addresses}\" may have {addresses} only as ipv4hint={addresses} or ipv6hint={addresses}");
    CHECK(complaint("HTTPS", "{rank} . ipv4hint={addresses}") ==
          "\"{rank} . ipv4hint={addresses}\" is for each endpoint, so it must not have {addresses}, which "
          "are of "
          "all of them");
    CHECK(complaint("HTTPS", "1 . ipv4hint={addresses} ipv4hint={addresses}") ==
          "\"1 . ipv4hint={addresses} ipv4hint={addresses}\" has a hint twice");
    CHECK(complaint("HTTPS", "1 . ipv4hint={addresses} mandatory=ipv4hint").find("must not make mandatory") !=
          std::string::npos);
    CHECK(complaint("HTTPS", "0 a.test ipv4hint={addresses}").find("is an alias (priority 0)") !=
          std::string::npos);
    CHECK(complaint("SRV", "nonsense").starts_with("\"nonsense\" does not make a record"));
    CHECK(complaint("MX", "10 {gateway}..test")
              .starts_with("\"10 {gateway}..test\" does not make a record for fra1/"));
    for (const char* text : {"a;b", "(a", "a)", "\"a", "a\nb"})
        CHECK(complaint("TXT", text).find("must be one line with its quotes closed") != std::string::npos);
    CHECK(complaint("TXT",
                    std::string(1000, 'x').insert(250, " ").insert(500, " ").insert(750, " ") + " {endpoint}")
              .find("would not fit into a DNS message") != std::string::npos);

    World both = made_world({{"TXT", {"x"}}});
    both.files[0] = *both.files[0] + "_made._udp TXT y\n";
    CHECK(both.build().diagnostics.front().message.find(
              "a static TXT of the same name contradicts its records.TXT") != std::string::npos);
    World alias = made_world({{"TXT", {"x"}}}, {3});
    alias.model->services.back().answer = AnswerKind::cname;
    CHECK(alias.build().diagnostics.front().message.find("leaves no room for records beside the CNAME") !=
          std::string::npos);
}
