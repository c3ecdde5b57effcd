// SPDX-License-Identifier: Apache-2.0
#pragma once
// The io of a stream exchange under test: it keeps what the exchange sent, said and decided. Time stands
// still.

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "probes/exchange.h"

namespace fairway::test {

class RecordedStreamIo final : public StreamIo {
  public:
    explicit RecordedStreamIo(WallTime wall) : wall_(wall) {}

    using StreamIo::send;
    void send(ByteSpan bytes) override { sent += as_text(bytes); }
    void reconnect() override { ++reconnects; }
    void finish(ProbeResult decided) override {
        if (result) throw std::logic_error("finished twice");
        result = std::move(decided);
    }
    [[nodiscard]] const Attempt& attempt() const noexcept override { return attempt_; }
    [[nodiscard]] MonotonicTime now() const noexcept override { return {}; }
    [[nodiscard]] WallTime wall_now() const noexcept override { return wall_; }
    [[nodiscard]] bool tracing() const noexcept override { return true; }
    void step(std::string_view what) override { steps.emplace_back(what); }

    [[nodiscard]] std::string take_sent() { return std::exchange(sent, {}); }

    std::string sent;
    int reconnects = 0;
    std::vector<std::string> steps;
    std::optional<ProbeResult> result;

  private:
    Attempt attempt_;
    WallTime wall_;
};

}  // namespace fairway::test
