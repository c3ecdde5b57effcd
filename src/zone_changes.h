// SPDX-License-Identifier: Apache-2.0
#pragma once
// What changes in the served zones between two configurations: the serials, which grow exactly when a zone's
// content does and never go back, also across restarts; the challenges that ACME clients set; and the word to
// the secondaries. Lives on the loop's thread. It does not answer: what it decides is a dns::ZoneOverlay.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "dns/authority.h"
#include "dns/notifier.h"
#include "dns/serving.h"
#include "dns/zone_overlay.h"
#include "model/event.h"
#include "net/timer.h"
#include "net/udp.h"
#include "store/store.h"

namespace fairway {

class ZoneChanges {
  public:
    static constexpr size_t max_challenges = 1000;
    static constexpr size_t max_values = 32;  // at one name
    static constexpr nanoseconds longest = std::chrono::hours{24};

    struct Hooks {
        /// overlay() is another one now.
        std::function<void()> changed;
        std::function<void(Severity, const std::string& zone, const std::string& message)> tell;
        std::function<WallTime()> now;
    };
    /// `store` remembers; what it remembers now is where this begins.
    ZoneChanges(net::Loop& loop, Store& store, Hooks hooks);
    ~ZoneChanges();

    /// Makes the overlay of another Authority (and keys), which the caller then publishes with it, and tells
    /// the secondaries of zones that have changed.
    void adopt(std::shared_ptr<const dns::Authority> authority,
               std::shared_ptr<const dns::AnswerSettings> settings);
    /// Once, when answers are given: tells all secondaries, who may have missed something meanwhile.
    void start();
    [[nodiscard]] const std::shared_ptr<const dns::ZoneOverlay>& overlay() const noexcept { return overlay_; }

    [[nodiscard]] const std::vector<Challenge>& challenges() const noexcept { return memory_.challenges; }
    /// Sets a value at `_acme-challenge.NAME` (which may be given as such; "*.NAME" is the same as NAME)
    /// until then; again: with another end. Conflicts say what stands in the way.
    [[nodiscard]] StoreResult<Challenge> set(const std::string& name, const std::string& value,
                                             WallTime until, const std::string& actor);
    /// Ends one value, or, where that is empty, all at the name; returns those that stood.
    [[nodiscard]] StoreResult<std::vector<Challenge>> clear(const std::string& name,
                                                            const std::string& value);
    /// Ends those whose time is over.
    void expire();

  private:
    struct Sockets;

    [[nodiscard]] uint32_t next_serial(const dns::ServedZone& zone, uint64_t content);
    [[nodiscard]] RememberedSerial* remembered(const std::string& zone);
    void rebuild();
    void bump(const std::string& zone);
    void notify(const dns::ServedZone& zone);
    void arm();
    void send(ByteSpan bytes, const SocketAddress& to);

    net::Loop& loop_;
    Store& store_;
    Hooks hooks_;
    std::shared_ptr<const dns::Authority> authority_;
    std::shared_ptr<const dns::AnswerSettings> settings_;
    std::shared_ptr<const dns::ZoneOverlay> overlay_;
    ZoneMemory memory_;
    bool started_ = false;
    dns::Notifier notifier_;
    std::unique_ptr<net::UdpSocket> socket_v4_, socket_v6_;  // while there is something to tell
    net::Timer timer_;
};

}  // namespace fairway
