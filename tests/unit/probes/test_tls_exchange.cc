// SPDX-License-Identifier: Apache-2.0
// The TLS probe, and HTTP over it, against a server in memory.

#include <catch2/catch.hpp>

#include "net/tls.h"
#include "probes/registry.h"
#include "support/certificates.h"
#include "support/recorded_io.h"
#include "support/tls_server.h"

using namespace fairway;
using test::Certificate;
using test::CertificateSpec;
using test::MemoryTlsServer;
using test::RecordedStreamIo;
using test::ServerSpec;

namespace {

using days = std::chrono::days;

const WallTime now = std::chrono::sys_days(std::chrono::year(2030) / 6 / 15);

CertificateSpec valid_for(std::chrono::seconds left) {
    CertificateSpec spec;
    spec.alternative_names = "DNS:gw.example,IP:192.0.2.1";
    spec.not_before = now - days(30);
    spec.not_after = now + left;
    return spec;
}

struct Pki {
    Certificate root = test::make_authority("Fairway Root", now - days(100), now + days(1000));
    Certificate leaf = test::make_certificate(valid_for(days(87)), &root);
    test::TemporaryFolder folder;
    std::string ca_file = folder.write("ca.pem", root.pem());
};

const Pki& pki() {
    static const Pki made;
    return made;
}

TlsSettings settings() {
    TlsSettings made;
    made.ca_file = pki().ca_file;
    return made;
}

ServerSpec good_server() {
    ServerSpec spec;
    spec.certificate = &pki().leaf;
    return spec;
}

std::string told(const ProbeResult& result) {
    std::string text(to_string(result.verdict));
    if (!result.reason.empty()) text += ", " + std::string(to_string(result.layer)) + ": " + result.reason;
    if (!result.detail.empty()) text += " (" + result.detail + ")";
    return text;
}

struct Probing {
    explicit Probing(const ProbeSettings& what, std::string_view host = "gw.example", uint16_t port = 443) {
        Monitor monitor;
        monitor.name = "portal";
        monitor.probe = what;
        net::TlsContexts tls;
        auto compiled = compile_probe(monitor, tls);
        if (!compiled) FAIL(compiled.error().message);
        probe = std::move(*compiled);
        exchange = std::get<std::unique_ptr<StreamProbe>>(probe)->make_exchange({host, port});
    }

    // Moves bytes both ways until the verdict, or until nobody says anything more, then the stream ends as
    // told. The server answers `reply` once a whole request has come.
    ProbeResult against(MemoryTlsServer& server, std::string_view reply = {}, size_t step = SIZE_MAX,
                        StreamStop how = StreamStop::deadline) {
        RecordedStreamIo io(now);
        exchange->on_connected(io);
        bool replied = false;
        for (bool moved = true; moved && !io.result;) {
            moved = false;
            if (const std::string bytes = io.take_sent(); !bytes.empty()) {
                server.feed(as_bytes(bytes));
                moved = true;
            }
            if (!reply.empty() && !replied && server.received.ends_with("\r\n\r\n")) {
                replied = true;
                server.write(reply);
            }
            const std::vector<uint8_t> bytes = server.take_output();
            for (size_t at = 0; at < bytes.size() && !io.result; at += step) {
                exchange->on_data(ByteSpan(bytes).subspan(at, std::min(step, bytes.size() - at)), io);
                if (step == SIZE_MAX) break;
                moved = true;
            }
            moved |= !bytes.empty();
        }
        const ProbeResult result = io.result ? *io.result : exchange->on_end(how, io);
        exchange->release();
        steps = io.steps;
        parting = io.sent;
        return result;
    }
    std::string against(const ServerSpec& spec, std::string_view reply = {}, size_t step = SIZE_MAX) {
        MemoryTlsServer server(spec);
        return told(against(server, reply, step));
    }
    ProbeResult end(StreamStop how) {
        RecordedStreamIo io(now);
        exchange->on_connected(io);
        const ProbeResult result = io.result ? *io.result : exchange->on_end(how, io);
        exchange->release();
        return result;
    }

    CompiledProbe probe;
    std::unique_ptr<StreamExchange> exchange;
    std::vector<std::string> steps;
    std::string parting;  // sent and not read by the server
};

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nall is ready";
const std::string facts = "TLSv1.3, certificate 87 days, TLS_AES_256_GCM_SHA384";

}  // namespace

TEST_CASE("a TLS probe passes with a handshake and tells what it saw") {
    Probing probing(TlsProbe{settings()});
    for (const size_t step : {SIZE_MAX, size_t{1}, size_t{100}})
        CHECK(probing.against(good_server(), {}, step) == "pass (" + facts + ")");
    CHECK(probing.steps == std::vector<std::string>{"TLS handshake TLSv1.3"});
    CHECK_FALSE(probing.parting.empty());  // close_notify
}

