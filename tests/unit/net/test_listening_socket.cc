// SPDX-License-Identifier: Apache-2.0
// Listening sockets as things that change hands: between processes in life, between owners here.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <vector>

#include "net/acceptor.h"
#include "net/inherited_sockets.h"
#include "net/loop.h"
#include "net/stream.h"

using namespace fairway;
using namespace fairway::net;

namespace {

struct Folder {
    std::filesystem::path path;
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "fairway-listen-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
        path = name;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
};

UniqueFd connect_to(const std::filesystem::path& path) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return fd;
}

UniqueFd duplicate(int fd) {
    return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

}  // namespace

TEST_CASE("connections wait while an acceptor is paused, and the next owner of the socket takes them") {
    const Folder folder;
    const std::filesystem::path path = folder.path / "s";
    Loop loop;
    std::vector<UniqueFd> first, second;
    auto old = std::make_unique<Acceptor>(loop, ListeningSocket::open(path),
                                          [&](UniqueFd fd) { first.push_back(std::move(fd)); });
    const UniqueFd a = connect_to(path);
    while (first.empty()) loop.run_once();
    old->pause();
    const UniqueFd b = connect_to(path);
    for (int i = 0; i < 5; ++i) loop.run_ready();
    CHECK(first.size() == 1);

    Acceptor next(loop, ListeningSocket::adopt(path, duplicate(old->socket().fd())),
                  [&](UniqueFd fd) { second.push_back(std::move(fd)); });
    old->socket().leave_to_others();
    old.reset();
    CHECK(std::filesystem::exists(path));
    while (second.empty()) loop.run_once();
    const UniqueFd c = connect_to(path);
    while (second.size() < 2) loop.run_once();
    CHECK(first.size() == 1);
}

TEST_CASE("the last owner of a Unix socket removes its file; a resumed acceptor goes on") {
    const Folder folder;
    const std::filesystem::path path = folder.path / "s";
    Loop loop;
    std::vector<UniqueFd> accepted;
    {
        Acceptor acceptor(loop, ListeningSocket::open(path),
                          [&](UniqueFd fd) { accepted.push_back(std::move(fd)); });
        acceptor.pause();
        const UniqueFd client = connect_to(path);
        acceptor.resume();
        while (accepted.empty()) loop.run_once();
    }
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("an inherited TCP listener knows its real port, and its connections become streams") {
    Loop loop;
    const SocketAddress any{*IpAddress::parse("127.0.0.1"), 0};
    const ListeningSocket original = ListeningSocket::open(any);
    const auto address = std::get<SocketAddress>(original.address());
    CHECK(address.port != 0);
    std::unique_ptr<Stream> accepted;
    std::string received;
    Listener listener(loop, ListeningSocket::adopt(any, duplicate(original.fd())),
                      [&](std::unique_ptr<Stream> stream) {
                          accepted = std::move(stream);
                          accepted->start({[&](ByteSpan bytes) { received += as_text(bytes); }, {}});
                      });
    CHECK(listener.local() == address);
    const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage storage{};
    const socklen_t size = address.to_sockaddr(storage);
    REQUIRE(::connect(client.get(), reinterpret_cast<const sockaddr*>(&storage), size) == 0);
    REQUIRE(::send(client.get(), "hello", 5, 0) == 5);
    while (received != "hello") loop.run_once();
    CHECK(accepted->peer().has_value());
}

TEST_CASE("a stream that another process goes on with ends in silence here") {
    Loop loop;
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    const UniqueFd client(pair[0]);
    auto old = Stream::adopt(loop, UniqueFd(pair[1]));
    REQUIRE(old);
    std::string first, second;
    old->start({[&](ByteSpan bytes) { first += as_text(bytes); }, {}});
    old->pause_reading();
    REQUIRE(::send(client.get(), "question", 8, 0) == 8);
    for (int i = 0; i < 3; ++i) loop.run_ready();
    auto next = Stream::adopt(loop, duplicate(old->fd()));
    REQUIRE(next);
    old.reset();
    for (int i = 0; i < 3; ++i) loop.run_ready();
    next->start({[&](ByteSpan bytes) { second += as_text(bytes); }, {}});
    while (second != "question") loop.run_once();
    next->send("answer");
    char buffer[16];
    CHECK(::recv(client.get(), buffer, sizeof buffer, 0) == 6);
    CHECK(first.empty());
}

TEST_CASE("a borrowed Unix socket's file stays when the borrower fails, and is his once it is settled") {
    const Folder folder;
    const std::filesystem::path path = folder.path / "s";
    const ListeningSocket owner = ListeningSocket::open(path);
    for (const bool settles : {false, true}) {
        InheritedSockets inherited;
        inherited.add({"api", SocketKind::stream, path, duplicate(owner.fd()), false});
        inherited.borrow();
        CHECK(inherited.has("api", SocketKind::stream, path));
        CHECK_FALSE(inherited.has("pdns", SocketKind::stream, path));
        {
            const ListeningSocket taken = inherited.take_or_open("api", path);
            if (settles) inherited.settle();
        }
        CHECK(std::filesystem::exists(path) == !settles);
    }
}

TEST_CASE("sockets are found by purpose and address, and a port that does not matter by purpose alone") {
    const SocketAddress any{*IpAddress::parse("127.0.0.1"), 0};
    const ListeningSocket one = ListeningSocket::open(any);
    const ListeningSocket two = ListeningSocket::open(any);
    InheritedSockets inherited;
    inherited.add({"dns", SocketKind::stream, one.address(), duplicate(one.fd()), false});
    inherited.add({"", SocketKind::stream, two.address(), duplicate(two.fd()), true});
    CHECK(inherited.take("api", SocketKind::stream, one.address()).empty());
    CHECK(inherited.take("dns", SocketKind::datagram, one.address()).empty());
    CHECK(inherited.take("api", SocketKind::stream, any).empty());  // nobody's name: only an exact address
    CHECK(inherited.take("dns", SocketKind::stream, any).size() == 1);
    const ListeningSocket held = inherited.take_or_open("api", two.address());
    CHECK(held.held_elsewhere());
    CHECK(inherited.left().empty());
}

TEST_CASE("a descriptor is described by what it is, or refused with a sentence") {
    const ListeningSocket tcp = ListeningSocket::open(SocketAddress{*IpAddress::parse("::1"), 0});
    const auto described = describe_socket(duplicate(tcp.fd()));
    REQUIRE(described);
    CHECK(described->kind == SocketKind::stream);
    CHECK(described->address == tcp.address());
    CHECK(described->purpose.empty());
    const Folder folder;
    const ListeningSocket unix_socket = ListeningSocket::open(folder.path / "s");
    CHECK(describe_socket(duplicate(unix_socket.fd()))->address == unix_socket.address());
    CHECK(describe_socket(UniqueFd(::open("/dev/null", O_RDONLY))).error().message ==
          "it is neither a datagram socket nor a stream socket that listens");
    CHECK(describe_socket(UniqueFd(::socket(AF_INET, SOCK_DGRAM, 0))).error().message ==
          "it is not bound to a port");
}
