// SPDX-License-Identifier: Apache-2.0
// EDNS(0) and its options: versions, sizes and truncation, NSID, cookies, keepalive, client subnets.
#include <catch2/catch.hpp>

#include "base/random.h"
#include "dns/edns.h"
#include "dns/message.h"
#include "unit/dns/responder.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

const std::string host_answer = "\nquestion host.gslb.test. IN A\nanswer host.gslb.test. 60 IN A 192.0.2.70";
const std::string bad = "4660 FORMERR qr\nquestion host.gslb.test. IN A\nedns 1232";

const Ask host{"host.gslb.test"};
const Ask vpn{"vpn.gslb.test"};

// The part of a rendered answer from the OPT on.
std::string edns_of(const std::string& text) {
    const size_t at = text.find("\nedns ");
    return at == std::string::npos ? "" : text.substr(at + 1);
}

}  // namespace

TEST_CASE("there is an OPT in the response exactly when there was one in the query") {
    for (const char* name : {"host.gslb.test", "missing.gslb.test", "example.net"}) {
        CHECK(edns_of(responder().ask(Ask{name})).empty());
        CHECK(edns_of(responder().ask(Ask{name}.with_edns(1232))).starts_with("edns 1232"));
    }
}

TEST_CASE("another EDNS version is BADVERS, without data, whatever its options are") {
    CHECK(responder().ask(host.with_edns(1232, 0x00010000)) ==
          "4660 BADVERS qr\nquestion host.gslb.test. IN A\nedns 1232");
    CHECK(responder().ask(host.with({65001, {1, 2}}).with_edns(1232, 0x00ff8000)) ==
          "4660 BADVERS qr\nquestion host.gslb.test. IN A\nedns 1232 do");
    CHECK(responder().ask(host.with(subnet(3, 0, 0, {})).with_edns(1232, 0x00010000)) ==
          "4660 BADVERS qr\nquestion host.gslb.test. IN A\nedns 1232");
}

TEST_CASE("DO is copied; unknown flags and options are ignored and not echoed") {
    CHECK(responder().ask(host.with_edns(1232, 0x8000)) ==
          "4660 NOERROR qr aa" + host_answer + "\nedns 1232 do");
    CHECK(responder().ask(host.with_edns(1232, 0x7fff)) ==
          "4660 NOERROR qr aa" + host_answer + "\nedns 1232");
    for (const int code : {1, 5, 9, 12, 13, 14, 15, 20, 65001})
        for (const size_t size : {0, 1, 4, 40})
            CHECK(responder().ask(host.with({static_cast<uint16_t>(code), Bytes(size, 0)})) ==
                  "4660 NOERROR qr aa" + host_answer + "\nedns 1232");
}

TEST_CASE("options that run past their record are a format error") {
    Bytes bytes = to_bytes(host.with({65001, {1, 2, 3}}));
    bytes[bytes.size() - 4] = 4;  // the option's length
    CHECK(responder().ask(bytes) == bad);
    bytes = to_bytes(host.with_edns(1232));
    bytes[bytes.size() - 1] = 2;  // RDLENGTH: only a code
    bytes.push_back(0);
    bytes.push_back(3);
    CHECK(responder().ask(bytes) == bad);
}

TEST_CASE("NSID is told when asked for and configured") {
    CHECK(edns_of(responder().ask(host.with({3, {}}))) == "edns 1232 nsid=test-1");
    World world = make_world();
    world.settings.nsid.clear();
    Responder nameless(world);
    CHECK(edns_of(nameless.ask(host.with({3, {}}))) == "edns 1232");
}

TEST_CASE("keepalive is told over TCP to who asks, and ignored over UDP") {
    CHECK(edns_of(responder().ask(host.with({11, {}}), Transport::tcp)) == "edns 1232 keepalive=0064");
    CHECK(edns_of(responder().ask(host.with({11, {}}))) == "edns 1232");
    CHECK(edns_of(responder().ask(host.with_edns(1232), Transport::tcp)) == "edns 1232");
}

