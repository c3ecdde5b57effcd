// SPDX-License-Identifier: Apache-2.0
#include "pdns/server.h"

#include <fcntl.h>

#include <algorithm>
#include <list>
#include <string>
#include <utility>

#include "base/log.h"
#include "net/inherited_sockets.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/timer.h"
#include "pdns/http_request.h"
#include "pdns/json_reader.h"
#include "pdns/protocol.h"

namespace fairway::pdns {
namespace {

/// A request of the protocol is a few hundred octets; names can be long, and hostile.
constexpr size_t max_request = 65536;
/// Only `list` makes replies beyond a few kilobytes.
constexpr size_t max_reply_queue = size_t{64} << 20;
/// A peer that asks on although so much of the replies is unread is not PowerDNS, which waits for each.
constexpr size_t unread_limit = size_t{1} << 20;

/// Of our listening sockets, among those that one process inherits from another.
constexpr std::string_view purpose = "pdns";

enum class Speech : uint8_t { unix_json, http };

std::string_view to_string(Speech speech) {
    return speech == Speech::http ? "http" : "unix";
}

std::optional<Speech> speech_of(std::string_view connector) {
    if (connector == to_string(Speech::http)) return Speech::http;
    if (connector == to_string(Speech::unix_json)) return Speech::unix_json;
    return std::nullopt;
}

}  // namespace

class Server::Impl {
  public:
    Impl(net::Loop& loop, const Published<dns::Serving>& serving, const ServerOptions& options)
        : loop_(loop), options_(options), serving_(serving), sweep_(loop, [this] { sweep(); }) {
        sweep_.let_loop_end();
        net::InheritedSockets nothing;
        net::InheritedSockets& inherited = options.inherited != nullptr ? *options.inherited : nothing;
        options_.inherited = nullptr;
        const auto listen = [&](const net::ListenAddress& address, Speech speech) {
            listeners_.push_back(std::make_unique<net::Listener>(
                loop, inherited.take_or_open(purpose, address),
                [this, speech](std::unique_ptr<net::Stream> stream) { accept(std::move(stream), speech); }));
        };
        if (!options.unix_path.empty()) listen(options.unix_path, Speech::unix_json);
        if (options.http) {
            listen(*options.http, Speech::http);
            http_address_ = listeners_.back()->local();
        }
    }

    [[nodiscard]] const ServerCounters& counters() const noexcept { return counters_; }
    [[nodiscard]] std::optional<SocketAddress> http_address() const { return http_address_; }

    void offer(std::vector<net::OfferedSocket>& sockets) const {
        for (const auto& listener : listeners_) {
            const net::ListeningSocket& socket = listener->socket();
            sockets.push_back({std::string(purpose), net::SocketKind::stream, socket.address(), socket.fd(),
                               socket.held_elsewhere()});
        }
    }

    void pause() {
        sweep_.stop();
        for (const auto& listener : listeners_) listener->pause();
        for (Connection& connection : connections_) connection.stream->pause_reading();
    }

    [[nodiscard]] bool quiet() const {
        return std::all_of(connections_.begin(), connections_.end(),
                           [](const Connection& c) { return c.ending || c.stream->queued() == 0; });
    }

    [[nodiscard]] std::vector<HandedConnection> hand_over() const {
        std::vector<HandedConnection> handed;
        for (const Connection& connection : connections_) {
            if (!may_be_handed(connection)) continue;
            UniqueFd copy(::fcntl(connection.stream->fd(), F_DUPFD_CLOEXEC, 3));
            if (!copy) continue;  // no descriptors left: PowerDNS will have to connect again
            handed.push_back({std::string(to_string(connection.speech)), std::move(copy), connection.buffer});
        }
        return handed;
    }

    void resume() {
        for (const auto& listener : listeners_) listener->resume();
        for (Connection& connection : connections_) {
            if (!connection.ending) connection.stream->resume_reading();
            connection.waiting_since.reset();
        }
        if (!connections_.empty()) sweep_.start_repeating(options_.patience / 4);
    }

    void leave() {
        for (const auto& listener : listeners_) listener->socket().leave_to_others();
        listeners_.clear();
        for (auto self = connections_.begin(); self != connections_.end();) {
            const auto next = std::next(self);
            if (may_be_handed(*self))
                connections_.erase(self);
            else if (!std::exchange(self->ending, true))
                self->stream->close_when_flushed();
            self = next;
        }
        counters_.connections = connections_.size();
    }

