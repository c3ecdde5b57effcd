// SPDX-License-Identifier: Apache-2.0
#include "dns/tcp.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace fairway::dns {
namespace {

constexpr size_t length_size = 2;
constexpr size_t read_size = 16 * 1024;  // octets read from one connection before others have their turn
constexpr size_t keep_capacity = 8192;   // octets of buffer that an idle connection may keep
constexpr int accepts_at_once = 64;
constexpr size_t stream_messages_at_once = 4;  // of one connection before others have their turn
constexpr uint8_t client_bits_v6 = 64;         // one subscriber

IpAddress client_of(const IpAddress& peer) {
    return peer.is_v4() ? peer : peer.masked(client_bits_v6);
}

UniqueFd open_spare() {
    return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace

struct TcpConnections::Connection {
    Connection(UniqueFd socket, const IpAddress& from, size_t max_message)
        : fd(std::move(socket)), peer(from), framing(max_message) {}

    [[nodiscard]] size_t unsent() const noexcept { return out.size() - sent; }

    UniqueFd fd;
    IpAddress peer;
    TcpFraming framing;
    std::vector<uint8_t> out;                // answers with their lengths
    size_t sent = 0;                         // of out
    bool peer_is_done = false;               // has closed its side; what it asked before is still answered
    uint32_t watched = 0;                    // epoll events
    MonotonicTime active;                    // last whole question, or last time all answers had been taken
    std::unique_ptr<ResponseStream> stream;  // to be sent before the next question is looked at
    MonotonicTime stream_end;                // when it must be through
    List::iterator self;
    std::list<Connection*>::iterator in_client;
};

TcpConnections::TcpConnections(int epoll, const ServerLimits& limits, WorkerCounters& counters)
    : epoll_(epoll),
      limits_(limits),
      counters_(counters),
      spare_(open_spare()),
      scratch_(std::max(read_size, length_size + Answerer::max_tcp_answer)) {}

TcpConnections::~TcpConnections() {
    while (close_oldest()) {
    }
}

TcpConnections::Accepted TcpConnections::accept(int listener, MonotonicTime now) {
    for (int i = 0; i < accepts_at_once; ++i) {
        sockaddr_storage from{};
        socklen_t size = sizeof from;
        UniqueFd fd(
            accept4(listener, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (fd) {
            const auto peer = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&from));
            if (peer) add(std::move(fd), peer->address, now);
            continue;
        }
        switch (errno) {
            case EAGAIN:
                return Accepted::all;
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
                    UniqueFd(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)).get() >= 0;
                spare_ = open_spare();
                if (!spare_) return Accepted::pause;
                // The lack of a descriptor is found before the lack of a newcomer.
                if (!turned_away) return Accepted::all;
                continue;
            }
            case ENOBUFS:
            case ENOMEM:
                return Accepted::pause;
            default:
                // The client was faster to leave, or a firewall said no: not our trouble.
                continue;
        }
    }
    return Accepted::some;
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
    of_client.push_back(&connection);
    connection.in_client = std::prev(of_client.end());
    counters_.connections_accepted.add();
    counters_.connections_open.add();

    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &connection;
    connection.watched = event.events;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd.get(), &event) != 0) close(connection);
}

