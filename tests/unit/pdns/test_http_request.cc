// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "pdns/http_request.h"

using namespace fairway::pdns;

namespace {

using State = HttpRequestParser::State;

/// "POST /pdns keep 5 body", "incomplete", or "400 reason", the same however the bytes are cut.
std::string parse(const std::string& text) {
    const auto describe = [](const HttpRequestParser::Parsed& parsed) -> std::string {
        if (parsed.state == State::incomplete) return "incomplete";
        if (parsed.state == State::refused)
            return std::to_string(parsed.status) + " " + std::string(parsed.reason);
        const HttpRequest& request = parsed.request;
        return std::string(request.method) + " " + std::string(request.target) +
               (request.keep_alive ? " keep " : " close ") + std::to_string(parsed.size) + " " +
               std::string(request.body);
    };
    HttpRequestParser whole;
    const std::string at_once = describe(whole.parse(text));
    HttpRequestParser bit_by_bit;
    std::string last = "incomplete";
    for (size_t size = 1; size <= text.size() && last == "incomplete"; ++size)
        last = describe(bit_by_bit.parse(std::string_view(text).substr(0, size)));
    CHECK(last == at_once);
    return at_once;
}

}  // namespace

TEST_CASE("requests are read as PowerDNS and others write them") {
    CHECK(parse("POST /pdns HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody") ==
          "POST /pdns keep 55 body");
    CHECK(parse("POST / HTTP/1.1\r\ncontent-length:4\r\nConnection: Close\r\n\r\nbody") ==
          "POST / close 60 body");
    CHECK(parse("POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n") == "POST / close 38 ");
    CHECK(parse("POST / HTTP/1.0\r\nContent-Length: 0\r\nConnection: x, keep-alive\r\n\r\n") ==
          "POST / keep 65 ");
    CHECK(parse("GET /x HTTP/1.1\r\n\r\n") == "GET /x keep 19 ");
    CHECK(parse("\r\n\r\nGET /x HTTP/1.1\r\n\r\n") == "GET /x keep 23 ");
    CHECK(parse("POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}") ==
          "POST / keep 59 {}");
}

TEST_CASE("incomplete requests wait for more") {
    CHECK(parse("") == "incomplete");
    CHECK(parse("POST") == "incomplete");
    CHECK(parse("POST / HTTP/1.1\r\nContent-Length: 4\r\n") == "incomplete");
    CHECK(parse("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbod") == "incomplete");
}

TEST_CASE("what is no request, or too much of one, is refused") {
    CHECK(parse("{\"method\":1}\r\n\r\n") == "400 a malformed request line");
    CHECK(parse("POST /\r\n\r\n") == "400 a malformed request line");
    CHECK(parse("PO ST / HTTP/1.1\r\n\r\n") == "400 a malformed request line");
    CHECK(parse("POST  HTTP/1.1\r\n\r\n") == "400 a malformed request line");
    CHECK(parse("POST / FTP/1.1\r\n\r\n") == "400 a malformed request line");
    CHECK(parse("POST /\x01 HTTP/1.1\r\n\r\n") == "400 a malformed request line");
    CHECK(parse("POST / HTTP/2.0\r\n\r\n") == "505 only HTTP/1.1 and HTTP/1.0 are spoken here");
    CHECK(parse("POST / HTTP/1.1\r\nno colon\r\n\r\n") == "400 a malformed header field");
    CHECK(parse("POST / HTTP/1.1\r\nbad name: x\r\n\r\n") == "400 a malformed header field");
    CHECK(parse("POST / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n") == "400 a malformed header field");
    CHECK(parse("POST / HTTP/1.1\r\nA: b\nC: d\r\n\r\n") == "400 a malformed header field");
    CHECK(parse("POST / HTTP/1.1\r\n\r\n") == "411 a POST needs a Content-Length");
    CHECK(parse("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n") == "400 a malformed Content-Length");
    CHECK(parse("POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n") == "400 a malformed Content-Length");
    CHECK(parse("POST / HTTP/1.1\r\nContent-Length:\r\n\r\n") == "400 a malformed Content-Length");
    CHECK(parse("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n") ==
          "400 a malformed Content-Length");
    CHECK(parse("POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n") == "413 the body is too long");
    CHECK(parse("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n") ==
          "413 the body is too long");
    CHECK(parse("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n") ==
          "501 only bodies with a Content-Length are read here");
    CHECK(parse("GET /" + std::string(9000, 'a')) == "431 the head of the request is too long");
    std::string many = "GET / HTTP/1.1\r\n";
    for (int i = 0; i < 65; ++i) many += "a: b\r\n";
    CHECK(parse(many + "\r\n") == "431 too many header fields");
}

TEST_CASE("responses and problems are written whole") {
    std::string out;
    append_http_response(out, 200, "application/json", "{}", true);
    CHECK(out ==
          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: "
          "keep-alive\r\n\r\n{}");
    out.clear();
    append_http_problem(out, 405, "calls are made by \"POST\"", false);
    CHECK(
        out ==
        "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/problem+json\r\nContent-Length: "
        "102\r\nAllow: "
        "POST\r\nConnection: close\r\n\r\n"
        R"({"type":"about:blank","title":"Method Not Allowed","status":405,"detail":"calls are made by \"POST\""})");
}