TEST_CASE("what was asked for with padding is padded in blocks, and only where nobody reads along") {
    const Ask padded = host.with({12, Bytes(20, 0)});
    CHECK(responder().ask(padded) == "4660 NOERROR qr aa" + host_answer + "\nedns 1232");
    CHECK(responder().ask(padded, Transport::tcp) == "4660 NOERROR qr aa" + host_answer + "\nedns 1232");
    CHECK(responder().ask(host.with_edns(1232), Transport::tls) ==
          "4660 NOERROR qr aa" + host_answer + "\nedns 1232");
    for (const Ask& ask :
         {host, vpn, Ask{"missing.gslb.test"}, Ask{"example.net"}, Ask{"big.gslb.test", RecordType::txt},
          Ask{"many.gslb.test"}, host.with({3, {}}), host.with(subnet("198.51.100.0", 24))}) {
        const std::string bare = responder().ask(ask.with({65001, {}}), Transport::tls);
        const size_t size = responder().bytes.size();
        const std::string text = responder().ask(ask.with({12, {}}), Transport::tls);
        const size_t block = 468;
        CHECK(responder().bytes.size() == (size + 4 + block - 1) / block * block);
        CHECK(text == bare + " padding=" + std::string(2 * (responder().bytes.size() - size - 4), '0'));
    }
}

TEST_CASE("padding fills a block to the octet and never outgrows the message") {
    Query query;
    const Bytes asked = to_bytes(host.with({12, {}}));
    REQUIRE(parse_query(asked, query) == QueryFault::none);
    for (const size_t room : {100, 400, 467, 468, 469, 936, 1000})
        for (size_t data = 0; data < 520; ++data) {
            Bytes out(room);
            EdnsResponse edns;
            edns.udp_size = 1232;
            ResponseWriter writer;
            writer.begin(out, query, edns.size());
            const Bytes text(data, 'x');
            const bool fits = writer.record_at_question(ResponseWriter::Section::answer,
                                                        static_cast<RecordType>(65280), 1, text);
            const size_t bare = 12 + 20 + (fits ? 12 + data : 0) + 11;
            const size_t size = writer.finish(query, 0, Rcode::noerror, &edns, ResponseWriter::padding_block);
            REQUIRE(size <= room);
            const size_t wanted = (bare + 4 + 467) / 468 * 468;
            REQUIRE(size == (bare + 4 > room ? bare : std::min(wanted, room)));
            REQUIRE_FALSE(render(ByteSpan(out).first(size)).starts_with("malformed"));
        }
}

TEST_CASE("an answer fits what the client takes, or is truncated with its OPT") {
    const Ask big{"big.gslb.test", RecordType::txt};
    CHECK(responder().ask(big) == "4660 NOERROR qr aa tc\nquestion big.gslb.test. IN TXT");
    for (const int size : {0, 100, 511, 512, 600})
        CHECK(responder().ask(big.with_edns(static_cast<uint16_t>(size))) ==
              "4660 NOERROR qr aa tc\nquestion big.gslb.test. IN TXT\nedns 1232");
    CHECK(responder().answerer.outcome().truncated);
    const std::string whole = responder().ask(big.with_edns(1232));
    CHECK(whole.starts_with("4660 NOERROR qr aa\n"));
    CHECK(std::count(whole.begin(), whole.end(), '\n') == 5);
    CHECK(responder().ask(big.with_edns(1232), Transport::tcp) == whole);
    CHECK(responder().ask(big, Transport::tcp).starts_with("4660 NOERROR qr aa\n"));

    // 60 addresses are 994 octets: over 512, under 1232.
    const Ask many{"many.gslb.test"};
    CHECK(responder().ask(many) == "4660 NOERROR qr aa tc\nquestion many.gslb.test. IN A");
    const std::string all = responder().ask(many.with_edns(4096));
    CHECK(std::count(all.begin(), all.end(), '\n') == 62);
    CHECK(responder().bytes.size() <= 1232);
}

TEST_CASE("answers over UDP stay within the configured limit whatever is offered") {
    World world = make_world();
    world.settings.udp_limit = 700;
    Responder tight(world);
    CHECK(tight.ask(Ask{"many.gslb.test"}.with_edns(65535)) ==
          "4660 NOERROR qr aa tc\nquestion many.gslb.test. IN A\nedns 700");
    CHECK(std::count_if(tight.bytes.begin(), tight.bytes.end(), [](uint8_t) { return true; }) < 100);
}

TEST_CASE("a truncated answer has room for every option") {
    const Ask ask = Ask{"many.gslb.test"}
                        .with({3, {}})
                        .with({10, Bytes(8, 1)})
                        .with(subnet("2001:db8:1:2::", 56))
                        .with_edns(512);
    const std::string text = responder().ask(ask);
    CHECK(text.starts_with(
        "4660 NOERROR qr aa tc\nquestion many.gslb.test. IN A\nedns 1232 nsid=test-1 cookie="));
    CHECK(responder().bytes.size() <= 512);
}

