// SPDX-License-Identifier: Apache-2.0
// Transaction signatures: our codec against ldns's, every judgement of RFC 8945 section 5, and whole answers.

#include <catch2/catch.hpp>
#include <ctime>
#include <memory>

#include "dns/tsig.h"
#include "unit/dns/packet.h"
#include "unit/dns/responder.h"
#include "unit/dns/signed.h"

// Last: it defines what C++ already has.
#include <ldns/ldns.h>

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

struct FreePacket {
    void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
using Packet = std::unique_ptr<ldns_pkt, FreePacket>;

constexpr const char* secret_text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

World signing_world() {
    World world = make_world();
    world.settings.keys = {test_key()};
    return world;
}

/// The error of the TSIG in a response, and what else it tells.
std::string ask_signed(const Bytes& request, ByteSpan request_mac = {}) {
    Responder responder(signing_world());
    const std::string answer = responder.ask(request);
    return answer + describe_tsig(responder.bytes, test_key(), request_mac, now_seconds);
}

}  // namespace

TEST_CASE("a request that we sign is genuine to ldns, and one that ldns signs is genuine to us") {
    const auto now = static_cast<uint64_t>(std::time(nullptr));
    SECTION("ours") {
        const Bytes bytes = signed_bytes(to_bytes({"vpn.gslb.test"}), test_key(), now);
        ldns_pkt* raw = nullptr;
        REQUIRE(ldns_wire2pkt(&raw, bytes.data(), bytes.size()) == LDNS_STATUS_OK);
        const Packet packet(raw);
        CHECK(ldns_pkt_tsig_verify(raw, bytes.data(), bytes.size(), "transfer.test.", secret_text, nullptr));
    }
    SECTION("theirs") {
        ldns_pkt* raw = nullptr;
        REQUIRE(ldns_pkt_query_new_frm_str(&raw, "vpn.gslb.test", LDNS_RR_TYPE_A, LDNS_RR_CLASS_IN,
                                           LDNS_RD) == LDNS_STATUS_OK);
        const Packet packet(raw);
        REQUIRE(ldns_pkt_tsig_sign(raw, "transfer.test.", secret_text, 300, "hmac-sha256.", nullptr) ==
                LDNS_STATUS_OK);
        uint8_t* wire = nullptr;
        size_t size = 0;
        REQUIRE(ldns_pkt2wire(&wire, raw, &size) == LDNS_STATUS_OK);
        const Bytes bytes(wire, wire + size);
        LDNS_FREE(wire);
        const auto record = read_tsig(bytes, find_tsig(bytes).value());
        REQUIRE(record.has_value());
        const TsigKey key = test_key();
        CHECK(check_request(bytes, *record, &key, now) == TsigError::none);
        CHECK(check_request(bytes, *record, nullptr, now) == TsigError::badkey);
    }
}

TEST_CASE("every algorithm signs what it accepts, and nothing that was changed by one bit") {
    for (const TsigAlgorithm algorithm : {TsigAlgorithm::hmac_sha224, TsigAlgorithm::hmac_sha256,
                                          TsigAlgorithm::hmac_sha384, TsigAlgorithm::hmac_sha512}) {
        TsigKey key = test_key();
        key.algorithm = algorithm;
        CHECK(parse_tsig_algorithm(to_string(algorithm)).value() == algorithm);
        const Bytes good = signed_bytes(to_bytes(Ask{"vpn.gslb.test"}.with_edns(1232)), key, now_seconds);
        const size_t at = find_tsig(good).value();
        const TsigRecord whole = *read_tsig(good, at);
        REQUIRE(check_request(good, whole, &key, now_seconds) == TsigError::none);
        // A forwarder may change the header's ID, and the case of names means nothing.
        const auto is_free = [&](const TsigRecord& record, size_t octet) {
            const auto mac_at = static_cast<size_t>(whole.mac.data() - good.data());
            return octet < 2 || (octet >= at && octet < mac_at && record.key == whole.key &&
                                 record.algorithm == whole.algorithm &&
                                 record.time_signed == whole.time_signed && record.fudge == whole.fudge);
        };
        size_t judged = 0;
        for (size_t bit = 0; bit < good.size() * 8; ++bit) {
            Bytes bad = good;
            bad[bit / 8] = static_cast<uint8_t>(bad[bit / 8] ^ (1U << bit % 8));
            const auto record = read_tsig(bad, at);
            if (!record) continue;
            const bool genuine = check_request(bad, *record, &key, now_seconds) == TsigError::none;
            if (genuine != is_free(*record, bit / 8)) FAIL("bit " << bit << " of " << to_hex(good));
            ++judged;
        }
        CHECK(judged > 400);
    }
    CHECK_FALSE(parse_tsig_algorithm("hmac-md5").has_value());
}

