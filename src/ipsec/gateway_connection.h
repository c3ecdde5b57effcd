// SPDX-License-Identifier: Apache-2.0
#pragma once
// One accepted TCP connection of a gateway that we play: optional TLS, then either an echo or one HTTP
// request. Bounded in memory and in time.

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "ipsec/gateway_config.h"
#include "net/loop.h"
#include "net/poll_handle.h"
#include "net/timer.h"

struct evp_pkey_st;
struct ssl_ctx_st;
struct ssl_st;
struct x509_st;

namespace fairway::ipsec {

/// How many connections may be open at once, over all gateways of the process.
struct ConnectionBudget {
    size_t limit = 0;
    size_t open = 0;
};

/// What a connection is to be; fixed when it is accepted. The pointers must outlive it.
struct ConnectionPlan {
    Service service = Service::tcp;
    ssl_ctx_st* tls = nullptr;       // null: plain TCP
    x509_st* certificate = nullptr;  // null: the context has one
    evp_pkey_st* key = nullptr;
    nanoseconds delay{0};  // before the first byte is read
    enum class Http : uint8_t { ready, unavailable } http = Http::ready;
    std::string_view gateway;  // told by GET /
};

class Connection {
  public:
    static constexpr nanoseconds lifetime = seconds{30};
    static constexpr size_t max_request = 8'192;

    /// `on_end` is called once, at the very end of a callback, and destroys the connection.
    Connection(net::Loop& loop, UniqueFd fd, const ConnectionPlan& plan, ConnectionBudget& budget,
               std::function<void(Connection&)> on_end);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    [[nodiscard]] MonotonicTime deadline() const noexcept { return deadline_; }
    /// From now on nothing is read or written: the peer waits for ever.
    void go_deaf();
    /// The destructor will reset instead of closing in order.
    void reset_on_close() noexcept;

  private:
    enum class Step : uint8_t { again, wait_readable, wait_writable, end };
    void start();
    void advance();
    Step step();
    Step handshake();
    Step flush();
    Step receive();
    Step tls_step(int outcome);
    void consume(std::string_view bytes);
    void answer_http();

    UniqueFd fd_;
    ConnectionPlan plan_;
    ConnectionBudget& budget_;
    std::function<void(Connection&)> on_end_;
    MonotonicTime deadline_;
    ssl_st* ssl_ = nullptr;
    bool handshaken_ = false;
    bool closing_ = false;  // nothing more to say once out_ is flushed
    bool said_goodbye_ = false;
    std::string in_;  // of an HTTP request, until its header is complete
    std::string out_;
    net::Timer delay_;
    net::PollHandle poll_;  // last: stops watching before the descriptor is closed
};

}  // namespace fairway::ipsec
