// SPDX-License-Identifier: Apache-2.0
#include "pdns/connections.h"

#include <fcntl.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "net/loop.h"
#include "net/stream.h"
#include "net/timer.h"
#include "pdns/backend.h"
#include "pdns/http_call.h"
#include "pdns/http_request.h"
#include "pdns/json_reader.h"
#include "pdns/reply.h"

namespace fairway::pdns {
namespace {

/// A request of the protocol is a few hundred octets; names can be long, and hostile.
constexpr size_t max_request = 65536;
/// Only `list` makes replies beyond a few kilobytes.
constexpr size_t max_reply_queue = size_t{64} << 20;
/// A peer that asks on although so much of the replies is unread is not PowerDNS, which waits for each.
constexpr size_t unread_limit = size_t{1} << 20;

std::string_view to_string(Speech speech) {
    return speech == Speech::http ? "http" : "unix";
}

std::optional<Speech> speech_of(std::string_view connector) {
    if (connector == to_string(Speech::http)) return Speech::http;
    if (connector == to_string(Speech::json)) return Speech::json;
    return std::nullopt;
}

}  // namespace

class Connections::Impl {
    struct Connection {
        std::unique_ptr<net::Stream> stream;
        Speech speech = Speech::json;
        std::string buffer;  // of a request that is not complete, or that waits for the one before it
        JsonFramer framer;
        HttpRequestParser http;
        bool ending = false;  // nothing more is read from it
        /// A command is being carried out: what follows it waits, so that replies keep their order.
        bool busy = false;
        /// Since when a request has been incomplete or a reply unread.
        std::optional<MonotonicTime> waiting_since;
        size_t unread = 0;  // of replies, at the last look
    };
    using Open = std::map<uint64_t, Connection>;

  public:
    Impl(net::Loop& loop, Backend& backend, const Limits& limits)
        : loop_(loop), backend_(backend), limits_(limits), sweep_(loop, [this] { sweep(); }) {
        sweep_.let_loop_end();
    }

    void pause() {
        paused_ = true;
        sweep_.stop();
        for (auto& [id, connection] : open_) connection.stream->pause_reading();
    }

    [[nodiscard]] bool quiet() const {
        return std::all_of(open_.begin(), open_.end(), [](const auto& item) {
            const Connection& connection = item.second;
            return connection.ending || (!connection.busy && connection.stream->queued() == 0);
        });
    }

    [[nodiscard]] std::vector<HandedConnection> hand_over() const {
        std::vector<HandedConnection> handed;
        for (const auto& [id, connection] : open_) {
            if (!may_be_handed(connection)) continue;
            UniqueFd copy(::fcntl(connection.stream->fd(), F_DUPFD_CLOEXEC, 3));
            if (!copy) continue;  // no descriptors left: PowerDNS will have to connect again
            handed.push_back({std::string(to_string(connection.speech)), std::move(copy), connection.buffer});
        }
        return handed;
    }

    void resume() {
        paused_ = false;
        for (auto self = open_.begin(); self != open_.end(); ++self) {
            Connection& connection = self->second;
            connection.waiting_since.reset();
            if (connection.ending || connection.busy) continue;
            connection.stream->resume_reading();
            handle(self);  // what came behind a command that was done during the pause
        }
        if (!open_.empty()) sweep_.start_repeating(limits_.patience / 4);
    }

    void leave() {
        leaving_ = true;
        for (auto self = open_.begin(); self != open_.end();) {
            const auto next = std::next(self);
            Connection& connection = self->second;
            if (may_be_handed(connection))
                open_.erase(self);
            else if (!connection.busy && !std::exchange(connection.ending, true))
                connection.stream->close_when_flushed();
            self = next;
        }
        backend_.counters.connections = open_.size();
    }

    void adopt(std::vector<HandedConnection> connections) {
        for (HandedConnection& handed : connections) {
            const auto speech = speech_of(handed.connector);
            if (!speech) continue;  // of a connector that is not known here: closed
            auto stream = net::Stream::adopt(loop_, std::move(handed.fd));
            if (!stream) continue;
            const auto self = add(std::move(stream), *speech);
            if (self && !handed.unread.empty()) receive(*self, handed.unread);
        }
    }

