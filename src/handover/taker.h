// SPDX-License-Identifier: Apache-2.0
#pragma once
// The side of the fairwayd that starts: asks the one that runs for what it has, step by step (message.h).
// Blocks, with a deadline for each step: before its loop runs there is nothing else to do.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "handover/channel.h"

namespace fairway::handover {

class Taker {
  public:
    /// Connects to the fairwayd that listens on `path` and gets its offer. Nothing when nobody is there; the
    /// error says why one who is there does not give.
    [[nodiscard]] static Result<std::optional<Taker>> ask(const std::filesystem::path& path,
                                                          const Hello& self);

    /// Once.
    [[nodiscard]] OfferedTo& offer() noexcept { return offer_; }

    /// This process is configured and holds the sockets. Returns the state of the other one.
    [[nodiscard]] Result<State> prepared();
    /// This process answers. Returns when the other one has let go, with the connections that go on. When it
    /// dies instead, this process is in charge all the same. An error: the other one is in charge and stays.
    [[nodiscard]] Result<std::vector<Connection>> serving();
    /// The other one has ended without refusing: nobody else is in charge.
    [[nodiscard]] bool other_is_gone() const noexcept;
    /// Tells the other one that it has to go on.
    void failed(const std::string& why) noexcept;

    static constexpr nanoseconds patience = seconds{10};  // for one answer

  private:
    explicit Taker(Channel channel) : channel_(std::move(channel)) {}
    /// The next message, which must be of this type.
    [[nodiscard]] Result<Message> expect(MessageType type);

    Channel channel_;
    OfferedTo offer_;
    bool refused_ = false;
};

}  // namespace fairway::handover
