// SPDX-License-Identifier: Apache-2.0
#include "dns/tcp.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace fairway::dns {
namespace {

constexpr size_t length_size = 2;
constexpr size_t read_size = 16 * 1024;  // octets read from one connection before others have their turn
constexpr uint8_t client_bits_v6 = 64;   // one subscriber
constexpr milliseconds accept_pause{100};

// A turn's work in units of one small answer, about a microsecond and a half.
constexpr uint32_t units_of_turn = 128;
constexpr uint32_t units_of_connection = 32;  // for one connection, before the next in the queue
constexpr uint32_t units_of_read = 1;
constexpr size_t octets_of_unit = 1024;  // large answers count by their size
constexpr int events_of_turn = 32;
constexpr int accepts_of_turn = 16;
constexpr int expired_of_turn = 32;
constexpr int reads_of_lingering = 4;

IpAddress client_of(const IpAddress& peer) {
    return peer.is_v4() ? peer : peer.masked(client_bits_v6);
}

UniqueFd open_spare() {
    return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

uint32_t units_of_answer(size_t octets) {
    return 1 + static_cast<uint32_t>(octets / octets_of_unit);
}

void spend(uint32_t& left, uint32_t units) {
    left -= std::min(left, units);
}

}  // namespace

// What epoll's data.ptr points to.
struct TcpConnections::Watched {
    enum class Kind : uint8_t { listener, connection };
    explicit Watched(Kind what) noexcept : kind(what) {}
    Kind kind;
};

struct TcpConnections::Listener : Watched {
    explicit Listener(int socket) noexcept : Watched(Kind::listener), fd(socket) {}
    int fd;
};

struct TcpConnections::Connection : Watched {
    Connection(UniqueFd socket, const IpAddress& from, size_t max_message)
        : Watched(Kind::connection), channel(std::move(socket)), peer(from), framing(max_message) {}

    TcpChannel channel;
    IpAddress peer;
    TcpFraming framing;
    std::unique_ptr<ResponseStream> stream;  // to be sent before the next question is looked at
    MonotonicTime stream_end;                // when it must be through
    bool peer_is_done = false;               // has closed its side; what it asked before is still answered
    uint32_t events = 0;   // that epoll told of and that wait for this connection's piece of a turn
    uint32_t watched = 0;  // epoll events
    MonotonicTime active;  // last whole question, or last time all answers had been taken
    List::iterator self;
    std::list<Connection*>::iterator in_client;
    std::list<Connection*>::iterator in_queue;  // of ready_ or resting_
    bool is_ready = false;
    bool lingers = false;  // has all its answers; see linger()
};

struct TcpConnections::Turn {
    const std::shared_ptr<const Serving>& serving;
    Answerer& answerer;
    MonotonicTime now;
    uint32_t unix_seconds;
    uint32_t left = units_of_turn;
    int accepts_left = accepts_of_turn;  // of their own, so that no flood of newcomers starves who is there
};

TcpConnections::TcpConnections(const ServerLimits& limits, WorkerCounters& counters)
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      limits_(limits),
      counters_(counters),
      spare_(open_spare()),
      scratch_(std::max(read_size, length_size + Answerer::max_tcp_answer)) {
    if (!epoll_) throw std::system_error(errno, std::generic_category(), "cannot wait for TCP connections");
}

TcpConnections::~TcpConnections() {
    while (close_oldest()) {
    }
}

void TcpConnections::listen(int listener) {
    listeners_.emplace_back(listener);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = static_cast<Watched*>(&listeners_.back());
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener, &event) != 0)
        throw std::system_error(errno, std::generic_category(), "cannot watch a DNS socket");
}

void TcpConnections::set_listeners(uint32_t events) {
    for (Listener& listener : listeners_) {
        epoll_event event{};
        event.events = events;
        event.data.ptr = static_cast<Watched*>(&listener);
        (void)epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, listener.fd, &event);
    }
}

void TcpConnections::stop_listening() {
    ending_ = true;
    resume_.reset();
    // Explicitly: closing the descriptor would not end the watch while another process has the socket.
    for (const Listener& listener : listeners_)
        (void)epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener.fd, nullptr);
    listeners_.clear();
}