TEST_CASE("a TLS probe fails for the certificate's reason and tells the peer") {
    Probing probing(TlsProbe{settings()}, "other.example");
    CHECK(probing.against(good_server()) ==
          "fail, TLS: certificate is for gw.example, 192.0.2.1, not other.example (certificate 87 days)");
    CHECK_FALSE(probing.parting.empty());  // the alert
    const Certificate expired = test::make_certificate(valid_for(-days(3) - seconds(1)), &pki().root);
    ServerSpec server;
    server.certificate = &expired;
    CHECK(Probing(TlsProbe{settings()}).against(server) == "fail, TLS: certificate expired 3 days ago");
}

TEST_CASE("the configured server name is verified instead of the endpoint's host") {
    TlsSettings named = settings();
    named.server_name = "gw.example";
    CHECK(Probing(TlsProbe{named}, "198.51.100.7").against(good_server()) == "pass (" + facts + ")");
    CHECK(Probing(TlsProbe{settings()}, "192.0.2.1").against(good_server()) == "pass (" + facts + ")");
}

TEST_CASE("a certificate that is about to expire is degraded") {
    TlsSettings strict = settings();
    strict.min_days = 88;
    CHECK(Probing(TlsProbe{strict}).against(good_server()) ==
          "degraded, TLS: certificate expires in 87 days (" + facts + ")");
    strict.min_days = 87;
    CHECK(Probing(TlsProbe{strict}).against(good_server()) == "pass (" + facts + ")");
    const Certificate last_day = test::make_certificate(valid_for(std::chrono::hours(7)), &pki().root);
    ServerSpec server;
    server.certificate = &last_day;
    CHECK(Probing(TlsProbe{strict}).against(server) ==
          "degraded, TLS: certificate expires in 7 hours (TLSv1.3, certificate 0 days, "
          "TLS_AES_256_GCM_SHA384)");
    // The same over HTTP, but nothing worse than degraded is made better.
    HttpProbe http;
    http.tls = strict;
    CHECK(Probing(http).against(server, ok) ==
          "degraded, TLS: certificate expires in 7 hours (status 200, TLSv1.3, certificate 0 days, "
          "TLS_AES_256_GCM_SHA384)");
    CHECK(Probing(http).against(server, "HTTP/1.1 503 No\r\n\r\n") ==
          "fail, HTTP: status 503, wanted 200-299 (TLSv1.3, certificate 0 days, TLS_AES_256_GCM_SHA384)");
}

TEST_CASE("without verification the trouble is told and does not decide") {
    TlsSettings lax = settings();
    lax.verify = false;
    CHECK(Probing(TlsProbe{lax}, "other.example").against(good_server()) ==
          "pass (" + facts + ", not verified: certificate is for gw.example, 192.0.2.1, not other.example)");
    const Certificate expired = test::make_certificate(valid_for(-days(3)), &pki().root);
    ServerSpec server;
    server.certificate = &expired;
    lax.min_days = 1;
    CHECK(Probing(TlsProbe{lax}).against(server) ==
          "degraded, TLS: certificate expired 3 days ago (TLSv1.3, "
          "TLS_AES_256_GCM_SHA384, not verified: certificate expired 3 days ago)");
}

TEST_CASE("ALPN is told") {
    TlsSettings with_alpn = settings();
    with_alpn.alpn = {"h2"};
    ServerSpec server = good_server();
    server.alpn = "h2";
    CHECK(Probing(TlsProbe{with_alpn}).against(server) == "pass (" + facts + ", ALPN h2)");
    server.alpn = "http/1.1";
    CHECK(Probing(TlsProbe{with_alpn}).against(server) == "fail, TLS: ALPN h2 not accepted");
}

TEST_CASE("a refused client certificate fails the TLS probe, in TLS 1.3 too") {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        ServerSpec server_spec = good_server();
        server_spec.max_version = version;
        server_spec.client_authority = &pki().root;
        MemoryTlsServer refusing(server_spec);
        const ProbeResult refused = Probing(TlsProbe{settings()}).against(refusing);
        CHECK(refused.verdict == Verdict::fail);
        CHECK(refused.reason.starts_with("peer requires a client certificate ("));

        CertificateSpec spec = valid_for(days(5));
        spec.extended_key_usage = "clientAuth";
        const Certificate mine = test::make_certificate(spec, &pki().root);
        TlsSettings with_key = settings();
        with_key.cert_file = pki().folder.write("client.pem", mine.pem());
        with_key.key_file = pki().folder.write("client.key", mine.key_pem());
        MemoryTlsServer accepting(server_spec);
        const ProbeResult accepted =
            Probing(TlsProbe{with_key}).against(accepting, {}, SIZE_MAX, StreamStop::eof);
        CHECK(accepted.verdict == Verdict::pass);
        CHECK(accepted.reason.empty());
        CHECK(accepting.established());

        HttpProbe http;
        http.tls = with_key;
        CHECK(Probing(http).against(server_spec, ok).starts_with("pass (status 200, "));
        http.tls = settings();
        MemoryTlsServer again(server_spec);
        CHECK(Probing(http).against(again, ok).reason.starts_with("peer requires a client certificate ("));
    }
}

