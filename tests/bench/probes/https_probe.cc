// SPDX-License-Identifier: Apache-2.0
// What an HTTPS probe costs beside the least it could: a bare OpenSSL client on a blocking socket that makes
// the same handshake, sends the same request and reads the same status. Both verify chain, name and validity,
// take turns in rounds against one server in a process of its own, and only this process' CPU counts.
//
//     bench_https_probe [ROUNDS [PROBES_PER_ROUND]]
//
// Prints one line of JSON.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "net/loop.h"
#include "net/tls.h"
#include "probes/registry.h"
#include "probes/stream_driver.h"
#include "support/certificates.h"

using namespace fairway;

namespace {

constexpr size_t in_flight = 32;

[[noreturn]] void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

struct Pki {
    WallTime now = std::chrono::system_clock::now();
    test::Certificate root =
        test::make_authority("Bench Root", now - std::chrono::days(1), now + std::chrono::days(30));
    test::Certificate leaf = [this] {
        test::CertificateSpec spec;
        spec.not_before = now - std::chrono::days(1);
        spec.not_after = now + std::chrono::days(30);
        return test::make_certificate(spec, &root);
    }();
    test::TemporaryFolder folder;
    std::string ca_file = folder.write("ca.pem", root.pem());
};

/// Serves one request per connection, in a child that dies with the parent.
class Server {
  public:
    explicit Server(const Pki& pki) {
        const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in local{};
        local.sin_family = AF_INET;
        local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof local;
        if (::bind(listener, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0 ||
            ::listen(listener, 1024) != 0 ||
            ::getsockname(listener, reinterpret_cast<sockaddr*>(&local), &length) != 0)
            die("server");
        port = ntohs(local.sin_port);
        child_ = ::fork();
        if (child_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve(listener, pki);
        }
        ::close(listener);
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server() {
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
    }

    uint16_t port = 0;

  private:
    [[noreturn]] static void serve(int listener, const Pki& pki) {
        ::signal(SIGPIPE, SIG_IGN);
        SSL_CTX* context = SSL_CTX_new(TLS_server_method());
        SSL_CTX_use_certificate(context, pki.leaf.x509.get());
        SSL_CTX_use_PrivateKey(context, pki.leaf.key.get());
        const std::string reply = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nready\n";
        while (true) {
            const int fd = ::accept(listener, nullptr, nullptr);
            if (fd < 0) continue;
            const int one = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            SSL* ssl = SSL_new(context);
            SSL_set_fd(ssl, fd);
            char buffer[4096];
            if (SSL_accept(ssl) == 1 && SSL_read(ssl, buffer, sizeof buffer) > 0) {
                SSL_write(ssl, reply.data(), static_cast<int>(reply.size()));
                // The client leaves first, in both of its forms.
                while (SSL_read(ssl, buffer, sizeof buffer) > 0) {
                }
            }
            SSL_free(ssl);
            ::close(fd);
        }
    }

    pid_t child_ = -1;
};

/// The floor.
class BareClient {
  public:
    BareClient(const Pki& pki, uint16_t port) : port_(port), context_(SSL_CTX_new(TLS_client_method())) {
        if (SSL_CTX_load_verify_file(context_, pki.ca_file.c_str()) != 1) die("load authorities");
        SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
        SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
    }
    BareClient(const BareClient&) = delete;
    BareClient& operator=(const BareClient&) = delete;
    ~BareClient() { SSL_CTX_free(context_); }

    void run(size_t probes) const {
        const std::string request = "GET / HTTP/1.1\r\nHost: gw.example\r\nConnection: close\r\n\r\n";
        for (size_t i = 0; i < probes; ++i) {
            const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
            sockaddr_in peer{};
            peer.sin_family = AF_INET;
            peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            peer.sin_port = htons(port_);
            if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0)
                die("connect");
            SSL* ssl = SSL_new(context_);
            SSL_set_fd(ssl, fd.get());
            SSL_set_tlsext_host_name(ssl, "gw.example");
            SSL_set1_host(ssl, "gw.example");
            char buffer[4096];
            if (SSL_connect(ssl) != 1 ||
                SSL_write(ssl, request.data(), static_cast<int>(request.size())) <= 0 ||
                SSL_read(ssl, buffer, sizeof buffer) < 12 || std::string_view(buffer, 12) != "HTTP/1.1 200")
                die("bare request");
            SSL_shutdown(ssl);
            SSL_free(ssl);
            // As the prober does, and for its reason: no TIME_WAIT.
            const linger abort{.l_onoff = 1, .l_linger = 0};
            ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
        }
    }

  private:
    uint16_t port_;
    SSL_CTX* context_;
};

/// The probe as the daemon runs it: compiled from settings, exchanges of its own, the real driver.
class ProbeClient final : private AttemptSink {
  public:
    ProbeClient(const Pki& pki, uint16_t port) : driver_(loop_, *this) {
        HttpProbe http;
        http.tls.emplace();
        http.tls->ca_file = pki.ca_file;
        http.tls->min_days = 7;
        Monitor monitor;
        monitor.name = "https";
        monitor.probe = http;
        net::TlsContexts tls;
        auto compiled = compile_probe(monitor, tls);
        if (!compiled) {
            std::fprintf(stderr, "%s\n", compiled.error().message.c_str());
            std::exit(1);
        }
        probe_ = std::move(*compiled);
        peer_ = {IpAddress::v4({127, 0, 0, 1}), port};
        for (size_t i = 0; i < in_flight; ++i)
            exchanges_.push_back(
                std::get<std::unique_ptr<StreamProbe>>(probe_)->make_exchange({"gw.example", 443}));
    }

