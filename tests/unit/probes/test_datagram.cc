// SPDX-License-Identifier: Apache-2.0
// The datagram driver with scripted exchanges, against sockets on loopback.

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/loop.h"
#include "net/timer.h"
#include "net/udp.h"
#include "probes/datagram_driver.h"
#include "unit/probes/sockets.h"

using namespace fairway;
using namespace fairway::test;

namespace {

const IpAddress loopback = IpAddress::v4({127, 0, 0, 1});

/// An exchange made of functions, which remembers what it was called with.
struct Script final : DatagramExchange {
    std::function<void(DatagramIo&)> start = [](DatagramIo& io) { io.send(0, as_bytes("ping")); };
    std::function<void(std::string_view, size_t, DatagramIo&)> datagram =
        [](std::string_view, size_t, DatagramIo& io) { io.finish(passed()); };
    std::optional<MonotonicTime> timer;
    std::function<void(DatagramIo&)> on_time = [](DatagramIo&) {};
    std::vector<std::pair<std::string, size_t>> got;
    std::vector<std::pair<Unreachable, size_t>> errors;
    int timers = 0;
    int released = 0;

    void on_start(DatagramIo& io) override { start(io); }
    void on_datagram(ByteSpan bytes, size_t port, DatagramIo& io) override {
        got.emplace_back(as_text(bytes), port);
        datagram(as_text(bytes), port, io);
    }
    void on_unreachable(Unreachable kind, size_t port, DatagramIo& io) override {
        errors.emplace_back(kind, port);
        io.finish(failed(ProbeLayer::network, std::string(to_string(kind))));
    }
    std::optional<MonotonicTime> next_timer() const override { return timer; }
    void on_timer(DatagramIo& io) override {
        ++timers;
        on_time(io);
    }
    ProbeResult on_silence(DatagramIo&) override { return failed(ProbeLayer::network, "silence"); }
    void release() noexcept override { ++released; }
};

struct Bench final : AttemptSink {
    net::Loop loop;
    net::Timer limit{loop, [] { FAIL("nothing happened for ten seconds"); }};
    net::Timer timer{loop, [this] { expire(); }};
    DatagramDriver driver{loop, *this};
    std::vector<ProbeResult> results;

    Bench() { limit.start(seconds{10}); }

    void on_finished(uint32_t, ProbeResult&& result) override { results.push_back(std::move(result)); }
    void wake_at(MonotonicTime) override { arm(); }
    void expire() {
        driver.expire(loop.now());
        arm();
    }
    void arm() {
        if (const auto next = driver.next()) timer.start_at(*next);
    }
    uint32_t start(Script& script, const std::vector<uint16_t>& ports, nanoseconds timeout = seconds{5},
                   IpAddress address = loopback) {
        AttemptRequest request;
        request.peer.address = address;
        request.timeout = timeout;
        request.started = loop.now();
        request.deadline = request.started + timeout;
        const uint32_t id = driver.start(script, ports, request);
        CHECK(results.empty());  // never inside start()
        arm();
        return id;
    }
    ProbeResult result() {
        while (results.empty()) loop.run_once();
        CHECK(results.size() == 1);
        CHECK(driver.in_flight() == 0);
        return results[0];
    }
};

}  // namespace

TEST_CASE("a datagram exchange gets the answer of either port, and knows which") {
    Bench bench;
    std::unique_ptr<net::UdpSocket> first;
    std::unique_ptr<net::UdpSocket> second;
    first = std::make_unique<net::UdpSocket>(bench.loop, SocketAddress{loopback, 0},
                                             [&](ByteSpan bytes, const SocketAddress& from) {
                                                 CHECK(as_text(bytes) == "ping");
                                                 second->send(as_bytes("from the other port"), from);
                                             });
    second = std::make_unique<net::UdpSocket>(bench.loop, SocketAddress{loopback, 0},
                                              [](ByteSpan, const SocketAddress&) { FAIL("not asked"); });
    Script script;
    const std::vector<uint16_t> ports{first->local().port, second->local().port};
    bench.start(script, ports);
    const ProbeResult result = bench.result();
    CHECK(describe(result) == "ok");
    CHECK(result.rtt);
    CHECK(script.got == std::vector<std::pair<std::string, size_t>>{{"from the other port", 1}});
    CHECK(script.released == 1);
}

TEST_CASE("datagrams of strangers are not shown to the exchange") {
    Bench bench;
    net::UdpSocket stranger(bench.loop, SocketAddress{loopback, 0}, {});
    net::UdpSocket cousin(bench.loop, SocketAddress{IpAddress::v4({127, 0, 0, 2}), 0}, {});
    std::unique_ptr<net::UdpSocket> peer;
    peer = std::make_unique<net::UdpSocket>(bench.loop, SocketAddress{loopback, 0},
                                            [&](ByteSpan, const SocketAddress& from) {
                                                stranger.send(as_bytes("wrong port"), from);
                                                cousin.send(as_bytes("wrong address"), from);
                                                peer->send(as_bytes("right"), from);
                                            });
    Script script;
    const std::vector<uint16_t> ports{peer->local().port};
    bench.start(script, ports);
    CHECK(describe(bench.result()) == "ok");
    CHECK(script.got == std::vector<std::pair<std::string, size_t>>{{"right", 0}});
}

