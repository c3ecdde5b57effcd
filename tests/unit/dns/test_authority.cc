// SPDX-License-Identifier: Apache-2.0
// Zones as they are loaded: what is made when the file lacks it, and everything that is wrong, told at once.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

#include "base/unique_fd.h"
#include "dns/answer_records.h"
#include "unit/dns/responder.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

/// Zone gslb.test with this file, and services on one gateway with these names.
World world_with(std::string text, const std::vector<std::string>& services = {}) {
    World world;
    const GatewayId gateway = world.add_gateway("fra1", {"203.0.113.10", "203.0.113.11"});
    for (const std::string& name : services)
        world.add_service(name.substr(0, name.find('.')), name, {gateway});
    world.add_zone("gslb.test", std::move(text));
    world.all_up();
    return world;
}

std::vector<std::string> findings(const World& world) {
    std::vector<std::string> lines;
    const Authority::Built built = world.build();
    bool failed = false;
    for (const ZoneDiagnostic& diagnostic : built.diagnostics) {
        lines.push_back(diagnostic.to_string());
        failed = failed || diagnostic.severity == ZoneDiagnostic::Severity::error;
    }
    CHECK(failed == (built.authority == nullptr));
    return lines;
}

std::vector<std::string> findings(const std::string& text, const std::vector<std::string>& services = {}) {
    return findings(world_with(text, services));
}

using Lines = std::vector<std::string>;

const Client client{IpAddress::v4(0xc0000201), std::nullopt};

Lines lines_of(const std::vector<Record>& records) {
    Lines lines;
    for (const Record& record : records)
        lines.push_back(record.owner.to_text() + " " + std::to_string(record.ttl) + " " +
                        to_string(record.type) + " " + record.content +
                        (record.authoritative ? "" : " (glue)") + (record.steered ? " (steered)" : ""));
    return lines;
}

OwnerRecords at(const Serving& serving, std::string_view name) {
    OwnerRecords out;
    records_at(serving, Name::parse(name).value(), client, out);
    return out;
}

}  // namespace

TEST_CASE("a file's own SOA and NS beat those of the configuration, and so do its addresses") {
    Responder one(world_with(
        "$TTL 100\n@ 500 SOA ns9 admin 42 1 2 3 77\n@ NS ns9\nns9 A 192.0.2.9\nns1 A 192.0.2.11\n"));
    CHECK(one.ask(Ask{"gslb.test", RecordType::soa}) ==
          "4660 NOERROR qr aa\nquestion gslb.test. IN SOA\n"
          "answer gslb.test. 500 IN SOA ns9.gslb.test. admin.gslb.test. 42 1 2 3 77");
    CHECK(one.ask(Ask{"gslb.test", RecordType::ns}) ==
          "4660 NOERROR qr aa\nquestion gslb.test. IN NS\nanswer gslb.test. 100 IN NS ns9.gslb.test.\n"
          "additional ns9.gslb.test. 100 IN A 192.0.2.9");
    CHECK(one.ask(Ask{"ns1.gslb.test"}) ==
          "4660 NOERROR qr aa\nquestion ns1.gslb.test. IN A\nanswer ns1.gslb.test. 100 IN A 192.0.2.11");
    CHECK(one.serving.authority->zones()[0].serial == 42);
    CHECK(one.serving.authority->zones()[0].negative_ttl == 77);
}

TEST_CASE("a zone needs no file") {
    World world;
    world.add_zone("gslb.test", std::nullopt);
    world.all_up();
    Responder one(world);
    CHECK(one.ask(Ask{"ns1.gslb.test", RecordType::aaaa}) ==
          "4660 NOERROR qr aa\nquestion ns1.gslb.test. IN AAAA\nanswer ns1.gslb.test. 3600 IN AAAA "
          "2001:db8::53");
}

TEST_CASE("the contact may be written as a mailbox") {
    World world;
    world.add_zone("gslb.test", std::nullopt);
    world.model->zones[0].contact = "first.last@example.net";
    world.all_up();
    Responder one(world);
    CHECK(
        one.ask(Ask{"gslb.test", RecordType::soa}).find("ns1.gslb.test. first\\.last.example.net. 7 3600") !=
        std::string::npos);
}