void TcpConnections::close(Connection& connection) {
    if (!connection.fd) return;
    end_stream(connection);
    connection.fd.reset();  // takes it out of epoll too
    const auto client = clients_.find(client_of(connection.peer));
    client->second.connections.erase(connection.in_client);
    if (client->second.connections.empty()) clients_.erase(client);
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

void TcpConnections::handle(void* data, uint32_t events, const std::shared_ptr<const Serving>& serving,
                            Answerer& answerer, MonotonicTime now, uint32_t unix_seconds) {
    Connection& connection = *static_cast<Connection*>(data);
    if (!connection.fd) return;  // closed by an earlier event of the same round
    bool good = (events & EPOLLERR) == 0;
    if (good && (events & EPOLLOUT) != 0) good = flush(connection, now);
    if (good && (events & (EPOLLIN | EPOLLHUP)) != 0 && !connection.peer_is_done) good = read(connection);
    if (good) good = answer_all(connection, serving, answerer, now, unix_seconds);
    if (good && connection.peer_is_done && connection.unsent() == 0 && connection.stream == nullptr)
        good = false;
    if (good)
        watch(connection);
    else
        close(connection);
}

bool TcpConnections::read(Connection& connection) {
    const ssize_t count = recv(connection.fd.get(), scratch_.data(), read_size, 0);
    if (count > 0)
        connection.framing.append(ByteSpan(scratch_).first(static_cast<size_t>(count)));
    else if (count == 0)
        connection.peer_is_done = true;
    else if (errno != EAGAIN && errno != EINTR)
        return false;
    return true;
}

bool TcpConnections::answer_all(Connection& connection, const std::shared_ptr<const Serving>& serving,
                                Answerer& answerer, MonotonicTime now, uint32_t unix_seconds) {
    const auto is_over = [&connection] {
        return connection.framing.failed() && connection.unsent() == 0 && connection.stream == nullptr;
    };
    size_t streamed = 0;
    while (true) {
        // A reader that does not keep up is not asked for more questions.
        while (connection.unsent() < limits_.write_queue) {
            if (connection.stream != nullptr) {
                if (streamed == stream_messages_at_once) break;
                ++streamed;
                const size_t size = connection.stream->next(
                    std::span(scratch_).subspan(length_size, ResponseStream::max_message), unix_seconds);
                if (size == 0)
                    end_stream(connection);
                else
                    append_answer(connection, size);
                continue;
            }
            const Answered answered = answer_next(connection, serving, answerer, now, unix_seconds);
            if (answered == Answered::junk) return false;
            if (answered == Answered::nothing) break;
        }
        if (is_over()) return false;
        const bool was_full = connection.unsent() >= limits_.write_queue;
        if (!flush(connection, now)) return false;
        // The rest of a stream comes when the socket can be written, which is asked for.
        if (connection.stream != nullptr) break;
        // Questions may wait in the buffer that stopped at the full queue, of which no event will tell.
        if (!was_full || connection.unsent() >= limits_.write_queue) break;
    }
    return !is_over();
}

TcpConnections::Answered TcpConnections::answer_next(Connection& connection,
                                                     const std::shared_ptr<const Serving>& serving,
                                                     Answerer& answerer, MonotonicTime now,
                                                     uint32_t unix_seconds) {
    const auto message = connection.framing.next();
    if (!message) return Answered::nothing;
    touch(connection, now);
    Request request;
    request.message = *message;
    request.source = connection.peer;
    request.transport = Transport::tcp;
    request.unix_seconds = unix_seconds;
    request.keepalive = static_cast<uint16_t>(idle_time().count() / 100);
    request.streams_left = limits_.streams - std::min<size_t>(limits_.streams, streaming_.size());
    const size_t size = answerer.answer(*serving, request,
                                        std::span(scratch_).subspan(length_size, Answerer::max_tcp_answer));
    counters_.count(Transport::tcp, answerer.outcome());
    if (size == 0) return Answered::junk;  // what is no question over TCP is no accident
    append_answer(connection, size);
    connection.stream = answerer.take_stream(serving);
    if (connection.stream != nullptr) {
        connection.stream_end = now + limits_.stream;
        streaming_.push_back(&connection);
    }
    return Answered::question;
}

void TcpConnections::append_answer(Connection& connection, size_t size) {
    scratch_[0] = static_cast<uint8_t>(size >> 8);
    scratch_[1] = static_cast<uint8_t>(size);
    connection.out.insert(connection.out.end(), scratch_.begin(),
                          scratch_.begin() + static_cast<std::ptrdiff_t>(length_size + size));
}

void TcpConnections::end_stream(Connection& connection) {
    if (connection.stream == nullptr) return;
    connection.stream.reset();
    std::erase(streaming_, &connection);
}

bool TcpConnections::flush(Connection& connection, MonotonicTime now) {
    if (connection.unsent() == 0) return true;
    const size_t before = connection.unsent();
    while (connection.unsent() > 0) {
        const ssize_t count = send(connection.fd.get(), connection.out.data() + connection.sent,
                                   connection.unsent(), MSG_NOSIGNAL);
        if (count >= 0)
            connection.sent += static_cast<size_t>(count);
        else if (errno == EAGAIN || errno == ENOBUFS)
            break;
        else if (errno != EINTR)
            return false;
    }
    if (connection.unsent() == 0) {
        connection.out.clear();
        connection.sent = 0;
        if (connection.stream == nullptr && connection.out.capacity() > keep_capacity)
            connection.out.shrink_to_fit();
        touch(connection, now);
    } else if (connection.stream != nullptr && connection.unsent() < before) {
        // The queue of a stream may never be empty; whether the whole takes too long is another question.
        touch(connection, now);
    }
    if (connection.sent > limits_.write_queue) {
        connection.out.erase(connection.out.begin(),
                             connection.out.begin() + static_cast<std::ptrdiff_t>(connection.sent));
        connection.sent = 0;
    }
    return true;
}

void TcpConnections::watch(Connection& connection) {
    uint32_t wanted = 0;
    if (!connection.peer_is_done && !connection.framing.failed() && connection.stream == nullptr &&
        connection.unsent() < limits_.write_queue)
        wanted |= EPOLLIN;
    if (connection.unsent() > 0 || connection.stream != nullptr) wanted |= EPOLLOUT;
    if (wanted == connection.watched) return;
    epoll_event event{};
    event.events = wanted;
    event.data.ptr = &connection;
    if (epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd.get(), &event) != 0) {
        close(connection);
        return;
    }
    connection.watched = wanted;
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
    while (!connections_.empty() && now - connections_.front().active >= idle_time()) {
        close(connections_.front());
        counters_.connections_closed_idle.add();
    }
    while (!streaming_.empty() && now >= streaming_.front()->stream_end) close(*streaming_.front());
}

void TcpConnections::drop_closed() {
    closed_.clear();
}

std::optional<MonotonicTime> TcpConnections::deadline() const {
    if (connections_.empty()) return std::nullopt;
    const MonotonicTime idle = connections_.front().active + idle_time();
    return streaming_.empty() ? idle : std::min(idle, streaming_.front()->stream_end);
}

}  // namespace fairway::dns