void TcpConnections::adopt(HandedConnection handed, MonotonicTime now) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    if (getpeername(handed.fd.get(), reinterpret_cast<sockaddr*>(&from), &size) != 0) return;
    const auto peer = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&from));
    if (!peer) return;
    const int fd = handed.fd.get();
    add(std::move(handed.fd), peer->address, now);
    if (handed.unread.empty() || connections_.empty() || connections_.back().channel.fd() != fd) return;
    Connection& connection = connections_.back();
    connection.framing.append(handed.unread);
    make_ready(connection, 0);
}

std::vector<HandedConnection> TcpConnections::leave() {
    stop_listening();
    std::vector<HandedConnection> handed;
    for (auto at = connections_.begin(); at != connections_.end();) {
        Connection& connection = *at++;
        if (connection.stream != nullptr || connection.peer_is_done || connection.framing.failed() ||
            connection.channel.unsent() > 0) {
            make_ready(connection, 0);
            continue;
        }
        UniqueFd copy(fcntl(connection.channel.fd(), F_DUPFD_CLOEXEC, 3));
        if (!copy) {  // no descriptors left
            make_ready(connection, EPOLLIN);
            continue;
        }
        (void)epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connection.channel.fd(), nullptr);
        const ByteSpan rest = connection.framing.rest();
        handed.push_back({std::move(copy), std::vector<uint8_t>(rest.begin(), rest.end())});
        close(connection);
    }
    return handed;
}

void TcpConnections::finish() {
    stop_listening();
    for (Connection& connection : connections_) make_ready(connection, EPOLLIN);
}

void TcpConnections::turn(const std::shared_ptr<const Serving>& serving, Answerer& answerer,
                          MonotonicTime now, uint32_t unix_seconds) {
    Turn turn{serving, answerer, now, unix_seconds};
    if (resume_ && now >= *resume_) {
        resume_.reset();
        set_listeners(EPOLLIN);
    }
    std::array<epoll_event, events_of_turn> events{};
    const int count = epoll_wait(epoll_.get(), events.data(), events_of_turn, 0);
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<size_t>(i)];
        auto* watched = static_cast<Watched*>(event.data.ptr);
        if (watched->kind == Watched::Kind::listener)
            accept(static_cast<Listener&>(*watched), turn);
        else
            make_ready(static_cast<Connection&>(*watched), event.events);
    }
    // Who is not through goes to the end of the queue.
    while (turn.left > 0 && !ready_.empty()) serve(*ready_.front(), turn);
    expire(now);
    closed_.clear();
}

void TcpConnections::accept(Listener& listener, Turn& turn) {
    for (; turn.accepts_left > 0; --turn.accepts_left) {
        sockaddr_storage from{};
        socklen_t size = sizeof from;
        UniqueFd fd(
            accept4(listener.fd, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (fd) {
            const auto peer = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&from));
            if (peer) add(std::move(fd), peer->address, turn.now);
            continue;
        }
        switch (errno) {
            case EAGAIN:
                return;
            case EMFILE:
            case ENFILE: {
                // Room is made as for the connection limit. With nothing of ours to close, the newcomer is
                // turned away, or the listener would stay readable and spin.
                if (close_oldest()) {
                    counters_.connections_closed_for_room.add();
                    continue;
                }
                spare_.reset();
                const bool turned_away =
                    UniqueFd(accept4(listener.fd, nullptr, nullptr, SOCK_CLOEXEC)).get() >= 0;
                spare_ = open_spare();
                // The lack of a descriptor is found before the lack of a newcomer.
                if (spare_ && turned_away) continue;
                if (spare_) return;
                break;
            }
            case ENOBUFS:
            case ENOMEM:
                break;
            default:
                // The client was faster to leave, or a firewall said no: not our trouble.
                continue;
        }
        resume_ = turn.now + accept_pause;
        set_listeners(0);
        return;
    }
}

void TcpConnections::add(UniqueFd fd, const IpAddress& peer, MonotonicTime now) {
    const auto known = clients_.find(client_of(peer));
    if (known != clients_.end() && known->second.connections.size() >= limits_.connections_per_client) {
        close(*known->second.connections.front());
        counters_.connections_closed_for_room.add();
    }
    if (connections_.size() >= limits_.connections && close_oldest())
        counters_.connections_closed_for_room.add();

    const int on = 1;
    (void)setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections_.emplace_back(std::move(fd), peer, limits_.question);
    Connection& connection = connections_.back();
    connection.self = std::prev(connections_.end());
    connection.active = now;
    auto& of_client = clients_[client_of(peer)].connections;
    connection.in_client = of_client.insert(of_client.end(), &connection);
    connection.in_queue = resting_.insert(resting_.end(), &connection);
    counters_.connections_accepted.add();
    counters_.connections_open.add();

    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = static_cast<Watched*>(&connection);
    connection.watched = event.events;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.channel.fd(), &event) != 0) close(connection);
}