    std::optional<Open::iterator> add(std::unique_ptr<net::Stream> stream, Speech speech) {
        if (open_.size() >= limits_.most) {
            ++backend_.counters.turned_away;
            backend_.complain("pdns: more than " + std::to_string(limits_.most) +
                              " connections, one is turned away");
            return std::nullopt;
        }
        ++backend_.counters.accepted;
        const auto self = open_.emplace(++last_id_, Connection{}).first;
        backend_.counters.connections = open_.size();
        self->second.stream = std::move(stream);
        self->second.speech = speech;
        self->second.stream->limit_queue(max_reply_queue);
        self->second.stream->start({[this, self](ByteSpan bytes) { receive(self, as_text(bytes)); },
                                    [this, self](net::StreamEnd) { remove(self); }});
        if (!sweep_.armed()) sweep_.start_repeating(limits_.patience / 4);
        return self;
    }

  private:
    enum class Next : uint8_t {
        more,   // look for the next request in what is there
        wait,   // for more bytes, or for a command to be done
        finish  // the connection cannot go on
    };

    static bool may_be_handed(const Connection& connection) {
        return !connection.ending && !connection.busy && connection.stream->fd() >= 0 &&
               connection.stream->queued() == 0;
    }

    static Reach reach_of(Speech speech) { return speech == Speech::http ? Reach::network : Reach::local; }

    void remove(Open::iterator self) {
        open_.erase(self);
        backend_.counters.connections = open_.size();
    }

    void receive(Open::iterator self, std::string_view bytes) {
        Connection& connection = self->second;
        if (connection.ending) return;
        connection.buffer += bytes;
        if (connection.busy) {
            if (connection.buffer.size() > max_request) connection.stream->pause_reading();
            return;
        }
        handle(self);
    }

    /// Answers what is complete in the buffer.
    void handle(Open::iterator self) {
        Connection& connection = self->second;
        size_t used = 0;
        Next next = Next::more;
        while (next == Next::more) {
            const std::string_view rest = std::string_view(connection.buffer).substr(used);
            next =
                connection.speech == Speech::http ? next_http(self, rest, used) : next_json(self, rest, used);
        }
        connection.buffer.erase(0, used);
        if (next == Next::wait && !connection.busy && connection.speech == Speech::json &&
            connection.buffer.size() > max_request)
            next = junk(connection, "a request that is too long");
        if (next == Next::finish) {
            // What was said last still goes out; the sweep ends it if the peer does not read it.
            connection.ending = true;
            connection.buffer.clear();
            connection.stream->close_when_flushed();
        }
        note_waiting(connection);
    }

    Next next_json(Open::iterator self, std::string_view rest, size_t& used) {
        Connection& connection = self->second;
        const JsonFramer::State state = connection.framer.look(rest);
        if (state == JsonFramer::State::incomplete) {
            if (connection.framer.idle()) {  // white space
                used += rest.size();
                connection.framer.reset();
            }
            return Next::wait;
        }
        if (asks_without_reading(connection)) return Next::finish;
        reply_.clear();
        if (state == JsonFramer::State::junk || connection.framer.end() > max_request)
            return junk(connection, "not the remote backend protocol");
        if (const auto call = parse_call(rest.substr(0, connection.framer.end()), backend_.call); !call)
            return junk(connection, call.error().message);
        used += connection.framer.end();
        connection.framer.reset();
        if (backend_.is_command()) return run(self);
        if (backend_.answer(reach_of(connection.speech), reply_) == Responder::Outcome::unable)
            return Next::finish;
        // A newline ends the reply for whoever reads lines; PowerDNS ignores white space.
        reply_ += '\n';
        connection.stream->send(reply_);
        return Next::more;
    }

    /// The refusal of a peer that speaks JSON, or should.
    Next junk(Connection& connection, std::string_view why) {
        backend_.junk(std::string(why) + "; the connection is closed");
        reply_.clear();
        append_refusal(reply_);
        reply_ += '\n';
        connection.stream->send(reply_);
        return Next::finish;
    }

