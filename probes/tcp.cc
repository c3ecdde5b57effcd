// SPDX-License-Identifier: Apache-2.0
// The TCP probe: a connection, and if asked, some bytes sent and some expected. Reads at most read_limit
// bytes and keeps only what a match could still begin in.

#include <algorithm>
#include <memory>
#include <string>

#include "probes/exchange.h"
#include "probes/registry.h"

namespace fairway {

namespace {

constexpr size_t read_limit = 65536;

class TcpExchange final : public StreamExchange {
  public:
    explicit TcpExchange(const TcpProbe& settings) : settings_(settings) {}

    void on_connected(StreamIo& io) override {
        if (!settings_.send.empty()) io.send(settings_.send);
        if (settings_.expect.empty()) {
            io.finish(passed());
        } else {
            answer_ = std::make_unique<Answer>();
        }
    }

    void on_data(ByteSpan bytes, StreamIo& io) override {
        Answer& answer = *answer_;
        answer.size += bytes.size();
        if (answer.head.size() < sample)
            answer.head += as_text(bytes.first(std::min(bytes.size(), sample - answer.head.size())));
        answer.tail += as_text(bytes);
        if (answer.tail.find(settings_.expect) != std::string::npos) {
            io.finish(passed());
        } else if (answer.size >= read_limit) {
            io.finish(without_match("in the first 64 KiB"));
        } else if (answer.tail.size() >= settings_.expect.size()) {
            answer.tail.erase(0, answer.tail.size() - (settings_.expect.size() - 1));
        }
    }

    ProbeResult on_end(StreamStop how, StreamIo&) override {
        switch (how) {
            case StreamStop::eof:
                return without_match("before the end of the connection");
            case StreamStop::reset:
                return without_match("before the connection was reset");
            case StreamStop::deadline:
                return without_match("in time");
        }
        return without_match("in time");
    }

    void release() noexcept override { answer_.reset(); }

  private:
    static constexpr size_t sample = 64;  // of an unexpected answer, for the detail

    /// Only while something is expected: tens of thousands of exchanges never need one.
    struct Answer {
        size_t size = 0;
        std::string tail;  // what a match could begin in
        std::string head;
    };

    ProbeResult without_match(std::string_view when) const {
        return failed(
            ProbeLayer::application, "expected text did not come " + std::string(when),
            answer_->size == 0 ? "nothing received" : "received \"" + printable(answer_->head) + '"');
    }

    const TcpProbe& settings_;
    std::unique_ptr<Answer> answer_;
};

class TcpStreamProbe final : public StreamProbe {
  public:
    explicit TcpStreamProbe(TcpProbe settings) : settings_(std::move(settings)) {}
    std::unique_ptr<StreamExchange> make_exchange(const ProbeTarget&) const override {
        return std::make_unique<TcpExchange>(settings_);
    }

  private:
    TcpProbe settings_;
};

}  // namespace

Result<CompiledProbe> compile_tcp(const Monitor& monitor) {
    return std::make_unique<TcpStreamProbe>(std::get<TcpProbe>(monitor.probe));
}

}  // namespace fairway