TEST_CASE("a request is judged by its key, then its MAC, then its time, then the MAC's length") {
    const TsigKey key = test_key();
    const Bytes good = signed_bytes(to_bytes({"vpn.gslb.test"}), key, now_seconds);
    const TsigRecord record = *read_tsig(good, find_tsig(good).value());
    const auto judge = [&](const TsigRecord& as, uint64_t at = now_seconds) {
        return check_request(good, as, &key, at);
    };
    CHECK(judge(record) == TsigError::none);
    CHECK(judge(record, now_seconds + 300) == TsigError::none);
    CHECK(judge(record, now_seconds - 300) == TsigError::none);
    CHECK(judge(record, now_seconds + 301) == TsigError::badtime);
    CHECK(judge(record, now_seconds - 301) == TsigError::badtime);

    TsigKey other = key;
    other.secret[0] ^= 1;
    CHECK(check_request(good, record, &other, now_seconds + 301) == TsigError::badsig);
    other = key;
    other.algorithm = TsigAlgorithm::hmac_sha512;
    CHECK(check_request(good, record, &other, now_seconds) == TsigError::badkey);

    TsigRecord cut = record;
    for (size_t size = 0; size < record.mac.size(); ++size) {
        cut.mac = record.mac.first(size);
        CHECK(judge(cut) == (size < 16 ? TsigError::formerr : TsigError::badtrunc));
    }
    CHECK(judge(cut, now_seconds + 301) == TsigError::badtime);
    const Bytes longer(33, 0);
    cut.mac = longer;
    CHECK(judge(cut) == TsigError::formerr);
}

TEST_CASE("a signed question gets a signed answer") {
    Bytes mac;
    const Bytes request = signed_bytes(to_bytes({"mx1.gslb.test"}), test_key(), now_seconds, &mac);
    CHECK(ask_signed(request, mac) ==
          "4660 NOERROR qr aa\nquestion mx1.gslb.test. IN A\nanswer mx1.gslb.test. 300 IN A 192.0.2.25\n"
          "tsig transfer.test. hmac-sha256. time=1700000000 fudge=300 id=4660 error=0 other= genuine");
}

TEST_CASE("a question with a wrong signature gets NOTAUTH with the reason, signed where that can help") {
    const TsigKey key = test_key();
    const Bytes question = to_bytes({"mx1.gslb.test"});
    const std::string head = "4660 NOTAUTH qr\nquestion mx1.gslb.test. IN A\n";
    SECTION("an unknown key") {
        TsigKey other = key;
        other.name = Name::parse("other.test").value();
        CHECK(ask_signed(signed_bytes(question, other, now_seconds)) ==
              head +
                  "tsig other.test. hmac-sha256. time=1700000000 fudge=300 id=4660 error=17 other= unsigned");
    }
    SECTION("a wrong secret") {
        TsigKey other = key;
        other.secret.push_back(1);
        CHECK(ask_signed(signed_bytes(question, other, now_seconds)) ==
              head +
                  "tsig transfer.test. hmac-sha256. time=1700000000 fudge=300 id=4660 error=16 other= "
                  "unsigned");
    }
    SECTION("another time") {
        Bytes mac;
        const Bytes request = signed_bytes(question, key, now_seconds - 1000, &mac);
        Responder responder(signing_world());
        const std::string answer = responder.ask(request);
        CHECK(answer + describe_tsig(responder.bytes, key, mac, now_seconds - 1000) ==
              head +
                  "tsig transfer.test. hmac-sha256. time=1699999000 fudge=300 id=4660 error=18 "
                  "other=00006553f100 genuine");
    }
    SECTION("half a MAC") {
        Bytes mac;
        Bytes request = signed_bytes(question, key, now_seconds, &mac);
        // MAC, ID, error and other length are at the end.
        const size_t length = find_tsig_start(request) + 9;
        request[length] = static_cast<uint8_t>(request[length] - 16);
        request.erase(request.end() - 6 - 16, request.end() - 6);
        request[request.size() - 6 - 16 - 1] = 16;
        mac.resize(16);
        CHECK(
            ask_signed(request, mac) ==
            head +
                "tsig transfer.test. hmac-sha256. time=1700000000 fudge=300 id=4660 error=22 other= genuine");
    }
}

TEST_CASE("a TSIG that is not the last record, or no TSIG at all, is FORMERR") {
    const Bytes good = signed_bytes(to_bytes({"mx1.gslb.test"}), test_key(), now_seconds);
    Responder responder(signing_world());
    SECTION("an OPT behind it") {
        Bytes bad = good;
        bad[11] = 2;
        const Bytes opt{0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0};
        bad.insert(bad.end(), opt.begin(), opt.end());
        CHECK(responder.ask(bad) == "4660 FORMERR qr\nquestion mx1.gslb.test. IN A");
    }
    SECTION("in the answer section") {
        Bytes bad = good;
        bad[7] = 1;
        bad[11] = 0;
        CHECK(responder.ask(bad) == "4660 FORMERR qr\nquestion mx1.gslb.test. IN A");
    }
    SECTION("its data cut short") {
        Bytes bad = good;
        bad[find_tsig_start(bad) + 9] = static_cast<uint8_t>(bad[find_tsig_start(bad) + 9] - 1);
        bad.pop_back();
        CHECK(responder.ask(bad) == "4660 FORMERR qr\nquestion mx1.gslb.test. IN A");
    }
}

TEST_CASE("a truncated answer keeps its question and its signature within the client's limit") {
    Bytes mac;
    const Bytes request = signed_bytes(to_bytes({"many.gslb.test"}), test_key(), now_seconds, &mac);
    Responder responder(signing_world());
    const std::string answer = responder.ask(request);
    CHECK(answer + describe_tsig(responder.bytes, test_key(), mac, now_seconds) ==
          "4660 NOERROR qr aa tc\nquestion many.gslb.test. IN A\n"
          "tsig transfer.test. hmac-sha256. time=1700000000 fudge=300 id=4660 error=0 other= genuine");
    CHECK(responder.bytes.size() <= 512);
}