TEST_CASE("everything that is wrong with a file is told with its line") {
    CHECK(findings("$TTL 300\n"
                   "good A 192.0.2.1\n"
                   "bad A 192.0.2\n"
                   "\n"
                   "; a comment\n"
                   "two (\n"
                   "   A 192.0.2.2 )\n"
                   "out.example. A 192.0.2.3\n"
                   "d DNAME e\n"
                   "$INCLUDE other\n"
                   "good CNAME two\n"
                   "x NOSUCHTYPE 1\n"
                   "*.w NS ns.example.\n"
                   "sub SOA a b 1 2 3 4 5\n"
                   "s NSEC a A\n"
                   "c CNAME a\n"
                   "c CNAME b\n") ==
          Lines{
              "gslb.test.zone:3: error: not a record: Syntax error, could not parse the RR's rdata",
              "gslb.test.zone:8: error: the A of out.example is outside of the zone gslb.test",
              "gslb.test.zone:9: error: DNAME (of d.gslb.test) is not supported: write CNAME records instead",
              "gslb.test.zone:10: error: $INCLUDE is not supported: put the records into this file",
              "gslb.test.zone:11: error: the CNAME of good.gslb.test must be its only record",
              "gslb.test.zone:12: error: not a record: Syntax error, could not parse the RR's rdata",
              "gslb.test.zone:13: error: NS of the wildcard *.w.gslb.test has no meaning (RFC 4592 section "
              "4.2)",
              "gslb.test.zone:14: error: the SOA of sub.gslb.test is not at the top of the zone",
              "gslb.test.zone:15: error: the NSEC of s.gslb.test belongs to a signed zone: give the unsigned "
              "zone file",
              "gslb.test.zone:17: error: there must be only one CNAME of c.gslb.test",
          });
}

TEST_CASE("what is doubtful is a warning and the zone is served") {
    CHECK(
        findings("a 60 A 192.0.2.1\na 60 A 192.0.2.1\na 30 A 192.0.2.2\n"
                 "d NS ns.d\nx.d TXT \"hidden\"\nd MX 1 a\n"
                 "@ NS ns1\n@ NS nowhere\n") ==
        Lines{
            "gslb.test.zone:2: warning: the A of a.gslb.test is here twice; once is enough",
            "gslb.test.zone:3: warning: the A of a.gslb.test has records with different TTLs; all get 30",
            "gslb.test.zone:4: warning: the name server ns.d.gslb.test of d.gslb.test has no address in the "
            "zone",
            "gslb.test.zone:5: warning: the TXT of x.d.gslb.test is hidden by the delegation of d.gslb.test",
            "gslb.test.zone:6: warning: the MX of d.gslb.test is hidden by the delegation of d.gslb.test",
            "gslb.test.zone:8: warning: the name server nowhere.gslb.test of gslb.test has no address in the "
            "zone",
        });
}

TEST_CASE("a static record that contradicts a service is an error, others live beside it") {
    CHECK(findings("vpn A 192.0.2.1\n", {"vpn.gslb.test"}) ==
          Lines{"error: service vpn (vpn.gslb.test): gslb.test.zone:1: a static A of the same name "
                "contradicts it"});
    CHECK(findings("vpn CNAME x\n", {"vpn.gslb.test"}) ==
          Lines{"error: service vpn (vpn.gslb.test): gslb.test.zone:1: a static CNAME of the same name "
                "contradicts it"});
    CHECK(findings("vpn TXT \"beside\"\n@ CAA 0 issue \"x\"\n", {"vpn.gslb.test", "gslb.test"}).empty());
    CHECK(findings("d NS ns.example.\n", {"vpn.d.gslb.test"}) ==
          Lines{"error: service vpn (vpn.d.gslb.test): its name is hidden by the delegation of d.gslb.test"});
    CHECK(findings("", {"vpn.example.net"}) ==
          Lines{"error: service vpn (vpn.example.net): its name is in none of the zones"});
    CHECK(findings("", {"vpn.gslb.test", "vpn.gslb.test"}) ==
          Lines{"error: service vpn (vpn.gslb.test): the service vpn already has this name"});
}

