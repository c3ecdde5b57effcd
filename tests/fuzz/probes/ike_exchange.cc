// SPDX-License-Identifier: Apache-2.0
// The IKE probe as a state machine against a hostile gateway. The input is [settings] and then a sequence of
// [event][length][octets]: datagrams (with the SPI of a request that was really sent, or without), ICMP
// errors and timers, over several attempts. Every attempt must end exactly once and give its budget back.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include "probes/ike_exchange.h"
#include "support/seeded_entropy.h"

using namespace fairway;

namespace {

class Io final : public DatagramIo {
  public:
    explicit Io(MonotonicTime start) {
        attempt_.peer = {IpAddress::v4(0x7f000001), 500};
        attempt_.timeout = milliseconds{800};
        attempt_.started = start;
        attempt_.deadline = start + attempt_.timeout;
        now_ = start;
    }
    [[nodiscard]] const Attempt& attempt() const noexcept override { return attempt_; }
    [[nodiscard]] MonotonicTime now() const noexcept override { return now_; }
    [[nodiscard]] WallTime wall_now() const noexcept override { return {}; }
    void finish(ProbeResult result) override {
        if (finished) std::abort();
        if (result.verdict == Verdict::fail && result.reason.empty()) std::abort();
        finished = true;
    }
    [[nodiscard]] bool tracing() const noexcept override { return true; }
    void step(std::string_view) override {}
    void send(size_t port_index, ByteSpan datagram) override {
        if (finished) std::abort();
        const size_t marker = port_index == 0 ? 0 : 4;
        spis.emplace_back(datagram.begin() + static_cast<ptrdiff_t>(marker),
                          datagram.begin() + static_cast<ptrdiff_t>(marker + 8));
    }

    MonotonicTime now_;
    bool finished = false;
    std::vector<std::vector<uint8_t>> spis;

  private:
    Attempt attempt_;
};

void run_attempt(IkeExchange& exchange, Reader& input, MonotonicTime start) {
    Io io(start);
    exchange.on_start(io);
    while (!io.finished && !input.at_end()) {
        const uint8_t event = input.u8();
        const size_t port = (event >> 2) & 1;
        const ByteSpan octets = input.take(std::min<size_t>(input.u8(), input.remaining()));
        switch (event & 3) {
            case 0:
                if (event & 0x80) {
                    exchange.on_unreachable(Unreachable{static_cast<uint8_t>(event >> 3 & 3)}, port, io);
                } else if (const auto timer = exchange.next_timer()) {
                    io.now_ = *timer;
                    exchange.on_timer(io);
                } else {
                    break;
                }
                continue;
            case 1:
                exchange.on_datagram(octets, port, io);
                continue;
            default:
                break;
        }
        // A header that fits the request, so that what stands behind it is looked at.
        std::vector<uint8_t> datagram(port == 0 ? 0 : 4);
        const auto& spi = io.spis[(event >> 3) % io.spis.size()];
        datagram.insert(datagram.end(), spi.begin(), spi.end());
        const uint8_t first = octets.empty() ? 41 : octets[0];
        const uint8_t version = (event & 1) != 0 ? 0x20 : 0x10;
        const uint8_t exchange_type = (event & 1) != 0 ? 34 : 2;
        for (int i = 0; i < 8; ++i) datagram.push_back(event & 0x40 ? 0 : 1);
        for (const uint8_t byte : {first, version, exchange_type, uint8_t{0x20}}) datagram.push_back(byte);
        const size_t length = 28 + octets.size();
        for (const size_t byte :
             {size_t{0}, size_t{0}, size_t{0}, size_t{0}, size_t{0}, size_t{0}, length >> 8, length}) {
            datagram.push_back(static_cast<uint8_t>(byte));
        }
        datagram.insert(datagram.end(), octets.begin(), octets.end());
        exchange.on_datagram(datagram, port, io);
    }
    if (!io.finished) {
        io.now_ = io.attempt().deadline;
        io.finish(exchange.on_silence(io));
    }
    exchange.release();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Reader input(ByteSpan(data, size));
    const uint8_t choice = input.u8();
    // Made once: the key pairs in them cost more than a thousand inputs, and which they are changes nothing.
    static test::SeededEntropy entropy(1);
    static IkeRequests requests(IkeProbe{}, entropy);
    Monitor monitor;
    monitor.port = 500;
    IkeProbe settings;
    settings.version = (choice & 1) != 0 ? 1 : 2;
    settings.mode = (choice & 2) != 0 ? IkeMode::full : IkeMode::stateless;
    settings.nat_traversal = (choice & 4) != 0;
    settings.mismatch_is_degraded = (choice & 8) != 0;
    monitor.probe = settings;
    const auto ports = ike_ports(monitor);
    IkeBudget budget;
    IkeExchange exchange(settings, ports, requests, budget);
    MonotonicTime now{std::chrono::hours(1)};
    for (int i = 0; i < 8 && !input.at_end(); ++i) {
        run_attempt(exchange, input, now);
        now += seconds{1} + milliseconds{800};
    }
    // Two attempts' worth of time later nothing may be held or owed any more.
    now += 2 * IkeBudget::window;
    if (!budget.take(IpAddress::v4(0x7f000001), now)) std::abort();
    return 0;
}
