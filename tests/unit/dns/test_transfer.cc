// SPDX-License-Identifier: Apache-2.0
// Zone transfers: who gets one, what is in it, and how it is cut into messages.

#include <algorithm>
#include <catch2/catch.hpp>

#include "dns/answer_records.h"
#include "dns/transfer.h"
#include "unit/dns/packet.h"
#include "unit/dns/responder.h"
#include "unit/dns/signed.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

/// gslb.test may go to 192.0.2.0/24, to whoever has the key from 198.51.100.0/24, to nobody else.
World transfer_world() {
    World world = make_world();
    world.settings.keys = {test_key()};
    world.model->zones[0].transfer.allow = {
        {*IpPrefix::parse("192.0.2.0/24"), ""},
        {*IpPrefix::parse("198.51.100.0/24"), "transfer.test"},
    };
    return world;
}

struct Transfer {
    std::vector<Bytes> messages;
    bool streamed = false;

    /// Without what is in the first message beside records.
    [[nodiscard]] std::vector<std::string> records() const {
        std::vector<std::string> all;
        for (const Bytes& message : messages) {
            std::istringstream lines(render(message));
            for (std::string line; std::getline(lines, line);)
                if (line.starts_with("answer ")) all.push_back(line.substr(7));
        }
        return all;
    }
};

Transfer transfer(const World& world, const Bytes& question, std::string_view source = "192.0.2.200",
                  size_t streams_left = 1) {
    const auto serving = std::make_shared<const Serving>(world.serving());
    REQUIRE(serving->authority);
    Answerer answerer;
    Request request;
    request.message = question;
    request.source = IpAddress::parse(source).value();
    request.transport = Transport::tcp;
    request.unix_seconds = now_seconds;
    request.streams_left = streams_left;
    Transfer result;
    Bytes buffer(ResponseStream::max_message);
    const auto keep = [&](size_t size) {
        result.messages.emplace_back(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
    };
    keep(answerer.answer(*serving, request, buffer));
    const auto stream = answerer.take_stream(serving);
    result.streamed = stream != nullptr;
    while (stream != nullptr) {
        const size_t size = stream->next(buffer, now_seconds);
        if (size == 0) break;
        keep(size);
    }
    return result;
}

Transfer transfer(const World& world, const Ask& ask, std::string_view source = "192.0.2.200",
                  size_t streams_left = 1) {
    return transfer(world, to_bytes(ask), source, streams_left);
}

/// An IXFR question of a client that has `serial`.
Bytes ixfr(uint32_t client_serial) {
    Bytes bytes = to_bytes({"gslb.test", RecordType::ixfr});
    bytes[9] = 1;
    const Bytes head{0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 0, 0, 22, 0, 0};
    bytes.insert(bytes.end(), head.begin(), head.end());
    for (int shift = 24; shift >= 0; shift -= 8)
        bytes.push_back(static_cast<uint8_t>(client_serial >> shift));
    bytes.insert(bytes.end(), 16, 0);
    return bytes;
}

const std::string soa = "gslb.test. 3600 IN SOA ns1.gslb.test. hostmaster.gslb.test. 7 3600 600 1209600 30";

}  // namespace

