// SPDX-License-Identifier: Apache-2.0
// What is no question, or not quite one: the header's bits and counts, broken names, stray records.
#include <catch2/catch.hpp>

#include "base/random.h"
#include "unit/dns/responder.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

const std::string host_answer = "\nquestion host.gslb.test. IN A\nanswer host.gslb.test. 60 IN A 192.0.2.70";
// host.gslb.test A IN
const std::string host_question = "04686f737404 67736c62 0474657374 00 0001 0001";

std::string ask_hex(const std::string& hex) {
    return responder().ask(from_hex(hex));
}

Ask with_flags(uint16_t flags) {
    Ask ask{"host.gslb.test"};
    ask.flags = flags;
    return ask;
}

}  // namespace

TEST_CASE("RD is copied, all other bits of a query change nothing") {
    CHECK(responder().ask(with_flags(0x0100)) == "4660 NOERROR qr aa rd" + host_answer);
    for (const int flags : {0x0000, 0x0040, 0x0010, 0x0020, 0x0400, 0x0080, 0x0200, 0x0003, 0x000f})
        CHECK(responder().ask(with_flags(static_cast<uint16_t>(flags))) ==
              "4660 NOERROR qr aa" + host_answer);
}

TEST_CASE("IDs come back unchanged") {
    Ask ask{"host.gslb.test"};
    ask.id = 0;
    CHECK(responder().ask(ask) == "0 NOERROR qr aa" + host_answer);
    ask.id = 65535;
    CHECK(responder().ask(ask) == "65535 NOERROR qr aa" + host_answer);
}

TEST_CASE("responses and runts get no reply") {
    CHECK(responder().ask(with_flags(0x8000)) == "nothing");
    CHECK(responder().ask(with_flags(0x8000), Transport::tcp) == "nothing");
    Bytes bytes;
    for (int i = 0; i < 12; ++i) {
        CHECK(responder().ask(bytes) == "nothing");
        bytes.push_back(0);
    }
}

TEST_CASE("an opcode that is not QUERY is not implemented, whatever follows the header") {
    for (const int opcode : {1, 2, 3, 4, 5, 6, 15}) {
        Ask ask = with_flags(static_cast<uint16_t>(opcode << 11));
        const std::string expected = "4660 NOTIMP opcode=" + std::to_string(opcode) + " qr";
        CHECK(responder().ask(ask) == expected);
        Bytes header = to_bytes(ask);
        header.resize(12);
        CHECK(responder().ask(header) == expected);
        for (size_t i = 4; i < 12; ++i) header[i] = 0;
        CHECK(responder().ask(header) == expected);
    }
}

TEST_CASE("no question, several, or half of one is a format error without data") {
    CHECK(ask_hex("1234 0000 0000 0000 0000 0000") == "4660 FORMERR qr");
    CHECK(ask_hex("1234 0000 0002 0000 0000 0000" + host_question + host_question) == "4660 FORMERR qr");
    CHECK(ask_hex("1234 0000 0001 0000 0000 0000") == "4660 FORMERR qr");
    CHECK(ask_hex("1234 0000 0001 0000 0000 0000 04686f7374") == "4660 FORMERR qr");
    CHECK(ask_hex("1234 0000 0001 0000 0000 0000 04686f737404 67736c62 0474657374 00 0001 00") ==
          "4660 FORMERR qr");
    CHECK(ask_hex("1234 0000 0001 0000 0000 0000 04686f737404 67736c62 0474657374 0001 0001") ==
          "4660 FORMERR qr");
}

TEST_CASE("counts that promise more than there is are a format error") {
    for (const char* counts : {"0001 ffff 0000 0000", "0001 0000 ffff 0000", "0001 0000 0000 ffff"})
        CHECK(ask_hex("1234 0000" + std::string(counts) + host_question) ==
              "4660 FORMERR qr\nquestion host.gslb.test. IN A");
    CHECK(ask_hex("1234 0000 ffff ffff ffff ffff" + host_question) == "4660 FORMERR qr");
}

TEST_CASE("octets after the last record are a format error") {
    CHECK(ask_hex("1234 0000 0001 0000 0000 0000" + host_question + "00") ==
          "4660 FORMERR qr\nquestion host.gslb.test. IN A");
}