TEST_CASE("a service that may answer with CNAME cannot be at the apex or beside other records") {
    World world = world_with("vpn TXT \"beside\"\n");
    const GatewayId named = world.add_gateway("named", {"gw.example.net"});
    world.add_service("alias", "vpn.gslb.test", {named}).answer = AnswerKind::cname;
    Service& apex = world.add_service("apex", "gslb.test", {GatewayId(0)});
    apex.all_down = AllDown::fallback;
    apex.fallback_name = "last.example.net";
    world.add_service("wrong", "wrong.gslb.test", {GatewayId(0)}).answer = AnswerKind::cname;
    world.all_up();
    const Lines lines = findings(world);
    CHECK(lines == Lines{
                       "error: service alias (vpn.gslb.test): gslb.test.zone:1: it may be answered with "
                       "CNAME, beside which the "
                       "static TXT of the same name is not allowed",
                       "error: service apex (gslb.test): zone gslb.test: it may be answered with CNAME, "
                       "beside which the static "
                       "NS of the same name is not allowed",
                       "error: service apex (gslb.test): zone gslb.test: it may be answered with CNAME, "
                       "beside which the static "
                       "SOA of the same name is not allowed",
                       "error: service wrong (wrong.gslb.test): answer = \"cname\" needs host names, but "
                       "fra1/203.0.113.10 is an "
                       "address",
                       "error: service wrong (wrong.gslb.test): answer = \"cname\" needs host names, but "
                       "fra1/203.0.113.11 is an "
                       "address",
                   });
}

TEST_CASE("zones without name servers, with bad names or twice are errors") {
    World world;
    world.add_zone("gslb.test", std::nullopt);
    world.model->zones[0].ns.clear();
    world.add_zone("a..b", std::nullopt);
    world.add_zone("GSLB.test", std::nullopt);
    world.all_up();
    CHECK(findings(world) ==
          Lines{
              "error: zone a..b: \"a..b\" is not a domain name: a label is empty",
              "error: zone GSLB.test: the zone is configured twice",
              "error: zone gslb.test: it has no name servers: give `ns`, or an NS record in its file",
          });
}

