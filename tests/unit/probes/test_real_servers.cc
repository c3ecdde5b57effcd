// SPDX-License-Identifier: Apache-2.0
// TLS and HTTP probes, whole, with the real driver, against servers that others wrote: nginx and openssl
// s_server.

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "fleet.h"
#include "sockets.h"
#include "support/certificates.h"

using namespace fairway;
using test::Certificate;
using test::CertificateSpec;

namespace {

using days = std::chrono::days;

// A program of somebody else's, ended with the test. It inherits what is not closed on exec; its output can
// be read.
class Program {
  public:
    Program(std::vector<std::string> words, std::vector<std::string> environment) {
        std::array<int, 2> pipe_ends{};
        REQUIRE(::pipe2(pipe_ends.data(), O_CLOEXEC) == 0);
        output_.reset(pipe_ends[0]);
        const UniqueFd write_end(pipe_ends[1]);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDERR_FILENO);
        environment.emplace_back("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
        const auto pointers = [](std::vector<std::string>& strings) {
            std::vector<char*> list;
            for (std::string& text : strings) list.push_back(text.data());
            list.push_back(nullptr);
            return list;
        };
        const int failed_with = ::posix_spawnp(&pid_, words[0].c_str(), &actions, nullptr,
                                               pointers(words).data(), pointers(environment).data());
        posix_spawn_file_actions_destroy(&actions);
        INFO("cannot start " << words[0]);
        REQUIRE(failed_with == 0);
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program() {
        ::kill(pid_, SIGTERM);  // which nginx passes on to its worker
        ::waitpid(pid_, nullptr, 0);
    }

    // Reads what it prints up to `marker` and then to the end of that line.
    std::string line_after(const std::string& marker) {
        std::string text;
        for (char c = 0; ::read(output_.get(), &c, 1) == 1;) {
            const size_t at = text.find(marker);
            if (c == '\n' && at != std::string::npos) return text.substr(at + marker.size());
            text += c;
        }
        FAIL("the program ended after: " << text);
        return {};
    }

  private:
    pid_t pid_ = -1;
    UniqueFd output_;
};

struct Pki {
    WallTime now = std::chrono::system_clock::now();
    Certificate root = test::make_authority("Test Root", now - days(100), now + days(1000));
    Certificate issuer = test::make_authority("Test Issuer", now - days(90), now + days(900), &root);
    test::TemporaryFolder folder;
    std::string ca_file = folder.write("ca.pem", root.pem());

    // Files NAME.pem (with the issuer behind it) and NAME.key.
    void leaf(const std::string& name, CertificateSpec spec) const {
        const Certificate made = test::make_certificate(spec, &issuer);
        folder.write(name + ".pem", made.pem() + issuer.pem());
        folder.write(name + ".key", made.key_pem());
    }
    [[nodiscard]] CertificateSpec valid() const {
        CertificateSpec spec;
        spec.not_before = now - days(30);
        spec.not_after = now + days(87) + std::chrono::hours(12);
        return spec;
    }
    [[nodiscard]] std::string file(const std::string& name) const { return (folder.path() / name).string(); }

    Pki() {
        leaf("good", valid());
        CertificateSpec spec = valid();
        spec.not_after = now - days(3) - std::chrono::hours(12);
        leaf("expired", spec);
        spec = valid();
        spec.extended_key_usage = "clientAuth";
        leaf("client", spec);
    }
};

const Pki& pki() {
    static const Pki made;
    return made;
}

// nginx with listeners that are already bound when it starts: it takes them over as it would from the nginx
// that it replaces, so there is neither a port to guess nor a moment to wait for.
struct Nginx {
    test::TcpListener plain, secure, expired, mutual;
    std::unique_ptr<Program> program;

