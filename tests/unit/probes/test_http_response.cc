// SPDX-License-Identifier: Apache-2.0
#include "probes/http_response.h"

#include <catch2/catch.hpp>
#include <vector>

#include "base/random.h"

using namespace fairway;
using State = HttpResponseParser::State;

namespace {

// What came of a response, whole, to be compared whole.
struct Seen {
    State state{};
    uint16_t status = 0;
    std::string body;
    std::string location;
    bool cut = false;
    std::string problem;

    friend bool operator==(const Seen&, const Seen&) = default;
};

std::ostream& operator<<(std::ostream& out, const Seen& seen) {
    return out << "{state " << static_cast<int>(seen.state) << ", status " << seen.status << ", body \""
               << seen.body << "\", location \"" << seen.location << "\", cut " << seen.cut << ", problem \""
               << seen.problem << "\"}";
}

struct Reading {
    HttpBody body = HttpBody::allowed;
    size_t limit = 1000;
};

// Feeds `text` in pieces that end at `cuts`, and then the end of the connection.
Seen read(std::string_view text, const std::vector<size_t>& cuts, Reading how = {}) {
    HttpResponseParser parser(how.body, how.limit);
    size_t from = 0;
    const auto feed = [&](size_t to) {
        parser.feed(as_bytes(text.substr(from, to - from)));
        from = to;
    };
    for (const size_t cut : cuts) feed(cut);
    feed(text.size());
    parser.end();
    Seen seen;
    seen.state = parser.state();
    seen.status = parser.has_head() ? parser.status() : uint16_t{0};
    seen.body = parser.body();
    seen.location = parser.location();
    seen.cut = parser.body_cut();
    seen.problem = parser.problem();
    return seen;
}

Seen read(std::string_view text, Reading how = {}) {
    return read(text, std::vector<size_t>{}, how);
}

Seen complete(uint16_t status, std::string body) {
    return {State::complete, status, std::move(body), "", false, ""};
}

std::string problem(std::string_view text) {
    const Seen seen = read(text);
    CHECK(seen.state == State::failed);
    return seen.problem;
}

}  // namespace

TEST_CASE("a body with a length ends there, and what follows is ignored") {
    const std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200";
    CHECK(read(text) == complete(200, "hello"));
}

TEST_CASE("a chunked body is put together, extensions and trailers are passed over") {
    const std::string text =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5;name=value\r\nhello\r\n1\r\n \r\n00005 \r\nworld\r\n0\r\nTrailer: x\r\n\r\n";
    CHECK(read(text) == complete(200, "hello world"));
}

TEST_CASE("a body without a length lasts until the connection closes") {
    const std::string text = "HTTP/1.0 200 OK\r\n\r\nall of this";
    CHECK(read(text) == complete(200, "all of this"));
    // A transfer coding that does not end in chunked hides the length too.
    const std::string coded = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabcdef";
    CHECK(read(coded) == complete(200, "abcdef"));
}

TEST_CASE("responses that have no body need no end") {
    for (const std::string status : {"204 No Content", "304 Not Modified", "101 Switching Protocols"}) {
        const std::string text = "HTTP/1.1 " + status + "\r\nContent-Length: 10\r\n\r\n";
        const Seen seen = read(text);
        CHECK(seen.state == State::complete);
        CHECK(seen.body.empty());
    }
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
    const Seen seen = read(head, {HttpBody::none, 1000});
    CHECK(seen.state == State::complete);
    CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").state == State::complete);
}

TEST_CASE("interim responses are passed over and leave nothing behind") {
    const std::string text =
        "HTTP/1.1 100 Continue\r\nContent-Length: 99\r\nConnection: close\r\n\r\n"
        "HTTP/1.1 103 Early Hints\r\nLocation: /wrong\r\n\r\n"
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    CHECK(read(text) == complete(200, "ok"));
}

