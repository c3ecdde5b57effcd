// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/timer.h"

using namespace fairway;
using net::Listener;
using net::Loop;
using net::Stream;
using net::StreamEnd;

namespace {

const SocketAddress any_port{IpAddress::v4({127, 0, 0, 1}), 0};

/// A blocking client, whose calls all find their data or room in kernel buffers.
struct Client {
    UniqueFd fd;

    explicit Client(const SocketAddress& to) : fd(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_storage storage{};
        const socklen_t length = to.to_sockaddr(storage);
        REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0);
    }
    explicit Client(const std::filesystem::path& path) : fd(::socket(AF_UNIX, SOCK_STREAM, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    void send(std::string_view text) const {
        REQUIRE(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(text.size()));
    }
    /// Everything until the end of the stream.
    std::string read_all() const {
        std::string got;
        std::array<char, 4096> buffer{};
        ssize_t count = 0;
        while ((count = ::recv(fd.get(), buffer.data(), buffer.size(), 0)) > 0)
            got.append(buffer.data(), static_cast<size_t>(count));
        return got;
    }
};

/// A server that keeps what it accepted and records what happens.
struct Server {
    Loop loop;
    net::Timer deadline{loop, [] { FAIL("nothing happened for ten seconds"); }};
    std::unique_ptr<Stream> stream;
    std::string received;
    std::vector<StreamEnd> ends;
    std::function<void(ByteSpan)> on_data = [this](ByteSpan bytes) { received += as_text(bytes); };
    Listener listener;

    explicit Server(const Listener::Address& address = any_port)
        : listener(loop, address, [this](std::unique_ptr<Stream> accepted) {
              stream = std::move(accepted);
              stream->start({.on_data = [this](ByteSpan bytes) { on_data(bytes); },
                             .on_close = [this](StreamEnd end) { ends.push_back(end); }});
          }) {
        deadline.start(seconds{10});
    }
    template <class Condition>
    void run_until(Condition condition) {
        while (!condition()) loop.run_once();
    }
    void accept() {
        run_until([this] { return stream != nullptr; });
    }
    void run_to_end() {
        run_until([this] { return !ends.empty(); });
        for (int i = 0; i < 5; ++i) loop.run_ready();
        CHECK(ends.size() == 1);
    }
};

std::filesystem::path fresh_folder() {
    std::string name = "/tmp/fairway-stream-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    return name;
}

}  // namespace

TEST_CASE("a TCP stream carries bytes both ways and tells the end of the peer once") {
    Server server;
    server.on_data = [&](ByteSpan bytes) { server.stream->send(bytes); };
    Client client(server.listener.local());
    client.send("hello");
    server.accept();
    CHECK(server.stream->peer().has_value());
    CHECK(server.stream->fd() >= 0);
    ::shutdown(client.fd.get(), SHUT_WR);
    server.run_to_end();
    CHECK(server.ends[0] == StreamEnd::eof);
    CHECK(server.stream->fd() == -1);
    CHECK(client.read_all() == "hello");
}

TEST_CASE("a reset by the peer is told as such") {
    Server server;
    {
        Client client(server.listener.local());
        server.accept();
        const linger abort{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(client.fd.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    }
    server.run_to_end();
    CHECK(server.ends[0] == StreamEnd::reset);
}

TEST_CASE("a Unix socket replaces a stale file, has its permissions, and is removed at the end") {
    const auto folder = fresh_folder();
    const auto path = folder / "s";
    {
        const UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        REQUIRE(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    {
        Server server(path);
        struct stat info {};
        REQUIRE(::stat(path.c_str(), &info) == 0);
        CHECK((info.st_mode & 0777) == 0660);
        Client client(path);
        client.send("over a file");
        server.run_until([&] { return server.received == "over a file"; });
        CHECK_FALSE(server.stream->peer().has_value());
        CHECK_THROWS_WITH(Server(path), Catch::Contains("bind unix socket " + path.string()));
    }
    CHECK_FALSE(std::filesystem::exists(path));
    std::filesystem::remove_all(folder);
}

TEST_CASE("a file that is no socket is not replaced by a listener") {
    const auto folder = fresh_folder();
    const auto path = folder / "precious";
    const UniqueFd file(::open(path.c_str(), O_CREAT | O_WRONLY, 0600));
    CHECK_THROWS_AS(Server(path), std::system_error);
    CHECK(std::filesystem::exists(path));
    std::filesystem::remove_all(folder);
}

TEST_CASE("an address in use is an error that names it") {
    Server server;
    CHECK_THROWS_WITH(Server(server.listener.local()),
                      Catch::Contains("TCP " + server.listener.local().to_string()));
}

TEST_CASE("a peer that does not read fills the queue to its limit and no further") {
    Server server;
    Client client(server.listener.local());
    server.accept();
    server.stream->limit_queue(100'000);
    const std::vector<uint8_t> block(65'536, 'x');
    size_t largest = 0;
    for (int i = 0; i < 1'000 && server.ends.empty(); ++i) {
        server.stream->send(block);
        largest = std::max(largest, server.stream->queued());
        CHECK(server.ends.empty());  // never inside a call of ours
        if (i % 16 == 15) server.loop.run_ready();
    }
    server.run_to_end();
    CHECK(server.ends[0] == StreamEnd::overflow);
    CHECK(largest <= 100'000);
}

TEST_CASE("what is queued goes out before a flushed close, and the peer sees an orderly end") {
    Server server;
    Client client(server.listener.local());
    server.accept();
    server.stream->limit_queue(16 << 20);
    const std::string text(8 << 20, 'y');
    server.stream->send(text);
    CHECK(server.stream->queued() > 0);
    server.stream->close_when_flushed();
    server.stream->send("too late");
    std::string got;
    std::array<char, 65536> buffer{};
    while (true) {
        server.loop.run_ready();
        const ssize_t count = ::recv(client.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (count == 0) break;
        if (count > 0) got.append(buffer.data(), static_cast<size_t>(count));
    }
    CHECK(got == text);
    server.run_to_end();
    CHECK(server.ends[0] == StreamEnd::flushed);
}

TEST_CASE("a stream without traffic ends as idle, one with a deadline at its deadline") {
    Server server;
    Client client(server.listener.local());
    server.accept();
    SECTION("idle") {
        server.stream->limit_idle(milliseconds{2});
        server.run_to_end();
        CHECK(server.ends[0] == StreamEnd::idle);
    }
    SECTION("deadline") {
        server.stream->set_deadline(milliseconds{2});
        server.run_to_end();
        CHECK(server.ends[0] == StreamEnd::deadline);
    }
    SECTION("a deadline taken back never comes") {
        server.stream->set_deadline(milliseconds{1});
        server.stream->set_deadline(std::nullopt);
        bool later = false;
        net::Timer wait(server.loop, [&] { later = true; });
        wait.start(milliseconds{5});
        server.run_until([&] { return later; });
        CHECK(server.ends.empty());
    }
}

TEST_CASE("a stream may be destroyed by its own data callback and by its close callback") {
    Server server;
    Client client(server.listener.local());
    SECTION("data") {
        bool destroyed = false;
        server.on_data = [&](ByteSpan) {
            server.stream.reset();
            destroyed = true;
        };
        client.send("x");
        server.run_until([&] { return destroyed; });
        CHECK(client.read_all().empty());
        CHECK(server.ends.empty());
    }
    SECTION("close") {
        server.accept();
        bool destroyed = false;
        server.stream->start({.on_data = {}, .on_close = [&](StreamEnd) {
                                  server.stream.reset();
                                  destroyed = true;
                              }});
        ::shutdown(client.fd.get(), SHUT_RDWR);
        server.run_until([&] { return destroyed; });
    }
}

TEST_CASE("a paused stream leaves the bytes in the kernel until it resumes") {
    Server server;
    Client client(server.listener.local());
    server.accept();
    server.stream->pause_reading();
    client.send("later");
    for (int i = 0; i < 10; ++i) server.loop.run_ready();
    CHECK(server.received.empty());
    server.stream->resume_reading();
    server.run_until([&] { return server.received == "later"; });
}