    Nginx() {
        const std::string home = pki().folder.path().string();
        const auto server = [&](uint16_t port, const std::string& options, const std::string& content) {
            return "  server {\n    listen 127.0.0.1:" + std::to_string(port) + options + ";\n" + content +
                   R"(    location = / { return 200 "all is ready\n"; }
    location = /old { return 301 /; }
    location = /loop { return 302 /loop; }
    location = /away { return 302 https://other.example/; }
    location = /broken { return 503; }
  }
)";
        };
        const auto certificate = [&](const std::string& name) {
            return "    ssl_certificate " + pki().file(name + ".pem") + ";\n    ssl_certificate_key " +
                   pki().file(name + ".key") + ";\n";
        };
        std::string config = "daemon off;\nworker_processes 1;\nerror_log stderr crit;\npid " + home +
                             "/nginx.pid;\nevents {}\nhttp {\n  access_log off;\n  keepalive_timeout 0;\n  "
                             "ssl_protocols TLSv1.2 TLSv1.3;\n";
        for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
            config += std::string("  ") + kind + "_temp_path " + home + "/temp;\n";
        config +=
            server(plain.port, "", "") + server(secure.port, " ssl http2", certificate("good")) +
            server(expired.port, " ssl", certificate("expired")) +
            server(mutual.port, " ssl",
                   certificate("good") +
                       "    ssl_verify_client on;\n    ssl_verify_depth 3;\n    ssl_client_certificate " +
                       pki().ca_file + ";\n") +
            "}\n";
        const std::string file = pki().folder.write("nginx.conf", config);
        std::vector<UniqueFd> copies;  // that stay open across the start
        std::string inherited;
        for (const test::TcpListener* listener : {&plain, &secure, &expired, &mutual}) {
            copies.emplace_back(::fcntl(listener->fd.get(), F_DUPFD, 100));
            inherited += std::to_string(copies.back().get()) + ";";
        }
        program = std::make_unique<Program>(std::vector<std::string>{"nginx", "-p", home, "-c", file},
                                            std::vector<std::string>{"NGINX=" + inherited});
    }
};

Nginx& nginx() {
    static Nginx started;
    return started;
}

// openssl s_server with options of its own; it picks a port and prints it.
struct OpensslServer {
    Program program;
    uint16_t port;

    explicit OpensslServer(const std::vector<std::string>& options)
        : program(command(options), {"OPENSSL_CONF=/dev/null"}),
          port(SocketAddress::parse(program.line_after("ACCEPT ")).value().port) {}

    static std::vector<std::string> command(const std::vector<std::string>& options) {
        std::vector<std::string> words{"openssl",
                                       "s_server",
                                       "-accept",
                                       "127.0.0.1:0",
                                       "-www",
                                       "-cert",
                                       pki().file("good.pem"),
                                       "-key",
                                       pki().file("good.key"),
                                       "-cert_chain",
                                       pki().file("good.pem")};
        words.insert(words.end(), options.begin(), options.end());
        return words;
    }
};

TlsSettings tls() {
    TlsSettings settings;
    settings.ca_file = pki().ca_file;
    settings.server_name = "gw.example";
    return settings;
}

std::string told(const ProbeSettings& settings, uint16_t port) {
    Monitor monitor = test::monitor("m", settings, port);
    monitor.interval = seconds{10};
    monitor.timeout = seconds{5};
    const ProbeResult result = test::probe_once(monitor, "127.0.0.1");
    std::string text = describe(result);
    if (!result.detail.empty()) text += " (" + result.detail + ")";
    return text;
}

HttpProbe http(const std::string& path, std::optional<TlsSettings> settings = {}) {
    HttpProbe probe;
    probe.tls = std::move(settings);
    probe.path = path;
    return probe;
}

const std::string tls_1_3 = "TLSv1.3, certificate 87 days, TLS_AES_256_GCM_SHA384";

}  // namespace

TEST_CASE("nginx answers HTTP probes") {
    HttpProbe probe = http("/");
    probe.expect = "ready";
    CHECK(told(probe, nginx().plain.port) == "ok (status 200)");
    probe.expect_regex = "^all is ready\\n$";
    CHECK(told(probe, nginx().plain.port) == "ok (status 200)");
    probe.expect = "absent";
    CHECK(told(probe, nginx().plain.port) == "HTTP: body does not contain \"absent\" (status 200)");
    CHECK(told(http("/broken"), nginx().plain.port) == "HTTP: status 503, wanted 200-299");
    CHECK(told(http("/"), nginx().secure.port) == "HTTP: status 400, wanted 200-299");
    HttpProbe head = http("/");
    head.method = "HEAD";
    CHECK(told(head, nginx().plain.port) == "ok (status 200)");
}

TEST_CASE("nginx's redirects are followed, and bounded") {
    for (const bool secure : {false, true}) {
        const uint16_t port = secure ? nginx().secure.port : nginx().plain.port;
        const auto probe = [&](const std::string& path) {
            HttpProbe made = http(path, secure ? std::optional(tls()) : std::nullopt);
            made.host = secure ? "gw.example" : "127.0.0.1:" + std::to_string(port);
            made.redirects = 3;
            return made;
        };
        const std::string facts = secure ? ", " + tls_1_3 : "";
        HttpProbe moved = probe("/old");
        moved.headers = {{"X-Asked", "yes"}};
        // nginx writes where to as a whole address with its own port.
        if (secure) moved.host += ":" + std::to_string(port);
        moved.expect = "ready";
        CHECK(told(moved, port) == "ok (status 200" + facts + ")");
        HttpProbe loop = probe("/loop");
        if (secure) loop.host += ":" + std::to_string(port);
        CHECK(told(loop, port) == "HTTP: more than 3 redirects (status 302" + facts + ")");
        CHECK(told(probe("/away"), port).find("redirect to \"https://other.example/\"") != std::string::npos);
    }
}

