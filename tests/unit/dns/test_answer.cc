// SPDX-License-Identifier: Apache-2.0
// Whole answers to well-formed questions: RFC 1034 section 4.3.2 with its later corrections, and steered
// names.
#include <array>
#include <catch2/catch.hpp>

#include "unit/dns/responder.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

const std::string soa_line =
    "authority gslb.test. 30 IN SOA ns1.gslb.test. hostmaster.gslb.test. 7 3600 600 1209600 30";

struct Case {
    std::string name;
    RecordType type;
    std::string expected;  // after the header's number
};

void check(const std::vector<Case>& cases) {
    for (const Case& one : cases) {
        INFO(one.name << " " << to_string(one.type));
        CHECK(responder().ask(Ask{one.name, one.type}) == "4660 " + one.expected);
    }
}

}  // namespace

TEST_CASE("static records are answered with authority and their own TTL") {
    check({
        {"host.gslb.test", RecordType::a,
         "NOERROR qr aa\nquestion host.gslb.test. IN A\nanswer host.gslb.test. 60 IN A 192.0.2.70"},
        {"host.gslb.test", RecordType::aaaa,
         "NOERROR qr aa\nquestion host.gslb.test. IN AAAA\nanswer host.gslb.test. 60 IN AAAA 2001:db8::70"},
        {"text.gslb.test", RecordType::txt,
         "NOERROR qr aa\nquestion text.gslb.test. IN TXT\nanswer text.gslb.test. 300 IN TXT \"one\" \"two\""},
        {"mail.gslb.test", RecordType::mx,
         "NOERROR qr aa\nquestion mail.gslb.test. IN MX\nanswer mail.gslb.test. 300 IN MX 10 mx1.gslb.test.\n"
         "answer mail.gslb.test. 300 IN MX 20 mx.example.net.\n"
         "additional mx1.gslb.test. 300 IN A 192.0.2.25\nadditional mx1.gslb.test. 300 IN AAAA 2001:db8::25"},
        {"_sip._udp.gslb.test", RecordType::srv,
         "NOERROR qr aa\nquestion _sip._udp.gslb.test. IN SRV\n"
         "answer _sip._udp.gslb.test. 300 IN SRV 1 2 5060 host.gslb.test.\n"
         "additional host.gslb.test. 60 IN A 192.0.2.70\nadditional host.gslb.test. 60 IN AAAA 2001:db8::70"},
        {"strange.gslb.test", static_cast<RecordType>(65280),
         "NOERROR qr aa\nquestion strange.gslb.test. IN TYPE65280\n"
         "answer strange.gslb.test. 300 IN TYPE65280 \\# 3 abcdef"},
        {"odd\\.dot.gslb.test", RecordType::txt,
         "NOERROR qr aa\nquestion odd\\.dot.gslb.test. IN TXT\n"
         "answer odd\\.dot.gslb.test. 300 IN TXT \"a dot in a label\""},
    });
}

TEST_CASE("the apex has its SOA, its name servers with their addresses, and whatever else it is given") {
    check({
        {"gslb.test", RecordType::soa,
         "NOERROR qr aa\nquestion gslb.test. IN SOA\n"
         "answer gslb.test. 3600 IN SOA ns1.gslb.test. hostmaster.gslb.test. 7 3600 600 1209600 30"},
        {"gslb.test", RecordType::ns,
         "NOERROR qr aa\nquestion gslb.test. IN NS\nanswer gslb.test. 3600 IN NS ns1.gslb.test.\n"
         "additional ns1.gslb.test. 3600 IN A 192.0.2.53\nadditional ns1.gslb.test. 3600 IN AAAA "
         "2001:db8::53"},
        {"gslb.test", static_cast<RecordType>(257),
         "NOERROR qr aa\nquestion gslb.test. IN CAA\nanswer gslb.test. 300 IN CAA 0 issue "
         "\"ca.example.net\""},
        {"gslb.test", RecordType::a,
         "NOERROR qr aa\nquestion gslb.test. IN A\nanswer gslb.test. 30 IN A 203.0.113.10\n"
         "answer gslb.test. 30 IN A 203.0.113.11"},
    });
}

