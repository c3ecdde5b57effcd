// SPDX-License-Identifier: Apache-2.0
// fairway-pdns-pipe SOCKET: the program that PowerDNS' pipe connector starts, one for each of its backends.
// It carries lines between PowerDNS (standard input and output) and the Unix socket of fairwayd's [pdns], and
// knows nothing of what they say. Each line asked is answered by one line.
//
// A fairwayd that restarts costs no answer: when the connection ends before the answer has come, the line is
// asked again on a new one, for as long as PowerDNS waits anyway. An operator's command is not asked again:
// it may have been carried out.

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// PowerDNS waits 2 s unless told otherwise; then it kills this program and starts another.
constexpr milliseconds patience{1800};
constexpr milliseconds pause_between_attempts{20};
constexpr size_t longest_request = 65536;

[[noreturn]] void end(const std::string& why) {
    std::fprintf(stderr, "fairway-pdns-pipe: %s\n", why.c_str());
    // Not exit(): nothing is buffered, and PowerDNS is told by the end of the pipe.
    ::_exit(1);
}

/// False when the deadline passes first.
bool wait_readable(int fd, Clock::time_point deadline) {
    for (;;) {
        const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
        if (left.count() <= 0) return false;
        pollfd item{fd, POLLIN, 0};
        const int ready = ::poll(&item, 1, static_cast<int>(left.count()));
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return false;
    }
}

/// Lines of a descriptor, one after the other.
class Lines {
  public:
    /// The next line with its end; nothing at the end of the input, after an error, or when the line is too
    /// long. With a deadline, at that time as well.
    std::optional<std::string> next(int fd, size_t longest, std::optional<Clock::time_point> deadline) {
        for (;;) {
            const size_t end = buffer_.find('\n', looked_);
            if (end != std::string::npos) {
                std::string line = buffer_.substr(0, end + 1);
                buffer_.erase(0, end + 1);
                looked_ = 0;
                return line;
            }
            looked_ = buffer_.size();
            if (buffer_.size() > longest) return std::nullopt;
            if (deadline && !wait_readable(fd, *deadline)) return std::nullopt;
            std::array<char, 16384> bytes;
            const ssize_t got = ::read(fd, bytes.data(), bytes.size());
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) return std::nullopt;
            buffer_.append(bytes.data(), static_cast<size_t>(got));
        }
    }
    void clear() {
        buffer_.clear();
        looked_ = 0;
    }

  private:
    std::string buffer_;
    size_t looked_ = 0;  // no end of a line before here
};

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        text.remove_prefix(static_cast<size_t>(written));
    }
    return true;
}

class Connection {
  public:
    explicit Connection(const char* path) {
        address_.sun_family = AF_UNIX;
        if (std::strlen(path) >= sizeof address_.sun_path)
            end(std::string(path) + ": a socket's path has at most 107 characters");
        std::memcpy(address_.sun_path, path, std::strlen(path) + 1);
    }

    /// The answer to a line, or nothing: it has no connection any more then.
    std::optional<std::string> ask(std::string_view line, Clock::time_point deadline) {
        if (!socket_ && !connect()) return std::nullopt;
        if (write_all(socket_.get(), line))
            if (auto reply = replies_.next(socket_.get(), SIZE_MAX, deadline)) return reply;
        socket_.reset();
        return std::nullopt;
    }
    [[nodiscard]] std::string why() const {
        return std::string(address_.sun_path) + ": " + std::strerror(error_);
    }

  private:
    bool connect() {
        replies_.clear();
        socket_ = fairway::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (socket_ &&
            ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_) == 0)
            return true;
        error_ = errno;
        socket_.reset();
        return false;
    }

    sockaddr_un address_{};
    fairway::UniqueFd socket_;
    Lines replies_;
    int error_ = ECONNRESET;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2 || argv[1][0] == '-') {
        const bool asked = argc == 2 && std::strcmp(argv[1], "--help") == 0;
        if (argc == 2 && std::strcmp(argv[1], "--version") == 0)
            return std::puts("fairway-pdns-pipe " FAIRWAY_VERSION) < 0 ? 1 : 0;
        std::fputs(
            "usage: fairway-pdns-pipe SOCKET\nFor PowerDNS: "
            "remote-connection-string=pipe:command=/usr/bin/fairway-pdns-pipe /run/fairway/pdns.sock\n",
            asked ? stdout : stderr);
        return asked ? 0 : 2;
    }
    std::signal(SIGPIPE, SIG_IGN);
    Connection fairwayd(argv[1]);
    Lines requests;
    while (const auto request = requests.next(STDIN_FILENO, longest_request, std::nullopt)) {
        const Clock::time_point deadline = Clock::now() + patience;
        const bool may_repeat = request->find("directBackendCmd") == std::string::npos;
        auto reply = fairwayd.ask(*request, deadline);
        while (!reply && may_repeat && Clock::now() < deadline) {
            ::poll(nullptr, 0, static_cast<int>(pause_between_attempts.count()));
            reply = fairwayd.ask(*request, deadline);
        }
        if (!reply) end(fairwayd.why());
        if (!write_all(STDOUT_FILENO, *reply)) break;
    }
    return 0;
}