TEST_CASE("SipHash-2-4 gives the reference vectors") {
    CookieSecret key{};
    Bytes data;
    for (uint8_t i = 0; i < 16; ++i) key[i] = i;
    CHECK(siphash24(key, data) == 0x726fdb47dd0e0e31ULL);
    for (uint8_t i = 0; i < 15; ++i) data.push_back(i);
    CHECK(siphash24(key, data) == 0xa129ca6149be45e5ULL);
}

TEST_CASE("server cookies are those of RFC 9018 appendix A") {
    const CookieSecret secret{0xe5, 0xe9, 0x73, 0xe5, 0xa6, 0xb2, 0xa4, 0x3f,
                              0x48, 0xe7, 0xdc, 0x84, 0x9e, 0x37, 0xbf, 0xcf};
    const ClientCookie client{0x24, 0x64, 0xc4, 0xab, 0xcf, 0x10, 0xc9, 0x57};
    CHECK(to_hex(make_server_cookie(secret, client, IpAddress::parse("198.51.100.100").value(),
                                    1559731985)) == "010000005cf79f111f8130c3eee29480");
    CHECK(to_hex(make_server_cookie(secret, client, IpAddress::parse("198.51.100.100").value(),
                                    1559734385)) == "010000005cf7a871d4a564a1442aca77");
    const ClientCookie other{0xfc, 0x93, 0xfc, 0x62, 0x80, 0x7d, 0xdb, 0x86};
    const IpAddress elsewhere = IpAddress::parse("203.0.113.203").value();
    CHECK(to_hex(make_server_cookie(secret, other, elsewhere, 1559734700)) ==
          "010000005cf7a9acf73a7810aca2381e");
    // A.3: reserved octets are not zero, and the hash covers them.
    CookieSecrets secrets{secret, std::nullopt};
    CHECK(check_server_cookie(secrets, other, from_hex("01abcdef5cf78f71a314227b6679ebf5"), elsewhere,
                              1559728000));
    // A.4: made with the secret before this one, for IPv6.
    const ClientCookie third{0x22, 0x68, 0x1a, 0xb9, 0x7d, 0x52, 0xc2, 0x98};
    const IpAddress six = IpAddress::parse("2001:db8:220:1:59de:d0f4:8769:82b8").value();
    secrets.current = {0xdd, 0x3b, 0xdf, 0x93, 0x44, 0xb6, 0x78, 0xb1,
                       0x85, 0xa6, 0xf5, 0xcb, 0x60, 0xfc, 0xa7, 0x15};
    secrets.rotate(
        {0x44, 0x55, 0x36, 0xbc, 0xd2, 0x51, 0x32, 0x98, 0x07, 0x5a, 0x5d, 0x37, 0x96, 0x63, 0xc9, 0x62});
    CHECK(check_server_cookie(secrets, third, from_hex("010000005cf7c57926556bd0934c72f8"), six, 1559741961));
    CHECK(to_hex(make_server_cookie(secrets.current, third, six, 1559741961)) ==
          "010000005cf7c609a6bb79d16625507a");
}

TEST_CASE("cookie secrets are read as they are shared") {
    const std::string one = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    const std::string two = "445536BCD2513298075A5D379663C962";
    const auto read = parse_cookie_secrets(" " + one + "\r\n\t" + two + "\n");
    REQUIRE(read);
    CHECK(to_hex(read->current) == one);
    REQUIRE(read->previous);
    CHECK(to_hex(*read->previous) == "445536bcd2513298075a5d379663c962");
    REQUIRE(parse_cookie_secrets(one));
    CHECK_FALSE(parse_cookie_secrets(one)->previous);
    for (const std::string& wrong :
         {std::string(), std::string(" \n"), one.substr(1), one + "0", "g" + one.substr(1),
          "+" + one.substr(1), one + " " + two + " " + one, one + " x"})
        CHECK_FALSE(parse_cookie_secrets(wrong));
}