TEST_CASE(
    "what does not exist is NXDOMAIN, what exists without the type is NODATA, both with the zone's SOA") {
    std::vector<Case> cases;
    for (const char* name : {"missing.gslb.test", "x.host.gslb.test", "a.b.c.d.missing.gslb.test",
                             "hos.gslb.test", "hostt.gslb.test"})
        cases.push_back(
            {name, RecordType::a, "NXDOMAIN qr aa\nquestion " + std::string(name) + ". IN A\n" + soa_line});
    cases.push_back({"missing.gslb.test", static_cast<RecordType>(65280),
                     "NXDOMAIN qr aa\nquestion missing.gslb.test. IN TYPE65280\n" + soa_line});
    // Empty non-terminals exist (RFC 8020), and so does what holds a wildcard.
    for (const char* name :
         {"b.ent.gslb.test", "ent.gslb.test", "wild.gslb.test", "_udp.gslb.test", "steer.gslb.test"})
        cases.push_back(
            {name, RecordType::a, "NOERROR qr aa\nquestion " + std::string(name) + ". IN A\n" + soa_line});
    for (const int type : {16, 64, 65, 257, 52, 43, 48, 46, 47, 65280, 99})
        cases.push_back({"host.gslb.test", static_cast<RecordType>(type),
                         "NOERROR qr aa\nquestion host.gslb.test. IN " +
                             to_string(static_cast<RecordType>(type)) + "\n" + soa_line});
    cases.push_back(
        {"gslb.test", static_cast<RecordType>(43), "NOERROR qr aa\nquestion gslb.test. IN DS\n" + soa_line});
    cases.push_back(
        {"vpn.gslb.test", RecordType::txt, "NOERROR qr aa\nquestion vpn.gslb.test. IN TXT\n" + soa_line});
    cases.push_back(
        {"six.gslb.test", RecordType::a, "NOERROR qr aa\nquestion six.gslb.test. IN A\n" + soa_line});
    check(cases);
}

TEST_CASE("wildcards answer for every name below that does not exist, under the name asked for") {
    check({
        {"x.wild.gslb.test", RecordType::a,
         "NOERROR qr aa\nquestion x.wild.gslb.test. IN A\nanswer x.wild.gslb.test. 300 IN A 192.0.2.80"},
        {"y.x.wild.gslb.test", RecordType::txt,
         "NOERROR qr aa\nquestion y.x.wild.gslb.test. IN TXT\nanswer y.x.wild.gslb.test. 300 IN TXT \"any of "
         "them\""},
        {"*.wild.gslb.test", RecordType::a,
         "NOERROR qr aa\nquestion *.wild.gslb.test. IN A\nanswer *.wild.gslb.test. 300 IN A 192.0.2.80"},
        {"x.wild.gslb.test", RecordType::mx, "NOERROR qr aa\nquestion x.wild.gslb.test. IN MX\n" + soa_line},
        {"x.cwild.gslb.test", RecordType::a,
         "NOERROR qr aa\nquestion x.cwild.gslb.test. IN A\nanswer x.cwild.gslb.test. 300 IN CNAME "
         "host.gslb.test.\n"
         "answer host.gslb.test. 60 IN A 192.0.2.70"},
        {"any.thing.steer.gslb.test", RecordType::a,
         "NOERROR qr aa\nquestion any.thing.steer.gslb.test. IN A\n"
         "answer any.thing.steer.gslb.test. 30 IN A 198.51.100.20"},
        // The wildcard's own child exists because something is asked below it: it does not.
        {"x.*.wild.gslb.test", RecordType::a,
         "NXDOMAIN qr aa\nquestion x.*.wild.gslb.test. IN A\n" + soa_line},
    });
}

