// SPDX-License-Identifier: Apache-2.0
#pragma once
// A stream socket that listens, without anybody who accepts on it yet: bound by us, or inherited from another
// process that bound it (the fairwayd that is being replaced, or a service manager). Needs no loop.

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "base/ip.h"
#include "base/unique_fd.h"

namespace fairway::net {

/// TCP, or the path of a Unix socket.
using ListenAddress = std::variant<SocketAddress, std::filesystem::path>;

/// "127.0.0.1:53", "/run/fairway/control.sock".
[[nodiscard]] std::string to_string(const ListenAddress& address);

class ListeningSocket {
  public:
    /// Binds and listens; throws std::system_error naming the address. Port 0 picks a free one. A Unix socket
    /// replaces a stale socket file and gets `unix_mode`; a path on which something still answers is an
    /// error. The folder of a path must be there.
    static ListeningSocket open(const ListenAddress& address, unsigned unix_mode = 0660);
    /// Takes over one that listens on `address` already.
    static ListeningSocket adopt(const ListenAddress& address, UniqueFd fd);

    ListeningSocket(ListeningSocket&& other) noexcept;
    ListeningSocket& operator=(ListeningSocket&&) = delete;
    /// Closes it and removes a Unix socket's file.
    ~ListeningSocket();

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    /// As given, with the real port.
    [[nodiscard]] const ListenAddress& address() const noexcept { return address_; }
    /// Somebody else listens on it too and goes on with it: the file of a Unix socket stays.
    void leave_to_others() noexcept { shared_ = true; }
    /// A third party keeps it open for as long as it lives, and so beyond our end.
    void hold_elsewhere() noexcept { shared_ = held_elsewhere_ = true; }
    [[nodiscard]] bool held_elsewhere() const noexcept { return held_elsewhere_; }
    /// While `is_anothers` points to true the file of a Unix socket is not ours to remove.
    void borrow(std::shared_ptr<const bool> is_anothers) noexcept { is_anothers_ = std::move(is_anothers); }

  private:
    ListeningSocket(ListenAddress address, UniqueFd fd);

    ListenAddress address_;
    UniqueFd fd_;
    bool shared_ = false;
    bool held_elsewhere_ = false;
    std::shared_ptr<const bool> is_anothers_;
};

}  // namespace fairway::net
