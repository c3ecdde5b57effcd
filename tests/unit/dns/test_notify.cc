// SPDX-License-Identifier: Apache-2.0
// NOTIFY in virtual time: what is sent, when, and what counts as an answer.

#include <catch2/catch.hpp>

#include "dns/message.h"
#include "dns/notifier.h"
#include "dns/notify_message.h"
#include "unit/dns/packet.h"
#include "unit/dns/signed.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

constexpr uint64_t wall = 1'700'000'000;

struct Secondary {
    std::vector<std::pair<Bytes, SocketAddress>> sent;
    std::vector<std::string> finished;
    MonotonicTime now{seconds{1000}};
    Notifier notifier{{[this](ByteSpan bytes, const SocketAddress& to) {
                           sent.emplace_back(Bytes(bytes.begin(), bytes.end()), to);
                       },
                       [this](const Notifier::Outcome& outcome) {
                           finished.push_back(outcome.zone.to_text() + " " + outcome.to.to_string() + " " +
                                              std::to_string(outcome.serial) +
                                              (outcome.accepted ? " accepted" : ": " + outcome.why));
                       }},
                      7};
    SocketAddress address = SocketAddress::parse("192.0.2.1:53").value();

    Notifier::Task task(uint32_t serial = 8) {
        Notifier::Task task;
        task.zone = Name::parse("gslb.test").value();
        const Name ns = Name::parse("ns1.gslb.test").value();
        for (int i = 0; i < 2; ++i)
            task.soa_data.insert(task.soa_data.end(), ns.wire().begin(), ns.wire().end());
        task.soa_data.resize(task.soa_data.size() + 20);
        task.soa_data[task.soa_data.size() - 17] = static_cast<uint8_t>(serial);
        task.soa_ttl = 3600;
        task.serial = serial;
        task.to = address;
        return task;
    }
    void run_until(MonotonicTime end) {
        while (notifier.deadline() && *notifier.deadline() <= end) {
            now = std::max(now, *notifier.deadline());
            notifier.advance(now, wall);
        }
        now = end;
    }
    /// The answer of an honest secondary to the last message, which it echoes up to the question.
    Bytes answer(uint8_t rcode = 0) const {
        Bytes bytes = sent.back().first;
        bytes.resize(header_size + 11 + 4);
        bytes[2] = static_cast<uint8_t>(bytes[2] | 0x80);
        bytes[3] = rcode;
        bytes[7] = 0;
        bytes[11] = 0;
        return bytes;
    }
};

}  // namespace

TEST_CASE("a NOTIFY has the zone as its question and the SOA as its answer") {
    Secondary secondary;
    secondary.notifier.add(secondary.task(), secondary.now);
    secondary.notifier.advance(secondary.now, wall);
    REQUIRE(secondary.sent.size() == 1);
    Bytes bytes = secondary.sent[0].first;
    bytes[0] = 0x12;
    bytes[1] = 0x34;
    CHECK(render(bytes) ==
          "4660 NOERROR opcode=4 aa\nquestion gslb.test. IN SOA\n"
          "answer gslb.test. 3600 IN SOA ns1.gslb.test. ns1.gslb.test. 8 0 0 0 0");
    CHECK(secondary.sent[0].second == secondary.address);
}

TEST_CASE("a secondary that accepts is told no more") {
    Secondary secondary;
    secondary.notifier.add(secondary.task(), secondary.now);
    secondary.notifier.advance(secondary.now, wall);
    secondary.notifier.receive(secondary.answer(), secondary.address, wall);
    CHECK(secondary.finished == std::vector<std::string>{"gslb.test 192.0.2.1:53 8 accepted"});
    CHECK(secondary.notifier.idle());
    CHECK_FALSE(secondary.notifier.deadline().has_value());
}

TEST_CASE("a secondary that is silent is told six times within about a minute") {
    Secondary secondary;
    const MonotonicTime start = secondary.now;
    secondary.notifier.add(secondary.task(), start);
    std::vector<MonotonicTime> times;
    while (secondary.notifier.deadline()) {
        const size_t before = secondary.sent.size();
        secondary.now = *secondary.notifier.deadline();
        secondary.notifier.advance(secondary.now, wall);
        if (secondary.sent.size() > before) times.push_back(secondary.now);
    }
    REQUIRE(times.size() == Notifier::attempts);
    CHECK(times[0] == start);
    nanoseconds nominal = Notifier::first_wait;
    for (size_t i = 1; i < times.size(); ++i, nominal *= 2) {
        CHECK(times[i] - times[i - 1] >= nominal * 4 / 5);
        CHECK(times[i] - times[i - 1] <= nominal * 6 / 5);
    }
    CHECK(secondary.now - start < seconds{80});
    CHECK(secondary.finished == std::vector<std::string>{"gslb.test 192.0.2.1:53 8: no answer"});
}

