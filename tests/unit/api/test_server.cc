// SPDX-License-Identifier: Apache-2.0
// The API on real sockets: libwebsockets on our loop in this thread, clients in another.

#include <fcntl.h>
#include <openssl/ssl.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <future>
#include <thread>

#include "api/server.h"
#include "base/unique_fd.h"
#include "net/loop.h"
#include "support/certificates.h"
#include "unit/api/world.h"

using namespace fairway;

namespace {

struct Fixture {
    net::Loop loop;
    World world{[this](std::function<void()> action) { loop.post(std::move(action)); }};
    TemporaryFolder folder;
    config::Api settings;
    api::Limits limits;
    std::optional<api::Server> server;

    Fixture() {
        settings.unix_path = folder.path / "run" / "control.sock";
        limits.patience = seconds(1);
        limits.idle = seconds(1);
    }
    void listen() { server.emplace(loop, world, settings, limits); }
    /// On the client's thread.
    void wait_for_connections(const std::function<bool(size_t)>& wanted) {
        const auto end = std::chrono::steady_clock::now() + seconds(30);
        for (bool reached = false; !reached;) {
            REQUIRE(std::chrono::steady_clock::now() < end);
            std::promise<size_t> open;
            loop.post([&] { open.set_value(server->connections()); });
            reached = wanted(open.get_future().get());
            if (!reached) std::this_thread::sleep_for(milliseconds(10));
        }
    }
    /// Runs the client beside the loop until it returns.
    void with_client(const std::function<void()>& client) {
        std::thread thread([&] {
            client();
            loop.post([this] { loop.stop(); });
        });
        loop.run();
        thread.join();
    }
};

/// A client without manners: sends what it is told, reads until the other end closes or enough has come.
class Peer {
  public:
    explicit Peer(const std::filesystem::path& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.string().copy(address.sun_path, sizeof address.sun_path - 1);
        (void)::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
        limit();
    }
    explicit Peer(const SocketAddress& to) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_storage storage{};
        const socklen_t size = to.to_sockaddr(storage);
        (void)::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&storage), size);
        limit();
    }
    int fd() const { return fd_.get(); }
    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            bytes.remove_prefix(static_cast<size_t>(sent));
        }
    }
    /// Until `enough` is in what came, or the end.
    std::string read_until(std::string_view enough) {
        std::string text;
        char buffer[65536];
        while (enough.empty() || text.find(enough) == std::string::npos) {
            const ssize_t count = ::recv(fd_.get(), buffer, sizeof buffer, 0);
            if (count <= 0) {
                ended_ = true;
                break;
            }
            text.append(buffer, static_cast<size_t>(count));
        }
        return text;
    }
    std::string read_all() { return read_until(""); }
    bool ended() const { return ended_; }
    std::string exchange(std::string_view request) {
        send(request);
        return read_all();
    }

  private:
    void limit() {
        // A server that never answers must fail the test, not hang it.
        const timeval patience{20, 0};
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    }
    UniqueFd fd_;
    bool ended_ = false;
};

