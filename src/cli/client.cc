// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/duration.h"
#include "cli/http_response.h"

namespace fairway::cli {
namespace {

constexpr seconds stream_silence{60};  // the server says something every 15 seconds

/// Waits until the descriptor is ready; false when the deadline passes first.
bool wait_for(int fd, short events, std::chrono::steady_clock::time_point deadline) {
    for (;;) {
        const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return false;
        pollfd item{fd, events, 0};
        const int ready = ::poll(&item, 1, static_cast<int>(std::min<int64_t>(left.count(), 3'600'000)));
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return true;  // the next call on it says what is wrong
    }
}

/// Begins to connect and waits for the outcome: 0, or the error.
int connect_to(int fd, const sockaddr* address, socklen_t size,
               std::chrono::steady_clock::time_point deadline) {
    if (::connect(fd, address, size) == 0) return 0;
    if (errno != EINPROGRESS && errno != EINTR) return errno;
    if (!wait_for(fd, POLLOUT, deadline)) return ETIMEDOUT;
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
    return error;
}

}  // namespace

Result<ServerAddress> ServerAddress::parse(std::string_view text) {
    ServerAddress server;
    const auto after = [&](std::string_view prefix) { return text.substr(prefix.size()); };
    if (text.rfind("https://", 0) == 0)
        return fail(
            "this command speaks plain HTTP only: use the control socket, or http:// through a tunnel");
    if (text.rfind("http://", 0) != 0) {
        if (text.rfind("unix:", 0) == 0) text = after("unix:");
        if (text.empty()) return fail("the server is empty: give a socket's path or http://host:port");
        if (text.find('/') == std::string_view::npos)
            return fail("\"" + std::string(text) +
                        "\" is no server: give a socket's path or http://host:port");
        server.socket = text;
        if (server.socket.size() >= sizeof sockaddr_un{}.sun_path)
            return fail("the socket's path is longer than " +
                        std::to_string(sizeof sockaddr_un{}.sun_path - 1) + " octets");
        return server;
    }
    text = after("http://");
    if (!text.empty() && text.back() == '/') text.remove_suffix(1);
    const size_t bracket = text.find(']');
    const size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
    server.host = text.substr(0, colon);
    server.port = colon == std::string_view::npos ? "80" : text.substr(colon + 1);
    if (server.host.size() > 2 && server.host.front() == '[' && server.host.back() == ']')
        server.host = server.host.substr(1, server.host.size() - 2);
    if (server.host.empty() || server.port.empty() ||
        server.port.find_first_not_of("0123456789") != std::string::npos ||
        server.host.find_first_of("/?#@ \r\n") != std::string::npos)
        return fail("\"http://" + std::string(text) + "\" is not http://host:port");
    return server;
}

std::string ServerAddress::to_string() const {
    if (!socket.empty()) return socket;
    return "http://" + (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
}

Failure Client::unreachable(int error) const {
    std::string message = "cannot reach fairwayd at " + server_.to_string() + ": " + std::strerror(error);
    if (error == ENOENT || error == ECONNREFUSED)
        message +=
            "\nIs fairwayd running? If its socket is elsewhere, give --server PATH or set FAIRWAY_SERVER.";
    if (error == EACCES)
        message += "\nThe socket belongs to the server's group: join it (usually \"fairway\"), or use sudo.";
    return {Failure::Kind::unreachable, message};
}

Failure Client::timed_out() const {
    return {Failure::Kind::timed_out, "fairwayd at " + server_.to_string() + " did not answer within " +
                                          format_duration(timeout_) + " (--timeout)"};
}

tl::expected<UniqueFd, Failure> Client::connect(Deadline deadline) const {
    if (!server_.socket.empty()) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        server_.socket.copy(address.sun_path, sizeof address.sun_path - 1);
        UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!fd) return tl::unexpected(unreachable(errno));
        const int error =
            connect_to(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address, deadline);
        if (error == EAGAIN) return tl::unexpected(timed_out());  // its queue of connections is full
        if (error != 0) return tl::unexpected(unreachable(error));
        return fd;
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int error = ::getaddrinfo(server_.host.c_str(), server_.port.c_str(), &hints, &found);
        error != 0)
        return tl::unexpected(
            Failure{Failure::Kind::unreachable,
                    "cannot reach fairwayd at " + server_.to_string() + ": " + ::gai_strerror(error)});
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
    int last = EADDRNOTAVAIL;
    for (const addrinfo* item = found; item != nullptr; item = item->ai_next) {
        UniqueFd fd(::socket(item->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!fd) continue;
        last = connect_to(fd.get(), item->ai_addr, item->ai_addrlen, deadline);
        if (last == 0) return fd;
        if (last == ETIMEDOUT) break;
    }
    return tl::unexpected(unreachable(last));
}

std::optional<Failure> Client::send(int fd, std::string_view bytes, Deadline deadline) const {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes.remove_prefix(static_cast<size_t>(sent));
        } else if (errno == EAGAIN) {
            if (!wait_for(fd, POLLOUT, deadline)) return timed_out();
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return std::nullopt;  // it may have answered before it closed
        } else if (errno != EINTR) {
            return unreachable(errno);
        }
    }
    return std::nullopt;
}

