// SPDX-License-Identifier: Apache-2.0
#pragma once
// One thread of the DNS server: waits on its sockets, hands UDP and TCP to those who know them, and sees to
// it that connections do not keep UDP waiting.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/published.h"
#include "base/unique_fd.h"
#include "dns/answer.h"
#include "dns/server.h"
#include "dns/server_counters.h"
#include "dns/server_sockets.h"
#include "dns/serving.h"
#include "dns/xdp_worker.h"

namespace fairway::dns {

class Worker {
  public:
    /// `limits` are this worker's share; `tls` is what TLS connections begin with, null where there is no
    /// socket for them. Throws std::system_error when the kernel gives no epoll or eventfd.
    Worker(std::vector<ListenSocket> sockets, const ServerLimits& limits, const Published<Serving>& serving,
           const net::TlsServerSupply* tls);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// The thread's function, once: answers until stop(), then closes all connections.
    void run();
    /// Any thread: run() answers what has come, but for what waits in a socket that is held elsewhere, and
    /// returns soon.
    void stop() noexcept;

    /// Before leaving; any thread.
    void offer(std::vector<net::OfferedSocket>& sockets) const;
    /// Any thread: run() answers what has come by UDP, closes its sockets, gives up its connections, and
    /// returns when those that it keeps have their answers, or at `until`.
    void begin_leaving(MonotonicTime until);
    /// After begin_leaving(), while run() is running: what it gave up.
    [[nodiscard]] std::vector<HandedConnection> wait_for_connections();
    /// Any thread, while run() is running.
    void adopt(std::vector<HandedConnection> connections);

    /// Any thread.
    [[nodiscard]] WorkerCounters& counters() noexcept { return *counters_; }

    /// Its AF_XDP queues, to be lent and taken back.
    [[nodiscard]] XdpWorker& xdp() noexcept { return xdp_; }

  private:
    void watch(int fd, void* data, uint32_t events);
    /// Whether more waits on the socket.
    bool serve_udp(int fd, Published<Serving>::Reader& serving);
    /// Reads every UDP socket once more until it is empty, and closes all sockets.
    void close_sockets(Published<Serving>::Reader& serving);
    void wake() noexcept;

    /// What other threads ask of this one.
    struct Orders {
        bool stop = false;
        std::optional<MonotonicTime> leave;
        std::vector<HandedConnection> adopt;
    };
    [[nodiscard]] Orders take_orders();

    std::vector<ListenSocket> sockets_;
    const Published<Serving>& serving_;
    UniqueFd epoll_;
    UniqueFd wake_;
    XdpWorker xdp_;
    std::unique_ptr<WorkerCounters> counters_;
    std::unique_ptr<class UdpBatch> batch_;
    std::unique_ptr<class TcpConnections> connections_;
    Answerer answerer_;

    std::mutex mutex_;
    Orders orders_;                        // guarded by mutex_
    std::vector<HandedConnection> given_;  // guarded by mutex_
    bool has_given_ = false;               // guarded by mutex_
    std::condition_variable gave_;
};

}  // namespace fairway::dns