    void adopt(std::vector<HandedConnection> connections) {
        for (HandedConnection& handed : connections) {
            const auto speech = speech_of(handed.connector);
            if (!speech) continue;  // of a connector that is not known here: closed
            auto stream = net::Stream::adopt(loop_, std::move(handed.fd));
            if (!stream) continue;
            const auto self = accept(std::move(stream), *speech);
            if (self && !handed.unread.empty()) receive(*self, handed.unread);
        }
    }

  private:
    struct Connection {
        std::unique_ptr<net::Stream> stream;
        Speech speech = Speech::unix_json;
        std::string buffer;  // of a request that is not complete
        JsonFramer framer;
        HttpRequestParser http;
        bool ending = false;  // nothing more is read from it
        /// Since when a request has been incomplete or a reply unread.
        std::optional<MonotonicTime> waiting_since;
        size_t unread = 0;  // of replies, at the last look
    };
    using Connections = std::list<Connection>;

    static bool may_be_handed(const Connection& connection) {
        return !connection.ending && connection.stream->fd() >= 0 && connection.stream->queued() == 0;
    }

    std::optional<Connections::iterator> accept(std::unique_ptr<net::Stream> stream, Speech speech) {
        if (connections_.size() >= options_.max_connections) {
            ++counters_.turned_away;
            log::warning("pdns: more than " + std::to_string(options_.max_connections) +
                         " connections, one is turned away");
            return std::nullopt;
        }
        ++counters_.accepted;
        const auto self = connections_.emplace(connections_.end());
        counters_.connections = connections_.size();
        self->stream = std::move(stream);
        self->speech = speech;
        self->stream->limit_queue(max_reply_queue);
        self->stream->start({[this, self](ByteSpan bytes) { receive(self, as_text(bytes)); },
                             [this, self](net::StreamEnd) { remove(self); }});
        if (!sweep_.armed()) sweep_.start_repeating(options_.patience / 4);
        return self;
    }

    void remove(Connections::iterator self) {
        connections_.erase(self);
        counters_.connections = connections_.size();
        if (connections_.empty()) sweep_.stop();
    }

    void receive(Connections::iterator self, std::string_view bytes) {
        Connection& connection = *self;
        if (connection.ending) return;
        connection.buffer += bytes;
        const bool goes_on =
            connection.speech == Speech::http ? receive_http(connection) : receive_json(connection);
        if (!goes_on) {
            // What was said last still goes out; the sweep ends it if the peer does not read it.
            connection.ending = true;
            connection.buffer.clear();
            connection.stream->close_when_flushed();
        }
        note_waiting(connection);
    }

    bool receive_json(Connection& connection) {
        size_t used = 0;
        for (;;) {
            const std::string_view rest = std::string_view(connection.buffer).substr(used);
            const JsonFramer::State state = connection.framer.look(rest);
            if (state == JsonFramer::State::incomplete) {
                if (connection.framer.idle()) used = connection.buffer.size();  // white space
                break;
            }
            if (asks_without_reading(connection)) return false;
            reply_.clear();
            if (state == JsonFramer::State::junk || connection.framer.end() > max_request)
                return junk(connection, "not the remote backend protocol");
            if (const auto call = parse_call(rest.substr(0, connection.framer.end()), call_); !call)
                return junk(connection, call.error().message);
            if (answer() == Responder::Outcome::unable) return false;
            // A newline ends the reply for whoever reads lines; PowerDNS ignores white space.
            reply_ += '\n';
            connection.stream->send(reply_);
            used += connection.framer.end();
            connection.framer.reset();
        }
        if (used == connection.buffer.size()) connection.framer.reset();
        connection.buffer.erase(0, used);
        if (connection.buffer.size() > max_request) return junk(connection, "a request that is too long");
        return true;
    }

    bool asks_without_reading(const Connection& connection) {
        if (connection.stream->queued() <= unread_limit) return false;
        ++counters_.stalled;
        log::warning("pdns: a peer asks without reading its replies; its connection is closed");
        return true;
    }

    bool junk(Connection& connection, std::string_view why) {
        ++counters_.junk;
        log::warning("pdns: " + std::string(why) + "; the connection is closed");
        reply_.clear();
        append_refusal(reply_);
        reply_ += '\n';
        connection.stream->send(reply_);
        return false;
    }

