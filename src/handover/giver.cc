// SPDX-License-Identifier: Apache-2.0
#include "handover/giver.h"

#include <utility>

#include "base/log.h"
#include "net/loop.h"

namespace fairway::handover {
namespace {

std::string name_of(const Hello& hello) {
    return "process " + std::to_string(hello.pid) + " (" + hello.program + ")";
}

}  // namespace

//     due         heard       then         due next
//     hello       hello       offer        prepared
//     prepared    prepared    tell         serving
//     serving     serving     release      -
//     any         else        give up
GiverSession::Step GiverSession::heard(MessageType type, MonotonicTime now) noexcept {
    if (type != due_) return Step::give_up;
    switch (type) {
        case MessageType::hello:
            due_ = MessageType::prepared;
            deadline_ = now + preparing_time;
            return Step::offer;
        case MessageType::prepared:
            due_ = MessageType::serving;
            deadline_ = now + starting_time;
            return Step::tell;
        case MessageType::serving:
            return Step::release;
        default:
            return Step::give_up;
    }
}

struct Giver::Peer {
    Peer(UniqueFd connection, MonotonicTime now) : channel(std::move(connection)), session(now) {}
    Channel channel;
    GiverSession session;
    Hello hello;
    std::unique_ptr<net::PollHandle> poll;  // last: stops watching before the descriptor is closed
};

Giver::Giver(net::Loop& loop, net::ListeningSocket socket, Hello self, int lock, Hooks hooks)
    : loop_(loop),
      self_(std::move(self)),
      lock_(lock),
      hooks_(std::move(hooks)),
      deadline_(loop,
                [this] {
                    if (!peer_) return;
                    if (peer_->session.at(loop_.now()) == GiverSession::Step::give_up)
                        give_up("it takes too long");
                    else
                        deadline_.start_at(peer_->session.deadline());
                }),
      acceptor_(loop, std::move(socket), [this](UniqueFd connection) { accept(std::move(connection)); }) {}

Giver::~Giver() = default;

void Giver::accept(UniqueFd connection) {
    if (peer_) {
        Channel channel(std::move(connection));
        (void)channel.send(MessageType::refused,
                           reason_body("a handover to " + name_of(peer_->hello) + " is under way"));
        return;
    }
    auto peer = std::make_unique<Peer>(std::move(connection), loop_.now());
    if (const auto allowed = peer->channel.check_peer(); !allowed) {
        log::warning("handover refused: " + allowed.error().message);
        (void)peer->channel.send(MessageType::refused, reason_body(allowed.error().message));
        return;
    }
    peer_ = std::move(peer);
    deadline_.start_at(peer_->session.deadline());
    peer_->poll =
        std::make_unique<net::PollHandle>(loop_, peer_->channel.fd(), [this](net::Readiness) { read(); });
    peer_->poll->watch({.readable = true});
}

void Giver::read() {
    while (peer_) {
        auto message = peer_->channel.receive();
        if (!message) return give_up(message.error().message);
        if (!*message || !take(**message)) return;
    }
}

bool Giver::take(const Message& message) {
    if (message.type == MessageType::failed) {
        give_up(parse_reason(message.body));
        return false;
    }
    switch (peer_->session.heard(message.type, loop_.now())) {
        case GiverSession::Step::offer: {
            auto hello = parse_hello(message.body);
            if (!hello) break;
            peer_->hello = std::move(*hello);
            std::vector<net::OfferedSocket> sockets = hooks_.offer(peer_->hello);
            const net::ListeningSocket& own = acceptor_.socket();
            sockets.push_back({std::string(socket_purpose), net::SocketKind::stream, own.address(), own.fd(),
                               own.held_elsewhere()});
            std::vector<int> fds;
            for (const net::OfferedSocket& socket : sockets) fds.push_back(socket.fd);
            if (lock_ >= 0) fds.push_back(lock_);
            const auto sent =
                peer_->channel.send(MessageType::offer, offer_body(self_, sockets, lock_ >= 0), fds);
            if (!sent) return give_up(sent.error().message), false;
            deadline_.start_at(peer_->session.deadline());
            return true;
        }
        case GiverSession::Step::tell: {
            const auto sent = peer_->channel.send(MessageType::state, state_body(hooks_.state()));
            if (!sent) return give_up(sent.error().message), false;
            deadline_.start_at(peer_->session.deadline());
            return true;
        }
        case GiverSession::Step::release: {
            hooks_.releasing(peer_->hello);
            const auto sent = peer_->channel.send(MessageType::released, {});
            if (!sent) return give_up(sent.error().message), false;
            // From here on the other one is in charge, whatever becomes of it.
            deadline_.stop();
            acceptor_.socket().leave_to_others();
            acceptor_.pause();
            const std::vector<Connection> connections = hooks_.release(peer_->hello);
            std::vector<int> fds;
            for (const Connection& connection : connections) fds.push_back(connection.fd.get());
            const auto given =
                peer_->channel.send(MessageType::connections, connections_body(connections), fds);
            if (!given) log::warning("handover: connections are lost: " + given.error().message);
            peer_.reset();
            hooks_.done();
            return false;
        }
        case GiverSession::Step::wait:
        case GiverSession::Step::give_up:
            break;
    }
    give_up("it said \"" + std::string(to_string(message.type)) + "\" out of turn");
    return false;
}

void Giver::give_up(const std::string& why) {
    deadline_.stop();
    const std::unique_ptr<Peer> peer = std::exchange(peer_, nullptr);
    (void)peer->channel.send(MessageType::refused, reason_body(why));
    if (peer->session.has_begun()) hooks_.go_on(peer->hello, why);
}

}  // namespace fairway::handover
