// SPDX-License-Identifier: Apache-2.0
#pragma once
// The side of the fairwayd that runs: listens for one that wants to take over, and goes through the handover
// with it (message.h). What is given, and what it means to let go, is the owner's.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "handover/channel.h"
#include "net/acceptor.h"
#include "net/timer.h"

namespace fairway::handover {

/// Of the socket on which a successor is waited for, among those that are handed over.
inline constexpr std::string_view socket_purpose = "handover";

/// Which step is due, without I/O.
class GiverSession {
  public:
    enum class Step : uint8_t {
        wait,
        offer,    // send the sockets
        tell,     // send the state
        release,  // let go: no way back
        give_up   // it failed, said something out of turn, or takes too long
    };

    explicit GiverSession(MonotonicTime now) noexcept : deadline_(now + greeting_time) {}

    [[nodiscard]] Step heard(MessageType type, MonotonicTime now) noexcept;
    [[nodiscard]] Step at(MonotonicTime now) const noexcept {
        return now >= deadline_ ? Step::give_up : Step::wait;
    }
    [[nodiscard]] MonotonicTime deadline() const noexcept { return deadline_; }
    /// The offer has been sent: giving up means something from here on.
    [[nodiscard]] bool has_begun() const noexcept { return due_ != MessageType::hello; }

    static constexpr nanoseconds greeting_time = seconds{5};
    /// For opening the store and making everything that answers; the configuration has been read before.
    static constexpr nanoseconds preparing_time = seconds{60};
    static constexpr nanoseconds starting_time = seconds{15};

  private:
    MessageType due_ = MessageType::hello;
    MonotonicTime deadline_;
};

class Giver {
  public:
    struct Hooks {
        /// The handover begins: whatever only one process may write is closed. What the other goes on with.
        std::function<std::vector<net::OfferedSocket>(const Hello& to)> offer;
        std::function<State()> state;
        /// The other one serves and is about to be told that it is in charge.
        std::function<void(const Hello& to)> releasing;
        /// The other one is in charge: lets go, returns the connections that live on.
        std::function<std::vector<Connection>(const Hello& to)> release;
        /// Everything has been given.
        std::function<void()> done;
        /// The other one failed, for this reason, after offer(): everything goes on as before.
        std::function<void(const Hello& to, const std::string& why)> go_on;
    };

    /// `lock` is the state folder's and goes along; -1: there is none.
    Giver(net::Loop& loop, net::ListeningSocket socket, Hello self, int lock, Hooks hooks);
    ~Giver();
    Giver(const Giver&) = delete;
    Giver& operator=(const Giver&) = delete;

    [[nodiscard]] bool is_giving() const noexcept { return peer_ != nullptr; }

  private:
    struct Peer;
    void accept(UniqueFd connection);
    void read();
    /// False when the peer is gone afterwards.
    bool take(const Message& message);
    void give_up(const std::string& why);

    net::Loop& loop_;
    const Hello self_;
    const int lock_;
    Hooks hooks_;
    std::unique_ptr<Peer> peer_;
    net::Timer deadline_;
    net::Acceptor acceptor_;
};

}  // namespace fairway::handover
