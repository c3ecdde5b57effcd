// SPDX-License-Identifier: Apache-2.0
#pragma once
// A TCP listener of a gateway that we play, with its connections and what a fault makes of them.

#include <list>
#include <memory>
#include <vector>

#include "base/ip.h"
#include "base/unique_fd.h"
#include "ipsec/gateway_connection.h"

namespace fairway::ipsec {

class TcpService {
  public:
    /// `plan` makes the plan of each connection when it is accepted.
    TcpService(net::Loop& loop, Service service, const SocketAddress& address, ConnectionBudget& budget,
               std::function<ConnectionPlan(Service)> plan);
    ~TcpService();
    TcpService(const TcpService&) = delete;
    TcpService& operator=(const TcpService&) = delete;

    /// Makes the listener do what the fault says; connections of before it end. The error names the address
    /// that could not be bound.
    [[nodiscard]] Result<void> apply(FaultKind fault);
    /// Ends connections whose time is over; resumes accepting after a shortage of descriptors.
    void sweep(MonotonicTime now);

    [[nodiscard]] Service service() const noexcept { return service_; }
    /// With the real port once it was bound.
    [[nodiscard]] const SocketAddress& address() const noexcept { return address_; }
    [[nodiscard]] uint64_t accepted() const noexcept { return accepted_; }

  private:
    Result<void> open();
    void close();
    void fill_backlog();
    void drain_backlog();
    void accept_all();

    net::Loop& loop_;
    Service service_;
    SocketAddress address_;
    ConnectionBudget& budget_;
    std::function<ConnectionPlan(Service)> plan_;
    FaultKind fault_ = FaultKind::refuse;  // nothing listens before the first apply()
    uint64_t accepted_ = 0;
    bool starved_ = false;
    std::list<Connection> connections_;
    std::vector<UniqueFd> fillers_;  // our own connections that occupy the backlog while silent
    UniqueFd fd_;
    std::unique_ptr<net::PollHandle> poll_;  // last: stops watching before the descriptor is closed
};

}  // namespace fairway::ipsec
