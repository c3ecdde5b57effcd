// SPDX-License-Identifier: Apache-2.0
#pragma once
// DNS over TCP (RFC 7766) and over TLS (RFC 7858) for one worker: its connections, their limits and timeouts.
// Everything is bounded: how many connections and half-open handshakes there are, how long one may be idle or
// trickle, how much a slow reader and all of them together may leave unread, and how much work is done before
// UDP has its turn again.
//
// The connections have an epoll of their own inside the worker's, so that thousands of them that are ready
// never stand between the worker and its UDP sockets. Those that have work wait in a queue, and each gets a
// piece of the turn: a long pipeline does not hold up the connections behind it, and a handshake, which may
// cost as much as a thousand answers, ends the turn.
//
// Who must make room for a newcomer: first the client itself, when it has too many connections or too many
// of the half-open handshakes; then, while those who
// never asked anything hold more than half of the places, the oldest of them; then who was idle longest.

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/unique_fd.h"
#include "dns/answer.h"
#include "dns/server.h"
#include "dns/server_counters.h"
#include "dns/tcp_channel.h"

namespace fairway::dns {

class TcpConnections {
  public:
    /// `limits` are this worker's share; `tls` is what connections under TLS begin with, or null. Throws
    /// std::system_error when the kernel gives no epoll.
    TcpConnections(const ServerLimits& limits, WorkerCounters& counters, const net::TlsServerSupply* tls);
    ~TcpConnections();
    TcpConnections(const TcpConnections&) = delete;
    TcpConnections& operator=(const TcpConnections&) = delete;

    /// Takes connections from this listening socket from now on; it must stay open. While there is no
    /// certificate, those for TLS are closed at once. Throws std::system_error.
    void listen(int listener, Transport transport);

    /// Readable when a turn() is due.
    [[nodiscard]] int fd() const noexcept { return epoll_.get(); }
    /// Whether a turn() has work of which fd() will not tell: what the last one had no time for.
    [[nodiscard]] bool is_pending() const noexcept { return !ready_.empty(); }
    /// When a turn() is due whatever fd() says: somebody was idle or streamed too long. Nothing while nobody
    /// is there.
    [[nodiscard]] std::optional<MonotonicTime> deadline() const;
    /// Does a bounded piece of the work there is, some hundred microseconds of it: accepts, reads, answers,
    /// sends, closes who was idle or streamed too long.
    void turn(const std::shared_ptr<const Serving>& serving, Answerer& answerer, MonotonicTime now,
              uint32_t unix_seconds);

    // Handing over to another process, or ending.

    /// Takes a connection that was accepted elsewhere, with what was read from it and not answered.
    void adopt(HandedConnection connection, MonotonicTime now);
    /// Stops listening and gives away every connection that another process can go on with. The others get
    /// what they have asked for, then end; turn() goes on until is_empty().
    [[nodiscard]] std::vector<HandedConnection> leave();
    /// Stops listening; what has been asked is read and answered in the following turns, then all end.
    void finish();
    [[nodiscard]] bool is_empty() const noexcept { return size() == 0; }

  private:
    struct Watched;
    struct Listener;
    struct Connection;
    struct Turn;
    using List = std::list<Connection>;
    enum class Stage : uint8_t {
        handshaking,  // since it was accepted
        silent,       // has asked nothing yet; since it could
        asked,        // since its last whole question, or since it took all its answers
    };
    struct Client {
        // Those there longest first.
        std::list<Connection*> handshaking, others;
        [[nodiscard]] size_t size() const noexcept { return handshaking.size() + others.size(); }
    };

    void accept(Listener& listener, Turn& turn);
    void set_listeners(uint32_t events);
    void stop_listening();
    Connection* add(UniqueFd fd, const IpAddress& peer, Transport transport, MonotonicTime now);
    void make_room(const IpAddress& peer, Transport transport);
    void close_for_room(Connection* connection);
    void close(Connection& connection);
    /// Who goes when somebody must; null when nobody is there.
    [[nodiscard]] Connection* least_wanted();
    [[nodiscard]] static Connection* oldest(const Client& client);
    [[nodiscard]] Connection* oldest(std::initializer_list<Stage> among);
    void for_each(const std::function<void(Connection&)>& visit);
    [[nodiscard]] size_t size() const noexcept;
    [[nodiscard]] static std::list<Connection*>& of(Client& client, Stage stage) noexcept {
        return stage == Stage::handshaking ? client.handshaking : client.others;
    }
    [[nodiscard]] List& of(Stage stage) noexcept { return connections_[static_cast<size_t>(stage)]; }
    void move(Connection& connection, Stage to, MonotonicTime now);
    void account(Connection& connection) noexcept;
    void make_ready(Connection& connection, uint32_t events);
    void rest(Connection& connection);
    void serve(Connection& connection, Turn& turn);
    bool advance(Connection& connection, Turn& turn);
    /// Ends one that has its answers: our side is closed, and what still comes is thrown away until the peer
    /// closes its own. Closing at once would answer unread octets with a reset, which destroys answers that
    /// are on their way. False when it is over.
    bool linger(Connection& connection);
    enum class Stopped : uint8_t { idle, queue_is_full, turn_is_over, broken };
    Stopped answer_some(Connection& connection, Turn& turn, uint32_t& left);
    [[nodiscard]] bool is_full(const Connection& connection, size_t more = 0) const noexcept;
    bool read(Connection& connection, Turn& turn, uint32_t& left);
    size_t answer(Connection& connection, ByteSpan message, Turn& turn, std::span<uint8_t> room);
    void end_stream(Connection& connection);
    bool flush(Connection& connection, MonotonicTime now);
    bool watch(Connection& connection);
    void expire(MonotonicTime now);
    [[nodiscard]] milliseconds idle_time() const noexcept;
    [[nodiscard]] milliseconds patience(Stage stage) const noexcept;

    UniqueFd epoll_;
    ServerLimits limits_;
    WorkerCounters& counters_;
    std::list<Listener> listeners_;
    /// Listeners that ran into a lack of memory rest until then; level-triggered epoll would spin.
    std::optional<MonotonicTime> resume_;
    std::array<List, 3> connections_;     // by Stage, those there longest first
    List closed_;                         // kept while events of this turn may still name them
    std::list<Connection*> ready_;        // has work, in the order in which it came
    std::list<Connection*> resting_;      // has none
    std::vector<Connection*> streaming_;  // in the order in which their streams began
    std::unordered_map<IpAddress, Client> clients_;
    bool ending_ = false;           // no new questions: who has its answers is closed
    UniqueFd spare_;                // given up for a moment when there are no file descriptors left
    std::vector<uint8_t> scratch_;  // what is read
    std::vector<uint8_t> batch_;    // answers that go out together
    size_t ready_handshakes_ = 0;   // of ready_
    uint32_t held_back_ = 0;        // turns in which newcomers waited for handshakes
    size_t queued_ = 0;             // octets of answers that the kernel has not taken, all together
    std::optional<Published<net::TlsServerContext>::Reader> tls_;
    const net::TlsTicketKeys* tickets_ = nullptr;
};

}  // namespace fairway::dns
