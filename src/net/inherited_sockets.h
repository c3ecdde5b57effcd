// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sockets that somebody else bound before this process began to serve: the fairwayd that is being replaced,
// or a service manager. Whoever wants to listen asks here first, and binds only what is not there. Nothing of
// this knows how the descriptors came here.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "net/listening_socket.h"

namespace fairway::net {

enum class SocketKind : uint8_t { datagram, stream };

/// What a part of the program listens on, as it offers it to a process that is to go on with it.
struct OfferedSocket {
    std::string purpose;  // whose it is: "dns", "api", "pdns" ...
    SocketKind kind = SocketKind::stream;
    ListenAddress address;  // with the real port
    int fd = -1;            // stays the offering part's
    /// A third party has it too, and keeps it when all of us are gone: what waits in it is never lost, and
    /// its file is not ours to remove.
    bool held_elsewhere = false;
};

struct InheritedSocket {
    std::string purpose;  // empty: for whoever asks for its address
    SocketKind kind = SocketKind::stream;
    ListenAddress address;
    UniqueFd fd;
    bool held_elsewhere = false;
};

class InheritedSockets {
  public:
    void add(InheritedSocket socket) { sockets_.push_back(std::move(socket)); }

    /// Removes and returns all that serve the purpose on this address, in the order in which they were added.
    /// A wanted port 0 takes any port of the address, but only of the same purpose by name.
    [[nodiscard]] std::vector<InheritedSocket> take(std::string_view purpose, SocketKind kind,
                                                    const ListenAddress& address);
    /// A listening stream socket for the purpose: the inherited one, or a new one (ListeningSocket::open(),
    /// which throws).
    [[nodiscard]] ListeningSocket take_or_open(std::string_view purpose, const ListenAddress& address,
                                               unsigned unix_mode = 0660);
    [[nodiscard]] bool has(std::string_view purpose, SocketKind kind, const ListenAddress& address) const;
    /// All of them are still another process', which may go on with them: until settle() nothing that is
    /// taken removes the file of a Unix socket.
    void borrow() { is_anothers_ = std::make_shared<bool>(true); }
    void settle() noexcept {
        if (is_anothers_) *is_anothers_ = false;
    }
    /// What nobody has taken.
    [[nodiscard]] const std::vector<InheritedSocket>& left() const noexcept { return sockets_; }

  private:
    std::vector<InheritedSocket> sockets_;
    std::shared_ptr<bool> is_anothers_;
};

/// What a descriptor is, as the kernel says: a bound datagram socket, or a stream socket that listens. The
/// error is the sentence why it is of no use.
[[nodiscard]] Result<InheritedSocket> describe_socket(UniqueFd fd);

}  // namespace fairway::net