    void run(size_t probes) {
        to_start_ = to_finish_ = probes;
        for (uint32_t slot = 0; slot < in_flight && to_start_ > 0; ++slot) start(slot);
        while (to_finish_ > 0) loop_.run_once();
    }

  private:
    void start(uint32_t slot) {
        --to_start_;
        AttemptRequest request;
        request.peer = peer_;
        request.host = "gw.example";
        request.timeout = seconds{10};
        request.started = loop_.now();
        request.deadline = request.started + request.timeout;
        request.job = slot;
        driver_.start(*exchanges_[slot], request);
    }
    void on_finished(uint32_t job, ProbeResult&& result) override {
        if (result.verdict != Verdict::pass) {
            std::fprintf(stderr, "probe: %s\n", describe(result).c_str());
            std::exit(1);
        }
        --to_finish_;
        if (to_start_ > 0) start(job);
    }
    void wake_at(MonotonicTime) override {}

    net::Loop loop_;
    StreamDriver driver_;
    CompiledProbe probe_;
    SocketAddress peer_;
    std::vector<std::unique_ptr<StreamExchange>> exchanges_;
    size_t to_start_ = 0, to_finish_ = 0;
};

double cpu_microseconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

template <class Run>
double cost(size_t probes, Run run) {
    const double before = cpu_microseconds();
    run(probes);
    return (cpu_microseconds() - before) / static_cast<double>(probes);
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    const size_t rounds = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 21;
    const size_t probes = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 300;
    if (rounds == 0 || probes == 0) {
        std::fprintf(stderr, "usage: bench_https_probe [ROUNDS [PROBES_PER_ROUND]]\n");
        return 2;
    }
    const Pki pki;
    const Server server(pki);
    const BareClient bare(pki, server.port);
    ProbeClient probe(pki, server.port);
    bare.run(20);
    probe.run(20);
    std::vector<double> bare_cost, probe_cost;
    for (size_t round = 0; round < rounds; ++round) {
        bare_cost.push_back(cost(probes, [&](size_t n) { bare.run(n); }));
        probe_cost.push_back(cost(probes, [&](size_t n) { probe.run(n); }));
    }
    std::printf(
        "{\"rounds\": %zu, \"probes\": %zu, \"bare_us\": %.1f, \"probe_us\": %.1f, \"ratio\": %.3f}\n",
        rounds, probes, median(bare_cost), median(probe_cost), median(probe_cost) / median(bare_cost));
    return 0;
}
