// SPDX-License-Identifier: Apache-2.0
#pragma once
// The AF_XDP queues of one DNS worker. The control thread lends and takes back sockets while the worker runs;
// the worker waits for them with everything else that it watches.

#include <condition_variable>
#include <mutex>
#include <vector>

#include "base/published.h"
#include "dns/answer.h"
#include "dns/server_counters.h"
#include "dns/serving.h"
#include "dns/xdp_counters.h"
#include "dns/xdp_socket.h"

namespace fairway::dns {

class XdpWorker {
  public:
    /// Descriptors of the worker: its epoll, and the eventfd that makes it call take_turn().
    XdpWorker(int epoll, int wake) : epoll_(epoll), wake_(wake) {}
    XdpWorker(const XdpWorker&) = delete;
    XdpWorker& operator=(const XdpWorker&) = delete;

    // The control thread's

    /// The worker serves it from now on, until remove(). Waits until the worker has it: milliseconds.
    void add(XdpSocket& socket);
    /// Returns when the worker has answered what was received and let go of it.
    void remove(XdpSocket& socket);
    [[nodiscard]] const XdpCounters& counters() const noexcept { return counters_; }

    // The worker's

    /// Between begin() and end() the worker does the work of add() and remove(), outside of it they do it
    /// themselves.
    void begin();
    void end();
    /// After a wake: takes and lets go of sockets as told.
    void take_turn(Published<Serving>::Reader& serving, Answerer& answerer, WorkerCounters& counters);
    /// Whether this is what epoll reports of one of the sockets.
    [[nodiscard]] bool owns(const void* data) const noexcept;
    /// After such a report; `events` are epoll's. True: more questions wait, others have their turn first.
    bool serve(const void* data, uint32_t events, Published<Serving>::Reader& serving, Answerer& answerer,
               WorkerCounters& counters);
    /// Whether some replies wait for the kernel: then serve_unsent() after at most a millisecond.
    [[nodiscard]] bool has_unsent() const noexcept;
    void serve_unsent(Published<Serving>::Reader& serving, Answerer& answerer, WorkerCounters& counters);

  private:
    enum class Order : uint8_t { add, remove };
    struct Mail {
        Order order;
        XdpSocket* socket;
    };
    void order(Order order, XdpSocket& socket);
    void take(XdpSocket& socket);
    void let_go(XdpSocket& socket);
    /// Until the queue is empty (false), but no longer than it is fair to the other sockets (true).
    bool answer(XdpSocket& socket, Published<Serving>::Reader& serving, Answerer& answerer,
                WorkerCounters& counters);

    const int epoll_;
    const int wake_;
    XdpCounters counters_;
    std::vector<XdpSocket*> sockets_;  // the worker's while it runs

    std::mutex mutex_;  // of what follows
    std::condition_variable done_;
    bool running_ = false;
    std::vector<Mail> mail_;
};

}  // namespace fairway::dns
