// SPDX-License-Identifier: Apache-2.0
// The overlay of serials and challenges: in answers, in listings and in transfers.

#include <algorithm>
#include <catch2/catch.hpp>

#include "dns/answer_records.h"
#include "dns/zone_overlay.h"
#include "unit/dns/packet.h"
#include "unit/dns/responder.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

ZoneOverlay::Challenge challenge(std::string_view name, std::vector<std::string> values) {
    return {Name::parse(name).value(), std::move(values)};
}

/// make_world() with serial 4000000000 and these challenges.
Responder overlaid(const std::vector<ZoneOverlay::Challenge>& challenges) {
    Responder made(make_world());
    made.serving.overlay = std::make_shared<const ZoneOverlay>(
        *made.serving.authority, std::vector<uint32_t>{4'000'000'000}, challenges);
    return made;
}

const std::string negative =
    "\nauthority gslb.test. 30 IN SOA ns1.gslb.test. hostmaster.gslb.test. 4000000000 3600 600 1209600 30";

}  // namespace

TEST_CASE("the SOA has the overlay's serial wherever it is") {
    Responder over = overlaid({});
    CHECK(over.ask({"gslb.test", RecordType::soa}) ==
          "4660 NOERROR qr aa\nquestion gslb.test. IN SOA\nanswer gslb.test. 3600 IN SOA ns1.gslb.test. "
          "hostmaster.gslb.test. 4000000000 3600 600 1209600 30");
    CHECK(over.ask({"missing.gslb.test"}) ==
          "4660 NXDOMAIN qr aa\nquestion missing.gslb.test. IN A" + negative);
    const ServedZone& zone = over.serving.authority->zones()[0];
    CHECK(serial_of(over.serving, zone) == 4'000'000'000);
    CHECK(records_of(over.serving, zone).front().content ==
          "ns1.gslb.test. hostmaster.gslb.test. 4000000000 3600 600 1209600 30");
}

TEST_CASE("a challenge is answered below steered and static names and where nothing was") {
    Responder over = overlaid({challenge("_acme-challenge.vpn.gslb.test", {"one", "two"}),
                               challenge("_acme-challenge.Text.gslb.test", {"three"}),
                               challenge("_acme-challenge.deep.new.gslb.test", {"four"})});
    CHECK(over.ask({"_ACME-challenge.vpn.gslb.test", RecordType::txt}) ==
          "4660 NOERROR qr aa\nquestion _ACME-challenge.vpn.gslb.test. IN TXT\n"
          "answer _ACME-challenge.vpn.gslb.test. 10 IN TXT \"one\"\n"
          "answer _ACME-challenge.vpn.gslb.test. 10 IN TXT \"two\"");
    CHECK(over.ask({"_acme-challenge.text.gslb.test", RecordType::txt}) ==
          "4660 NOERROR qr aa\nquestion _acme-challenge.text.gslb.test. IN TXT\n"
          "answer _acme-challenge.text.gslb.test. 10 IN TXT \"three\"");
    // Other types, and the names above, exist without data; what is beside them does not exist.
    for (const char* name : {"_acme-challenge.vpn.gslb.test", "deep.new.gslb.test", "new.gslb.test"})
        CHECK(over.ask({name}) == "4660 NOERROR qr aa\nquestion " + std::string(name) + ". IN A" + negative);
    for (const char* name : {"x.vpn.gslb.test", "x.new.gslb.test", "x._acme-challenge.vpn.gslb.test"})
        CHECK(over.ask({name}) == "4660 NXDOMAIN qr aa\nquestion " + std::string(name) + ". IN A" + negative);
    CHECK(over.ask({"vpn.gslb.test"}).find("answer vpn.gslb.test. 30 IN A 203.0.113.10") !=
          std::string::npos);
}

TEST_CASE("a challenge stands beside static TXT records of its name, with one TTL") {
    Responder over = overlaid({challenge("text.gslb.test", {"more"})});
    CHECK(over.ask({"text.gslb.test", RecordType::txt}) ==
          "4660 NOERROR qr aa\nquestion text.gslb.test. IN TXT\n"
          "answer text.gslb.test. 10 IN TXT \"one\" \"two\"\nanswer text.gslb.test. 10 IN TXT \"more\"");
}

TEST_CASE("a name that exists for a challenge takes itself and what is below it away from a wildcard") {
    Responder over = overlaid({challenge("_acme-challenge.a.wild.gslb.test", {"x"})});
    CHECK(over.ask({"b.wild.gslb.test"}).find("answer b.wild.gslb.test. 300 IN A 192.0.2.80") !=
          std::string::npos);
    CHECK(over.ask({"a.wild.gslb.test"}) == "4660 NOERROR qr aa\nquestion a.wild.gslb.test. IN A" + negative);
    CHECK(over.ask({"c.a.wild.gslb.test"}) ==
          "4660 NXDOMAIN qr aa\nquestion c.a.wild.gslb.test. IN A" + negative);
}

TEST_CASE("listings and transfers have the challenges") {
    Responder over =
        overlaid({challenge("_acme-challenge.vpn.gslb.test", {"one"}), challenge("text.gslb.test", {"m"})});
    OwnerRecords at;
    records_at(over.serving, Name::parse("_acme-challenge.vpn.gslb.test").value(), {}, at);
    CHECK(at.status == OwnerStatus::exists);
    REQUIRE(at.records.size() == 1);
    CHECK(at.records[0].content == "\"one\"");
    records_at(over.serving, Name::parse("text.gslb.test").value(), {}, at);
    CHECK(at.records.size() == 2);
    const auto all = records_of(over.serving, over.serving.authority->zones()[0]);
    const auto count = [&](const std::string& content) {
        return std::count_if(all.begin(), all.end(), [&](const Record& record) {
            return record.type == RecordType::txt && record.content == content && record.ttl == 10;
        });
    };
    CHECK(count("\"one\"") == 1);
    CHECK(count("\"m\"") == 1);
}

TEST_CASE("the content's hash follows records and members, but not the serial, nor health") {
    const auto hash = [](const World& world) {
        const auto serving = world.serving();
        return content_hash(*serving.authority, serving.authority->zones()[0]);
    };
    const uint64_t before = hash(make_world());
    CHECK(hash(make_world()) == before);
    World down = make_world();
    down.set_down(GatewayId(0));
    CHECK(hash(down) == before);
    {
        const World world = make_world();
        const auto later = Authority::build(world.model, serial + 1, world.files).authority;
        CHECK(content_hash(*later, later->zones()[0]) == before);
    }
    World text = make_world();
    *text.files[0] += "fresh A 192.0.2.1\n";
    CHECK(hash(text) != before);
    World member = make_world();
    member.model->endpoints[0].host = "203.0.113.12";
    member.model->endpoints[0].address = IpAddress::parse("203.0.113.12").value();
    member.all_up();
    CHECK(hash(member) != before);
    World ttl = make_world();
    ttl.model->services[0].ttl_max = seconds{31};
    CHECK(hash(ttl) != before);
}
