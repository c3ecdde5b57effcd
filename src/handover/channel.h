// SPDX-License-Identifier: Apache-2.0
#pragma once
// Messages with descriptors over one Unix stream socket. Never blocks: what is sent is small, because bodies
// travel as memory files; a peer that does not read it is an error.

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "handover/message.h"

namespace fairway::handover {

struct Message {
    MessageType type = MessageType::hello;
    std::string body;
    std::vector<UniqueFd> fds;
};

class Channel {
  public:
    /// A connected socket; becomes non-blocking.
    explicit Channel(UniqueFd fd);

    /// `fds` stay the caller's; the peer gets copies.
    [[nodiscard]] Result<void> send(MessageType type, std::string_view body,
                                    const std::vector<int>& fds = {});
    /// The next whole message; nothing when more has to come first. The error also says that the peer is
    /// gone.
    [[nodiscard]] Result<std::optional<Message>> receive();
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    /// Whether the peer is root or who we are; else the reason why it is not listened to.
    [[nodiscard]] Result<void> check_peer() const;

  private:
    UniqueFd fd_;
    std::optional<Message> partial_;
};

}  // namespace fairway::handover