TEST_CASE("a closed UDP port is reported at once, long before the deadline") {
    const UniqueFd taken = bound(SOCK_DGRAM);
    uint16_t closed = 0;
    {
        const UniqueFd gone = bound(SOCK_DGRAM);
        closed = port_of(gone.get());
    }
    for (const std::string host : {"127.0.0.1", "::1"}) {
        Bench bench;
        Script script;
        const std::vector<uint16_t> ports{port_of(taken.get()), closed};
        script.start = [](DatagramIo& io) { io.send(1, as_bytes("ping")); };
        bench.start(script, ports, seconds{60}, IpAddress::parse(host).value());
        CHECK(describe(bench.result()) == "network: port unreachable");
        CHECK(script.errors == std::vector<std::pair<Unreachable, size_t>>{{Unreachable::port, 1}});
    }
}

TEST_CASE("what cannot be routed is told after the exchange has returned, not inside its send") {
    Bench bench;
    Script script;
    bool inside = false;
    script.start = [&](DatagramIo& io) {
        inside = true;
        io.send(0, as_bytes("ping"));
        inside = false;
        CHECK(script.errors.empty());
    };
    const std::vector<uint16_t> ports{9};
    // The kernel has no route from a loopback-only broadcast: refused by this machine, nothing is sent.
    bench.start(script, ports, seconds{60}, IpAddress::v4({255, 255, 255, 255}));
    const ProbeResult result = bench.result();
    CHECK(result.verdict == Verdict::fail);
    CHECK(script.errors.size() == 1);
    CHECK_FALSE(inside);
}

TEST_CASE("an exchange retransmits by its own timer until an answer comes") {
    Bench bench;
    int heard = 0;
    std::unique_ptr<net::UdpSocket> deaf;
    deaf = std::make_unique<net::UdpSocket>(bench.loop, SocketAddress{loopback, 0},
                                            [&](ByteSpan, const SocketAddress& from) {
                                                if (++heard == 3) deaf->send(as_bytes("at last"), from);
                                            });
    Script script;
    script.start = [&](DatagramIo& io) {
        io.send(0, as_bytes("ping"));
        script.timer = io.now() + milliseconds{2};
    };
    script.on_time = [&](DatagramIo& io) {
        CHECK(io.now() >= *script.timer);
        io.send(0, as_bytes("ping"));
        script.timer = io.now() + milliseconds{2};
    };
    const std::vector<uint16_t> ports{deaf->local().port};
    bench.start(script, ports);
    CHECK(describe(bench.result()) == "ok");
    CHECK(script.timers == 2);
}

TEST_CASE("silence ends at the deadline") {
    Bench bench;
    const UniqueFd silent = bound(SOCK_DGRAM);
    Script script;
    const std::vector<uint16_t> ports{port_of(silent.get())};
    const MonotonicTime begun = bench.loop.now();
    bench.start(script, ports, milliseconds{20});
    const ProbeResult result = bench.result();
    CHECK(describe(result) == "network: silence");
    CHECK_FALSE(result.rtt);
    CHECK(bench.loop.now() - begun >= milliseconds{20});
}

TEST_CASE("an exchange that decides at its start is finished later, and one that is cancelled never") {
    Bench bench;
    Script hasty;
    hasty.start = [](DatagramIo& io) {
        io.finish(failed(ProbeLayer::internal, "no budget"));
        io.send(0, as_bytes("must not go out"));
    };
    const std::vector<uint16_t> ports{9};
    bench.start(hasty, ports);
    Script cancelled;
    const UniqueFd silent = bound(SOCK_DGRAM);
    const std::vector<uint16_t> silent_ports{port_of(silent.get())};
    const uint32_t id = bench.start(cancelled, silent_ports);
    bench.driver.cancel(id);
    CHECK(cancelled.released == 1);
    CHECK(describe(bench.result()) == "internal: no budget");
    CHECK(hasty.released == 1);
    CHECK(hasty.errors.empty());
}

TEST_CASE("an exchange whose timer stands still does not hold up the loop") {
    Bench bench;
    Script script;
    const UniqueFd silent = bound(SOCK_DGRAM);
    script.timer = MonotonicTime{};
    const std::vector<uint16_t> ports{port_of(silent.get())};
    bench.start(script, ports, milliseconds{10});
    CHECK(describe(bench.result()) == "network: silence");
    CHECK(script.timers > 0);
}