std::string simple(const std::string& line, const std::string& headers = {}, const std::string& body = {}) {
    return line + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers +
           (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" + body;
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

const std::string drain = R"({"targets":["iad1"],"state":"drain","reason":"kernel","for":"2h"})";

}  // namespace

TEST_CASE("the control socket answers, is the group's only, and goes away with the server") {
    Fixture f;
    f.listen();
    struct stat status {};
    REQUIRE(::stat(f.settings.unix_path.c_str(), &status) == 0);
    CHECK(S_ISSOCK(status.st_mode));
    CHECK((status.st_mode & 0777) == 0660);
    f.with_client([&] {
        const std::string reply = Peer(f.settings.unix_path).exchange(simple("GET /api/v1/status"));
        CHECK(has(reply, "HTTP/1.1 200"));
        CHECK(has(reply, "content-type: application/json"));
        CHECK(has(reply, "cache-control: no-store"));
        CHECK(has(reply, R"({"schema":"fairway/status/1")"));
    });
    f.server.reset();
    CHECK(::stat(f.settings.unix_path.c_str(), &status) != 0);
}

TEST_CASE("one connection carries many requests, of which each gets its own answer") {
    Fixture f;
    f.listen();
    f.with_client([&] {
        Peer peer(f.settings.unix_path);
        for (const char* gateway : {"fra1", "iad1", "sin1"}) {
            peer.send(std::string("GET /api/v1/gateways/") + gateway +
                      " HTTP/1.1\r\nHost: localhost\r\n\r\n");
            const std::string reply = peer.read_until("\"overrides\":[]}");
            CHECK(has(reply, "HTTP/1.1 200"));
            CHECK(has(reply, std::string("\"gateway\":\"") + gateway));
        }
        CHECK_FALSE(peer.ended());
    });
}

TEST_CASE("the peer's user is the actor of what it changes") {
    Fixture f;
    f.listen();
    const std::string me = ::getpwuid(::geteuid())->pw_name;
    f.with_client([&] {
        const std::string reply =
            Peer(f.settings.unix_path).exchange(simple("POST /api/v1/overrides", {}, drain));
        CHECK(has(reply, "HTTP/1.1 201"));
        CHECK(has(reply, "\"actor\":\"" + me + "\""));
        CHECK(has(Peer(f.settings.unix_path).exchange(simple("DELETE /api/v1/overrides/1?revision=1")),
                  "HTTP/1.1 200"));
        // Without a body, with an empty one, and answered from the loop's later turns.
        CHECK(has(Peer(f.settings.unix_path).exchange(simple("POST /api/v1/reload")), "HTTP/1.1 200"));
        CHECK(has(Peer(f.settings.unix_path).exchange(simple("POST /api/v1/reload", "Content-Length: 0\r\n")),
                  "HTTP/1.1 200"));
        CHECK(has(Peer(f.settings.unix_path).exchange(simple("POST /api/v1/gateways/fra1/probe")),
                  "\"verdict\":\"pass\""));
    });
    CHECK(f.world.actors_ == std::vector<std::string>{me, me});
}

TEST_CASE("a large answer arrives whole, also at a reader that is slow") {
    Fixture f;
    for (int i = 0; i < 3000; ++i) {
        Event event;
        event.time = noon;
        event.message = std::string(200, 'm');
        f.world.store().append(event);
    }
    f.listen();
    f.with_client([&] {
        Peer peer(f.settings.unix_path);
        peer.send(simple("GET /api/v1/events?limit=10000"));
        const std::string reply = peer.read_all();
        const size_t body = reply.find("\r\n\r\n") + 4;
        CHECK(has(reply, "content-length: " + std::to_string(reply.size() - body)));
        CHECK(has(reply, "\"id\":3000,"));
        CHECK(reply.substr(reply.size() - 2) == "]}");
    });
}

TEST_CASE("requests beyond the limits and garbage are refused, and the next client is served") {
    Fixture f;
    f.listen();
    f.with_client([&] {
        const auto ask = [&](const std::string& bytes) { return Peer(f.settings.unix_path).exchange(bytes); };
        CHECK(has(ask(simple("POST /api/v1/overrides", "Content-Length: 1048577\r\n")), "HTTP/1.1 413"));
        CHECK(has(ask(simple("POST /api/v1/overrides", "Content-Length: 99999999999999999999\r\n")),
                  "HTTP/1.1 413"));
        CHECK(has(ask(simple("POST /api/v1/overrides", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n"),
                  "HTTP/1.1 411"));
        CHECK(has(ask(simple("POST /api/v1/overrides", {}, "[1,2")), "HTTP/1.1 400"));
        CHECK(has(ask(simple("PUT /api/v1/status")), "HTTP/1.1 405"));
        CHECK(has(ask(simple("GET /nothing")), "HTTP/1.1 404"));
        for (const std::string& bad :
             {simple("GET /api/v1/status", "X-Long: " + std::string(40'000, 'x') + "\r\n"),
              simple("GET /" + std::string(40'000, 'x')), std::string("\x16\x03\x01\x02\x00garbage\r\n\r\n"),
              std::string("NONSENSE\r\n\r\n"), std::string(100'000, 'A'), simple("GET /api/%zz"),
              simple("GET /api/v1/gateways/%00"), simple("GET /api/v1/gateways/%ff"),
              simple("GET /api/v1/explain?name=%0a&client=1"), simple("GET ../../etc/passwd")}) {
            const std::string reply = ask(bad);
            INFO(bad.substr(0, 60) << " -> " << reply.substr(0, 60));
            CHECK_FALSE(has(reply, "HTTP/1.1 2"));
        }
        CHECK(has(ask(simple("GET /healthz")), "ok\n"));
    });
    CHECK(f.server->connections() == 0);
}

TEST_CASE("a client that stalls is dropped and changes nothing for others") {
    Fixture f;
    f.listen();
    f.with_client([&] {
        std::vector<std::unique_ptr<Peer>> stalled;
        for (int i = 0; i < 20; ++i) {
            stalled.push_back(std::make_unique<Peer>(f.settings.unix_path));
            if (i % 4 == 1) stalled.back()->send("GET /api/v1/status HT");
            if (i % 4 == 2) stalled.back()->send("GET /api/v1/status HTTP/1.1\r\nHost: x\r\n");
            if (i % 4 == 3)
                stalled.back()->send(
                    "POST /api/v1/overrides HTTP/1.1\r\nHost: x\r\nContent-Length: "
                    "100\r\n\r\n{\"targets\":[");
        }
        CHECK(has(Peer(f.settings.unix_path).exchange(simple("GET /api/v1/status")), "HTTP/1.1 200"));
        for (const auto& peer : stalled) {
            CHECK_FALSE(has(peer->read_all(), "HTTP/1.1 2"));
            CHECK(peer->ended());
        }
    });
    CHECK(f.server->connections() == 0);
    CHECK(f.world.store().overrides().empty());
}

TEST_CASE("a client that does not read its answer is dropped") {
    Fixture f;
    for (int i = 0; i < 9000; ++i) {
        Event event;
        event.time = noon;
        event.message = std::string(1000, 'm');
        f.world.store().append(event);
    }
    f.listen();
    f.with_client([&] {
        Peer deaf(f.settings.unix_path);
        deaf.send(simple("GET /api/v1/events?limit=10000"));
        // The server lets go although nothing is read: then fewer octets came than were promised.
        f.wait_for_connections([](size_t open) { return open == 1; });
        f.wait_for_connections([](size_t open) { return open == 0; });
        CHECK_FALSE(has(deaf.read_all(), "]}"));
    });
}

TEST_CASE("connections beyond the limit are turned away, the others stay") {
    Fixture f;
    // Descriptors' numbers are far beyond the limit, as they are in a server with many probes.
    std::vector<UniqueFd> others;
    for (int i = 0; i < 200; ++i) others.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    f.limits.connections = 8;
    f.limits.patience = seconds(10);
    f.limits.idle = seconds(10);
    f.listen();
    f.with_client([&] {
        std::vector<std::unique_ptr<Peer>> peers;
        size_t served = 0;
        for (int i = 0; i < 16; ++i) {
            peers.push_back(std::make_unique<Peer>(f.settings.unix_path));
            peers.back()->send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
            served += has(peers.back()->read_until("ok\n"), "ok\n");
        }
        CHECK(served >= 6);
        CHECK(served <= 8);
        peers.clear();
        const auto end = std::chrono::steady_clock::now() + seconds(10);
        bool again = false;
        while (!again && std::chrono::steady_clock::now() < end)
            again = has(Peer(f.settings.unix_path).exchange(simple("GET /healthz")), "ok\n");
        CHECK(again);
    });
}

TEST_CASE("TCP without a token is for reading, from a local name") {
    Fixture f;
    f.settings.listen = SocketAddress::parse("127.0.0.1:0").value();
    f.listen();
    REQUIRE(f.server->tcp());
    REQUIRE(f.server->tcp()->port != 0);
    f.with_client([&] {
        const auto ask = [&](const std::string& bytes) { return Peer(*f.server->tcp()).exchange(bytes); };
        CHECK(has(ask(simple("GET /api/v1/status")), "HTTP/1.1 200"));
        CHECK(has(ask(simple("POST /api/v1/overrides", {}, drain)), "HTTP/1.1 403"));
        CHECK(has(ask(simple("DELETE /api/v1/overrides/1")), "HTTP/1.1 403"));
        CHECK(has(ask("GET /api/v1/status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"),
                  "HTTP/1.1 403"));
        CHECK(has(ask("GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1:8053\r\nConnection: close\r\n\r\n"),
                  "HTTP/1.1 200"));
    });
    CHECK(f.world.store().overrides().empty());
}

TEST_CASE("TCP with a token is for its bearer alone") {
    Fixture f;
    f.settings.listen = SocketAddress::parse("127.0.0.1:0").value();
    f.settings.token = config::Secret{"env:X", "s3cret-token"};
    f.listen();
    f.with_client([&] {
        const auto ask = [&](const std::string& bytes) { return Peer(*f.server->tcp()).exchange(bytes); };
        const std::string right = "Authorization: Bearer s3cret-token\r\n";
        const std::string nothing = ask(simple("GET /api/v1/status"));
        CHECK(has(nothing, "HTTP/1.1 401"));
        CHECK(has(nothing, "www-authenticate: Bearer"));
        CHECK_FALSE(has(nothing, "s3cret"));
        for (const char* wrong : {"Bearer s3cret-tokem", "Bearer s3cret", "Bearer s3cret-token-and-more",
                                  "Bearer ", "Basic s3cret-token", "s3cret-token", "Bearer"})
            CHECK(has(
                ask(simple("POST /api/v1/overrides", std::string("Authorization: ") + wrong + "\r\n", drain)),
                "HTTP/1.1 401"));
        CHECK(has(ask(simple("GET /healthz")), "HTTP/1.1 200"));
        CHECK(has(ask(simple("GET /api/v1/status", right)), "HTTP/1.1 200"));
        const std::string made = ask(simple("POST /api/v1/overrides", right, drain));
        CHECK(has(made, "HTTP/1.1 201"));
        CHECK(has(made, "\"actor\":\"token\""));
    });
    CHECK(f.world.store().overrides().size() == 1);
}

TEST_CASE("TCP with a certificate speaks TLS 1.2 and later, and nothing in the clear") {
    Fixture f;
    test::CertificateSpec spec;
    spec.not_before = std::chrono::system_clock::now() - std::chrono::hours(1);
    spec.not_after = spec.not_before + std::chrono::hours(48);
    const test::Certificate certificate = test::make_certificate(spec, nullptr);
    f.settings.cert = f.folder.path / "cert.pem";
    f.settings.key = f.folder.path / "key.pem";
    std::ofstream(f.settings.cert) << certificate.pem();
    std::ofstream(f.settings.key) << certificate.key_pem();
    f.settings.listen = SocketAddress::parse("127.0.0.1:0").value();
    f.settings.token = config::Secret{"env:X", "s3cret-token"};
    f.listen();
    f.with_client([&] {
        const auto ask = [&](int highest) -> std::string {
            const std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)> context(
                ::SSL_CTX_new(::TLS_client_method()), ::SSL_CTX_free);
            ::SSL_CTX_set_security_level(context.get(), 0);
            ::SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
            ::SSL_CTX_set_max_proto_version(context.get(), highest);
            const std::unique_ptr<SSL, decltype(&::SSL_free)> tls(::SSL_new(context.get()), ::SSL_free);
            Peer peer(*f.server->tcp());
            ::SSL_set_fd(tls.get(), peer.fd());
            if (::SSL_connect(tls.get()) != 1) return "no handshake";
            const std::string request =
                simple("GET /api/v1/status", "Authorization: Bearer s3cret-token\r\n");
            ::SSL_write(tls.get(), request.data(), static_cast<int>(request.size()));
            std::string text = std::string(::SSL_get_version(tls.get())) + " ";
            char buffer[4096];
            for (int count; (count = ::SSL_read(tls.get(), buffer, sizeof buffer)) > 0;)
                text.append(buffer, static_cast<size_t>(count));
            return text;
        };
        const std::string newest = ask(TLS1_3_VERSION);
        CHECK(has(newest, "TLSv1.3 HTTP/1.1 200"));
        CHECK(has(newest, "strict-transport-security"));
        CHECK(has(newest, "fairway/status/1"));
        CHECK(has(ask(TLS1_2_VERSION), "TLSv1.2 HTTP/1.1 200"));
        CHECK(ask(TLS1_1_VERSION) == "no handshake");
        CHECK_FALSE(has(Peer(*f.server->tcp()).exchange(simple("GET /healthz")), "ok\n"));
    });
}

TEST_CASE("the API does not go beyond loopback without a token and TLS") {
    config::Api settings;
    CHECK(api::refusal(settings).empty());
    settings.listen = SocketAddress::parse("127.0.0.1:8053").value();
    CHECK(api::refusal(settings).empty());
    settings.listen = SocketAddress::parse("0.0.0.0:8053").value();
    CHECK(has(api::refusal(settings), "needs a token (api.token) and TLS"));
    settings.token = config::Secret{"env:X", "t"};
    CHECK(has(api::refusal(settings), "needs TLS"));
    settings.cert = "cert.pem";
    settings.key = "key.pem";
    CHECK(api::refusal(settings).empty());
    settings.token.reset();
    CHECK(has(api::refusal(settings), "needs a token"));

    Fixture f;
    f.settings.listen = SocketAddress::parse("0.0.0.0:0").value();
    CHECK_THROWS_WITH(f.listen(), Catch::Contains("is not a loopback address"));
}

TEST_CASE("a listener that cannot be says on what and why") {
    Fixture f;
    f.listen();
    Fixture second;
    second.settings.unix_path = f.settings.unix_path;
    CHECK_THROWS_WITH(second.listen(), Catch::Contains("another server answers there"));
    f.server.reset();

    const auto file = f.folder.path / "file";
    std::ofstream(file) << "precious";
    second.settings.unix_path = file;
    CHECK_THROWS_WITH(second.listen(), Catch::Contains("is no socket"));
    CHECK(std::filesystem::file_size(file) == 8);

    second.settings.unix_path = f.folder.path / "control.sock";
    second.settings.listen = SocketAddress::parse("127.0.0.1:0").value();
    second.listen();
    Fixture third;
    third.settings.listen = second.server->tcp();
    CHECK_THROWS_WITH(third.listen(), Catch::Contains("Address already in use"));
}

TEST_CASE("a socket left behind by a dead server is replaced") {
    Fixture f;
    f.listen();
    f.server.reset();
    {
        // What kill -9 leaves: a name without a listener.
        const UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        f.settings.unix_path.string().copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    f.listen();
    f.with_client([&] { CHECK(has(Peer(f.settings.unix_path).exchange(simple("GET /healthz")), "ok\n")); });
}

TEST_CASE("events are streamed as they happen, after what the follower saw last") {
    Fixture f;
    f.listen();
    const auto append = [&](const std::string& subject) {
        Event event;
        event.time = f.world.now();
        event.subject = subject;
        f.world.store().append(event);
    };
    append("first");
    append("second");
    f.with_client([&] {
        Peer peer(f.settings.unix_path);
        peer.send("GET /api/v1/events?after=1 HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
        const std::string backlog = peer.read_until("\"subject\":\"second\"");
        CHECK(has(backlog, "HTTP/1.1 200"));
        CHECK(has(backlog, "content-type: text/event-stream"));
        CHECK(has(backlog, "id: 2\ndata: {"));
        CHECK_FALSE(has(backlog, "\"subject\":\"first\""));
        f.loop.post([&] { append("third"); });
        CHECK(has(peer.read_until("\"subject\":\"third\""), "id: 3\ndata: {"));

        Peer reconnected(f.settings.unix_path);
        reconnected.send(
            "GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nLast-Event-ID: "
            "2\r\n\r\n");
        CHECK(has(reconnected.read_until("\"subject\":\"third\""), "id: 3\ndata: {"));

        Peer picky(f.settings.unix_path);
        picky.send(
            "GET /api/v1/events?subject=fifth HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
        CHECK(has(picky.read_until(": here"), "HTTP/1.1 200"));
        f.loop.post([&] {
            append("fourth");
            append("fifth");
        });
        CHECK_FALSE(has(picky.read_until("\"subject\":\"fifth\""), "fourth"));
    });
}

TEST_CASE("the server can go while clients are connected, listening and waiting for answers") {
    Fixture f;
    f.listen();
    std::vector<std::unique_ptr<Peer>> peers;
    f.with_client([&] {
        for (int i = 0; i < 6; ++i) peers.push_back(std::make_unique<Peer>(f.settings.unix_path));
        peers[1]->send("GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
        (void)peers[1]->read_until(": here");
        peers[2]->send("GET /api/v1/status HTTP/1.1\r\n");
    });
    peers[3]->send(simple("POST /api/v1/gateways/fra1/probe"));
    peers[4]->send(simple("POST /api/v1/overrides", {}, drain));
    f.loop.run_once();
    f.server.reset();
    for (const auto& peer : peers) {
        (void)peer->read_all();
        CHECK(peer->ended());
    }
    f.loop.run_ready();
}