    bool receive_http(Connection& connection) {
        size_t used = 0;
        bool goes_on = true;
        while (goes_on && used < connection.buffer.size()) {
            const HttpRequestParser::Parsed parsed =
                connection.http.parse(std::string_view(connection.buffer).substr(used));
            if (parsed.state == HttpRequestParser::State::incomplete) break;
            if (asks_without_reading(connection)) return false;
            response_.clear();
            if (parsed.state == HttpRequestParser::State::refused) {
                ++counters_.junk;
                log::warning("pdns: http: " + std::string(parsed.reason) + "; the connection is closed");
                append_http_problem(response_, parsed.status, parsed.reason, false);
                goes_on = false;
            } else {
                respond_http(parsed.request);
                goes_on = parsed.request.keep_alive;
                used += parsed.size;
                connection.http.reset();
            }
            connection.stream->send(response_);
        }
        connection.buffer.erase(0, used);
        return goes_on;
    }

    /// Into response_.
    void respond_http(const HttpRequest& request) {
        if (request.target != "/" && request.target != "/pdns")
            return append_http_problem(response_, 404, "the remote backend is at / and /pdns",
                                       request.keep_alive);
        if (request.method != "POST")
            return append_http_problem(response_, 405, "calls are made by POST", request.keep_alive);
        if (const auto call = parse_call(request.body, call_); !call) {
            ++counters_.junk;
            return append_http_problem(response_, 400, call.error().message, request.keep_alive);
        }
        reply_.clear();
        if (answer() == Responder::Outcome::unable)
            return append_http_problem(response_, 503, "the first round of probes is not done",
                                       request.keep_alive);
        append_http_response(response_, 200, "application/json", reply_, request.keep_alive);
    }

    /// call_ into reply_.
    Responder::Outcome answer() {
        ++counters_.calls;
        if (call_.method == Method::lookup) ++counters_.lookups;
        if (call_.method == Method::unknown)
            log::debug("pdns: method " + call_.method_name + " is not served: answered false");
        const Responder::Outcome outcome = responder_.respond(*serving_.load(), call_, reply_);
        if (outcome == Responder::Outcome::unable) ++counters_.unable;
        return outcome;
    }

    void note_waiting(Connection& connection) {
        connection.unread = connection.stream->queued();
        if (connection.buffer.empty() && connection.unread == 0)
            connection.waiting_since.reset();
        else if (!connection.waiting_since)
            connection.waiting_since = loop_.now();
    }

    void sweep() {
        const MonotonicTime now = loop_.now();
        for (auto self = connections_.begin(); self != connections_.end();) {
            const auto next = std::next(self);
            const size_t before = self->unread;
            note_waiting(*self);
            // A reader that is slow but reads gets on.
            if (self->unread < before) self->waiting_since = now;
            if (self->waiting_since && now - *self->waiting_since >= options_.patience) {
                if (!self->ending) {  // else it has been counted
                    ++counters_.stalled;
                    log::warning(self->unread != 0
                                     ? "pdns: a peer does not read its reply; its connection is closed"
                                     : "pdns: a peer stops in the middle of a request; its connection "
                                       "is closed");
                }
                remove(self);
            }
            self = next;
        }
    }

    net::Loop& loop_;
    ServerOptions options_;
    // Loaded anew for each call: a value that nobody asks for must not be kept alive by who asked last.
    const Published<dns::Serving>& serving_;
    ServerCounters counters_;
    Responder responder_;
    Call call_;
    std::string reply_, response_;
    Connections connections_;
    net::Timer sweep_;
    std::vector<std::unique_ptr<net::Listener>> listeners_;
    std::optional<SocketAddress> http_address_;
};

Server::Server(net::Loop& loop, const Published<dns::Serving>& serving, const ServerOptions& options)
    : impl_(std::make_unique<Impl>(loop, serving, options)) {}

Server::~Server() = default;

const ServerCounters& Server::counters() const noexcept {
    return impl_->counters();
}

std::optional<SocketAddress> Server::http_address() const {
    return impl_->http_address();
}

void Server::offer(std::vector<net::OfferedSocket>& sockets) const {
    impl_->offer(sockets);
}
void Server::pause() {
    impl_->pause();
}
bool Server::quiet() const {
    return impl_->quiet();
}
std::vector<HandedConnection> Server::hand_over() const {
    return impl_->hand_over();
}
void Server::resume() {
    impl_->resume();
}
void Server::leave() {
    impl_->leave();
}
void Server::adopt(std::vector<HandedConnection> connections) {
    impl_->adopt(std::move(connections));
}

}  // namespace fairway::pdns