TEST_CASE("a handshake that gets nowhere says how far it got") {
    Probing probing(TlsProbe{settings()});
    CHECK(told(probing.end(StreamStop::deadline)) == "fail, TLS: no answer to the TLS handshake in time");
    CHECK(told(probing.end(StreamStop::eof)) ==
          "fail, TLS: connection closed by the peer without an answer to the handshake");
    const ProbeResult reset = probing.end(StreamStop::reset);
    CHECK(told(reset) == "fail, TLS: connection reset during the handshake");
    CHECK(reset.explicit_refusal);

    RecordedStreamIo io(now);
    probing.exchange->on_connected(io);
    probing.exchange->on_data(as_bytes("\x16\x03\x03"), io);
    CHECK(told(probing.exchange->on_end(StreamStop::deadline, io)) ==
          "fail, TLS: TLS handshake did not end in time");
    probing.exchange->release();

    RecordedStreamIo other(now);
    probing.exchange->on_connected(other);
    probing.exchange->on_data(as_bytes("220 mail.example ESMTP\r\n"), other);
    REQUIRE(other.result);
    CHECK(told(*other.result) == "fail, TLS: not TLS: the peer sent \"220 mail.example ESMTP\\r\\n\"");
    probing.exchange->release();
}

TEST_CASE("HTTP over TLS is judged like HTTP, wherever records and segments end") {
    HttpProbe http;
    http.tls = settings();
    http.expect = "ready";
    Probing probing(http);
    for (const size_t step : {SIZE_MAX, size_t{1}, size_t{40}})
        CHECK(probing.against(good_server(), ok, step) == "pass (status 200, " + facts + ")");
    CHECK(probing.steps == std::vector<std::string>{"TLS handshake TLSv1.3", "HTTP 200"});

    MemoryTlsServer server(good_server());
    (void)probing.against(server, ok);
    CHECK(server.server_name() == "gw.example");
    CHECK(server.received.starts_with("GET / HTTP/1.1\r\nHost: gw.example\r\nConnection: close\r\n"));

    CHECK(probing.against(good_server(), "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nall is rea") ==
          "fail, HTTP: the end of the body did not come in time (status 200, " + facts + ")");
}

TEST_CASE("a body that lasts until the close ends with the TLS session, said goodbye to or not") {
    HttpProbe http;
    http.tls = settings();
    http.expect_regex = "ready$";
    for (const bool goodbye : {true, false}) {
        Probing probing(http);
        MemoryTlsServer server(good_server());
        RecordedStreamIo io(now);
        probing.exchange->on_connected(io);
        for (int i = 0; i < 3; ++i) {
            server.feed(as_bytes(io.take_sent()));
            if (const auto bytes = server.take_output(); !bytes.empty()) probing.exchange->on_data(bytes, io);
        }
        REQUIRE(server.received.ends_with("\r\n\r\n"));
        server.write("HTTP/1.1 200 OK\r\n\r\nall is ready");
        if (goodbye) server.close();
        probing.exchange->on_data(server.take_output(), io);
        CHECK(io.result.has_value() == goodbye);
        const ProbeResult result = io.result ? *io.result : probing.exchange->on_end(StreamStop::eof, io);
        CHECK(told(result) == "pass (status 200, " + facts + ")");
        probing.exchange->release();
    }
}

TEST_CASE("an exchange serves one attempt after another") {
    HttpProbe http;
    http.tls = settings();
    Probing probing(http);
    CHECK(probing.against(good_server(), "HTTP/1.1 500 No\r\n\r\n").starts_with("fail, HTTP: status 500"));
    CHECK(told(probing.end(StreamStop::reset)).starts_with("fail, TLS: connection reset"));
    CHECK(probing.against(good_server(), ok) == "pass (status 200, " + facts + ")");
    probing.exchange->release();  // a connection that never came to be
    CHECK(probing.against(good_server(), ok) == "pass (status 200, " + facts + ")");
}

TEST_CASE("a redirect over TLS takes another session") {
    HttpProbe http;
    http.tls = settings();
    http.redirects = 1;
    Probing probing(http);
    RecordedStreamIo io(now);
    const auto serve = [&](std::string_view reply) {
        MemoryTlsServer server(good_server());
        probing.exchange->on_connected(io);
        for (int i = 0; i < 3; ++i) {
            server.feed(as_bytes(io.take_sent()));
            if (const auto bytes = server.take_output(); !bytes.empty()) probing.exchange->on_data(bytes, io);
        }
        server.write(reply);
        // A redirect and more records behind it, which belong to a session that has been left.
        server.write("more");
        probing.exchange->on_data(server.take_output(), io);
        return server.received.substr(0, server.received.find('\r'));
    };
    CHECK(serve("HTTP/1.1 301 Moved\r\nLocation: /new\r\n\r\n") == "GET / HTTP/1.1");
    CHECK(io.reconnects == 1);
    CHECK_FALSE(io.result);
    CHECK_FALSE(io.take_sent().empty());  // close_notify
    CHECK(serve(ok) == "GET /new HTTP/1.1");
    REQUIRE(io.result);
    CHECK(told(*io.result) == "pass (status 200, " + facts + ")");
    CHECK(io.steps ==
          std::vector<std::string>{"TLS handshake TLSv1.3", "HTTP 301", "TLS handshake TLSv1.3", "HTTP 200"});
    probing.exchange->release();
}