TEST_CASE("zone files are read from disk, and an unreadable one is told") {
    std::string path = "/tmp/fairway-zone-XXXXXX";
    const UniqueFd file(mkstemp(path.data()));
    REQUIRE(file);
    const std::string_view text = "host 60 A 192.0.2.1\n";
    REQUIRE(write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    World world = world_with("");
    world.model->zones[0].file = path;
    const Authority::Built built = Authority::build(world.model, 1);
    CHECK(built.diagnostics.empty());
    REQUIRE(built.authority);
    std::remove(path.c_str());
    const Authority::Built gone = Authority::build(world.model, 1);
    CHECK_FALSE(gone.authority);
    REQUIRE(gone.diagnostics.size() == 1);
    CHECK(gone.diagnostics[0].to_string() ==
          path + ": error: cannot read the zone file: No such file or directory");
    world.model->zones[0].file = "/";
    const Authority::Built folder = Authority::build(world.model, 1);
    CHECK_FALSE(folder.authority);
    REQUIRE(folder.diagnostics.size() == 1);
    CHECK(folder.diagnostics[0].to_string() == "/: error: cannot read the zone file: it is a directory");
}

TEST_CASE("zones are found by name and by an id that depends on the name alone") {
    World one = world_with("");
    one.add_zone("other.test", std::nullopt);
    World two;
    two.add_zone("other.test", std::nullopt);
    const auto a = one.build().authority;
    const auto b = two.build().authority;
    REQUIRE(a);
    REQUIRE(b);
    const ServedZone* other = a->zone_at(Name::parse("OTHER.test.").value());
    REQUIRE(other != nullptr);
    CHECK(other->id == b->zones()[0].id);
    CHECK(other->id > 0);
    CHECK(a->zone_by_id(other->id) == other);
    CHECK(a->find_zone(Name::parse("a.b.other.test").value()) == other);
    CHECK(a->zone_at(Name::parse("a.other.test").value()) == nullptr);
    CHECK(a->find_zone(Name::parse("test").value()) == nullptr);
    CHECK(a->zone_by_id(1) == nullptr);
}

TEST_CASE("the records of one owner are listed as they would be answered") {
    const Serving serving = make_world().serving();
    CHECK(lines_of(at(serving, "host.gslb.test").records) ==
          Lines{"host.gslb.test 60 A 192.0.2.70", "host.gslb.test 60 AAAA 2001:db8::70"});
    const OwnerRecords vpn = at(serving, "VPN.gslb.test");
    CHECK(vpn.status == OwnerStatus::exists);
    CHECK(vpn.zone->name == "gslb.test");
    CHECK(lines_of(vpn.records) == Lines{"VPN.gslb.test 30 A 203.0.113.10 (steered)",
                                         "VPN.gslb.test 30 A 203.0.113.11 (steered)",
                                         "VPN.gslb.test 30 A 198.51.100.20 (steered)",
                                         "VPN.gslb.test 30 AAAA 2001:db8:2::20 (steered)"});
    CHECK(lines_of(at(serving, "named.gslb.test").records) ==
          Lines{"named.gslb.test 30 CNAME gw.example.net. (steered)"});
    CHECK(at(serving, "b.ent.gslb.test").status == OwnerStatus::empty_non_terminal);
    CHECK(at(serving, "_fairway.vpn.gslb.test").status == OwnerStatus::empty_non_terminal);
    CHECK(at(serving, "x.wild.gslb.test").status == OwnerStatus::nonexistent);
    CHECK(lines_of(at(serving, "*.wild.gslb.test").records) ==
          Lines{"*.wild.gslb.test 300 A 192.0.2.80", "*.wild.gslb.test 300 TXT \"any of them\""});
    CHECK(at(serving, "example.net").status == OwnerStatus::not_ours);
    CHECK(at(serving, "example.net").zone == nullptr);
    const OwnerRecords glue = at(serving, "ns.deleg.gslb.test");
    CHECK(glue.delegated);
    CHECK(lines_of(glue.records) == Lines{"ns.deleg.gslb.test 300 A 192.0.2.90 (glue)"});
}

TEST_CASE("a listing says what was decided when there is nothing to list, and why") {
    World world = make_world();
    world.set_down(GatewayId(2));
    const Serving down = world.serving();
    OwnerRecords refused = at(down, "refuse.gslb.test");
    CHECK(refused.records.empty());
    CHECK(refused.selection.kind == SelectionKind::refuse);
    CHECK(lines_of(at(down, "fallback.gslb.test").records) ==
          Lines{"fallback.gslb.test 5 CNAME last.example.net. (steered)"});
    Trace trace;
    records_at(down, Name::parse("six.gslb.test").value(), client, refused, &trace);
    CHECK_FALSE(trace.steps.empty());
    CHECK(refused.selection.last_resort);

    world.health->first_round_done = false;
    CHECK(at(world.serving(), "six.gslb.test").status == OwnerStatus::not_ready);
    CHECK(at(world.serving(), "host.gslb.test").status == OwnerStatus::exists);
}

TEST_CASE("a zone lists as all healthy, whatever the health is, with glue and the SOA first") {
    World world = world_with(
        "d NS ns.d\nns.d A 192.0.2.90\nd DS 1 13 2 "
        "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\na.b.c A 192.0.2.1\n",
        {"vpn.gslb.test"});
    world.set_down(GatewayId(0));
    world.health->first_round_done = false;
    const Serving serving = world.serving();
    CHECK(lines_of(records_of(serving, serving.authority->zones()[0])) ==
          Lines{
              "gslb.test 3600 SOA ns1.gslb.test. hostmaster.gslb.test. 7 3600 600 1209600 30",
              "gslb.test 3600 NS ns1.gslb.test.",
              "a.b.c.gslb.test 3600 A 192.0.2.1",
              "d.gslb.test 3600 NS ns.d.gslb.test. (glue)",
              "d.gslb.test 3600 DS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
              "ns.d.gslb.test 3600 A 192.0.2.90 (glue)",
              "ns1.gslb.test 3600 A 192.0.2.53",
              "ns1.gslb.test 3600 AAAA 2001:db8::53",
              "vpn.gslb.test 30 A 203.0.113.10 (steered)",
              "vpn.gslb.test 30 A 203.0.113.11 (steered)",
          });
    const std::vector<Name> empty = empty_non_terminals(*serving.authority, serving.authority->zones()[0]);
    REQUIRE(empty.size() == 2);
    CHECK(empty[0].to_text() == "c.gslb.test");
    CHECK(empty[1].to_text() == "b.c.gslb.test");
}