void TcpConnections::close(Connection& connection) {
    if (!connection.channel.is_open()) return;
    connection.channel.close();
    end_stream(connection);
    const auto client = clients_.find(client_of(connection.peer));
    client->second.connections.erase(connection.in_client);
    if (client->second.connections.empty()) clients_.erase(client);
    (connection.is_ready ? ready_ : resting_).erase(connection.in_queue);
    closed_.splice(closed_.end(), connections_, connection.self);
    counters_.connections_open.subtract(1);
}

bool TcpConnections::close_oldest() {
    if (connections_.empty()) return false;
    close(connections_.front());
    return true;
}

void TcpConnections::touch(Connection& connection, MonotonicTime now) {
    connection.active = now;
    connections_.splice(connections_.end(), connections_, connection.self);
    auto& of_client = clients_.find(client_of(connection.peer))->second.connections;
    of_client.splice(of_client.end(), of_client, connection.in_client);
}

void TcpConnections::make_ready(Connection& connection, uint32_t events) {
    // Closed by an earlier event of the same turn.
    if (!connection.channel.is_open()) return;
    connection.events |= events;
    if (connection.is_ready) return;
    ready_.splice(ready_.end(), resting_, connection.in_queue);
    connection.is_ready = true;
}

void TcpConnections::serve(Connection& connection, Turn& turn) {
    resting_.splice(resting_.end(), ready_, connection.in_queue);
    connection.is_ready = false;
    if (!advance(connection, turn) || !watch(connection)) close(connection);
}

bool TcpConnections::advance(Connection& connection, Turn& turn) {
    const uint32_t events = std::exchange(connection.events, 0);
    if (connection.lingers) {
        spend(turn.left, units_of_read);
        return linger(connection);
    }
    bool may_read = (events & (EPOLLIN | EPOLLHUP)) != 0 && !connection.peer_is_done;
    const uint32_t share = std::min(turn.left, units_of_connection);
    uint32_t left = share;
    bool good = (events & EPOLLERR) == 0 && flush(connection, turn.now);
    while (good && left > 0) {
        const Stopped stopped = answer_some(connection, turn, left);
        good = stopped != Stopped::broken && flush(connection, turn.now);
        if (!good || is_full(connection)) break;
        // Questions may wait in the buffer that stopped at the full queue, of which no event will tell.
        if (stopped != Stopped::idle) continue;
        // More are read when those before them have been answered, once a turn.
        if (!may_read || connection.framing.failed()) break;
        may_read = false;
        spend(left, units_of_read);
        const auto read = connection.channel.read(std::span(scratch_).first(read_size), connection.framing);
        good = read != TcpChannel::Read::broken;
        connection.peer_is_done = read == TcpChannel::Read::end;
    }
    spend(turn.left, std::max(uint32_t{1}, share - left));
    const bool has_unsent = connection.channel.unsent() > 0;
    if (!good || (connection.framing.failed() && !has_unsent)) return false;
    if (left == 0 && !is_full(connection)) {
        make_ready(connection, 0);
        return true;
    }
    if (ending_ && connection.stream == nullptr && !has_unsent) return linger(connection);
    return !connection.peer_is_done || has_unsent;
}

