// SPDX-License-Identifier: Apache-2.0
// The HTTP probe's judgement, over plain bytes; over TLS see test_tls_exchange.cc.

#include <catch2/catch.hpp>

#include "net/tls.h"
#include "probes/registry.h"
#include "support/recorded_io.h"

using namespace fairway;
using test::RecordedStreamIo;

namespace {

Result<CompiledProbe> compile(const HttpProbe& settings) {
    Monitor monitor;
    monitor.name = "portal";
    monitor.probe = settings;
    net::TlsContexts tls;
    return compile_probe(monitor, tls);
}

// One probe of gw.example:8080.
struct Probing {
    explicit Probing(const HttpProbe& settings) : probe(compile(settings)) {
        if (!probe) FAIL(probe.error().message);
        exchange = std::get<std::unique_ptr<StreamProbe>>(*probe)->make_exchange({"gw.example", 8080});
    }
    // Answers in pieces of `step` octets until the probe has its verdict.
    ProbeResult answer(std::string_view text, size_t step = SIZE_MAX, StreamStop how = StreamStop::eof) {
        io.emplace(WallTime{});
        exchange->on_connected(*io);
        say(text, step);
        const ProbeResult result = io->result ? *io->result : exchange->on_end(how, *io);
        exchange->release();
        return result;
    }
    void say(std::string_view text, size_t step = SIZE_MAX) {
        read = 0;
        while (!io->result && read < text.size()) {
            const std::string_view piece = text.substr(read, step);
            read += piece.size();
            exchange->on_data(as_bytes(piece), *io);
        }
    }

    Result<CompiledProbe> probe;
    std::unique_ptr<StreamExchange> exchange;
    std::optional<RecordedStreamIo> io;
    size_t read = 0;
};

std::string told(const ProbeResult& result) {
    std::string text(to_string(result.verdict));
    if (!result.reason.empty()) text += ", " + std::string(to_string(result.layer)) + ": " + result.reason;
    if (!result.detail.empty()) text += " (" + result.detail + ")";
    return text;
}

std::string told(const HttpProbe& settings, std::string_view answer, StreamStop how = StreamStop::eof) {
    const std::string whole = told(Probing(settings).answer(answer, SIZE_MAX, how));
    for (const size_t step : {size_t{1}, size_t{2}, size_t{3}, size_t{7}, size_t{50}})
        CHECK(told(Probing(settings).answer(answer, step, how)) == whole);
    return whole;
}

HttpProbe expecting(std::string text) {
    HttpProbe settings;
    settings.expect = std::move(text);
    return settings;
}

HttpProbe matching(std::string pattern) {
    HttpProbe settings;
    settings.expect_regex = std::move(pattern);
    return settings;
}

HttpProbe following(uint8_t redirects) {
    HttpProbe settings;
    settings.redirects = redirects;
    return settings;
}

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nall is ready";

}  // namespace