TEST_CASE("aliases are followed inside the zone and no further") {
    const std::string steered =
        "\nanswer vpn.gslb.test. 30 IN A 203.0.113.10\nanswer vpn.gslb.test. 30 IN A 203.0.113.11\n"
        "answer vpn.gslb.test. 30 IN A 198.51.100.20";
    check({
        {"toward.gslb.test", RecordType::a,
         "NOERROR qr aa\nquestion toward.gslb.test. IN A\nanswer toward.gslb.test. 300 IN CNAME "
         "host.gslb.test.\n"
         "answer host.gslb.test. 60 IN A 192.0.2.70"},
        {"toward.gslb.test", RecordType::cname,
         "NOERROR qr aa\nquestion toward.gslb.test. IN CNAME\nanswer toward.gslb.test. 300 IN CNAME "
         "host.gslb.test."},
        {"toward.gslb.test", RecordType::mx,
         "NOERROR qr aa\nquestion toward.gslb.test. IN MX\nanswer toward.gslb.test. 300 IN CNAME "
         "host.gslb.test.\n" +
             soa_line},
        {"chain.gslb.test", RecordType::a,
         "NOERROR qr aa\nquestion chain.gslb.test. IN A\nanswer chain.gslb.test. 300 IN CNAME "
         "alias.gslb.test.\n"
         "answer alias.gslb.test. 300 IN CNAME vpn.gslb.test." +
             steered},
        {"dangling.gslb.test", RecordType::a,
         "NXDOMAIN qr aa\nquestion dangling.gslb.test. IN A\n"
         "answer dangling.gslb.test. 300 IN CNAME missing.gslb.test.\n" +
             soa_line},
        {"outside.gslb.test", RecordType::a,
         "NOERROR qr aa\nquestion outside.gslb.test. IN A\nanswer outside.gslb.test. 300 IN CNAME "
         "www.example.net."},
        {"below.gslb.test", RecordType::a,
         "NOERROR qr aa\nquestion below.gslb.test. IN A\nanswer below.gslb.test. 300 IN CNAME "
         "x.deleg.gslb.test.\n"
         "authority deleg.gslb.test. 300 IN NS ns.deleg.gslb.test.\n"
         "authority deleg.gslb.test. 300 IN NS ns.example.net.\nadditional ns.deleg.gslb.test. 300 IN A "
         "192.0.2.90"},
    });
}

TEST_CASE("a loop of aliases ends") {
    const std::string text = responder().ask(Ask{"loop1.gslb.test"});
    CHECK(
        text.starts_with("4660 NOERROR qr aa\nquestion loop1.gslb.test. IN A\n"
                         "answer loop1.gslb.test. 300 IN CNAME loop2.gslb.test.\n"
                         "answer loop2.gslb.test. 300 IN CNAME loop1.gslb.test."));
    CHECK(std::count(text.begin(), text.end(), '\n') < 20);
}