TEST_CASE("compression in the question and reserved label types are format errors") {
    for (const char* name : {"c00c", "c00d", "c0ff", "c00e c00c", "01 78 c00c", "0178 c000", "40", "41 0102",
                             "80", "3f 61", "04686f7374 c020"}) {
        INFO(name);
        CHECK(ask_hex("1234 0000 0001 0000 0000 0000" + std::string(name) + "0001 0001") ==
              "4660 FORMERR qr");
    }
}

TEST_CASE("a name of 255 octets is good, one more is a format error") {
    const auto name = [](std::initializer_list<int> labels) {
        std::string hex;
        for (const int length : labels) {
            hex += to_hex(Bytes{static_cast<uint8_t>(length)});
            for (int i = 0; i < length; ++i) hex += "61";
        }
        return hex + "00";
    };
    const std::string header = "1234 0000 0001 0000 0000 0000";
    CHECK(ask_hex(header + name({63, 63, 63, 61}) + "0001 0001").starts_with("4660 REFUSED qr"));
    CHECK(ask_hex(header + name({63, 63, 63, 62}) + "0001 0001") == "4660 FORMERR qr");
    CHECK(ask_hex(header + name({63, 63, 63, 63, 63}) + "0001 0001") == "4660 FORMERR qr");
}

TEST_CASE("records in any section of a query are skipped when they are well-formed") {
    const std::string record = "c00c 0001 0001 00000000 0004 c0000201";
    CHECK(ask_hex("1234 0000 0001 0001 0001 0001" + host_question + record + record + record) ==
          "4660 NOERROR qr aa" + host_answer);
    CHECK(
        ask_hex("1234 0000 0001 0001 0000 0000" + host_question + "c00c 0001 0001 00000000 0005 c0000201") ==
        "4660 FORMERR qr\nquestion host.gslb.test. IN A");
}

TEST_CASE("an OPT is only good once, at the root, in the additional section") {
    const std::string opt = "00 0029 04d0 00000000 0000";
    const std::string bad = "4660 FORMERR qr\nquestion host.gslb.test. IN A";
    CHECK(ask_hex("1234 0000 0001 0000 0000 0001" + host_question + opt) ==
          "4660 NOERROR qr aa" + host_answer + "\nedns 1232");
    CHECK(ask_hex("1234 0000 0001 0001 0000 0000" + host_question + opt) == bad);
    CHECK(ask_hex("1234 0000 0001 0000 0001 0000" + host_question + opt) == bad);
    CHECK(ask_hex("1234 0000 0001 0000 0000 0001" + host_question + "0178" + opt) == bad);
    CHECK(ask_hex("1234 0000 0001 0000 0000 0001" + host_question + "c00c" + opt.substr(2)) == bad);
    CHECK(ask_hex("1234 0000 0001 0000 0000 0001" + host_question + "00 0029 04d0 00000000 0004 0003") ==
          bad);
    CHECK(ask_hex("1234 0000 0001 0000 0000 0002" + host_question + opt + opt) == bad + "\nedns 1232");
    // Before another additional record it is as good as last.
    CHECK(ask_hex("1234 0000 0001 0000 0000 0002" + host_question + opt +
                  "c00c 0001 0001 00000000 0004 c0000201") ==
          "4660 NOERROR qr aa" + host_answer + "\nedns 1232");
}

TEST_CASE("whatever bytes come, the reply is well-formed or none") {
    Random random(42);
    const Bytes good =
        to_bytes(Ask{"vpn.gslb.test"}.with(subnet("198.51.100.0", 24)).with({10, Bytes(8, 7)}));
    size_t replies = 0;
    for (int round = 0; round < 20'000; ++round) {
        Bytes bytes = good;
        for (uint64_t changes = 1 + random.below(6); changes > 0; --changes)
            bytes[random.below(bytes.size())] = static_cast<uint8_t>(random.next());
        if (random.below(4) == 0) bytes.resize(random.below(bytes.size() + 1));
        const std::string text =
            responder().ask(bytes, random.below(2) == 0 ? Transport::udp : Transport::tcp);
        if (text == "nothing") continue;
        ++replies;
        if (text.starts_with("malformed"))
            FAIL(to_hex(bytes) << " -> " << to_hex(responder().bytes) << " " << text);
    }
    CHECK(replies > 5'000);
}