    Next next_http(Open::iterator self, std::string_view rest, size_t& used) {
        Connection& connection = self->second;
        if (rest.empty()) return Next::wait;
        const HttpRequestParser::Parsed parsed = connection.http.parse(rest);
        if (parsed.state == HttpRequestParser::State::incomplete) return Next::wait;
        if (asks_without_reading(connection)) return Next::finish;
        response_.clear();
        if (parsed.state == HttpRequestParser::State::refused) {
            backend_.junk("http: " + std::string(parsed.reason) + "; the connection is closed");
            append_http_problem(response_, parsed.status, parsed.reason, false);
            connection.stream->send(response_);
            return Next::finish;
        }
        const bool keep_alive = parsed.request.keep_alive;
        if (const auto call = read_http_call(parsed.request, backend_.call); !call) {
            backend_.junk("http: " + call.error().detail);
            append_http_problem(response_, call.error().status, call.error().detail, keep_alive);
        } else if (backend_.is_command()) {
            used += parsed.size;
            connection.http.reset();
            return run(self);
        } else {
            reply_.clear();
            if (backend_.answer(reach_of(connection.speech), reply_) == Responder::Outcome::unable)
                append_http_problem(response_, 503, "the first round of probes is not done", keep_alive);
            else
                append_http_response(response_, 200, "application/json", reply_, keep_alive);
        }
        used += parsed.size;
        connection.http.reset();
        connection.stream->send(response_);
        return keep_alive ? Next::more : Next::finish;
    }

    /// Nothing else of this connection is answered until the command is done.
    Next run(Open::iterator self) {
        self->second.busy = true;
        backend_.run(reach_of(self->second.speech),
                     [this, alive = std::weak_ptr(alive_), id = self->first](std::string_view reply) {
                         if (alive.expired()) return;
                         // In a turn of its own: the command may be done before it was waited for.
                         loop_.post([this, alive, id, text = std::string(reply)] {
                             if (!alive.expired()) command_done(id, text);
                         });
                     });
        return Next::wait;
    }

    void command_done(uint64_t id, const std::string& reply) {
        const auto self = open_.find(id);
        if (self == open_.end() || self->second.ending) return;
        Connection& connection = self->second;
        connection.busy = false;
        if (connection.speech == Speech::http) {
            response_.clear();
            append_http_response(response_, 200, "application/json", reply, true);
            connection.stream->send(response_);
        } else {
            connection.stream->send(reply + "\n");
        }
        if (leaving_) {
            connection.ending = true;
            connection.stream->close_when_flushed();
        } else if (!paused_) {
            connection.stream->resume_reading();
            handle(self);
        }
    }

    bool asks_without_reading(const Connection& connection) {
        if (connection.stream->queued() <= unread_limit) return false;
        ++backend_.counters.stalled;
        backend_.complain("pdns: a peer asks without reading its replies; its connection is closed");
        return true;
    }

    void note_waiting(Connection& connection) {
        connection.unread = connection.stream->queued();
        if (connection.busy || (connection.buffer.empty() && connection.unread == 0))
            connection.waiting_since.reset();
        else if (!connection.waiting_since)
            connection.waiting_since = loop_.now();
    }

    void sweep() {
        const MonotonicTime now = loop_.now();
        for (auto self = open_.begin(); self != open_.end();) {
            const auto next = std::next(self);
            Connection& connection = self->second;
            const size_t before = connection.unread;
            note_waiting(connection);
            // A reader that is slow but reads gets on.
            if (connection.unread < before) connection.waiting_since = now;
            if (connection.waiting_since && now - *connection.waiting_since >= limits_.patience) {
                if (!connection.ending) {  // else it has been counted
                    ++backend_.counters.stalled;
                    backend_.complain(connection.unread != 0
                                          ? "pdns: a peer does not read its reply; its connection is closed"
                                          : "pdns: a peer stops in the middle of a request; its connection "
                                            "is closed");
                }
                remove(self);
            }
            self = next;
        }
        if (open_.empty()) sweep_.stop();
    }

    net::Loop& loop_;
    Backend& backend_;
    const Limits limits_;
    Open open_;
    uint64_t last_id_ = 0;
    bool paused_ = false;
    bool leaving_ = false;
    net::Timer sweep_;
    std::string reply_, response_;
    /// Gone when this is: commands may be done later.
    std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

Connections::Connections(net::Loop& loop, Backend& backend, const Limits& limits)
    : impl_(std::make_unique<Impl>(loop, backend, limits)) {}

Connections::~Connections() = default;

void Connections::add(std::unique_ptr<net::Stream> stream, Speech speech) {
    (void)impl_->add(std::move(stream), speech);
}
void Connections::pause() {
    impl_->pause();
}
bool Connections::quiet() const {
    return impl_->quiet();
}
std::vector<HandedConnection> Connections::hand_over() const {
    return impl_->hand_over();
}
void Connections::resume() {
    impl_->resume();
}
void Connections::leave() {
    impl_->leave();
}
void Connections::adopt(std::vector<HandedConnection> connections) {
    impl_->adopt(std::move(connections));
}

}  // namespace fairway::pdns