TEST_CASE("a serial is later within half of the circle only") {
    CHECK(is_later(2, 1));
    CHECK(is_later(0, 0xffff'ffff));
    CHECK(is_later(0x7fff'ffff, 0));
    CHECK_FALSE(is_later(1, 1));
    CHECK_FALSE(is_later(1, 2));
    CHECK_FALSE(is_later(0x8000'0000, 0));
}

TEST_CASE("a transfer is the SOA, every record of the zone once, and the SOA again") {
    const World world = transfer_world();
    const Transfer got = transfer(world, Ask{"GSLB.test", RecordType::axfr});
    std::vector<std::string> records = got.records();
    REQUIRE(records.size() > 100);
    CHECK(records.front() == soa);
    CHECK(records.back() == soa);
    records.pop_back();
    std::sort(records.begin(), records.end());
    CHECK(std::adjacent_find(records.begin(), records.end()) == records.end());

    const Serving serving = world.serving();
    std::vector<std::string> wanted;
    for (const Record& record : records_of(serving, serving.authority->zones()[0]))
        wanted.push_back(record.owner.to_string() + " " + std::to_string(record.ttl) + " IN " +
                         to_string(record.type) + " " + record.content);
    std::sort(wanted.begin(), wanted.end());
    CHECK(records == wanted);
    CHECK(std::count(records.begin(), records.end(), "vpn.gslb.test. 30 IN A 203.0.113.11") == 1);
    CHECK(std::count(records.begin(), records.end(), "vpn.gslb.test. 30 IN A 198.51.100.20") == 1);
    CHECK(std::count(records.begin(), records.end(), "ns.deleg.gslb.test. 300 IN A 192.0.2.90") == 1);
}

TEST_CASE("health does not change what is transferred") {
    World world = transfer_world();
    const auto before = transfer(world, Ask{"gslb.test", RecordType::axfr}).records();
    world.set_down(GatewayId(0));
    world.set_down(GatewayId(1));
    CHECK(transfer(world, Ask{"gslb.test", RecordType::axfr}).records() == before);
}

TEST_CASE("only the first message has the question and the OPT, all have the ID and AA, none is too long") {
    World world = transfer_world();
    std::string text = "$TTL 60\n";
    for (int i = 0; i < 4000; ++i) text += "host" + std::to_string(i) + " A 192.0.2.1\n";
    // A record that is longer than a usual message.
    text += "long TXT";
    for (int i = 0; i < 200; ++i) text += " \"" + std::string(250, 'x') + "\"";
    world.files[0] = text + "\n";
    const Transfer got = transfer(world, Ask{"gslb.test", RecordType::axfr}.with_edns(1232));
    REQUIRE(got.messages.size() > 4);
    CHECK(got.streamed);
    size_t longer = 0;
    for (size_t i = 0; i < got.messages.size(); ++i) {
        const std::string head = render(got.messages[i]).substr(0, 60);
        CHECK(head.starts_with(i == 0 ? "4660 NOERROR qr aa\nquestion gslb.test. IN AXFR\nanswer "
                                      : "4660 NOERROR qr aa\nanswer "));
        CHECK((render(got.messages[i]).find("\nedns ") != std::string::npos) == (i == 0));
        if (got.messages[i].size() > 16384) ++longer;
    }
    CHECK(longer == 1);
    CHECK(got.records().size() > 4000);
    CHECK(got.records().back() == soa);
}

TEST_CASE("every message of a signed transfer is signed, each after the one before") {
    World world = transfer_world();
    std::string text = "$TTL 60\n";
    for (int i = 0; i < 3000; ++i) text += "host" + std::to_string(i) + " A 192.0.2.1\n";
    world.files[0] = text;
    Bytes mac;
    const Bytes request =
        signed_bytes(to_bytes({"gslb.test", RecordType::axfr}), test_key(), now_seconds, &mac);
    const Transfer got = transfer(world, request, "198.51.100.7");
    REQUIRE(got.messages.size() > 2);
    CHECK(got.records().back() == soa);
    CHECK(describe_tsig(got.messages[0], test_key(), mac, now_seconds).ends_with(" error=0 other= genuine"));
    // Later messages are signed over less: only a signer in the same place makes the same.
    const TsigKey key = test_key();
    TsigSigner replay(*read_tsig(request, *find_tsig(request)), &key, TsigError::none);
    for (const Bytes& message : got.messages) {
        const size_t at = find_tsig(message).value();
        REQUIRE(at != 0);
        CHECK(message.size() <= 16384);
        Bytes bare(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(at));
        bare[11] = static_cast<uint8_t>(bare[11] - 1);
        bare.resize(at + replay.room());
        bare.resize(replay.sign(bare, at, now_seconds));
        CHECK(bare == message);
    }
}

TEST_CASE("a transfer is for those who are allowed, by address, by key or by both") {
    const World world = transfer_world();
    const Ask ask{"gslb.test", RecordType::axfr};
    const Bytes signed_ask = signed_bytes(to_bytes(ask), test_key(), now_seconds);
    const auto head = [&](const Bytes& question, std::string_view source) {
        return render(transfer(world, question, source).messages.at(0)).substr(0, 19);
    };
    CHECK(head(to_bytes(ask), "192.0.2.1") == "4660 NOERROR qr aa\n");
    CHECK(head(signed_ask, "192.0.2.1") == "4660 NOERROR qr aa\n");
    CHECK(head(to_bytes(ask), "198.51.100.1") == "4660 REFUSED qr\nque");
    CHECK(head(signed_ask, "198.51.100.1") == "4660 NOERROR qr aa\n");
    CHECK(head(signed_ask, "203.0.113.1") == "4660 REFUSED qr\nque");
    CHECK(head(to_bytes(ask), "2001:db8::1") == "4660 REFUSED qr\nque");
    CHECK(render(transfer(world, Ask{"gslb.test", RecordType::axfr}.with_edns(1232), "203.0.113.1")
                     .messages[0]) == "4660 REFUSED qr\nquestion gslb.test. IN AXFR\nedns 1232 error=18:");
}

TEST_CASE("a transfer of what is no zone of ours is NOTAUTH") {
    const World world = transfer_world();
    for (const char* name : {"example.net", "vpn.gslb.test", "missing.gslb.test", "test"})
        CHECK(render(transfer(world, Ask{name, RecordType::axfr}).messages.at(0)) ==
              "4660 NOTAUTH qr\nquestion " + std::string(name) + ". IN AXFR");
}

TEST_CASE("a transfer that has no room waits for another time") {
    CHECK(render(transfer(transfer_world(), Ask{"gslb.test", RecordType::axfr}, "192.0.2.1", 0)
                     .messages.at(0)) == "4660 SERVFAIL qr\nquestion gslb.test. IN AXFR");
}

TEST_CASE("an IXFR is answered with the whole zone, or with the SOA of who has it") {
    const World world = transfer_world();
    CHECK(transfer(world, ixfr(6)).records().size() > 100);
    for (const uint32_t current : {7U, 8U})
        CHECK(render(transfer(world, ixfr(current)).messages.at(0)) ==
              "4660 NOERROR qr aa\nquestion gslb.test. IN IXFR\nanswer " + soa);
    CHECK(render(transfer(world, ixfr(6), "203.0.113.1").messages.at(0)) ==
          "4660 REFUSED qr\nquestion gslb.test. IN IXFR");
    CHECK(render(transfer(world, Ask{"gslb.test", RecordType::ixfr}).messages.at(0)) ==
          "4660 FORMERR qr\nquestion gslb.test. IN IXFR");
}

TEST_CASE("over UDP there is no zone: a SOA for an IXFR, a refusal for an AXFR") {
    Responder over(transfer_world());
    const std::string lone_soa = "4660 NOERROR qr aa\nquestion gslb.test. IN IXFR\nanswer " + soa;
    CHECK(over.ask(ixfr(6)) == lone_soa);
    CHECK(over.ask(ixfr(7)) == lone_soa);
    CHECK(over.ask(ixfr(6), Transport::udp, "203.0.113.1") == "4660 REFUSED qr\nquestion gslb.test. IN IXFR");
    CHECK(over.ask(Ask{"gslb.test", RecordType::axfr}) == "4660 REFUSED qr\nquestion gslb.test. IN AXFR");
}

TEST_CASE(
    "a parent zone transfers with the delegations of its children that are served here, and their glue") {
    World world;
    const GatewayId fra1 = world.add_gateway("fra1", {"203.0.113.10"});
    world.add_service("vpn", "vpn.example.test", {fra1});
    world.add_zone("example.test", "@ NS ns.child\nchild NS ns.child\nns.child A 192.0.2.9\n");
    world.add_zone("child.example.test", "@ NS ns\nns A 192.0.2.9\n@ TXT \"not the parent's\"\n");
    for (Zone& zone : world.model->zones) zone.ns.clear();
    world.model->zones[0].transfer.allow = {{*IpPrefix::parse("192.0.2.0/24"), ""}};
    world.all_up();
    std::vector<std::string> records = transfer(world, Ask{"example.test", RecordType::axfr}).records();
    REQUIRE(records.size() == 6);
    CHECK(records[1] == "example.test. 3600 IN NS ns.child.example.test.");
    CHECK(records[2] == "vpn.example.test. 30 IN A 203.0.113.10");
    CHECK(records[3] == "child.example.test. 3600 IN NS ns.child.example.test.");
    CHECK(records[4] == "ns.child.example.test. 3600 IN A 192.0.2.9");
    CHECK(records[0] == records[5]);
}