TEST_CASE("nginx answers HTTPS and TLS probes") {
    CHECK(told(http("/", tls()), nginx().secure.port) == "ok (status 200, " + tls_1_3 + ")");
    CHECK(told(TlsProbe{tls()}, nginx().secure.port) == "ok (" + tls_1_3 + ")");
    TlsSettings settings = tls();
    settings.alpn = {"h2"};
    CHECK(told(TlsProbe{settings}, nginx().secure.port) == "ok (" + tls_1_3 + ", ALPN h2)");
    settings = tls();
    settings.min_days = 90;
    CHECK(told(TlsProbe{settings}, nginx().secure.port) ==
          "TLS: certificate expires in 87 days (" + tls_1_3 + ")");
    CHECK(told(TlsProbe{tls()}, nginx().expired.port) == "TLS: certificate expired 3 days ago");
    settings = tls();
    settings.server_name.clear();
    CHECK(told(TlsProbe{settings}, nginx().secure.port) ==
          "TLS: certificate is for gw.example, not 127.0.0.1 (certificate 87 days)");
    CHECK(told(TlsProbe{tls()}, nginx().plain.port) ==
          "TLS: not TLS: the peer sent \"HTTP/1.1 400 Bad Request...\"");
}

TEST_CASE("servers that want a client certificate get one, or the probe says that they want one") {
    TlsSettings settings = tls();
    OpensslServer strict({"-Verify", "3", "-CAfile", pki().ca_file, "-verify_return_error"});
    CHECK(told(TlsProbe{settings}, strict.port) ==
          "TLS: peer requires a client certificate (certificate required alert) (" + tls_1_3 + ")");
    CHECK(told(http("/", settings), nginx().mutual.port) ==
          "HTTP: status 400, wanted 200-299 (" + tls_1_3 + ")");
    settings.cert_file = pki().file("client.pem");
    settings.key_file = pki().file("client.key");
    CHECK(told(TlsProbe{settings}, strict.port) == "ok (" + tls_1_3 + ")");
    CHECK(told(http("/", settings), strict.port) == "ok (status 200, " + tls_1_3 + ")");
    CHECK(told(TlsProbe{settings}, nginx().mutual.port) == "ok (" + tls_1_3 + ")");
    CHECK(told(http("/", settings), nginx().mutual.port) == "ok (status 200, " + tls_1_3 + ")");
}

TEST_CASE("old servers are told from new ones") {
    OpensslServer old({"-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"});
    CHECK(told(TlsProbe{tls()}, old.port) ==
          "TLS: peer does not speak TLS 1.2 or newer (protocol version alert)");
    TlsSettings settings = tls();
    settings.min_version = "1.0";
    CHECK(told(TlsProbe{settings}, old.port) == "ok (TLSv1.1, certificate 87 days, ECDHE-ECDSA-AES256-SHA)");

    OpensslServer recent({"-tls1_2"});
    CHECK(told(TlsProbe{tls()}, recent.port) ==
          "ok (TLSv1.2, certificate 87 days, ECDHE-ECDSA-AES256-GCM-SHA384)");
    settings.min_version = "1.3";
    CHECK(told(TlsProbe{settings}, recent.port) ==
          "TLS: peer does not speak TLS 1.3 (protocol version alert)");
    CHECK(told(http("/", tls()), recent.port) ==
          "ok (status 200, TLSv1.2, certificate 87 days, ECDHE-ECDSA-AES256-GCM-SHA384)");
}

TEST_CASE("a probe fails in time against a peer that only accepts") {
    const test::TcpListener silent;
    Monitor monitor = test::monitor("m", TlsProbe{tls()}, silent.port);
    CHECK(describe(test::probe_once(monitor, "127.0.0.1")) == "TLS: no answer to the TLS handshake in time");
    monitor = test::monitor("m", http("/"), silent.port);
    CHECK(describe(test::probe_once(monitor, "127.0.0.1")) == "HTTP: the status line did not come in time");
}
