// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a service manager and its service tell each other: sockets that it has bound (sd_listen_fds(3)), and
// how the service is doing (sd_notify(3), sd_watchdog_enabled(3)). Without one all of this does nothing.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/inherited_sockets.h"

namespace fairway::handover {

class ServiceManager {
  public:
    using Variable = std::function<std::optional<std::string>(const char* name)>;

    ServiceManager() = default;
    /// Reads NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES. The
    /// descriptors from `first_descriptor` on are its from now on. `pid` is this process.
    ServiceManager(const Variable& variable, int64_t pid, int first_descriptor = 3);

    /// From the environment, of which it removes these variables: programs that this one starts must not
    /// believe that they are meant.
    static ServiceManager from_environment();

    /// The sockets that it has bound; to be taken from.
    [[nodiscard]] net::InheritedSockets& sockets() noexcept { return sockets_; }
    /// What it gave that is of no use, as sentences.
    [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return problems_; }

    /// "READY=1", "STOPPING=1", "STATUS=...", several by lines. Never blocks.
    void notify(std::string_view what) const noexcept;
    /// How often it wants to hear "WATCHDOG=1": half the time after which it restarts the service.
    [[nodiscard]] std::optional<nanoseconds> watchdog() const noexcept { return watchdog_; }
    /// Names and values for the environment of a process that is to become the service.
    [[nodiscard]] const std::vector<std::string>& for_successor() const noexcept { return successor_; }

  private:
    std::string notify_socket_;
    std::optional<nanoseconds> watchdog_;
    net::InheritedSockets sockets_;
    std::vector<std::string> problems_;
    std::vector<std::string> successor_;
};

}  // namespace fairway::handover
