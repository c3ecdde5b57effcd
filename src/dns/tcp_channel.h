// SPDX-License-Identifier: Apache-2.0
#pragma once
// The byte stream of one connection: octets that came become messages, octets to send wait until the kernel
// takes them. It knows neither questions nor limits: who writes looks at unsent() first.

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/unique_fd.h"
#include "dns/tcp_framing.h"

namespace fairway::dns {

class TcpChannel {
  public:
    explicit TcpChannel(UniqueFd fd) noexcept : fd_(std::move(fd)) {}

    enum class Read : uint8_t {
        good,    // what there was, perhaps nothing, has been taken
        end,     // the peer has closed its side
        broken,  // nothing can be read or written any more
    };
    /// Takes what has come, at most as much as `scratch` holds, and appends it to `framing`.
    [[nodiscard]] Read read(std::span<uint8_t> scratch, TcpFraming& framing);
    /// Queues `bytes`; flush() sends them.
    void write(ByteSpan bytes);
    /// Sends what the kernel takes now. false: the connection is broken.
    [[nodiscard]] bool flush();

    /// Octets that the kernel has not taken yet.
    [[nodiscard]] size_t unsent() const noexcept { return out_.size() - sent_; }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(fd_); }
    /// Also takes it out of every epoll.
    void close() noexcept { fd_.reset(); }

  private:
    UniqueFd fd_;
    std::vector<uint8_t> out_;
    size_t sent_ = 0;  // of out_
};

}  // namespace fairway::dns