bool TcpConnections::linger(Connection& connection) {
    if (!std::exchange(connection.lingers, true)) (void)shutdown(connection.channel.fd(), SHUT_WR);
    ssize_t count = 0;
    for (int i = 0; i < reads_of_lingering; ++i) {
        count = recv(connection.channel.fd(), scratch_.data(), scratch_.size(), 0);
        if (count <= 0) break;
    }
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

TcpConnections::Stopped TcpConnections::answer_some(Connection& connection, Turn& turn, uint32_t& left) {
    // A reader that does not keep up is not asked for more questions.
    while (!is_full(connection)) {
        if (left == 0) return Stopped::turn_is_over;
        const auto room = std::span(scratch_).subspan(length_size, Answerer::max_tcp_answer);
        size_t size = 0;
        if (connection.stream != nullptr) {
            size = connection.stream->next(room.first(ResponseStream::max_message), turn.unix_seconds);
            if (size == 0) {
                end_stream(connection);
                continue;
            }
        } else {
            const auto message = connection.framing.next();
            if (!message) return Stopped::idle;
            size = answer(connection, *message, turn, room);
            if (size == 0) return Stopped::broken;  // what is no question over TCP is no accident
        }
        scratch_[0] = static_cast<uint8_t>(size >> 8);
        scratch_[1] = static_cast<uint8_t>(size);
        connection.channel.write(std::span(scratch_).first(length_size + size));
        spend(left, units_of_answer(size));
    }
    return Stopped::queue_is_full;
}

size_t TcpConnections::answer(Connection& connection, ByteSpan message, Turn& turn, std::span<uint8_t> room) {
    touch(connection, turn.now);
    Request request;
    request.message = message;
    request.source = connection.peer;
    request.transport = Transport::tcp;
    request.unix_seconds = turn.unix_seconds;
    request.keepalive = static_cast<uint16_t>(idle_time().count() / 100);
    request.streams_left = limits_.streams - std::min<size_t>(limits_.streams, streaming_.size());
    const size_t size = turn.answerer.answer(*turn.serving, request, room);
    counters_.count(request.transport, turn.answerer.outcome());
    connection.stream = turn.answerer.take_stream(turn.serving);
    if (connection.stream != nullptr) {
        connection.stream_end = turn.now + limits_.stream;
        streaming_.push_back(&connection);
    }
    return size;
}

void TcpConnections::end_stream(Connection& connection) {
    if (connection.stream == nullptr) return;
    connection.stream.reset();
    std::erase(streaming_, &connection);
}

bool TcpConnections::is_full(const Connection& connection) const noexcept {
    return connection.channel.unsent() >= limits_.write_queue;
}

bool TcpConnections::flush(Connection& connection, MonotonicTime now) {
    const size_t before = connection.channel.unsent();
    if (before == 0) return true;
    if (!connection.channel.flush()) return false;
    const size_t after = connection.channel.unsent();
    // The queue of a stream may never be empty; whether the whole takes too long is another question.
    if (after == 0 || (connection.stream != nullptr && after < before)) touch(connection, now);
    return true;
}

bool TcpConnections::watch(Connection& connection) {
    // What waits for its next piece of a turn needs no event, and must not fill the list of events.
    uint32_t wanted = 0;
    const bool takes_questions = !connection.peer_is_done && !connection.framing.failed() && !ending_;
    if ((takes_questions || connection.lingers) && !connection.is_ready && !is_full(connection))
        wanted |= EPOLLIN;
    if (connection.channel.unsent() > 0) wanted |= EPOLLOUT;
    if (wanted == connection.watched) return true;
    epoll_event event{};
    event.events = wanted;
    event.data.ptr = static_cast<Watched*>(&connection);
    connection.watched = wanted;
    return epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection.channel.fd(), &event) == 0;
}

milliseconds TcpConnections::idle_time() const noexcept {
    // Full patience up to half of the connections, then less in proportion (RFC 7766 section 6.2.3 leaves it
    // to us).
    const auto count = static_cast<int64_t>(connections_.size());
    const auto most = static_cast<int64_t>(limits_.connections);
    const int64_t above = std::max<int64_t>(0, 2 * count - most);
    const auto span = limits_.idle - limits_.idle_least;
    return std::max(limits_.idle_least, limits_.idle - span * above / std::max<int64_t>(1, most));
}

void TcpConnections::expire(MonotonicTime now) {
    for (int i = 0; i < expired_of_turn; ++i) {
        if (connections_.empty() || now - connections_.front().active < idle_time()) break;
        close(connections_.front());
        counters_.connections_closed_idle.add();
    }
    while (!streaming_.empty() && now >= streaming_.front()->stream_end) close(*streaming_.front());
}

std::optional<MonotonicTime> TcpConnections::deadline() const {
    std::optional<MonotonicTime> first = resume_;
    if (!connections_.empty()) {
        const MonotonicTime idle = connections_.front().active + idle_time();
        first = first ? std::min(*first, idle) : idle;
    }
    if (!streaming_.empty()) first = std::min(*first, streaming_.front()->stream_end);
    return first;
}

}  // namespace fairway::dns