TEST_CASE("below a delegation there is only the referral with its glue, and DS is ours") {
    const std::string referral =
        "\nauthority deleg.gslb.test. 300 IN NS ns.deleg.gslb.test.\n"
        "authority deleg.gslb.test. 300 IN NS ns.example.net.\nadditional ns.deleg.gslb.test. 300 IN A "
        "192.0.2.90";
    check({
        {"deleg.gslb.test", RecordType::a, "NOERROR qr\nquestion deleg.gslb.test. IN A" + referral},
        {"deleg.gslb.test", RecordType::ns, "NOERROR qr\nquestion deleg.gslb.test. IN NS" + referral},
        {"deleg.gslb.test", RecordType::any, "NOERROR qr\nquestion deleg.gslb.test. IN ANY" + referral},
        {"x.y.deleg.gslb.test", RecordType::a, "NOERROR qr\nquestion x.y.deleg.gslb.test. IN A" + referral},
        {"ns.deleg.gslb.test", RecordType::a, "NOERROR qr\nquestion ns.deleg.gslb.test. IN A" + referral},
        {"deleg.gslb.test", static_cast<RecordType>(43),
         "NOERROR qr aa\nquestion deleg.gslb.test. IN DS\nanswer deleg.gslb.test. 300 IN DS 12345 13 2 "
         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
    });
}

TEST_CASE("a child zone served here answers for itself, and its parent for DS") {
    World world = make_world();
    world.add_zone("child.gslb.test", std::string("www 60 A 192.0.2.99\n"));
    world.files[0] =
        std::string(zone_text) +
        "child NS ns1.child\nchild DS 1 13 2 "
        "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\nns1.child A 192.0.2.53\n";
    Responder both(world);
    CHECK(both.ask(Ask{"www.child.gslb.test"}) ==
          "4660 NOERROR qr aa\nquestion www.child.gslb.test. IN A\nanswer www.child.gslb.test. 60 IN A "
          "192.0.2.99");
    CHECK(both.ask(Ask{"x.child.gslb.test"}).find("\nauthority child.gslb.test. 30 IN SOA") !=
          std::string::npos);
    CHECK(both.ask(Ask{"child.gslb.test", static_cast<RecordType>(43)})
              .find("answer child.gslb.test. 300 IN DS 1 13 2") != std::string::npos);
    World bare = make_world();
    bare.add_zone("child.gslb.test", std::nullopt);
    Responder without(bare);
    CHECK(without.ask(Ask{"child.gslb.test", static_cast<RecordType>(43)}) ==
          "4660 NOERROR qr aa\nquestion child.gslb.test. IN DS\n" + soa_line);
}

TEST_CASE("names outside of the zones are refused without a hint") {
    for (const char* name : {"example.net", "test", ".", "slb.test", "xgslb.test", "gslb.test.example"}) {
        INFO(name);
        const std::string dotted = std::string(name) == "." ? "." : std::string(name) + ".";
        CHECK(responder().ask(Ask{name}) == "4660 REFUSED qr\nquestion " + dotted + " IN A");
    }
}

TEST_CASE("a steered name answers its endpoints in the order chosen, by family") {
    check({
        {"vpn.gslb.test", RecordType::a,
         "NOERROR qr aa\nquestion vpn.gslb.test. IN A\nanswer vpn.gslb.test. 30 IN A 203.0.113.10\n"
         "answer vpn.gslb.test. 30 IN A 203.0.113.11\nanswer vpn.gslb.test. 30 IN A 198.51.100.20"},
        {"vpn.gslb.test", RecordType::aaaa,
         "NOERROR qr aa\nquestion vpn.gslb.test. IN AAAA\nanswer vpn.gslb.test. 30 IN AAAA 2001:db8:2::20"},
        {"six.gslb.test", RecordType::aaaa,
         "NOERROR qr aa\nquestion six.gslb.test. IN AAAA\nanswer six.gslb.test. 30 IN AAAA 2001:db8:6::1"},
        {"named.gslb.test", RecordType::a,
         "NOERROR qr aa\nquestion named.gslb.test. IN A\nanswer named.gslb.test. 30 IN CNAME "
         "gw.example.net."},
        {"named.gslb.test", RecordType::txt,
         "NOERROR qr aa\nquestion named.gslb.test. IN TXT\nanswer named.gslb.test. 30 IN CNAME "
         "gw.example.net."},
        {"vpn.gslb.test", RecordType::cname, "NOERROR qr aa\nquestion vpn.gslb.test. IN CNAME\n" + soa_line},
    });
}

TEST_CASE("a service without a healthy member does what it is configured to do") {
    World world = make_world();
    world.set_down(GatewayId(2));
    Responder down(world);
    // serve-all is the default: the last resort.
    CHECK(
        down.ask(Ask{"six.gslb.test", RecordType::aaaa}) ==
        "4660 NOERROR qr aa\nquestion six.gslb.test. IN AAAA\nanswer six.gslb.test. 5 IN AAAA 2001:db8:6::1");
    CHECK(down.answerer.outcome().last_resort);
    CHECK(down.ask(Ask{"nodata.gslb.test", RecordType::aaaa}) ==
          "4660 NOERROR qr aa\nquestion nodata.gslb.test. IN AAAA\n"
          "authority gslb.test. 5 IN SOA ns1.gslb.test. hostmaster.gslb.test. 7 3600 600 1209600 30");
    CHECK(down.ask(Ask{"servfail.gslb.test", RecordType::aaaa}) ==
          "4660 SERVFAIL qr\nquestion servfail.gslb.test. IN AAAA");
    CHECK(down.ask(Ask{"servfail.gslb.test", RecordType::aaaa}.with_edns(1232)) ==
          "4660 SERVFAIL qr\nquestion servfail.gslb.test. IN AAAA\nedns 1232 error=0:no healthy gateway");
    CHECK(down.ask(Ask{"refuse.gslb.test", RecordType::aaaa}) ==
          "4660 REFUSED qr\nquestion refuse.gslb.test. IN AAAA");
    CHECK(down.ask(Ask{"fallback.gslb.test", RecordType::aaaa}) ==
          "4660 NOERROR qr aa\nquestion fallback.gslb.test. IN AAAA\n"
          "answer fallback.gslb.test. 5 IN CNAME last.example.net.");
}

TEST_CASE("an answer tells in an extended error how it came about when it is not the usual way") {
    const Ask six = Ask{"six.gslb.test", RecordType::aaaa}.with_edns(1232);
    const Ask servfail = Ask{"servfail.gslb.test", RecordType::aaaa}.with_edns(1232);
    const auto told = [](World& world, const Ask& ask) {
        Responder some(world);
        const std::string text = some.ask(ask);
        const size_t at = text.find("error=");
        return text.substr(5, text.find(' ', 5) - 5) +
               (at == std::string::npos ? "" : " " + text.substr(at + 6));
    };
    World world = make_world();
    CHECK(told(world, six) == "NOERROR");
    world.health->isolated = true;
    CHECK(told(world, six) == "NOERROR 3:health checks reach nothing; as before");
    CHECK(told(world, Ask{"host.gslb.test"}.with_edns(1232)) == "NOERROR");
    world.health->isolated = false;
    world.health->endpoints[4].admin = AdminState::forced_up;
    CHECK(told(world, six) == "NOERROR 0:forced up by an operator");
    world.health->endpoints[4].admin = AdminState::automatic;
    world.set_down(GatewayId(2));
    CHECK(told(world, six) == "NOERROR 0:no healthy gateway");
    CHECK(told(world, servfail) == "SERVFAIL 0:no healthy gateway");
    CHECK(told(world, Ask{"nodata.gslb.test", RecordType::aaaa}.with_edns(1232)) ==
          "NOERROR 0:no healthy gateway");
    world.health->endpoints[4].withheld = true;
    CHECK(told(world, servfail) == "SERVFAIL 15:all gateways are withheld by operators");
    CHECK(told(world, Ask{"refuse.gslb.test", RecordType::aaaa}.with_edns(1232)) ==
          "REFUSED 15:all gateways are withheld by operators");
    CHECK(told(world, Ask{"six.gslb.test", RecordType::aaaa}) == "NOERROR");
}

TEST_CASE("an extended error gives way to the records: first its text, then all of it") {
    World world = make_world();
    for (size_t gateway = 0; gateway < world.model->gateways.size(); ++gateway)
        world.set_down(GatewayId(gateway));
    const Ask many{"many.gslb.test"};
    // 60 addresses: 12 + 20 + 960, and an OPT of 11 octets; the error takes 6, its text 18.
    const auto answered_in = [&](uint16_t size) {
        world.settings.udp_limit = size;
        Responder tight(world);
        const std::string text = tight.ask(many.with_edns(size));
        CHECK(tight.bytes.size() <= size);
        return std::to_string(std::count(text.begin(), text.end(), '\n')) + text.substr(text.find("\nedns"));
    };
    const size_t whole = 12 + 20 + 960 + 11;
    CHECK(answered_in(whole + 24) == "62\nedns 1027 error=0:no healthy gateway");
    CHECK(answered_in(whole + 23) == "62\nedns 1026 error=0:");
    CHECK(answered_in(whole + 6) == "62\nedns 1009 error=0:");
    CHECK(answered_in(whole + 5) == "62\nedns 1008");
    CHECK(answered_in(whole) == "62\nedns 1003");
    CHECK(answered_in(whole - 1) == "2\nedns 1002 error=0:no healthy gateway");
}

TEST_CASE("before the first probe round is done steered names fail and static ones do not") {
    World world = make_world();
    world.health->first_round_done = false;
    Responder early(world);
    CHECK(early.ask(Ask{"vpn.gslb.test"}.with_edns(1232)) ==
          "4660 SERVFAIL qr\nquestion vpn.gslb.test. IN A\n"
          "edns 1232 error=14:the first health checks have not finished");
    CHECK(early.ask(Ask{"host.gslb.test"}) ==
          "4660 NOERROR qr aa\nquestion host.gslb.test. IN A\nanswer host.gslb.test. 60 IN A 192.0.2.70");
    CHECK(early.ask(Ask{"vpn.gslb.test", RecordType::txt}) ==
          "4660 NOERROR qr aa\nquestion vpn.gslb.test. IN TXT\n" + soa_line);
}

TEST_CASE("an endpoint whose host name has no address yet is left out") {
    World world = make_world();
    const ServiceId id = world.add_service("late", "late.gslb.test", {GatewayId(3), GatewayId(2)}).id;
    world.all_up();
    Responder late(world);
    CHECK(late.ask(Ask{"late.gslb.test", RecordType::aaaa}) ==
          "4660 NOERROR qr aa\nquestion late.gslb.test. IN AAAA\nanswer late.gslb.test. 30 IN AAAA "
          "2001:db8:6::1");
    CHECK(late.answerer.outcome().service == id);
    world.health->endpoints[5].address = IpAddress::parse("192.0.2.111").value();
    Responder resolved(world);
    CHECK(resolved.ask(Ask{"late.gslb.test", RecordType::a}) ==
          "4660 NOERROR qr aa\nquestion late.gslb.test. IN A\nanswer late.gslb.test. 30 IN A 192.0.2.111");
}

TEST_CASE("TXT at _fairway tells allowed clients the members' states, and others nothing") {
    const std::string text = responder().ask(Ask{"_fairway.vpn.gslb.test", RecordType::txt}, Transport::tcp);
    CHECK(text ==
          "4660 NOERROR qr aa\nquestion _fairway.vpn.gslb.test. IN TXT\n"
          "answer _fairway.vpn.gslb.test. 0 IN TXT \"answer=endpoints ttl=30 scope=0 by=192.0.2.200 ecs=no "
          "last_resort=no service=vpn generation=1\"\n"
          "answer _fairway.vpn.gslb.test. 0 IN TXT \"fra1/203.0.113.10 address=203.0.113.10 measured=up "
          "effective=up "
          "admin=automatic serving=yes answered=1\"\n"
          "answer _fairway.vpn.gslb.test. 0 IN TXT \"fra1/203.0.113.11 address=203.0.113.11 measured=up "
          "effective=up "
          "admin=automatic serving=yes answered=2\"\n"
          "answer _fairway.vpn.gslb.test. 0 IN TXT \"iad1/198.51.100.20 address=198.51.100.20 measured=up "
          "effective=up "
          "admin=automatic serving=yes answered=3\"\n"
          "answer _fairway.vpn.gslb.test. 0 IN TXT \"iad1/2001:db8:2::20 address=2001:db8:2::20 measured=up "
          "effective=up admin=automatic serving=yes answered=4\"");
    CHECK(responder().ask(Ask{"_fairway.vpn.gslb.test", RecordType::txt}, Transport::tcp, "198.51.100.1") ==
          "4660 REFUSED qr\nquestion _fairway.vpn.gslb.test. IN TXT");
    CHECK(responder().ask(Ask{"_fairway.vpn.gslb.test", RecordType::a}) ==
          "4660 NOERROR qr aa\nquestion _fairway.vpn.gslb.test. IN A\n" + soa_line);
    // Without txt_allow there is no such name.
    CHECK(responder().ask(Ask{"_fairway.six.gslb.test", RecordType::txt}) ==
          "4660 NXDOMAIN qr aa\nquestion _fairway.six.gslb.test. IN TXT\n" + soa_line);
}

TEST_CASE("ANY gets little, whatever there is (RFC 8482)") {
    const std::string hinfo = "3600 IN HINFO \"RFC8482\" \"\"";
    check({
        {"host.gslb.test", RecordType::any,
         "NOERROR qr aa\nquestion host.gslb.test. IN ANY\nanswer host.gslb.test. " + hinfo},
        {"gslb.test", RecordType::any,
         "NOERROR qr aa\nquestion gslb.test. IN ANY\nanswer gslb.test. " + hinfo},
        {"vpn.gslb.test", RecordType::any,
         "NOERROR qr aa\nquestion vpn.gslb.test. IN ANY\nanswer vpn.gslb.test. " + hinfo},
        {"toward.gslb.test", RecordType::any,
         "NOERROR qr aa\nquestion toward.gslb.test. IN ANY\nanswer toward.gslb.test. 300 IN CNAME "
         "host.gslb.test."},
        {"ent.gslb.test", RecordType::any, "NOERROR qr aa\nquestion ent.gslb.test. IN ANY\n" + soa_line},
        {"missing.gslb.test", RecordType::any,
         "NXDOMAIN qr aa\nquestion missing.gslb.test. IN ANY\n" + soa_line},
    });
}

TEST_CASE("the question is echoed octet for octet and its case does not matter") {
    CHECK(responder().ask(Ask{"hOsT.GsLb.TeST"}) ==
          "4660 NOERROR qr aa\nquestion hOsT.GsLb.TeST. IN A\nanswer hOsT.GsLb.TeST. 60 IN A 192.0.2.70");
    CHECK(
        responder().ask(Ask{"X.WILD.gslb.TEST"}) ==
        "4660 NOERROR qr aa\nquestion X.WILD.gslb.TEST. IN A\nanswer X.WILD.gslb.TEST. 300 IN A 192.0.2.80");
}

TEST_CASE("binary labels are legal and match only themselves") {
    CHECK(responder().ask(Ask{"\\000\\255.gslb.test"}).starts_with("4660 NXDOMAIN qr aa"));
    CHECK(responder().ask(Ask{"odd.dot.gslb.test", RecordType::txt}).starts_with("4660 NXDOMAIN qr aa"));
    CHECK(responder().ask(Ask{std::string(63, 'x') + ".gslb.test"}).starts_with("4660 NXDOMAIN qr aa"));
}

TEST_CASE("transfers are refused") {
    CHECK(responder().ask(Ask{"gslb.test", RecordType::axfr}, Transport::tcp) ==
          "4660 REFUSED qr\nquestion gslb.test. IN AXFR");
    CHECK(responder().ask(Ask{"gslb.test", RecordType::ixfr}) ==
          "4660 REFUSED qr\nquestion gslb.test. IN IXFR");
}

TEST_CASE("types that are no data are errors") {
    CHECK(responder().ask(Ask{"host.gslb.test", RecordType::opt}) ==
          "4660 FORMERR qr\nquestion host.gslb.test. IN OPT");
    CHECK(responder().ask(Ask{"host.gslb.test", RecordType::tsig}).starts_with("4660 FORMERR qr"));
    for (const RecordType type : {RecordType::tkey, RecordType::maila, RecordType::mailb})
        CHECK(responder().ask(Ask{"host.gslb.test", type}).starts_with("4660 NOTIMP qr"));
    CHECK(
        responder().ask(Ask{"host.gslb.test", static_cast<RecordType>(0)}).starts_with("4660 NOERROR qr aa"));
}

TEST_CASE("CHAOS tells the server's identity when it has one, and never the version") {
    CHECK(responder().ask(Ask{"id.server", RecordType::txt, 3}) ==
          "4660 NOERROR qr aa\nquestion id.server. CH TXT\nanswer id.server. 0 CH TXT \"test-1\"");
    CHECK(responder().ask(Ask{"HOSTNAME.BIND", RecordType::txt, 3}).find("\"test-1\"") != std::string::npos);
    CHECK(responder().ask(Ask{"version.bind", RecordType::txt, 3}) ==
          "4660 REFUSED qr\nquestion version.bind. CH TXT");
    CHECK(responder().ask(Ask{"host.gslb.test", RecordType::a, 3}) ==
          "4660 REFUSED qr\nquestion host.gslb.test. CH A");
    World world = make_world();
    world.settings.nsid.clear();
    Responder nameless(world);
    CHECK(nameless.ask(Ask{"id.server", RecordType::txt, 3}) ==
          "4660 REFUSED qr\nquestion id.server. CH TXT");
    for (const uint16_t klass : std::array<uint16_t, 4>{4, 254, 255, 999})
        CHECK(responder().ask(Ask{"host.gslb.test", RecordType::a, klass}).starts_with("4660 REFUSED qr"));
}
