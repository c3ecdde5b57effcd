// SPDX-License-Identifier: Apache-2.0
#include "pdns/server.h"

#include <list>
#include <string>
#include <utility>

#include "base/log.h"
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

enum class Speech : uint8_t { unix_json, http };

}  // namespace

class Server::Impl {
  public:
    Impl(net::Loop& loop, const Published<dns::Serving>& serving, const ServerOptions& options)
        : loop_(loop), options_(options), serving_(serving), sweep_(loop, [this] { sweep(); }) {
        sweep_.let_loop_end();
        if (!options.unix_path.empty()) {
            unix_.emplace(loop, options.unix_path, [this](std::unique_ptr<net::Stream> s) {
                accept(std::move(s), Speech::unix_json);
            });
        }
        if (options.http) {
            http_.emplace(loop, *options.http,
                          [this](std::unique_ptr<net::Stream> s) { accept(std::move(s), Speech::http); });
        }
    }

    [[nodiscard]] const ServerCounters& counters() const noexcept { return counters_; }
    [[nodiscard]] std::optional<SocketAddress> http_address() const {
        return http_ ? std::optional(http_->local()) : std::nullopt;
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

    void accept(std::unique_ptr<net::Stream> stream, Speech speech) {
        if (connections_.size() >= options_.max_connections) {
            ++counters_.turned_away;
            log::warning("pdns: more than " + std::to_string(options_.max_connections) +
                         " connections, one is turned away");
            return;
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
    std::optional<net::Listener> unix_;
    std::optional<net::Listener> http_;
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

}  // namespace fairway::pdns
