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
constexpr size_t batch_size = 16 * 1024;  // octets of small answers that are handed on at once: a TLS record
constexpr uint8_t client_bits_v6 = 64;    // one subscriber
constexpr milliseconds accept_pause{100};

// A turn's work in units of one small answer, about a microsecond and a half.
constexpr uint32_t units_of_turn = 128;
constexpr uint32_t units_of_connection = 32;  // for one connection, before the next in the queue
constexpr uint32_t units_of_read = 1;
constexpr uint32_t units_of_handshake_piece = 4;  // of which nothing followed yet
constexpr size_t octets_of_unit = 1024;           // large answers count by their size
constexpr int events_of_turn = 32;
constexpr int accepts_of_turn = 16;
constexpr int expired_of_turn = 32;
constexpr uint32_t turns_held_back = 4;
constexpr uint32_t client_share = 4;  // one client has at most this part of the half-open handshakes
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
    Listener(int socket, Transport carried) noexcept
        : Watched(Kind::listener), fd(socket), transport(carried) {}
    int fd;
    Transport transport;
};

struct TcpConnections::Connection : Watched {
    /// Under TLS where there is a `context`.
    Connection(UniqueFd socket, const std::shared_ptr<const net::TlsServerContext>& context,
               const net::TlsTicketKeys* keys, const IpAddress& from, size_t max_message, Stage first)
        : Watched(Kind::connection),
          channel(std::move(socket), context, keys),
          peer(from),
          framing(max_message),
          stage(first) {}

    TcpChannel channel;
    IpAddress peer;
    TcpFraming framing;
    std::unique_ptr<ResponseStream> stream;  // to be sent before the next question is looked at
    MonotonicTime stream_end;                // when it must be through
    bool peer_is_done = false;               // has closed its side; what it asked before is still answered
    uint32_t events = 0;   // that epoll told of and that wait for this connection's piece of a turn
    uint32_t watched = 0;  // epoll events
    Stage stage;
    MonotonicTime active;  // since when it is where it is in the list of its stage
    size_t accounted = 0;  // of queued_
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

TcpConnections::TcpConnections(const ServerLimits& limits, WorkerCounters& counters,
                               const net::TlsServerSupply* tls)
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      limits_(limits),
      counters_(counters),
      spare_(open_spare()),
      scratch_(TcpChannel::scratch_size),
      batch_(batch_size + length_size + Answerer::max_tcp_answer) {
    if (tls != nullptr) {
        tls_.emplace(tls->context);
        tickets_ = &tls->tickets;
    }
    if (!epoll_) throw std::system_error(errno, std::generic_category(), "cannot wait for TCP connections");
}

TcpConnections::~TcpConnections() {
    for_each([this](Connection& connection) { close(connection); });
}

void TcpConnections::listen(int listener, Transport transport) {
    listeners_.emplace_back(listener, transport);
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
    Connection* connection = add(std::move(handed.fd), peer->address, Transport::tcp, now);
    if (connection == nullptr || handed.unread.empty()) return;
    connection->framing.append(handed.unread);
    make_ready(*connection, 0);
}

std::vector<HandedConnection> TcpConnections::leave() {
    stop_listening();
    std::vector<HandedConnection> handed;
    for_each([&](Connection& connection) {
        // The state of a TLS session cannot be given away.
        if (connection.channel.is_tls() || connection.stream != nullptr || connection.peer_is_done ||
            connection.framing.failed() || connection.channel.unsent() > 0) {
            make_ready(connection, 0);
            return;
        }
        UniqueFd copy(fcntl(connection.channel.fd(), F_DUPFD_CLOEXEC, 3));
        if (!copy) {  // no descriptors left
            make_ready(connection, EPOLLIN);
            return;
        }
        (void)epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connection.channel.fd(), nullptr);
        const ByteSpan rest = connection.framing.rest();
        handed.push_back({std::move(copy), std::vector<uint8_t>(rest.begin(), rest.end())});
        close(connection);
    });
    return handed;
}

void TcpConnections::finish() {
    stop_listening();
    for_each([this](Connection& connection) { make_ready(connection, EPOLLIN); });
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
        if (watched->kind == Watched::Kind::connection)
            make_ready(static_cast<Connection&>(*watched), event.events);
    }
    // Who is not through goes to the end of the queue.
    while (turn.left > 0 && !ready_.empty()) serve(*ready_.front(), turn);
    // Newcomers last: they may take the places of those who were silent, not of those who were not heard.
    for (int i = 0; i < count; ++i) {
        auto* watched = static_cast<Watched*>(events[static_cast<size_t>(i)].data.ptr);
        if (watched->kind == Watched::Kind::listener) accept(static_cast<Listener&>(*watched), turn);
    }
    expire(now);
    closed_.clear();
}