TEST_CASE("interim responses without end are cut off at the header limit") {
    std::string text;
    while (text.size() < 20'000) text += "HTTP/1.1 100 Continue\r\n\r\n";
    const Seen seen = read(text);
    CHECK(seen.problem == "header section larger than 16 kB");
}

TEST_CASE("lines may end in a bare line feed, and old folded fields are unfolded") {
    const std::string text = "HTTP/1.1 302\nlocation:\t/a\n b \nContent-Length: 0\n\n";
    Seen expected = complete(302, "");
    expected.location = "/a b";
    CHECK(read(text) == expected);
}

TEST_CASE("the body is kept up to the limit and not beyond") {
    const std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789";
    Seen expected = complete(200, "0123");
    expected.cut = true;
    CHECK(read(text, {HttpBody::allowed, 4}) == expected);
    CHECK_FALSE(read(text, {HttpBody::allowed, 10}).cut);
    CHECK(read(text, {HttpBody::allowed, 0}).state == State::complete);
    CHECK(read("HTTP/1.1 200 OK\r\n\r\n0123456789", {HttpBody::allowed, 4}).body == "0123");
    const std::string chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nff\r\ndefgh";
    CHECK(read(chunked, {HttpBody::allowed, 4}).body == "abcd");
    CHECK(read(chunked, {HttpBody::allowed, 4}).state == State::complete);
}

TEST_CASE("broken responses say what is broken") {
    CHECK(problem("") == "connection closed without an answer");
    CHECK(problem("SSH-2.0-OpenSSH_9.2\r\n") == "not HTTP: the peer sent \"SSH-2.0-OpenSSH_9.2\"");
    CHECK(problem("220 mail") == "not HTTP: the peer sent \"220 mail\"");
    CHECK(problem(std::string(100, 'x')) == "not HTTP: the peer sent \"" + std::string(24, 'x') + "...\"");
    CHECK(problem("\x15\x03\x01\x02\x02\x0a\n") == "not HTTP: the peer speaks TLS");
    CHECK(problem("HTTP/2 200\r\n\r\n") == "not HTTP: the peer sent \"HTTP/2 200\"");
    for (const std::string line : {"HTTP/1.1 2000 OK", "HTTP/1.1 099 OK", "HTTP/1.1  200", "HTTP/1.1 20",
                                   "HTTP/1.x 200", "HTTP/1.1 200OK", "HTTP/1."})
        CHECK(problem(line + "\r\n\r\n") == "malformed status line \"" + line + "\"");
    CHECK(problem("HTTP/1.1 200 OK\r\nServer: x") == "connection closed inside the header");
    CHECK(problem("HTTP/1.1 200 OK\r\nno colon\r\n\r\n") == "malformed header \"no colon\"");
    CHECK(problem("HTTP/1.1 200 OK\r\n folded\r\n\r\n") == "malformed header \" folded\"");
    CHECK(problem("HTTP/1.1 200 OK\r\nName : x\r\n\r\n") == "malformed header \"Name : x\"");
    CHECK(problem(std::string("HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", 25)) == "control character in the header");
    CHECK(problem("HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n") == "control character in the header");
    CHECK(problem("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123") ==
          "connection closed after 4 of 10 octets of the body");
    for (const std::string length : {"", "-1", "5, 6", "5x", "99999999999999999999999", "+5"})
        CHECK(problem("HTTP/1.1 200 OK\r\nContent-Length: " + length + "\r\n\r\n") ==
              "malformed Content-Length \"" + length + "\"");
    CHECK(problem("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n") ==
          "malformed Content-Length \"6\"");
    CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\nContent-Length: 1\r\n\r\nx").body == "x");
    const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const std::string size : {"", "x", "-1", "5 5", "1000000000000000"})
        CHECK(problem(chunked + size + "\r\n") == "malformed chunk size \"" + size + "\"");
    CHECK(problem(chunked + "1\r\nxy\r\n") == "chunk longer than its size");
    CHECK(problem(chunked + "1\r\nx\r\n0\r\n") == "connection closed inside a chunked body");
}

TEST_CASE("headers and chunks without end are cut off") {
    const std::string head = "HTTP/1.1 200 OK\r\nX: ";
    CHECK(problem(head + std::string(1'000'000, 'x')) == "header section larger than 16 kB");
    std::string many = "HTTP/1.1 200 OK\r\n";
    while (many.size() < 20'000) many += "A: b\r\n";
    CHECK(problem(many) == "header section larger than 16 kB");
    const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    CHECK(problem(chunked + "1;" + std::string(100'000, 'x')) ==
          "chunked body has more framing than content");
    std::string trailers = chunked + "0\r\n";
    while (trailers.size() < 40'000) trailers += "A: b\r\n";
    CHECK(problem(trailers) == "chunked body has more framing than content");
    // The smallest chunks there are, which some servers do send.
    std::string tiny = chunked;
    for (int i = 0; i < 20'000; ++i) tiny += "1\r\nx\r\n";
    CHECK(read(tiny + "0\r\n\r\n", {HttpBody::allowed, 65'536}).body.size() == 20'000);
}

TEST_CASE("what is awaited is known at every stage") {
    HttpResponseParser parser(HttpBody::allowed, 100);
    CHECK(parser.awaiting() == "the status line");
    parser.feed(as_bytes("HTTP/1.1 200 OK\r\nA"));
    CHECK(parser.awaiting() == "the end of the header");
    parser.feed(as_bytes(": b\r\n\r\n"));
    CHECK(parser.awaiting() == "the end of the body");
}

TEST_CASE("where the network cuts a response changes nothing") {
    const std::vector<std::string> responses{
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 11\r\nLocation: /x\r\n\r\nhello "
        "world!!",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip,\r\n chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n6\r\n "
        "world\r\n0\r\nT: r\r\n\r\nrest",
        "HTTP/1.0 404 Not Found\n\nuntil the end",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntoo short",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nbroken header\r\n\r\nbody",
        "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\nmore",
        "exactly as long as shown\r\nmore",
        "\x16\x03\x01 binary and long enough to be cut for show",
        "",
    };
    for (const std::string& text : responses) {
        for (const size_t limit : {size_t{4}, size_t{1000}}) {
            const Reading how{HttpBody::allowed, limit};
            const Seen whole = read(text, how);
            for (size_t i = 0; i <= text.size(); ++i)
                for (size_t j = i; j <= text.size(); ++j) REQUIRE(read(text, {i, j}, how) == whole);
            std::vector<size_t> every;
            for (size_t i = 1; i < text.size(); ++i) every.push_back(i);
            REQUIRE(read(text, every, how) == whole);
        }
    }
}

TEST_CASE("random damage never changes the outcome between cuts, nor keeps more than was asked for") {
    Random random(7);
    const std::string good =
        "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: "
        "b\r\n\r\n5;e\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n";
    for (int round = 0; round < 20'000; ++round) {
        std::string text = good;
        for (uint64_t n = random.below(4); n > 0; --n)
            text[random.below(text.size())] = static_cast<char>(random.below(256));
        const Reading how{HttpBody::allowed, 6};
        std::vector<size_t> cuts;
        for (size_t at = 0; at < text.size(); at += 1 + random.below(20)) cuts.push_back(at);
        const Seen whole = read(text, how);
        REQUIRE(whole.body.size() <= 6);
        REQUIRE(read(text, cuts, how) == whole);
    }
}
