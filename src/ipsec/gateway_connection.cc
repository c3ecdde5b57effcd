// SPDX-License-Identifier: Apache-2.0
#include "ipsec/gateway_connection.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace fairway::ipsec {

Connection::Connection(net::Loop& loop, UniqueFd fd, const ConnectionPlan& plan, ConnectionBudget& budget,
                       std::function<void(Connection&)> on_end)
    : fd_(std::move(fd)),
      plan_(plan),
      budget_(budget),
      on_end_(std::move(on_end)),
      deadline_(loop.now() + lifetime),
      delay_(loop, [this] { start(); }),
      poll_(loop, fd_.get(), [this](net::Readiness) { advance(); }) {
    ++budget_.open;
    if (plan_.tls != nullptr) {
        ssl_ = SSL_new(plan_.tls);
        if (ssl_ != nullptr) {
            SSL_set_fd(ssl_, fd_.get());
            if (plan_.certificate != nullptr) {
                SSL_use_certificate(ssl_, plan_.certificate);
                SSL_use_PrivateKey(ssl_, plan_.key);
            }
        }
    }
    if (plan_.delay > nanoseconds{0}) {
        delay_.start(plan_.delay);
    } else {
        start();
    }
}

Connection::~Connection() {
    SSL_free(ssl_);
    --budget_.open;
}

void Connection::start() {
    poll_.watch({true, false});
}

void Connection::go_deaf() {
    delay_.stop();
    poll_.watch({false, false});
}

void Connection::reset_on_close() noexcept {
    const linger now{1, 0};
    (void)::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void Connection::advance() {
    // Bounded, so that one busy peer cannot keep the loop from the others.
    for (int turn = 0; turn < 32; ++turn) {
        switch (step()) {
            case Step::again:
                continue;
            case Step::wait_readable:
                poll_.watch({true, false});
                return;
            case Step::wait_writable:
                poll_.watch({false, true});
                return;
            case Step::end: {
                const auto on_end = std::move(on_end_);  // must outlive this object
                on_end(*this);
                return;
            }
        }
    }
}

Connection::Step Connection::step() {
    if (plan_.tls != nullptr && !handshaken_) return handshake();
    if (!out_.empty()) return flush();
    if (closing_ && !said_goodbye_) {
        // Half-closed and drained by receive(): a plain close with unread bytes would reset the connection
        // and take the answer with it.
        said_goodbye_ = true;
        if (ssl_ != nullptr) {
            SSL_shutdown(ssl_);
            ERR_clear_error();
        }
        if (::shutdown(fd_.get(), SHUT_WR) != 0) return Step::end;
    }
    return receive();
}

Connection::Step Connection::tls_step(int outcome) {
    const int why = SSL_get_error(ssl_, outcome);
    ERR_clear_error();
    if (why == SSL_ERROR_WANT_READ) return Step::wait_readable;
    if (why == SSL_ERROR_WANT_WRITE) return Step::wait_writable;
    return Step::end;
}

Connection::Step Connection::handshake() {
    if (ssl_ == nullptr) return Step::end;
    const int outcome = SSL_accept(ssl_);
    if (outcome != 1) return tls_step(outcome);
    handshaken_ = true;
    return Step::again;
}

Connection::Step Connection::flush() {
    if (ssl_ != nullptr) {
        const int sent = SSL_write(ssl_, out_.data(), static_cast<int>(out_.size()));
        if (sent <= 0) return tls_step(sent);
        out_.erase(0, static_cast<size_t>(sent));
        return Step::again;
    }
    const ssize_t sent = ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN ? Step::wait_writable : errno == EINTR ? Step::again : Step::end;
    out_.erase(0, static_cast<size_t>(sent));
    return Step::again;
}

Connection::Step Connection::receive() {
    std::array<char, 4096> buffer;
    if (ssl_ != nullptr && !said_goodbye_) {
        const int got = SSL_read(ssl_, buffer.data(), static_cast<int>(buffer.size()));
        if (got <= 0) return tls_step(got);
        consume({buffer.data(), static_cast<size_t>(got)});
        return Step::again;
    }
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got == 0) return Step::end;
    if (got < 0) return errno == EAGAIN ? Step::wait_readable : errno == EINTR ? Step::again : Step::end;
    if (!said_goodbye_) consume({buffer.data(), static_cast<size_t>(got)});
    return Step::again;
}

void Connection::consume(std::string_view bytes) {
    if (closing_) return;
    if (plan_.service == Service::tcp || plan_.service == Service::tls) {
        out_.append(bytes);
        return;
    }
    in_.append(bytes);
    if (in_.find("\r\n\r\n") != std::string::npos || in_.find("\n\n") != std::string::npos) {
        answer_http();
    } else if (in_.size() > max_request) {
        out_ =
            "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        closing_ = true;
    }
}

void Connection::answer_http() {
    const std::string_view request = in_;
    const size_t method_end = request.find(' ');
    const size_t path_end =
        method_end == std::string_view::npos ? method_end : request.find_first_of(" ?\r\n", method_end + 1);
    const std::string_view method = request.substr(0, method_end == std::string_view::npos ? 0 : method_end);
    const std::string_view path = path_end == std::string_view::npos
                                      ? std::string_view{}
                                      : request.substr(method_end + 1, path_end - method_end - 1);
    std::string status = "200 OK";
    std::string body;
    if (path.empty() || path.front() != '/') {
        status = "400 Bad Request";
    } else if (method != "GET" && method != "HEAD") {
        status = "405 Method Not Allowed";
    } else if (plan_.http == ConnectionPlan::Http::unavailable) {
        status = "503 Service Unavailable";
        body = "unavailable\n";
    } else if (path == "/healthz") {
        body = "ready\n";
    } else if (path == "/") {
        body = "gateway " + std::string(plan_.gateway) + "\n";
    } else {
        status = "404 Not Found";
    }
    out_ = "HTTP/1.1 " + status +
           "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\nConnection: close\r\n\r\n";
    if (method != "HEAD") out_ += body;
    in_.clear();
    closing_ = true;
}

}  // namespace fairway::ipsec
