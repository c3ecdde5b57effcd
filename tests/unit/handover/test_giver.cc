// SPDX-License-Identifier: Apache-2.0
// Who is in charge when, in virtual time; then both sides over a real socket.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <thread>

#include "handover/giver.h"
#include "handover/service_manager.h"
#include "handover/state_folder.h"
#include "handover/taker.h"
#include "net/loop.h"

using namespace fairway;
using namespace fairway::handover;
using Step = GiverSession::Step;

namespace {

struct Folder {
    std::filesystem::path path;
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "fairway-handover-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
        path = name;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
};

/// A giver on a loop, with a record of what it was asked to do.
struct Giving {
    Folder folder;
    net::Loop loop;
    std::string story;
    UniqueFd live[2];
    std::unique_ptr<Giver> giver;

    Giving() {
        int pair[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
        live[0].reset(pair[0]);
        live[1].reset(pair[1]);
        Giver::Hooks hooks;
        hooks.offer = [this](const Hello& to) {
            story += "offer to " + to.program + "; ";
            return std::vector<net::OfferedSocket>{};
        };
        hooks.state = [this] {
            story += "state; ";
            State state;
            state.ready = true;
            return state;
        };
        hooks.releasing = [this](const Hello&) { story += "releasing; "; };
        hooks.release = [this](const Hello&) {
            story += "release; ";
            std::vector<Connection> connections;
            connections.push_back({"pdns", "unix", "half a que", UniqueFd(::dup(live[0].get()))});
            return connections;
        };
        hooks.done = [this] {
            story += "done; ";
            loop.stop();
        };
        hooks.go_on = [this](const Hello& to, const std::string& why) {
            story += "go on, " + to.program + ": " + why + "; ";
            loop.stop();
        };
        giver = std::make_unique<Giver>(loop, net::ListeningSocket::open(handover_socket(folder.path), 0600),
                                        Hello{4711, "old"}, -1, std::move(hooks));
    }
    /// Turns the loop while the successor, on a thread of its own because it blocks, does its part.
    template <class Successor>
    void run(Successor successor) {
        std::thread thread([&] { successor(handover_socket(folder.path)); });
        loop.run();
        thread.join();
    }
};

}  // namespace

TEST_CASE("a handover goes step by step, each within its time") {
    MonotonicTime now{seconds{1000}};
    GiverSession session(now);
    CHECK_FALSE(session.has_begun());
    CHECK(session.at(now + seconds{4}) == Step::wait);
    CHECK(session.at(now + seconds{5}) == Step::give_up);
    CHECK(session.heard(MessageType::hello, now += seconds{4}) == Step::offer);
    CHECK(session.has_begun());
    CHECK(session.deadline() == now + GiverSession::preparing_time);
    CHECK(session.heard(MessageType::prepared, now += seconds{59}) == Step::tell);
    CHECK(session.deadline() == now + GiverSession::starting_time);
    CHECK(session.at(now + seconds{14}) == Step::wait);
    CHECK(session.heard(MessageType::serving, now += seconds{14}) == Step::release);
}

TEST_CASE("what is said out of turn ends a handover") {
    const MonotonicTime now{seconds{1000}};
    const MessageType order[] = {MessageType::hello, MessageType::prepared, MessageType::serving};
    for (size_t step = 0; step < 3; ++step) {
        for (int type = 1; type <= 9; ++type) {
            if (static_cast<MessageType>(type) == order[step]) continue;
            GiverSession session(now);
            for (size_t before = 0; before < step; ++before)
                REQUIRE(session.heard(order[before], now) != Step::give_up);
            CHECK(session.heard(static_cast<MessageType>(type), now) == Step::give_up);
        }
    }
}

TEST_CASE("both sides go through a handover, and a live connection goes along") {
    Giving giving;
    Result<std::vector<Connection>> connections = std::vector<Connection>();
    size_t sockets = 0;
    bool ready = false;
    giving.run([&](const std::filesystem::path& path) {
        auto taker = Taker::ask(path, {4712, "new"});
        if (!taker || !*taker) return;
        sockets = (*taker)->offer().sockets.left().size();
        const auto state = (*taker)->prepared();
        ready = state && state->ready;
        connections = (*taker)->serving();
    });
    CHECK(giving.story == "offer to new; state; releasing; release; done; ");
    CHECK(sockets == 1);  // the giver's own
    CHECK(ready);
    REQUIRE(connections);
    REQUIRE(connections->size() == 1);
    CHECK((*connections)[0].unread == "half a que");
    REQUIRE(::write((*connections)[0].fd.get(), "x", 1) == 1);
    char octet = 0;
    CHECK(::read(giving.live[1].get(), &octet, 1) == 1);
    giving.giver.reset();
    CHECK(std::filesystem::exists(handover_socket(giving.folder.path)));
}

TEST_CASE("a successor that gives up, or dies, leaves the other one in charge") {
    SECTION("it says why") {
        Giving giving;
        giving.run([](const std::filesystem::path& path) {
            auto taker = Taker::ask(path, {4712, "new"});
            if (taker && *taker) (*taker)->failed("address in use");
        });
        CHECK(giving.story == "offer to new; go on, new: address in use; ");
    }
    SECTION("it is gone after it was told the state") {
        Giving giving;
        giving.run([](const std::filesystem::path& path) {
            auto taker = Taker::ask(path, {4712, "new"});
            if (taker && *taker) (void)(*taker)->prepared();
        });
        CHECK(giving.story == "offer to new; state; go on, new: the other process is gone; ");
        CHECK_FALSE(giving.giver->is_giving());
    }
}

TEST_CASE("nobody to ask is no error; a successor is in charge when the other one dies before it lets go") {
    const Folder folder;
    const auto nobody = Taker::ask(handover_socket(folder.path), {1, "new"});
    REQUIRE(nobody);
    CHECK_FALSE(*nobody);

    const net::ListeningSocket socket = net::ListeningSocket::open(handover_socket(folder.path), 0600);
    for (const bool says_no : {false, true}) {
        std::thread old([&] {
            UniqueFd connection;
            while (!connection) connection.reset(::accept4(socket.fd(), nullptr, nullptr, SOCK_CLOEXEC));
            Channel channel(std::move(connection));
            const auto hear = [&channel] {
                auto message = channel.receive();
                while (message && !*message) message = channel.receive();
            };
            hear();
            (void)channel.send(MessageType::offer, offer_body({1, "old"}, {}, false));
            hear();
            (void)channel.send(MessageType::state, state_body({}));
            hear();
            if (says_no) (void)channel.send(MessageType::refused, reason_body("too late"));
        });
        auto taker = Taker::ask(handover_socket(folder.path), {2, "new"});
        REQUIRE(taker);
        REQUIRE(*taker);
        CHECK((*taker)->prepared());
        const auto connections = (*taker)->serving();
        CHECK(connections.has_value() == !says_no);
        if (!connections) CHECK(connections.error().message == "too late");
        old.join();
    }
}

TEST_CASE("the lock of a state folder has one holder, and goes along with its descriptor") {
    const Folder folder;
    FolderLock first = lock_state_folder(folder.path / "state");
    REQUIRE(first.fd);
    const FolderLock second = lock_state_folder(folder.path / "state");
    CHECK(second.is_held_by_another());
    CHECK(second.holder == ::getpid());
    UniqueFd copy(::dup(first.fd.get()));
    first.fd.reset();
    CHECK(lock_state_folder(folder.path / "state").is_held_by_another());
    copy.reset();
    CHECK(lock_state_folder(folder.path / "state").fd);
    const FolderLock impossible = lock_state_folder("/proc/nowhere");
    CHECK_FALSE(impossible.is_held_by_another());
    CHECK_FALSE(impossible.trouble.empty());
}

TEST_CASE("what a service manager says is understood, and what it wants to know is told") {
    const Folder folder;
    const std::string path = (folder.path / "notify").string();
    const UniqueFd manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(manager.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const net::ListeningSocket bound =
        net::ListeningSocket::open(SocketAddress{*IpAddress::parse("127.0.0.1"), 0});
    const int first = ::fcntl(bound.fd(), F_DUPFD_CLOEXEC, 700);
    const UniqueFd plain(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));  // does not listen
    REQUIRE(::fcntl(plain.get(), F_DUPFD_CLOEXEC, first + 1) == first + 1);

    std::map<std::string, std::string> environment{{"NOTIFY_SOCKET", path},   {"WATCHDOG_USEC", "3000000"},
                                                   {"LISTEN_PID", "42"},      {"LISTEN_FDS", "2"},
                                                   {"LISTEN_FDNAMES", "a:b"}, {"WATCHDOG_PID", "42"}};
    const auto variable = [&](const char* name) {
        const auto found = environment.find(name);
        return found == environment.end() ? std::nullopt : std::optional(found->second);
    };
    const ServiceManager another(variable, 43, first);
    CHECK_FALSE(another.watchdog());
    CHECK(another.problems().empty());
    ServiceManager ours(variable, 42, first);
    CHECK(ours.watchdog() == std::optional<nanoseconds>(milliseconds{1500}));
    REQUIRE(ours.problems().size() == 1);
    CHECK(ours.problems().front() ==
          "socket 2 of the service manager (b) is of no use: it is neither a "
          "datagram socket nor a stream socket that listens");
    auto taken = ours.sockets().take("dns", net::SocketKind::stream, bound.address());
    REQUIRE(taken.size() == 1);
    CHECK(taken.front().held_elsewhere);
    CHECK(ours.for_successor() == std::vector<std::string>{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=3000000"});
    ours.notify("READY=1");
    char note[64];
    CHECK(std::string(note, static_cast<size_t>(::recv(manager.get(), note, sizeof note, 0))) == "READY=1");
}
