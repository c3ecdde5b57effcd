// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "cli/http_response.h"

using fairway::cli::HttpResponse;

namespace {

/// Octet by octet, as a slow network would have it.
fairway::Result<void> feed_slowly(HttpResponse& response, std::string_view bytes) {
    for (size_t i = 0; i < bytes.size(); ++i)
        if (auto read = response.feed(bytes.substr(i, 1)); !read) return read;
    return {};
}

}  // namespace

TEST_CASE("a response of a known length is complete with its last octet") {
    HttpResponse response;
    REQUIRE(feed_slowly(response,
                        "HTTP/1.1 404 Not Found\r\nContent-Type: Application/Problem+JSON; charset=utf-8\r\n"
                        "Content-Length: 4\r\n\r\n{\"a\""));
    CHECK(response.complete());
    CHECK(response.status() == 404);
    CHECK(response.content_type() == "application/problem+json");
    CHECK(response.body() == "{\"a\"");
    CHECK(response.finish());
}

TEST_CASE("a response of unknown length ends with the connection") {
    HttpResponse response;
    REQUIRE(response.feed("HTTP/1.1 200 OK\n\nbody"));
    CHECK(response.has_headers());
    CHECK_FALSE(response.complete());
    REQUIRE(response.feed(" and more"));
    REQUIRE(response.finish());
    CHECK(response.complete());
    CHECK(response.take_body() == "body and more");
}

TEST_CASE("a chunked response is put together") {
    HttpResponse response;
    REQUIRE(feed_slowly(response,
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\nTrailer: x\r\n\r\n"));
    CHECK(response.complete());
    CHECK(response.body() == "hello, world");
}

TEST_CASE("an interim response is passed over, and some statuses have no body") {
    HttpResponse response;
    REQUIRE(feed_slowly(response, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"));
    CHECK(response.complete());
    CHECK(response.status() == 204);
}

TEST_CASE("what is not an HTTP response is an error that sticks") {
    for (const std::string text :
         {"SSH-2.0-OpenSSH\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 20\r\n", "HTTP/1.1 999 x\r\n",
          "HTTP/1.1 2000\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n", "HTTP/1.1 200 OK\r\n: x\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"}) {
        HttpResponse response;
        INFO(text);
        CHECK_FALSE(response.feed(text));
        CHECK_FALSE(response.feed("HTTP/1.1 200 OK\r\n\r\n"));
        CHECK_FALSE(response.finish());
    }
}

TEST_CASE("a response that breaks off is an error") {
    for (const std::string text :
         {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"}) {
        HttpResponse response;
        INFO(text);
        REQUIRE(response.feed(text));
        CHECK_FALSE(response.finish());
    }
}

TEST_CASE("headers without an end do not fill the memory") {
    HttpResponse endless;
    REQUIRE(endless.feed("HTTP/1.1 200 OK\r\n"));
    bool refused = false;
    for (int i = 0; i < 10'000 && !refused; ++i)
        refused = !endless.feed("X: " + std::string(100, 'x') + "\r\n");
    CHECK(refused);
    HttpResponse line;
    refused = false;
    for (int i = 0; i < 10'000 && !refused; ++i) refused = !line.feed(std::string(100, 'x'));
    CHECK(refused);
}
