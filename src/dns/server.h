// SPDX-License-Identifier: Apache-2.0
#pragma once
// The DNS server: worker threads, each with its own sockets on every listen address (SO_REUSEPORT), its own
// loop and its own Answerer, so that an answer takes no lock. Nothing here decides what an answer is.
//
// The workers run on epoll rather than on the control plane's loop: the UDP path is then receive, answer,
// send and nothing between, and a batch that was full is followed by the next one without asking the loop.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/published.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "dns/serving.h"

namespace fairway::net {
class InheritedSockets;
struct OfferedSocket;
struct TlsServerSupply;
}  // namespace fairway::net

namespace fairway::dns {

/// Of TCP and TLS. What is counted for all connections together is for the whole server, and is divided among
/// its threads.
struct ServerLimits {
    uint32_t connections = 2000;
    /// From one IPv4 address or IPv6 /64. Beyond either limit the connection that was idle longest is closed.
    uint32_t connections_per_client = 400;
    /// Of them, in the middle of a TLS handshake, a quarter of them for one client; beyond, the one that
    /// began first is closed.
    uint32_t handshakes = 500;
    /// For a TLS handshake, from the first packet to the last.
    milliseconds handshake{5'000};
    /// Since the last whole message, at low load; shrinks to idle_least as the connections reach their limit.
    milliseconds idle{10'000};
    milliseconds idle_least{1'000};
    /// Octets of answers that wait for a slow reader before no more of its questions are read.
    uint32_t write_queue = 128 * 1024;
    /// Octets of answers that wait for all slow readers together. From half of it on, readers get one answer
    /// at a time; beyond it, who does not take an answer at once is closed.
    uint32_t queued = 64 * 1024 * 1024;
    /// Octets of one question; longer ones end the connection.
    uint16_t question = 8192;
    /// Answers of several messages (zone transfers) at once, and how long one may take altogether.
    uint32_t streams = 16;
    milliseconds stream{600'000};
    friend bool operator==(const ServerLimits&, const ServerLimits&) = default;
};

/// Receiving and sending past the kernel's network stack, by AF_XDP.
struct XdpOptions {
    enum class Mode : uint8_t {
        automatic,  // native where the driver can, else generic
        native,
        generic
    };
    std::vector<std::string> interfaces;  // none: sockets only
    Mode mode = Mode::automatic;
    friend bool operator==(const XdpOptions&, const XdpOptions&) = default;
};

/// What an operator should know of AF_XDP.
struct XdpNotice {
    enum class Kind : uint8_t {
        attached,  // it answers
        fallback   // it does not, the sockets do, and why
    };
    Kind kind = Kind::attached;
    std::string text;
};

struct ServerOptions {
    std::vector<SocketAddress> listen;  // UDP and TCP each; port 0 takes any that is free for both
    uint32_t threads = 0;               // 0: one per core
    ServerLimits limits;
    XdpOptions xdp{};
    std::vector<SocketAddress> tls_listen{};  // DNS over TLS
    friend bool operator==(const ServerOptions&, const ServerOptions&) = default;
};

/// Sums over all threads since start().
struct ServerStats {
    uint64_t udp_queries = 0;
    uint64_t tcp_queries = 0;
    uint64_t tls_queries = 0;
    uint64_t dropped = 0;  // not worth an answer: responses, runts, too long for us
    uint64_t send_failures = 0;
    uint64_t limited_dropped = 0;    // answers that the rate limit held back
    uint64_t limited_truncated = 0;  // and those it sent truncated
    uint64_t with_edns = 0;
    uint64_t with_ecs = 0;
    uint64_t truncated = 0;
    uint64_t last_resort = 0;      // steered answers for which no member was healthy
    std::vector<uint64_t> rcodes;  // by extended RCODE, up to 23
    uint64_t connections_accepted = 0;
    uint64_t connections_closed_idle = 0;
    uint64_t connections_closed_for_room = 0;
    uint64_t connections_open = 0;              // now, those under TLS included
    uint64_t tls_connections_open = 0;          // now
    uint64_t tls_handshakes = 0;                // that came to their end
    uint64_t tls_resumptions = 0;               // of them, by a ticket
    uint64_t tls_failures = 0;                  // handshakes that did not, whatever the reason
    std::map<std::string, uint64_t> services;   // steered answers by Service::key
    std::map<std::string, uint64_t> endpoints;  // by endpoint_path(), of the one answered first
    uint64_t xdp_interfaces = 0;                // on which XDP answers, now
    uint64_t xdp_received = 0;                  // frames with a question; udp_queries counts these too
    uint64_t xdp_answered = 0;                  // frames queued for sending
    uint64_t xdp_dropped = 0;                   // malformed or damaged frames
    uint64_t xdp_transmit_full = 0;             // answers without a place in the transmit ring
    uint64_t xdp_lost = 0;                      // questions that came while a queue was full
    uint64_t xdp_passed = 0;                    // frames of all kinds that the program left to the kernel
};

/// A TCP connection as one process gives it to the next.
struct HandedConnection {
    UniqueFd fd;
    std::vector<uint8_t> unread;  // octets that came and were not answered
};

class Server {
  public:
    /// Binds all sockets and answers nothing yet; what arrives before start() waits in the kernel. `serving`
    /// must outlive the server. The error is of the first address that cannot be had: "cannot listen on
    /// 127.0.0.1:53 (UDP): Address already in use". Another process that holds an address is found even if it
    /// shares its port.
    /// What `inherited` has for the purposes "dns" and "dns-tls" is not bound but taken from there; null:
    /// nothing. `tls` is needed where there is a tls_listen, and must outlive the server; while it has no
    /// certificate, connections for TLS are closed at once.
    [[nodiscard]] static Result<std::unique_ptr<Server>> open(const ServerOptions& options,
                                                              const Published<Serving>& serving,
                                                              net::InheritedSockets* inherited = nullptr,
                                                              const net::TlsServerSupply* tls = nullptr);
    /// Stops.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Begins to answer; once.
    void start();
    /// From the next look_at_xdp() on.
    void set_xdp(const XdpOptions& options);
    /// Between start() and stop(), about once a second: attaches AF_XDP where it is wanted and can be had,
    /// and finds out where it can no longer. Until then, and wherever that fails, the sockets answer.
    [[nodiscard]] std::vector<XdpNotice> look_at_xdp();
    /// Ends all threads and closes all sockets before it returns: milliseconds. What has come by then is
    /// answered first, except what waits in a socket that a service manager keeps. May be called again.
    void stop();

    // Handing over to another process that answers on the same sockets already.

    /// What is listened on, for that process. Until leave() or stop().
    void offer(std::vector<net::OfferedSocket>& sockets) const;
    /// Answers what has come by UDP and closes those sockets; gives away the connections that are at rest.
    /// The others have `patience` to take their answers: wait() returns when that is over.
    [[nodiscard]] std::vector<HandedConnection> leave(milliseconds patience);
    void wait();
    /// After start(): goes on with connections that another process has given away.
    void adopt(std::vector<HandedConnection> connections);

    /// What is listened on, with the real ports, in the order of the options. Other addresses or threads need
    /// a new Server.
    [[nodiscard]] const std::vector<SocketAddress>& addresses() const noexcept;
    [[nodiscard]] const std::vector<SocketAddress>& tls_addresses() const noexcept;
    /// Any thread, also after stop().
    [[nodiscard]] ServerStats stats() const;

  private:
    class Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace fairway::dns
