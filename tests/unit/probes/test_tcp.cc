// SPDX-License-Identifier: Apache-2.0
// TCP probes over real sockets on loopback.

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "net/stream.h"
#include "probes/exchange.h"
#include "unit/probes/fleet.h"
#include "unit/probes/sockets.h"

using namespace fairway;
using namespace fairway::test;

namespace {

/// A server on the harness's own loop.
struct Server {
    std::vector<std::unique_ptr<net::Stream>> streams;
    std::string greeting;
    std::string received;
    std::vector<net::StreamEnd> ends;
    std::function<void(net::Stream&)> on_connect = [](net::Stream&) {};
    net::Listener listener;

    explicit Server(net::Loop& loop)
        : listener(loop, SocketAddress{IpAddress::v4({127, 0, 0, 1}), 0},
                   [this](std::unique_ptr<net::Stream> stream) {
                       stream->start({.on_data = [this](ByteSpan bytes) { received += as_text(bytes); },
                                      .on_close = [this](net::StreamEnd end) { ends.push_back(end); }});
                       if (!greeting.empty()) stream->send(greeting);
                       on_connect(*stream);
                       streams.push_back(std::move(stream));
                   }) {}
    [[nodiscard]] uint16_t port() const { return listener.local().port; }
};

TcpProbe expecting(std::string expect, std::string send = {}) {
    TcpProbe probe;
    probe.send = std::move(send);
    probe.expect = std::move(expect);
    return probe;
}

}  // namespace

TEST_CASE("a TCP probe of a listening port passes, with the kernel's round trip time") {
    for (const std::string host : {"127.0.0.1", "::1"}) {
        const TcpListener listener(host);
        const ProbeResult result = probe_once(monitor("tcp", TcpProbe{}, listener.port), host);
        CHECK(describe(result) == "ok");
        REQUIRE(result.rtt);
        CHECK(result.rtt->count() > 0);
        CHECK(*result.rtt < milliseconds{100});
    }
}

TEST_CASE("a refused connection is an explicit refusal by the transport") {
    const RefusingPort port;
    const ProbeResult result = probe_once(monitor("tcp", TcpProbe{}, port.port), "127.0.0.1");
    CHECK(describe(result) == "transport: connect refused");
    CHECK(result.explicit_refusal);
    CHECK_FALSE(result.rtt);
}

TEST_CASE("silence is a timeout that names the time waited") {
    const SilentListener listener;
    const ProbeResult result = probe_once(monitor("tcp", TcpProbe{}, listener.port), "127.0.0.1");
    CHECK(describe(result) == "transport: connect timed out after 150ms");
    CHECK_FALSE(result.explicit_refusal);
}

TEST_CASE("an address that cannot be reached fails in the network, without a packet being sent") {
    // The kernel refuses to connect to a multicast group by itself.
    const ProbeResult result = probe_once(monitor("tcp", TcpProbe{}, 9), "224.0.0.1");
    CHECK(describe(result) == "network: network unreachable");
    CHECK(result.explicit_refusal);
}

TEST_CASE("expected text is found however it is cut, and what was sent arrives") {
    Harness harness;
    Server server(harness.loop);
    server.on_connect = [](net::Stream& stream) {
        for (const char c : std::string_view("220 mail.example.com ESM"))
            stream.send(std::string_view(&c, 1));
        stream.send("TP ready\r\n");
    };
    const auto results =
        harness.first_round(ModelBuilder()
                                .add(monitor("smtp", expecting("ESMTP", "EHLO x\r\n"), server.port()))
                                .gateway("gw", {"127.0.0.1"}, {"smtp"})
                                .build());
    REQUIRE(results.size() == 1);
    CHECK(describe(results[0].result) == "ok");
    harness.run_until([&] { return server.received == "EHLO x\r\n"; });
}

