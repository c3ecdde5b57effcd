// SPDX-License-Identifier: Apache-2.0
#include "pdns/zeromq.h"

#include <fcntl.h>
#include <zmq.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "base/unique_fd.h"
#include "net/loop.h"
#include "net/poll_handle.h"
#include "pdns/backend.h"
#include "pdns/reply.h"

namespace fairway::pdns {
namespace {

/// Calls answered in one turn of the loop; the others wait for the next.
constexpr int batch = 64;
/// Replies waiting for one peer. PowerDNS waits for each before it asks on; whoever does not loses them.
constexpr int queue_limit = 8;
/// For what was answered last to leave before the connections close.
constexpr int farewell_ms = 200;

[[noreturn]] void refuse(const std::string& attempt) {
    throw std::system_error(std::error_code(zmq_errno(), std::generic_category()),
                            attempt + " (" + zmq_strerror(zmq_errno()) + ")");
}

struct CloseContext {
    void operator()(void* context) const noexcept {
        while (zmq_ctx_term(context) != 0 && zmq_errno() == EINTR) {
        }
    }
};
struct CloseSocket {
    void operator()(void* socket) const noexcept { zmq_close(socket); }
};
using Context = std::unique_ptr<void, CloseContext>;
using Socket = std::unique_ptr<void, CloseSocket>;

/// One frame of a message.
class Frame {
  public:
    Frame() { zmq_msg_init(&message_); }
    ~Frame() { zmq_msg_close(&message_); }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

    bool receive(void* socket) { return zmq_msg_recv(&message_, socket, ZMQ_DONTWAIT) >= 0; }
    [[nodiscard]] bool more() const { return zmq_msg_more(&message_) != 0; }
    [[nodiscard]] std::string_view text() const {
        auto* message = const_cast<zmq_msg_t*>(&message_);
        return {static_cast<const char*>(zmq_msg_data(message)), zmq_msg_size(message)};
    }

  private:
    zmq_msg_t message_{};
};

std::string endpoint_of(const net::ListenAddress& address) {
    return (std::holds_alternative<SocketAddress>(address) ? "tcp://" : "ipc://") + net::to_string(address);
}

}  // namespace

class ZeromqConnector::Impl {
  public:
    Impl(net::Loop& loop, Backend& backend, net::ListeningSocket listening)
        : loop_(loop),
          backend_(backend),
          listening_(std::move(listening)),
          reach_(std::holds_alternative<SocketAddress>(listening_.address()) ? Reach::network : Reach::local),
          endpoint_(endpoint_of(listening_.address())),
          context_(zmq_ctx_new()) {
        const std::string attempt = "listen on " + endpoint_;
        if (!context_) refuse(attempt);
        socket_.reset(zmq_socket(context_.get(), ZMQ_ROUTER));
        if (!socket_) refuse(attempt);
        // libzmq closes the descriptor that it is given.
        UniqueFd copy(::fcntl(listening_.fd(), F_DUPFD_CLOEXEC, 3));
        if (!copy) throw std::system_error(errno, std::system_category(), attempt);
        const int64_t longest = static_cast<int64_t>(max_request);
        set(ZMQ_MAXMSGSIZE, longest, attempt);
        set(ZMQ_LINGER, 0, attempt);
        set(ZMQ_SNDHWM, queue_limit, attempt);
        set(ZMQ_RCVHWM, queue_limit, attempt);
        set(ZMQ_HANDSHAKE_IVL, 5000, attempt);
        set(ZMQ_IPV6, 1, attempt);
        set(ZMQ_USE_FD, copy.get(), attempt);
        if (zmq_bind(socket_.get(), endpoint_.c_str()) != 0) refuse(attempt);
        (void)copy.release();
        int fd = -1;
        size_t size = sizeof fd;
        if (zmq_getsockopt(socket_.get(), ZMQ_FD, &fd, &size) != 0) refuse(attempt);
        readable_.emplace(loop, fd, [this](net::Readiness) { handle(); });
        readable_->watch({.readable = true, .writable = false});
        handle();
    }