TEST_CASE("answers from elsewhere, to another message or about another zone are none") {
    Secondary secondary;
    secondary.notifier.add(secondary.task(), secondary.now);
    secondary.notifier.advance(secondary.now, wall);
    const Bytes good = secondary.answer();
    const auto give = [&](Bytes bytes) { secondary.notifier.receive(bytes, secondary.address, wall); };
    secondary.notifier.receive(good, SocketAddress::parse("192.0.2.2:53").value(), wall);
    secondary.notifier.receive(good, SocketAddress::parse("192.0.2.1:54").value(), wall);
    for (const size_t octet : {0, 1, 2, 13, 23, 25, 26}) {
        Bytes bad = good;
        bad[octet] = static_cast<uint8_t>(bad[octet] ^ (octet == 2 ? 0x80 : 1));
        give(bad);
    }
    for (size_t size = 0; size < good.size(); ++size)
        give(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)));
    CHECK(secondary.finished.empty());
    give(good);
    CHECK(secondary.finished.size() == 1);
}

TEST_CASE("a refusal is tried again, and told in the end") {
    Secondary secondary;
    secondary.notifier.add(secondary.task(), secondary.now);
    while (secondary.notifier.deadline()) {
        const size_t before = secondary.sent.size();
        secondary.run_until(*secondary.notifier.deadline());
        if (secondary.sent.size() > before)
            secondary.notifier.receive(secondary.answer(5), secondary.address, wall);
    }
    CHECK(secondary.sent.size() == Notifier::attempts);
    CHECK(secondary.finished == std::vector<std::string>{"gslb.test 192.0.2.1:53 8: it answered REFUSED"});
}

TEST_CASE("a later change takes the place of an earlier one") {
    Secondary secondary;
    secondary.notifier.add(secondary.task(8), secondary.now);
    secondary.notifier.advance(secondary.now, wall);
    const Bytes late = secondary.answer();
    secondary.notifier.add(secondary.task(9), secondary.now);
    secondary.notifier.receive(late, secondary.address, wall);
    secondary.notifier.advance(secondary.now, wall);
    secondary.notifier.receive(secondary.answer(), secondary.address, wall);
    CHECK(secondary.sent.size() == 2);
    CHECK(secondary.finished == std::vector<std::string>{"gslb.test 192.0.2.1:53 9 accepted"});
}

TEST_CASE("with a key the message is signed, and so must be its answer") {
    Secondary secondary;
    Notifier::Task task = secondary.task();
    task.key = test_key();
    secondary.notifier.add(task, secondary.now);
    secondary.notifier.advance(secondary.now, wall);
    const Bytes& sent = secondary.sent.back().first;
    const auto record = read_tsig(sent, find_tsig(sent).value());
    REQUIRE(record.has_value());
    const TsigKey key = test_key();
    CHECK(check_request(sent, *record, &key, wall) == TsigError::none);

    secondary.notifier.receive(secondary.answer(), secondary.address, wall);
    CHECK(secondary.finished.empty());
    TsigKey other = key;
    other.secret[0] ^= 1;
    for (const TsigKey* with : std::initializer_list<const TsigKey*>{&other, &key}) {
        Bytes answer = secondary.answer();
        const size_t size = answer.size();
        TsigSigner signer(*record, with, TsigError::none);
        answer.resize(size + signer.room());
        answer.resize(signer.sign(answer, size, wall));
        secondary.notifier.receive(answer, secondary.address, wall);
        CHECK(secondary.finished.size() == (with == &key ? 1 : 0));
    }
}

TEST_CASE("many zones go out in bursts, not at once") {
    Secondary secondary;
    for (int i = 0; i < 250; ++i) {
        Notifier::Task task = secondary.task();
        task.zone = Name::parse("zone" + std::to_string(i) + ".test").value();
        secondary.notifier.add(task, secondary.now);
    }
    secondary.notifier.advance(secondary.now, wall);
    CHECK(secondary.sent.size() == Notifier::burst);
    CHECK(secondary.notifier.deadline().value() == secondary.now);
    secondary.notifier.advance(secondary.now, wall);
    secondary.notifier.advance(secondary.now, wall);
    CHECK(secondary.sent.size() == 250);
}