TEST_CASE("text that does not come fails with what came instead") {
    Harness harness;
    Server server(harness.loop);
    SECTION("an orderly end") {
        server.greeting = "busy\n";
        server.on_connect = [](net::Stream& stream) { stream.close_when_flushed(); };
        const auto results = harness.first_round(ModelBuilder()
                                                     .add(monitor("tcp", expecting("ready"), server.port()))
                                                     .gateway("gw", {"127.0.0.1"}, {"tcp"})
                                                     .build());
        REQUIRE(results.size() == 1);
        CHECK(describe(results[0].result) ==
              "application: expected text did not come before the end of the connection");
        CHECK(results[0].result.detail == "received \"busy\\n\"");
    }
    SECTION("silence after the connection") {
        const auto results = harness.first_round(ModelBuilder()
                                                     .add(monitor("tcp", expecting("ready"), server.port()))
                                                     .gateway("gw", {"127.0.0.1"}, {"tcp"})
                                                     .build());
        REQUIRE(results.size() == 1);
        CHECK(describe(results[0].result) == "application: expected text did not come in time");
        CHECK(results[0].result.detail == "nothing received");
        CHECK(results[0].result.rtt);
    }
    SECTION("a flood without end is cut off") {
        server.greeting = std::string(200'000, 'x');
        const auto results = harness.first_round(ModelBuilder()
                                                     .add(monitor("tcp", expecting("ready"), server.port()))
                                                     .gateway("gw", {"127.0.0.1"}, {"tcp"})
                                                     .build());
        REQUIRE(results.size() == 1);
        CHECK(describe(results[0].result) == "application: expected text did not come in the first 64 KiB");
    }
}

TEST_CASE("a probe that ends first resets the connection, so that no TIME_WAIT stays behind") {
    Harness harness;
    Server server(harness.loop);
    harness.first_round(ModelBuilder()
                            .add(monitor("tcp", TcpProbe{}, server.port()))
                            .gateway("gw", {"127.0.0.1"}, {"tcp"})
                            .build());
    harness.run_until([&] { return !server.ends.empty(); });
    CHECK(server.ends[0] == net::StreamEnd::reset);
}

TEST_CASE("no descriptor is left behind by a thousand probes of every outcome") {
    const TcpListener good;
    const RefusingPort refusing;
    const SilentListener silent;
    const size_t before = open_descriptors();
    {
        Harness harness({.rate = 0, .rate_per_gateway = 0});
        size_t during = 0;
        harness.judge = [&](const Reported& reported) {
            during = std::max(during, open_descriptors());
            return reported.result.explicit_refusal ? Pace::at_once : Pace::recheck;
        };
        const auto fast = [](Monitor settings) {
            settings.interval = milliseconds{20};
            settings.recheck = milliseconds{2};
            settings.timeout = milliseconds{10};
            return settings;
        };
        ModelBuilder builder;
        builder.add(fast(monitor("good", TcpProbe{}, good.port)))
            .add(fast(monitor("refusing", TcpProbe{}, refusing.port)))
            .add(fast(monitor("silent", TcpProbe{}, silent.port)))
            .gateway("gw", {"127.0.0.1"}, {"good", "refusing", "silent"});
        harness.prober.configure(builder.build());
        harness.run_until([&] { return harness.results.size() >= 1'000; });
        CHECK(during <= before + 16);
        for (const Reported& reported : harness.results)
            CHECK(reported.result.verdict == (reported.slot == 0 ? Verdict::pass : Verdict::fail));
        CHECK(harness.prober.stats().finished == harness.results.size());
    }
    CHECK(open_descriptors() == before);
}

TEST_CASE("text of the network is escaped and bounded before people see it") {
    CHECK(printable("plain text") == "plain text");
    CHECK(printable("a\r\nb\x1b[31m\\\xff") == "a\\r\\nb\\x1b[31m\\\\\\xff");
    CHECK(printable("0123456789", 4) == "0123...");
    CHECK(printable("", 4).empty());
}
