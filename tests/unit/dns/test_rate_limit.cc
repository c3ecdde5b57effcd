// SPDX-License-Identifier: Apache-2.0
// Response rate limiting in virtual time: what a client gets in any second, whom a flood can touch, and what
// is sent instead of an answer.
#include <catch2/catch.hpp>
#include <thread>

#include "base/random.h"
#include "dns/message.h"
#include "dns/rate_limit.h"
#include "dns/udp_gate.h"
#include "unit/dns/responder.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

using Verdict = RateLimiter::Verdict;

constexpr CookieSecret key{1, 2, 3};
const MonotonicTime start{std::chrono::hours{100}};

IpAddress address(std::string_view text) {
    return IpAddress::parse(text).value();
}

size_t sent(RateLimiter& limiter, const IpAddress& source, MonotonicTime from, nanoseconds during,
            size_t questions, ResponseKind kind = ResponseKind::data) {
    size_t count = 0;
    uint32_t turn = 0;
    for (size_t i = 0; i < questions; ++i) {
        const MonotonicTime now = from + during * static_cast<int64_t>(i) / static_cast<int64_t>(questions);
        if (limiter.judge(source, kind, now, turn) == Verdict::send) ++count;
    }
    return count;
}

}  // namespace

TEST_CASE("a client within its rate is never limited, at whatever moments it asks") {
    for (const uint32_t rate : {1U, 5U, 200U, 5'000U}) {
        RateLimiter limiter({.responses = rate}, key);
        Random random(rate);
        uint32_t turn = 0;
        MonotonicTime now = start;
        for (int second = 0; second < 20; ++second) {
            // The whole allowance at once, then calm for as long as it takes to earn it again.
            for (uint32_t i = 0; i < rate; ++i)
                REQUIRE(limiter.judge(address("192.0.2.1"), ResponseKind::data, now, turn) == Verdict::send);
            now += seconds{1} + milliseconds{1 + static_cast<int64_t>(random.below(50))};
        }
        CHECK(turn == 0);
    }
}

TEST_CASE("over any time a client gets its rate and one allowance more, and no less than its rate") {
    for (const uint32_t rate : {1U, 7U, 200U, 10'000U})
        for (const int factor : {2, 10, 100}) {
            RateLimiter limiter({.responses = rate}, key);
            const size_t questions = size_t{rate} * 10U * static_cast<size_t>(factor);
            const size_t got = sent(limiter, address("192.0.2.1"), start, seconds{10}, questions);
            INFO(rate << " a second, asked " << factor << " times as often");
            CHECK(got >= size_t{rate} * 10);
            CHECK(got <= size_t{rate} * 11 + rate / 100 + 1);
        }
}

TEST_CASE("clients are prefixes, and kinds of answers are counted apart") {
    RateLimiter limiter({.responses = 10}, key);
    uint32_t turn = 0;
    const auto judge = [&](std::string_view source, ResponseKind kind = ResponseKind::data) {
        return limiter.judge(address(source), kind, start, turn);
    };
    for (int i = 0; i < 10; ++i) {
        REQUIRE(judge("192.0.2." + std::to_string(i)) == Verdict::send);
        REQUIRE(judge("2001:db8:0:" + std::to_string(i) + "::1") == Verdict::send);
    }
    CHECK(judge("192.0.2.200") != Verdict::send);
    CHECK(judge("2001:db8:0:ff::9") != Verdict::send);
    CHECK(judge("192.0.3.1") == Verdict::send);
    CHECK(judge("2001:db8:0:100::") == Verdict::send);
    for (const ResponseKind kind :
         {ResponseKind::nodata, ResponseKind::nxdomain, ResponseKind::referral, ResponseKind::error})
        CHECK(judge("192.0.2.200", kind) == Verdict::send);
}

TEST_CASE("of what is limited each slip-th is truncated") {
    for (const uint32_t slip : {0U, 1U, 2U, 5U}) {
        RateLimiter limiter({.responses = 1, .slip = slip}, key);
        uint32_t turn = 0;
        std::array<size_t, 3> counts{};
        for (int i = 0; i < 1001; ++i)
            ++counts[static_cast<size_t>(
                limiter.judge(address("192.0.2.1"), ResponseKind::data, start, turn))];
        CHECK(counts[static_cast<size_t>(Verdict::send)] == 1);
        CHECK(counts[static_cast<size_t>(Verdict::truncate)] == (slip == 0 ? 0 : 1000 / slip));
        CHECK(counts[static_cast<size_t>(Verdict::drop)] == 1000 - (slip == 0 ? 0 : 1000 / slip));
    }
}

TEST_CASE("exempt clients are not limited") {
    RateLimiter limiter({.responses = 1, .exempt = {*IpPrefix::parse("192.0.2.0/28")}}, key);
    CHECK(sent(limiter, address("192.0.2.1"), start, seconds{1}, 1000) == 1000);
    CHECK(sent(limiter, address("192.0.2.100"), start, seconds{1}, 1000) <= 2);
}

TEST_CASE("a flood from everywhere does not free the client that floods most, nor limit calm ones") {
    RateLimiter limiter({.responses = 100}, key);
    Random random(5);
    uint32_t turn = 0;
    size_t flooder = 0;
    size_t calm_asked = 0;
    size_t calm = 0;
    // Ten seconds: 200,000 questions from one prefix, 1,000,000 from random ones, a calm client now and then.
    for (int i = 0; i < 200'000; ++i) {
        const MonotonicTime now = start + microseconds{50} * i;
        if (limiter.judge(address("192.0.2.1"), ResponseKind::data, now, turn) == Verdict::send) ++flooder;
        for (int other = 0; other < 5; ++other) {
            const IpAddress source = IpAddress::v4(static_cast<uint32_t>(random.below(UINT32_MAX)));
            (void)limiter.judge(source, ResponseKind::data, now, turn);
        }
        if (i % 1000 != 0) continue;
        ++calm_asked;
        if (limiter.judge(address("198.51.100.7"), ResponseKind::data, now, turn) == Verdict::send) ++calm;
    }
    CHECK(flooder >= 1000);
    CHECK(flooder <= 1200);
    CHECK(calm == calm_asked);
}

TEST_CASE("time that wraps, stands still or goes back limits nobody for long") {
    RateLimiter limiter({.responses = 10}, key);
    const MonotonicTime wrap{nanoseconds{int64_t{1} << 51}};
    CHECK(sent(limiter, address("192.0.2.1"), wrap - seconds{5}, seconds{10}, 50) == 50);
    CHECK(sent(limiter, address("192.0.3.1"), wrap - seconds{5}, seconds{10}, 10'000) >= 100);
    // Another worker may be behind a little.
    uint32_t turn = 0;
    for (int i = 0; i < 100; ++i) {
        const MonotonicTime now = start + milliseconds{200} * i;
        CHECK(limiter.judge(address("192.0.4.1"), ResponseKind::data, now, turn) == Verdict::send);
        CHECK(limiter.judge(address("192.0.4.1"), ResponseKind::data, now - milliseconds{1}, turn) ==
              Verdict::send);
    }
    // Months later everything is as new.
    CHECK(sent(limiter, address("192.0.3.1"), start + std::chrono::hours{24 * 100}, seconds{1}, 10) == 10);
}

TEST_CASE("several threads share one allowance") {
    RateLimiter limiter({.responses = 1000}, key);
    std::array<size_t, 4> counts{};
    std::vector<std::thread> threads;
    for (size_t& count : counts)
        threads.emplace_back([&limiter, &count] {
            count = sent(limiter, address("192.0.2.1"), start, milliseconds{1}, 5'000);
        });
    for (std::thread& thread : threads) thread.join();
    const size_t total = counts[0] + counts[1] + counts[2] + counts[3];
    CHECK(total >= 1000);
    // Two that begin at the same moment may each find a place for themselves.
    CHECK(total <= 4 * 1001);
}

TEST_CASE("what a limit sends is the question, truncated, with the OPT that the answer had") {
    const auto truncated = [](const Ask& ask) {
        responder().ask(ask);
        Bytes bytes = responder().bytes;
        bytes.resize(truncate_response(bytes));
        return render(bytes);
    };
    CHECK(truncated(Ask{"host.gslb.test"}) == "4660 NOERROR qr aa tc\nquestion host.gslb.test. IN A");
    CHECK(truncated(Ask{"many.gslb.test"}.with({3, {}})) ==
          "4660 NOERROR qr aa tc\nquestion many.gslb.test. IN A\nedns 1232 nsid=test-1");
    CHECK(truncated(Ask{"missing.gslb.test"}.with(subnet("198.51.100.0", 24))) ==
          "4660 NXDOMAIN qr aa tc\nquestion missing.gslb.test. IN A\nedns 1232 subnet=00011800c63364");
    CHECK(truncated(Ask{"www.deleg.gslb.test"}.with_edns(1232)) ==
          "4660 NOERROR qr tc\nquestion www.deleg.gslb.test. IN A\nedns 1232");
    CHECK(truncated(Ask{"example.net"}.with_edns(1232)) ==
          "4660 REFUSED qr tc\nquestion example.net. IN A\nedns 1232 error=20:");
}

TEST_CASE("answers over UDP pass the limit by kind; a good cookie passes always") {
    World world = make_world();
    world.settings.limiter = std::make_shared<RateLimiter>(RateLimitSettings{.responses = 2, .slip = 2}, key);
    Responder limited(world);
    UdpGate gate;
    WorkerCounters counters;
    const auto pass = [&](const Ask& ask, std::string_view source = "192.0.2.200") {
        limited.ask(ask, Transport::udp, source);
        const size_t size = gate.pass(limited.serving, address(source), limited.answerer.outcome(),
                                      limited.bytes, start, counters);
        return size == 0 ? std::string("nothing") : render(ByteSpan(limited.bytes).first(size));
    };
    const std::string answer =
        "4660 NOERROR qr aa\nquestion host.gslb.test. IN A\nanswer host.gslb.test. 60 IN A 192.0.2.70";
    const Ask host{"host.gslb.test"};
    CHECK(pass(host) == answer);
    CHECK(pass(host) == answer);
    CHECK(pass(host) == "nothing");
    CHECK(pass(host) == "4660 NOERROR qr aa tc\nquestion host.gslb.test. IN A");
    CHECK(pass(Ask{"missing.gslb.test"}).starts_with("4660 NXDOMAIN qr aa\n"));
    CHECK(pass(Ask{"ent.gslb.test"}).starts_with("4660 NOERROR qr aa\n"));
    CHECK(pass(Ask{"www.deleg.gslb.test"}).starts_with("4660 NOERROR qr\n"));
    CHECK(pass(Ask{"example.net"}) == "4660 REFUSED qr\nquestion example.net. IN A");

    const ClientCookie client{1, 2, 3, 4, 5, 6, 7, 8};
    const auto with_cookie = [&](const CookieSecret& secret) {
        const ServerCookie server = make_server_cookie(secret, client, address("192.0.2.200"), now_seconds);
        Bytes body(client.begin(), client.end());
        body.insert(body.end(), server.begin(), server.end());
        return host.with({10, body});
    };
    for (int i = 0; i < 10; ++i)
        CHECK(pass(with_cookie(world.settings.cookies->current)).starts_with(answer));
    CHECK(pass(with_cookie(key)) == "nothing");
    CHECK(pass(with_cookie(world.settings.cookies->current), "192.0.2.201") !=
          pass(with_cookie(world.settings.cookies->current)));
    ServerStats stats;
    counters.use_model(world.model);
    counters.add_to(stats);
    CHECK(stats.limited_dropped == 2);
    CHECK(stats.limited_truncated == 2);
}