void TcpConnections::accept(Listener& listener, Turn& turn) {
    // While handshakes wait for their turn, newcomers wait in the kernel's queue, where nobody pushes them
    // out; all but a few, because clients that trickle always make some wait.
    if (listener.transport == Transport::tls && ready_handshakes_ > 0) {
        if (++held_back_ < turns_held_back) return;
        held_back_ = 0;
        turn.accepts_left = std::min(turn.accepts_left, 1);
    }
    for (; turn.accepts_left > 0; --turn.accepts_left) {
        sockaddr_storage from{};
        socklen_t size = sizeof from;
        UniqueFd fd(
            accept4(listener.fd, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (fd) {
            const auto peer = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&from));
            if (peer) (void)add(std::move(fd), peer->address, listener.transport, turn.now);
            continue;
        }
        switch (errno) {
            case EAGAIN:
                return;
            case EMFILE:
            case ENFILE: {
                // Room is made as for the connection limit. With nothing of ours to close, the newcomer is
                // turned away, or the listener would stay readable and spin.
                if (Connection* victim = least_wanted(); victim != nullptr) {
                    close_for_room(victim);
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

TcpConnections::Connection* TcpConnections::add(UniqueFd fd, const IpAddress& peer, Transport transport,
                                                MonotonicTime now) {
    std::shared_ptr<const net::TlsServerContext> context;
    if (transport == Transport::tls) {
        context = tls_->shared();
        if (context == nullptr) {
            counters_.tls_failures.add();
            return nullptr;
        }
    }
    make_room(peer, transport);
    const int on = 1;
    (void)setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const Stage stage = transport == Transport::tls ? Stage::handshaking : Stage::silent;
    List& list = of(stage);
    list.emplace_back(std::move(fd), context, tickets_, peer, limits_.question, stage);
    Connection& connection = list.back();
    connection.self = std::prev(list.end());
    connection.active = now;
    auto& of_client = of(clients_[client_of(peer)], stage);
    connection.in_client = of_client.insert(of_client.end(), &connection);
    connection.in_queue = resting_.insert(resting_.end(), &connection);
    counters_.connections_accepted.add();
    counters_.connections_open.add();
    if (transport == Transport::tls) counters_.tls_connections_open.add();

    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = static_cast<Watched*>(&connection);
    connection.watched = event.events;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.channel.fd(), &event) == 0) return &connection;
    close(connection);
    return nullptr;
}

void TcpConnections::make_room(const IpAddress& peer, Transport transport) {
    const bool shakes_hands = transport == Transport::tls;
    if (const auto known = clients_.find(client_of(peer)); known != clients_.end()) {
        Client& client = known->second;
        const size_t most_handshakes = std::max(1U, limits_.handshakes / client_share);
        if (shakes_hands && client.handshaking.size() >= most_handshakes)
            close_for_room(client.handshaking.front());
        else if (client.size() >= limits_.connections_per_client)
            close_for_room(oldest(client));
    }
    if (shakes_hands && of(Stage::handshaking).size() >= limits_.handshakes)
        close_for_room(&of(Stage::handshaking).front());
    if (size() >= limits_.connections) close_for_room(least_wanted());
}

void TcpConnections::close_for_room(Connection* connection) {
    if (connection == nullptr) return;
    close(*connection);
    counters_.connections_closed_for_room.add();
}

void TcpConnections::for_each(const std::function<void(Connection&)>& visit) {
    for (List& list : connections_) {
        for (auto at = list.begin(); at != list.end();) visit(*at++);  // it may go
    }
}

size_t TcpConnections::size() const noexcept {
    size_t sum = 0;
    for (const List& list : connections_) sum += list.size();
    return sum;
}

TcpConnections::Connection* TcpConnections::oldest(std::initializer_list<Stage> among) {
    Connection* found = nullptr;
    for (const Stage stage : among) {
        List& list = of(stage);
        if (!list.empty() && (found == nullptr || list.front().active < found->active)) found = &list.front();
    }
    return found;
}

TcpConnections::Connection* TcpConnections::oldest(const Client& client) {
    if (client.handshaking.empty()) return client.others.front();
    if (client.others.empty()) return client.handshaking.front();
    return client.others.front()->active < client.handshaking.front()->active ? client.others.front()
                                                                              : client.handshaking.front();
}

TcpConnections::Connection* TcpConnections::least_wanted() {
    const size_t never_asked = of(Stage::handshaking).size() + of(Stage::silent).size();
    return 2 * never_asked > limits_.connections ? oldest({Stage::handshaking, Stage::silent})
                                                 : oldest({Stage::handshaking, Stage::silent, Stage::asked});
}

void TcpConnections::close(Connection& connection) {
    if (!connection.channel.is_open()) return;
    if (connection.stage == Stage::handshaking) counters_.tls_failures.add();
    if (connection.channel.is_tls()) counters_.tls_connections_open.subtract(1);
    // Explicitly: while a forked process has the descriptor too, closing ours does not end the watch, and
    // events would come for what is gone.
    (void)epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connection.channel.fd(), nullptr);
    connection.channel.close();
    end_stream(connection);
    queued_ -= connection.accounted;
    const auto client = clients_.find(client_of(connection.peer));
    of(client->second, connection.stage).erase(connection.in_client);
    if (client->second.size() == 0) clients_.erase(client);
    rest(connection);
    resting_.erase(connection.in_queue);
    closed_.splice(closed_.end(), of(connection.stage), connection.self);
    counters_.connections_open.subtract(1);
}

void TcpConnections::move(Connection& connection, Stage to, MonotonicTime now) {
    List& list = of(to);
    list.splice(list.end(), of(connection.stage), connection.self);
    Client& client = clients_.find(client_of(connection.peer))->second;
    std::list<Connection*>& of_client = of(client, to);
    of_client.splice(of_client.end(), of(client, connection.stage), connection.in_client);
    connection.stage = to;
    connection.active = now;
}

void TcpConnections::account(Connection& connection) noexcept {
    const size_t unsent = connection.channel.unsent();
    queued_ += unsent;
    queued_ -= connection.accounted;
    connection.accounted = unsent;
}

void TcpConnections::make_ready(Connection& connection, uint32_t events) {
    // Closed by an earlier event of the same turn.
    if (!connection.channel.is_open()) return;
    connection.events |= events;
    if (connection.is_ready) return;
    ready_.splice(ready_.end(), resting_, connection.in_queue);
    connection.is_ready = true;
    if (connection.stage == Stage::handshaking) ++ready_handshakes_;
}

void TcpConnections::rest(Connection& connection) {
    if (!connection.is_ready) return;
    resting_.splice(resting_.end(), ready_, connection.in_queue);
    connection.is_ready = false;
    if (connection.stage == Stage::handshaking) --ready_handshakes_;
}

void TcpConnections::serve(Connection& connection, Turn& turn) {
    rest(connection);
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
        good = flush(connection, turn.now) && stopped != Stopped::broken;
        if (!good || is_full(connection)) break;
        // Questions may wait in the buffer that stopped at the full queue, of which no event will tell.
        if (stopped != Stopped::idle) continue;
        // More are read when those before them have been answered, once a turn.
        if (!may_read || connection.framing.failed()) break;
        may_read = false;
        good = read(connection, turn, left);
    }
    spend(turn.left, std::max(uint32_t{1}, share - left));
    account(connection);
    const bool has_unsent = connection.channel.unsent() > 0;
    if (!good || (connection.framing.failed() && !has_unsent)) return false;
    if (has_unsent && queued_ >= limits_.queued) {
        counters_.connections_closed_for_room.add();
        return false;
    }
    if (left == 0 && !is_full(connection)) {
        make_ready(connection, 0);
        return true;
    }
    if (ending_ && connection.stream == nullptr && !has_unsent) return linger(connection);
    return !connection.peer_is_done || has_unsent;
}

bool TcpConnections::linger(Connection& connection) {
    if (!std::exchange(connection.lingers, true)) connection.channel.end();
    ssize_t count = 0;
    for (int i = 0; i < reads_of_lingering; ++i) {
        count = recv(connection.channel.fd(), scratch_.data(), scratch_.size(), 0);
        if (count <= 0) break;
    }
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

bool TcpConnections::read(Connection& connection, Turn& turn, uint32_t& left) {
    TcpChannel& channel = connection.channel;
    const bool was_handshaking = channel.is_handshaking();
    const size_t unsent = channel.unsent();
    const TcpChannel::Read read = channel.read(scratch_, connection.framing);
    connection.peer_is_done = read == TcpChannel::Read::end;
    if (!was_handshaking) {
        spend(left, units_of_read);
        return read != TcpChannel::Read::broken;
    }
    // What made the library speak has cost a private key's operation, or nearly as much.
    if (channel.unsent() != unsent || read == TcpChannel::Read::broken)
        turn.left = 0;
    else
        spend(left, units_of_handshake_piece);
    if (read == TcpChannel::Read::broken || !flush(connection, turn.now)) return false;
    if (channel.is_handshaking()) return read == TcpChannel::Read::good;
    counters_.tls_handshakes.add();
    if (channel.is_resumed()) counters_.tls_resumptions.add();
    move(connection, Stage::silent, turn.now);
    return true;
}

TcpConnections::Stopped TcpConnections::answer_some(Connection& connection, Turn& turn, uint32_t& left) {
    size_t used = 0;  // of batch_
    const auto hand_on = [&] {
        if (used > 0) connection.channel.write(std::span(batch_).first(std::exchange(used, 0)));
    };
    Stopped stopped = Stopped::queue_is_full;
    // A reader that does not keep up is not asked for more questions.
    while (!is_full(connection, used)) {
        if (left == 0) {
            stopped = Stopped::turn_is_over;
            break;
        }
        const auto room = std::span(batch_).subspan(used + length_size, Answerer::max_tcp_answer);
        size_t size = 0;
        if (connection.stream != nullptr) {
            size = connection.stream->next(room.first(ResponseStream::max_message), turn.unix_seconds);
            if (size == 0) {
                end_stream(connection);
                continue;
            }
        } else {
            const auto message = connection.framing.next();
            if (!message) {
                stopped = Stopped::idle;
                break;
            }
            size = answer(connection, *message, turn, room);
            // What is no question over TCP is no accident.
            if (size == 0) {
                stopped = Stopped::broken;
                break;
            }
        }
        batch_[used] = static_cast<uint8_t>(size >> 8);
        batch_[used + 1] = static_cast<uint8_t>(size);
        used += length_size + size;
        spend(left, units_of_answer(size));
        if (used >= batch_size) hand_on();
    }
    hand_on();
    return stopped;
}

size_t TcpConnections::answer(Connection& connection, ByteSpan message, Turn& turn, std::span<uint8_t> room) {
    move(connection, Stage::asked, turn.now);
    Request request;
    request.message = message;
    request.source = connection.peer;
    request.transport = connection.channel.is_tls() ? Transport::tls : Transport::tcp;
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

bool TcpConnections::is_full(const Connection& connection, size_t more) const noexcept {
    const size_t limit = 2 * queued_ < limits_.queued ? limits_.write_queue : 1;
    return connection.channel.unsent() + more >= limit;
}

bool TcpConnections::flush(Connection& connection, MonotonicTime now) {
    const size_t before = connection.channel.unsent();
    if (before == 0) return true;
    if (!connection.channel.flush()) return false;
    const size_t after = connection.channel.unsent();
    // The queue of a stream may never be empty; whether the whole takes too long is another question.
    const bool is_moving = after == 0 || (connection.stream != nullptr && after < before);
    if (is_moving && connection.stage == Stage::asked) move(connection, Stage::asked, now);
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
    const auto count = static_cast<int64_t>(size());
    const auto most = static_cast<int64_t>(limits_.connections);
    const int64_t above = std::max<int64_t>(0, 2 * count - most);
    const auto span = limits_.idle - limits_.idle_least;
    return std::max(limits_.idle_least, limits_.idle - span * above / std::max<int64_t>(1, most));
}

milliseconds TcpConnections::patience(Stage stage) const noexcept {
    return stage == Stage::handshaking ? std::min(limits_.handshake, idle_time()) : idle_time();
}

void TcpConnections::expire(MonotonicTime now) {
    // A few a turn: thousands may be due at once.
    int left = expired_of_turn;
    for (const Stage stage : {Stage::handshaking, Stage::silent, Stage::asked}) {
        for (List& list = of(stage); left > 0 && !list.empty(); --left) {
            if (now - list.front().active < patience(stage)) break;
            close(list.front());
            counters_.connections_closed_idle.add();
        }
    }
    while (!streaming_.empty() && now >= streaming_.front()->stream_end) close(*streaming_.front());
}

std::optional<MonotonicTime> TcpConnections::deadline() const {
    std::optional<MonotonicTime> first = resume_;
    const auto note = [&first](MonotonicTime time) { first = first ? std::min(*first, time) : time; };
    for (const Stage stage : {Stage::handshaking, Stage::silent, Stage::asked}) {
        const List& list = connections_[static_cast<size_t>(stage)];
        if (!list.empty()) note(list.front().active + patience(stage));
    }
    if (!streaming_.empty()) note(streaming_.front()->stream_end);
    return first;
}

}  // namespace fairway::dns