std::optional<Failure> Client::receive(int fd, std::string& bytes, Deadline deadline) const {
    std::array<char, 16384> buffer;
    for (;;) {
        const ssize_t count = ::recv(fd, buffer.data(), buffer.size(), 0);
        if (count >= 0) {
            bytes.append(buffer.data(), static_cast<size_t>(count));
            return std::nullopt;
        }
        if (errno == EAGAIN) {
            if (!wait_for(fd, POLLIN, deadline)) return timed_out();
        } else if (errno == ECONNRESET) {
            return std::nullopt;
        } else if (errno != EINTR) {
            return unreachable(errno);
        }
    }
}

std::string Client::head(std::string_view method, std::string_view target, std::string_view accept,
                         size_t body) const {
    std::string text;
    text += method;
    text += " ";
    text += target;
    text += " HTTP/1.1\r\nHost: " + (server_.socket.empty() ? server_.to_string().substr(7) : "localhost");
    text += "\r\nAccept: ";
    text += accept;
    text += "\r\nUser-Agent: fairway/" FAIRWAY_VERSION "\r\nConnection: close\r\n";
    if (!token_.empty()) text += "Authorization: Bearer " + token_ + "\r\n";
    if (body > 0)
        text += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body) + "\r\n";
    else if (method == "POST")
        text += "Content-Length: 0\r\n";
    return text + "\r\n";
}

tl::expected<HttpReply, Failure> Client::request(std::string_view method, std::string_view target,
                                                 std::string_view body) {
    const Deadline deadline = std::chrono::steady_clock::now() + timeout_;
    auto fd = connect(deadline);
    if (!fd) return tl::unexpected(fd.error());
    std::string message = head(method, target, "application/json", body.size());
    message += body;
    if (auto failed = send(fd->get(), message, deadline)) return tl::unexpected(*failed);
    HttpResponse response;
    while (!response.complete()) {
        std::string bytes;
        if (auto failed = receive(fd->get(), bytes, deadline)) return tl::unexpected(*failed);
        const auto read = bytes.empty() ? response.finish() : response.feed(bytes);
        if (!read)
            return tl::unexpected(
                Failure{Failure::Kind::garbled, server_.to_string() + ": " + read.error().message});
    }
    return HttpReply{response.status(), response.content_type(), response.take_body()};
}

tl::expected<HttpReply, Failure> Client::follow(std::string_view target,
                                                const std::function<bool(std::string_view)>& heard) {
    Deadline deadline = std::chrono::steady_clock::now() + timeout_;
    auto fd = connect(deadline);
    if (!fd) return tl::unexpected(fd.error());
    if (auto failed = send(fd->get(), head("GET", target, "text/event-stream", 0), deadline))
        return tl::unexpected(*failed);
    HttpResponse response;
    std::string waiting;
    while (!response.complete()) {
        std::string bytes;
        if (auto failed = receive(fd->get(), bytes, deadline)) return tl::unexpected(*failed);
        const auto read = bytes.empty() ? response.finish() : response.feed(bytes);
        if (!read)
            return tl::unexpected(
                Failure{Failure::Kind::garbled, server_.to_string() + ": " + read.error().message});
        if (!response.has_headers() || response.content_type() != "text/event-stream") continue;
        deadline = std::chrono::steady_clock::now() + stream_silence;
        waiting += response.take_body();
        for (size_t end; (end = waiting.find('\n')) != std::string::npos; waiting.erase(0, end + 1)) {
            const std::string_view line = std::string_view(waiting).substr(0, end);
            if (line.rfind("data: ", 0) == 0 && !heard(line.substr(6))) return HttpReply{200, {}, {}};
        }
    }
    return HttpReply{response.status(), response.content_type(), response.take_body()};
}

std::string percent_encode(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            encoded += c;
            continue;
        }
        encoded += '%';
        encoded += digits[static_cast<uint8_t>(c) >> 4];
        encoded += digits[static_cast<uint8_t>(c) & 15];
    }
    return encoded;
}

}  // namespace fairway::cli
