// SPDX-License-Identifier: Apache-2.0
#pragma once
// One thread of the DNS server: waits on its sockets, hands UDP and TCP to those who know them, and sees to
// it that connections do not keep UDP waiting.

#include <memory>
#include <vector>

#include "base/published.h"
#include "base/unique_fd.h"
#include "dns/answer.h"
#include "dns/server.h"
#include "dns/server_counters.h"
#include "dns/server_sockets.h"
#include "dns/serving.h"

namespace fairway::dns {

class Worker {
  public:
    /// `limits` are this worker's share. Throws std::system_error when the kernel gives no epoll or eventfd.
    Worker(std::vector<ListenSockets> sockets, const ServerLimits& limits, const Published<Serving>& serving);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// The thread's function, once: answers until stop(), then closes all connections.
    void run();
    /// Any thread: run() returns soon.
    void stop() noexcept;
    /// Any thread.
    [[nodiscard]] WorkerCounters& counters() noexcept { return *counters_; }

  private:
    void watch(int fd, void* data);
    /// Whether more waits on the socket.
    bool serve_udp(int fd, Published<Serving>::Reader& serving);

    std::vector<ListenSockets> sockets_;
    const Published<Serving>& serving_;
    UniqueFd epoll_;
    UniqueFd wake_;
    std::unique_ptr<WorkerCounters> counters_;
    std::unique_ptr<class UdpBatch> batch_;
    std::unique_ptr<class TcpConnections> connections_;
    Answerer answerer_;
};

}  // namespace fairway::dns