TEST_CASE("cookies are good for an hour, five minutes ahead, one rotation and one address") {
    CookieSecrets secrets;
    secrets.current.fill(1);
    const ClientCookie client{1, 2, 3, 4, 5, 6, 7, 8};
    const IpAddress here = IpAddress::parse("192.0.2.1").value();
    const ServerCookie cookie = make_server_cookie(secrets.current, client, here, now_seconds);
    const auto good = [&](uint32_t now) { return check_server_cookie(secrets, client, cookie, here, now); };
    CHECK(good(now_seconds));
    CHECK(good(now_seconds + 3600));
    CHECK_FALSE(good(now_seconds + 3601));
    CHECK(good(now_seconds - 300));
    CHECK_FALSE(good(now_seconds - 301));
    CHECK_FALSE(
        check_server_cookie(secrets, client, cookie, IpAddress::parse("192.0.2.2").value(), now_seconds));
    CHECK_FALSE(check_server_cookie(secrets, client, ByteSpan(cookie).first(8), here, now_seconds));
    CookieSecret next;
    next.fill(2);
    secrets.rotate(next);
    CHECK(good(now_seconds));
    next.fill(3);
    secrets.rotate(next);
    CHECK_FALSE(good(now_seconds));
}

TEST_CASE("a cookie comes back with a server's part, whether the client's is missing, right or wrong") {
    const std::string text = responder().ask(host.with({10, from_hex("2464c4abcf10c957")}));
    CHECK(text.starts_with("4660 NOERROR qr aa" + host_answer +
                           "\nedns 1232 cookie=2464c4abcf10c957010000006553f100"));
    const std::string cookie = edns_of(text).substr(17);
    CHECK(cookie.size() == 48);
    CHECK(responder().ask(host.with({10, from_hex(cookie)})) == text);
    CHECK(responder().ask(host.with({10, from_hex("2464c4abcf10c957" + std::string(32, '0'))})) == text);
    for (const size_t size : {0, 1, 7, 9, 15, 41})
        CHECK(responder().ask(host.with({10, Bytes(size, 0)})) == bad);
    for (const size_t size : {16, 40})
        CHECK(responder().ask(host.with({10, Bytes(size, 0)})).starts_with("4660 NOERROR qr aa"));
}

TEST_CASE("a cookie may come without a question") {
    const auto only = [](const Bytes& cookie) {
        Bytes bytes = from_hex("1234 0000 0000 0000 0000 0001 00 0029 04d0 00000000");
        bytes.push_back(0);
        bytes.push_back(static_cast<uint8_t>(4 + cookie.size()));
        for (const uint8_t byte : {uint8_t{0}, uint8_t{10}, uint8_t{0}, static_cast<uint8_t>(cookie.size())})
            bytes.push_back(byte);
        bytes.insert(bytes.end(), cookie.begin(), cookie.end());
        return bytes;
    };
    const std::string text = responder().ask(only(from_hex("2464c4abcf10c957")));
    CHECK(text.starts_with("4660 NOERROR qr\nedns 1232 cookie=2464c4abcf10c957010000006553f100"));
    CHECK(responder().ask(only(from_hex(edns_of(text).substr(17)))) == text);
    CHECK(responder()
              .ask(only(Bytes(24, 1)))
              .starts_with("4660 BADCOOKIE qr\nedns 1232 cookie=0101010101010101"));
    World world = make_world();
    world.settings.cookies.reset();
    Responder without(world);
    CHECK(without.ask(only(Bytes(8, 1))) == "4660 FORMERR qr\nedns 1232");
    CHECK(without.ask(host.with({10, Bytes(8, 1)})) == "4660 NOERROR qr aa" + host_answer + "\nedns 1232");
}

TEST_CASE("a client subnet is echoed with scope 0 where nothing is tailored") {
    const auto v4 = subnet("198.51.100.0", 24);
    const std::string echo = "edns 1232 subnet=00011800c63364";
    for (const char* name : {"host.gslb.test", "missing.gslb.test", "ent.gslb.test", "x.deleg.gslb.test"})
        CHECK(edns_of(responder().ask(Ask{name}.with(v4))) == echo);
    CHECK(edns_of(responder().ask(Ask{"gslb.test", RecordType::soa}.with(v4))) == echo);
    CHECK(edns_of(responder().ask(Ask{"vpn.gslb.test", RecordType::txt}.with(v4))) == echo);
    CHECK(edns_of(responder().ask(Ask{"example.net"}.with(v4))).starts_with(echo));
    CHECK(edns_of(responder().ask(host.with(subnet("2001:db8:1::", 56)))) ==
          "edns 1232 subnet=0002380020010db8000100");
    CHECK(responder().answerer.outcome().has_ecs);
}