TEST_CASE("the status alone decides where nothing is expected, as soon as the header has ended") {
    CHECK(told({}, ok) == "pass (status 200)");
    CHECK(told({}, "HTTP/1.1 503 Sorry\r\nLocation: x\r\n\r\n") == "fail, HTTP: status 503, wanted 200-299");
    HttpProbe settings;
    settings.status = {{200, 204}, {401, 401}};
    CHECK(told(settings, "HTTP/1.1 401 No\r\n\r\n") == "pass (status 401)");
    CHECK(told(settings, "HTTP/1.1 205 No\r\n\r\n") == "fail, HTTP: status 205, wanted 200-204, 401");

    Probing probing{HttpProbe()};
    const std::string endless = ok + std::string(100'000, 'x');
    CHECK(told(probing.answer(endless, 1)) == "pass (status 200)");
    CHECK(probing.read == ok.size() - 12);
    CHECK(probing.io->steps == std::vector<std::string>{"HTTP 200"});
}

TEST_CASE("the request goes out when the connection is there, and again for each attempt") {
    Probing probing{HttpProbe()};
    for (int i = 0; i < 2; ++i) {
        CHECK(told(probing.answer(ok)) == "pass (status 200)");
        CHECK(
            probing.io->sent.starts_with("GET / HTTP/1.1\r\nHost: gw.example:8080\r\nConnection: close\r\n"));
        CHECK(probing.io->sent.ends_with("\r\n\r\n"));
    }
}

TEST_CASE("expected text is found wherever the pieces end, and reading stops there") {
    CHECK(told(expecting("ready"), ok) == "pass (status 200)");
    CHECK(told(expecting("absent"), ok) == "fail, HTTP: body does not contain \"absent\" (status 200)");
    CHECK(told(expecting("s is"),
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nthi\r\n4\r\ns is\r\n0\r\n\r\n") ==
          "pass (status 200)");
    // What was enough counts, whatever follows in the same piece.
    CHECK(told(expecting("this"),
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nthis\r\nbroken\r\n") ==
          "pass (status 200)");
    CHECK(told(expecting("that"),
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nthis\r\nbroken\r\n") ==
          "fail, HTTP: malformed chunk size \"broken\" (status 200)");
    CHECK(told(expecting("ready"), "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nall is rea") ==
          "fail, HTTP: connection closed after 10 of 12 octets of the body (status 200)");
    CHECK(told(expecting("ready"), "HTTP/1.1 500 Oops\r\n\r\nready") ==
          "fail, HTTP: status 500, wanted 200-299");
    CHECK(told(expecting("x"), "HTTP/1.1 204 No Content\r\n\r\n") ==
          "fail, HTTP: body does not contain \"x\" (status 204)");
}

TEST_CASE("a body without end is read to its limit and no further") {
    HttpProbe settings = expecting("ready");
    settings.body_limit = 1000;
    Probing probing(settings);
    CHECK(told(probing.answer("HTTP/1.1 200 OK\r\n\r\n" + std::string(1'000'000, 'x'), 100)) ==
          "fail, HTTP: body does not contain \"ready\" in its first 1000 octets (status 200)");
    CHECK(probing.read <= 1100);
    CHECK(told(settings, "HTTP/1.1 200 OK\r\n\r\n" + std::string(996, 'x') + "ready") ==
          "fail, HTTP: body does not contain \"ready\" in its first 1000 octets (status 200)");
    CHECK(told(settings, "HTTP/1.1 200 OK\r\n\r\n" + std::string(995, 'x') + "ready") == "pass (status 200)");
}

TEST_CASE("a pattern sees the whole body") {
    CHECK(told(matching("^all .* ready$"), ok) == "pass (status 200)");
    CHECK(told(matching("is$"), ok) == "fail, HTTP: body does not contain a match of \"is$\" (status 200)");
    CHECK(told(matching("is$"), "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nall is") ==
          "fail, HTTP: connection closed after 6 of 12 octets of the body (status 200)");
    HttpProbe both = expecting("all");
    both.expect_regex = "r.ady";
    CHECK(told(both, ok) == "pass (status 200)");
    both.expect = "none";
    CHECK(told(both, ok) == "fail, HTTP: body does not contain \"none\" (status 200)");
    // Octets, not characters.
    CHECK(told(matching("^.\\xff.$"), "HTTP/1.1 200 OK\r\n\r\na\xff\xfe") == "pass (status 200)");
    CHECK(compile(matching("a(b")).error().message ==
          "expect_regex is no regular expression: missing ): a(b");
}

TEST_CASE("a pattern that ruins a backtracking engine is answered at once") {
    HttpProbe settings = matching("^(a|aa)+$");
    settings.body_limit = 1'000'000;
    CHECK(
        told(Probing(settings).answer("HTTP/1.1 200 OK\r\n\r\n" + std::string(500'000, 'a') + "b", 50'000)) ==
        "fail, HTTP: body does not contain a match of \"^(a|aa)+$\" (status 200)");
}

TEST_CASE("what went wrong is said by stage") {
    CHECK(told({}, "") == "fail, HTTP: connection closed without an answer");
    CHECK(told({}, "SSH-2.0-x\r\n") == "fail, HTTP: not HTTP: the peer sent \"SSH-2.0-x\"");
    CHECK(told({}, "", StreamStop::deadline) == "fail, HTTP: the status line did not come in time");
    CHECK(told({}, "HTTP/1.1 200 OK\r\n", StreamStop::deadline) ==
          "fail, HTTP: the end of the header did not come in time");
    CHECK(told(expecting("x"), "HTTP/1.1 200 OK\r\n\r\nabc", StreamStop::deadline) ==
          "fail, HTTP: the end of the body did not come in time (status 200)");
    CHECK(told({}, "", StreamStop::reset) == "fail, HTTP: connection reset before the status line");
    CHECK(Probing({}).answer("", SIZE_MAX, StreamStop::reset).explicit_refusal);
    CHECK_FALSE(Probing({}).answer("", SIZE_MAX, StreamStop::deadline).explicit_refusal);
    std::string header = "HTTP/1.1 200 OK\r\n";
    while (header.size() < 20'000) header += "X-Filler: more and more\r\n";
    CHECK(told({}, header) == "fail, HTTP: header section larger than 16 kB");
}

TEST_CASE("redirects are judged by their status unless following is asked for") {
    const std::string moved = "HTTP/1.1 301 Moved\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n";
    CHECK(told({}, moved) == "fail, HTTP: status 301, wanted 200-299 (redirect to \"/new\")");
    HttpProbe accepting;
    accepting.status = {{300, 399}};
    CHECK(told(accepting, moved) == "pass (status 301)");
}

TEST_CASE("a redirect is followed on a connection of its own") {
    Probing probing(following(1));
    probing.io.emplace(WallTime{});
    probing.exchange->on_connected(*probing.io);
    CHECK(probing.io->take_sent().starts_with("GET / HTTP/1.1\r\nHost: gw.example:8080\r\n"));
    // What else the redirect holds does not matter, nor whether it ever ends.
    probing.say("HTTP/1.1 302 Found\r\nLocation: http://gw.example:8080/new?x\r\n\r\n", 1);
    CHECK_FALSE(probing.io->result);
    CHECK(probing.io->reconnects == 1);
    CHECK(probing.io->take_sent().empty());
    probing.exchange->on_connected(*probing.io);
    CHECK(probing.io->take_sent().starts_with("GET /new?x HTTP/1.1\r\nHost: gw.example:8080\r\n"));
    probing.say(ok, 1);
    REQUIRE(probing.io->result);
    CHECK(told(*probing.io->result) == "pass (status 200)");
    CHECK(probing.io->steps == std::vector<std::string>{"HTTP 302", "HTTP 200"});
    // The next attempt begins at the beginning.
    probing.exchange->release();
    probing.io.emplace(WallTime{});
    probing.exchange->on_connected(*probing.io);
    CHECK(probing.io->sent.starts_with("GET / HTTP/1.1\r\n"));
}

TEST_CASE("redirects come to an end") {
    Probing probing(following(2));
    probing.io.emplace(WallTime{});
    const std::string again = "HTTP/1.1 308 Again\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
    for (int i = 1; i <= 2; ++i) {
        probing.exchange->on_connected(*probing.io);
        probing.say(again);
        CHECK_FALSE(probing.io->result);
        CHECK(probing.io->reconnects == i);
    }
    probing.exchange->on_connected(*probing.io);
    probing.say(again);
    REQUIRE(probing.io->result);
    CHECK(told(*probing.io->result) == "fail, HTTP: more than 2 redirects (status 308)");
}

TEST_CASE("a redirect that cannot be followed says why") {
    CHECK(told(following(1),
               "HTTP/1.1 301 Moved\r\nLocation: https://gw.example/\r\nContent-Length: 0\r\n\r\n") ==
          "fail, HTTP: redirect to \"https://gw.example/\" changes the scheme (status 301)");
    CHECK(told(following(1), "HTTP/1.1 301 Moved\r\nLocation: //other/\r\nContent-Length: 0\r\n\r\n") ==
          "fail, HTTP: redirect to \"//other/\" leads to another host (status 301)");
    CHECK(told(following(1), "HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n") ==
          "fail, HTTP: redirect without a Location (status 301)");
}

TEST_CASE("settings that cannot work are refused when they are compiled") {
    HttpProbe settings;
    settings.path = "no slash";
    CHECK(compile(settings).error().message == "\"no slash\" is not a path that can be asked for");
    settings = {};
    settings.tls.emplace();
    settings.tls->alpn = {"h2"};
    CHECK(compile(settings).error().message ==
          "an HTTP probe speaks HTTP/1.1 and can offer no other ALPN than http/1.1");
    settings.tls->alpn.clear();
    settings.tls->ca_file = "/nonexistent/ca.pem";
    CHECK(compile(settings).error().message ==
          "cannot read certificate authorities from /nonexistent/ca.pem: no such file or directory");
}
