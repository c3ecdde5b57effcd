// SPDX-License-Identifier: Apache-2.0
#pragma once
// AF_XDP on the interfaces that the configuration names: attaches what can be had, hands the queues to the
// workers, and looks now and then whether that still holds. Where it cannot be had the ordinary sockets
// answer, as they always do for what XDP does not take; why is told once. Used by the control thread; stats()
// by any.

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "dns/server.h"
#include "dns/xdp_device.h"
#include "dns/xdp_program.h"
#include "dns/xdp_socket.h"
#include "dns/xdp_worker.h"

namespace fairway::dns {

class XdpInterfaces {
  public:
    /// `listen` with real ports; the workers must outlive this. Attaches nothing yet.
    XdpInterfaces(std::vector<SocketAddress> listen, std::vector<XdpWorker*> workers);
    ~XdpInterfaces();
    XdpInterfaces(const XdpInterfaces&) = delete;
    XdpInterfaces& operator=(const XdpInterfaces&) = delete;

    /// From the next look() on.
    void configure(const XdpOptions& options);
    /// Attaches and detaches what has changed since the last look: of the configuration, or of the machine.
    /// Cheap when nothing has; returns what an operator should know.
    [[nodiscard]] std::vector<XdpNotice> look();
    /// Everything back to the sockets.
    void detach();
    /// Adds to `stats`.
    void add_to(ServerStats& stats) const;

  private:
    struct Queue {
        std::unique_ptr<XdpSocket> socket;
        XdpWorker* worker = nullptr;
    };
    /// Runs on an interface.
    struct Attached {
        XdpDevice device;
        XdpProgram::Place place = XdpProgram::Place::native;
        std::string why_generic;  // the error of native, where both may be
        std::unique_ptr<XdpProgram> program;
        std::vector<Queue> queues;
    };
    struct Interface {
        std::string name;
        std::optional<Attached> attached;
        std::string trouble;  // that was told
        bool rests = false;   // was detached: not before the next look but one
    };

    [[nodiscard]] Result<Attached> attach(const std::string& name, const XdpDevice& device) const;
    void detach(Interface& interface);
    [[nodiscard]] std::optional<XdpNotice> look_at(Interface& interface);

    const std::vector<SocketAddress> listen_;
    const std::vector<XdpWorker*> workers_;
    XdpOptions options_;
    mutable std::mutex mutex_;  // of what follows: written by the control thread, read by stats()
    std::vector<Interface> interfaces_;
    uint64_t passed_before_ = 0;  // of programs that are gone
    uint64_t lost_before_ = 0;    // of queues that are gone
};

}  // namespace fairway::dns