TEST_CASE("a client subnet of nothing is answered and echoed with scope 0") {
    for (const uint16_t family : {uint16_t{0}, uint16_t{1}, uint16_t{2}})
        for (const Ask& ask : {host, vpn}) {
            const std::string text = responder().ask(ask.with(subnet(family, 0, 0, {})));
            CHECK(text.starts_with("4660 NOERROR qr aa"));
            CHECK(edns_of(text) == "edns 1232 subnet=000" + std::to_string(family) + "0000");
        }
}

TEST_CASE(
    "a private client subnet is passed over for the source, with a scope that covers the private block") {
    World world = make_world();
    world.add_service("ruled", "ruled.gslb.test", {GatewayId(0), GatewayId(1)},
                      {"rule(prefix 192.0.2.0/24 -> fra1, prefix 198.51.100.0/24 -> iad1)"});
    world.all_up();
    Responder ruled(world);
    const auto answer_to = [&ruled](const Option& option) {
        const std::string text = ruled.ask(Ask{"ruled.gslb.test"}.with(option));
        const std::string start =
            "4660 NOERROR qr aa\nquestion ruled.gslb.test. IN A\nanswer ruled.gslb.test. 30 IN A ";
        REQUIRE(text.starts_with(start));
        return text.substr(start.size(), text.find('\n', start.size()) - start.size()) + " " +
               edns_of(text).substr(17 + 6, 2);
    };
    CHECK(answer_to(subnet("198.51.100.0", 24)) == "198.51.100.20 18");
    // The source, 192.0.2.200, decides.
    CHECK(answer_to(subnet("10.1.2.0", 24)) == "203.0.113.10 08");
    CHECK(answer_to(subnet("192.168.7.0", 24)) == "203.0.113.10 10");
    CHECK(answer_to(subnet("172.20.0.0", 16)) == "203.0.113.10 0c");
    CHECK(answer_to(subnet("fd00:1::", 48)) == "203.0.113.10 07");
}

TEST_CASE("a malformed client subnet is a format error") {
    const std::vector<Option> wrong{
        subnet(3, 0, 0, {}),                     // unknown family
        subnet(0xffff, 24, 0, {198, 51, 100}),   //
        subnet(0, 8, 0, {10}),                   // no family, but a prefix
        subnet(1, 33, 0, {198, 51, 100, 0, 0}),  // too long for the family
        subnet(2, 129, 0, Bytes(17, 0)),         //
        subnet(1, 24, 0, {198, 51}),             // too few octets
        subnet(1, 24, 0, {198, 51, 100, 0}),     // too many
        subnet(1, 0, 0, {0}),                    //
        subnet(1, 23, 0, {198, 51, 101}),        // bits beyond the prefix
        subnet(1, 24, 1, {198, 51, 100}),        // a scope
        {8, {}},
        {8, {0}},
        {8, {0, 1}},
        {8, {0, 1, 24}},
    };
    for (const Option& option : wrong) {
        INFO(to_hex(option.body));
        CHECK(responder().ask(host.with(option)) == bad);
        CHECK(responder().ask(vpn.with(option)).starts_with("4660 FORMERR qr"));
    }
    CHECK(responder().ask(host.with(subnet("198.51.100.0", 24)).with(subnet("198.51.100.0", 24))) == bad);
}

TEST_CASE("no random client subnet becomes an answer for another one") {
    Random random(7);
    for (int round = 0; round < 2'000; ++round) {
        Option option{8, Bytes(random.below(24))};
        for (uint8_t& byte : option.body)
            byte = static_cast<uint8_t>(random.below(random.below(2) == 0 ? 4 : 256));
        const std::string text = responder().ask(vpn.with(option));
        if (text.starts_with("4660 FORMERR qr\nquestion vpn.gslb.test. IN A\nedns 1232")) continue;
        // What was accepted is echoed as it came, but for the scope.
        REQUIRE(text.starts_with("4660 NOERROR qr aa"));
        std::string echoed = edns_of(text);
        REQUIRE(echoed.size() >= 17 + 8);
        echoed[17 + 6] = echoed[17 + 7] = '0';
        CHECK(echoed == "edns 1232 subnet=" + to_hex(option.body));
    }
}

TEST_CASE("of a chain that ends in a steered name a client subnet gets the alias alone") {
    CHECK(responder().ask(Ask{"chain.gslb.test"}.with(subnet("198.51.100.0", 24))) ==
          "4660 NOERROR qr aa\nquestion chain.gslb.test. IN A\n"
          "answer chain.gslb.test. 300 IN CNAME alias.gslb.test.\n"
          "answer alias.gslb.test. 300 IN CNAME vpn.gslb.test.\nedns 1232 subnet=00011800c63364");
}
