// SPDX-License-Identifier: Apache-2.0
// The ICMP probe: one echo an attempt, and the loss over the last echoes.
//
//     this echo     loss over the window    verdict
//     unanswered    any                     fail
//     answered      >= down_loss            fail
//     answered      >= degraded_loss        degraded
//     answered      less                    pass
//
// The thresholds count once half the window has been filled. A host that dies is so found by `fall` failures
// in a row like any other, and a path that loses too much although it answers now is found as well.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "base/duration.h"
#include "probes/exchange.h"
#include "probes/registry.h"

namespace fairway {

namespace {

constexpr uint32_t largest_payload = 65'000;  // what fits into an IP packet, with room for headers

class IcmpExchange final : public DatagramExchange {
  public:
    explicit IcmpExchange(const IcmpProbe& settings) : settings_(settings) {
        lost_.reserve(std::max<uint32_t>(1, settings.window));
    }

    void on_start(DatagramIo& io) override { io.send(0, payload(io.attempt().nonce)); }

    void on_datagram(ByteSpan datagram, size_t, DatagramIo& io) override {
        const std::vector<uint8_t> expected = payload(io.attempt().nonce);
        if (!std::equal(datagram.begin(), datagram.end(), expected.begin(), expected.end())) return;
        if (io.tracing()) io.step("echo reply of " + std::to_string(datagram.size()) + " octets");
        count(false);
        io.finish(judge());
    }

    void on_unreachable(Unreachable kind, size_t, DatagramIo& io) override {
        count(true);
        ProbeResult result = failed(ProbeLayer::network, std::string(to_string(kind)), loss());
        result.explicit_refusal = true;
        io.finish(std::move(result));
    }

    std::optional<MonotonicTime> next_timer() const override { return std::nullopt; }
    void on_timer(DatagramIo&) override {}

    ProbeResult on_silence(DatagramIo& io) override {
        count(true);
        return failed(ProbeLayer::network, "no echo reply after " + format_duration(io.attempt().timeout),
                      loss());
    }

  private:
    [[nodiscard]] std::vector<uint8_t> payload(uint64_t nonce) const {
        std::vector<uint8_t> bytes(std::min(settings_.size, largest_payload));
        for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(nonce >> (8 * (7 - i % 8)));
        return bytes;
    }
    void count(bool lost) {
        const size_t window = std::max<uint32_t>(1, settings_.window);
        if (lost_.size() < window) {
            lost_.push_back(lost);
        } else {
            lost_[next_] = lost;
        }
        next_ = (next_ + 1) % window;
    }
    [[nodiscard]] size_t losses() const {
        return static_cast<size_t>(std::count(lost_.begin(), lost_.end(), true));
    }
    /// "loss 3 of 20".
    [[nodiscard]] std::string loss() const {
        return "loss " + std::to_string(losses()) + " of " + std::to_string(lost_.size());
    }
    [[nodiscard]] ProbeResult judge() const {
        const double share = static_cast<double>(losses()) / static_cast<double>(lost_.size());
        const bool enough = lost_.size() * 2 >= settings_.window;
        const std::string percent = "packet loss " + std::to_string(std::lround(share * 100)) + " %";
        if (enough && share >= settings_.down_loss && losses() > 0)
            return failed(ProbeLayer::network, percent, loss());
        if (enough && share >= settings_.degraded_loss && losses() > 0)
            return degraded(ProbeLayer::network, percent, loss());
        return passed(loss());
    }

    const IcmpProbe& settings_;
    std::vector<bool> lost_;  // the last echoes, in a ring
    size_t next_ = 0;
};

class IcmpEchoProbe final : public EchoProbe {
  public:
    explicit IcmpEchoProbe(const IcmpProbe& settings) : settings_(settings) {}
    std::unique_ptr<DatagramExchange> make_exchange(const ProbeTarget&) const override {
        return std::make_unique<IcmpExchange>(settings_);
    }

  private:
    IcmpProbe settings_;
};

}  // namespace

Result<CompiledProbe> compile_icmp(const Monitor& monitor) {
    return std::make_unique<IcmpEchoProbe>(std::get<IcmpProbe>(monitor.probe));
}

}  // namespace fairway