    ~Impl() {
        readable_.reset();  // before the descriptor that it watches
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    [[nodiscard]] net::ListeningSocket& socket() noexcept { return listening_; }

    void finish() {
        zmq_unbind(socket_.get(), endpoint_.c_str());
        while (receive_one()) {
        }
        readable_.reset();
        zmq_setsockopt(socket_.get(), ZMQ_LINGER, &farewell_ms, sizeof farewell_ms);
        socket_.reset();
    }

  private:
    template <class T>
    void set(int option, T value, const std::string& attempt) {
        if (zmq_setsockopt(socket_.get(), option, &value, sizeof value) != 0) refuse(attempt);
    }

    /// The descriptor tells of changes only: one that is missed is never told again. So everything there is
    /// is taken before the loop waits, and whatever may have taken note of a change (a reply too, for a send
    /// looks for them) comes before the last look.
    void handle() {
        for (int i = 0; i < batch; ++i)
            if (!receive_one()) return;
        // Others want to get on too.
        loop_.post([this, alive = std::weak_ptr(alive_)] {
            if (!alive.expired()) handle();
        });
    }

    [[nodiscard]] bool readable() {
        int events = 0;
        size_t size = sizeof events;
        return zmq_getsockopt(socket_.get(), ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0;
    }

    /// A REQ's message comes as who it is, nothing, and what it says. False when there is none.
    bool receive_one() {
        if (!socket_ || !readable()) return false;
        Frame peer;
        if (!peer.receive(socket_.get())) return false;
        Frame delimiter, request;
        bool well_formed = peer.more() && delimiter.receive(socket_.get()) && delimiter.text().empty() &&
                           delimiter.more() && request.receive(socket_.get());
        bool more = well_formed ? request.more() : delimiter.more();
        while (more) {
            Frame rest;
            if (!rest.receive(socket_.get())) break;
            well_formed = false;
            more = rest.more();
        }
        if (!well_formed) {
            backend_.junk("zeromq: a message that is not of a REQ socket");
            return true;
        }
        answer(peer.text(), request.text());
        return true;
    }

    void answer(std::string_view peer, std::string_view text) {
        if (!text.empty() && text.back() == '\0') text.remove_suffix(1);
        reply_.clear();
        if (const auto call = parse_call(text, backend_.call); !call) {
            backend_.junk("zeromq: " + call.error().message);
            append_refusal(reply_);
        } else if (backend_.is_command()) {
            backend_.run(reach_, [this, alive = std::weak_ptr(alive_),
                                  to = std::string(peer)](std::string_view reply) {
                if (alive.expired()) return;
                loop_.post([this, alive, to, said = std::string(reply)] {
                    if (alive.expired()) return;
                    send(to, said);
                    handle();
                });
            });
            return;
        } else if (backend_.answer(reach_, reply_) == Responder::Outcome::unable) {
            // There is no connection to close; this is what PowerDNS takes for trouble at once.
            append_trouble(reply_);
        }
        send(peer, reply_);
    }

    /// A peer that is gone, or that does not read, does without.
    void send(std::string_view peer, std::string_view reply) {
        if (!socket_) return;
        (void)zmq_send(socket_.get(), peer.data(), peer.size(), ZMQ_SNDMORE | ZMQ_DONTWAIT);
        (void)zmq_send(socket_.get(), "", 0, ZMQ_SNDMORE | ZMQ_DONTWAIT);
        (void)zmq_send(socket_.get(), reply.data(), reply.size(), ZMQ_DONTWAIT);
    }

    net::Loop& loop_;
    Backend& backend_;
    net::ListeningSocket listening_;
    const Reach reach_;
    const std::string endpoint_;
    Context context_;
    Socket socket_;
    std::optional<net::PollHandle> readable_;
    std::string reply_;
    /// Gone when this is: commands may be done later.
    std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

ZeromqConnector::ZeromqConnector(net::Loop& loop, Backend& backend, net::ListeningSocket socket)
    : impl_(std::make_unique<Impl>(loop, backend, std::move(socket))) {}

ZeromqConnector::~ZeromqConnector() = default;

net::ListeningSocket& ZeromqConnector::socket() noexcept {
    return impl_->socket();
}

void ZeromqConnector::finish() {
    impl_->finish();
}

}  // namespace fairway::pdns
