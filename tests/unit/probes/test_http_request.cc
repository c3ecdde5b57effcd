// SPDX-License-Identifier: Apache-2.0
#include "probes/http_request.h"

#include <catch2/catch.hpp>

using namespace fairway;

namespace {

std::string complaint(const HttpProbe& settings) {
    const auto checked = check_http_settings(settings);
    return checked ? "" : checked.error().message;
}

std::string follow(std::string_view location, HttpScheme scheme = HttpScheme::https,
                   std::string_view host = "gw.example", std::string_view from = "/a/b?q") {
    const auto path = redirect_path(location, scheme, host, from);
    return path ? *path : "error: " + path.error().message;
}

}  // namespace

TEST_CASE("a request says who asks, that nothing shall be compressed, and that it is the only one") {
    HttpProbe settings;
    settings.headers = {{"X-Probe", "yes"}};
    CHECK(http_request(settings, "gw.example", "/healthz?full=1") ==
          "GET /healthz?full=1 HTTP/1.1\r\nHost: gw.example\r\nConnection: close\r\n"
          "User-Agent: fairway/" FAIRWAY_VERSION
          "\r\nAccept: */*\r\nAccept-Encoding: identity\r\nX-Probe: yes\r\n\r\n");
    settings.method = "POST";
    settings.headers = {{"USER-agent", "me"}, {"accept", "text/plain"}, {"Accept-Encoding", "br"}};
    CHECK(http_request(settings, "gw.example", "/") ==
          "POST / HTTP/1.1\r\nHost: gw.example\r\nConnection: close\r\nContent-Length: 0\r\n"
          "USER-agent: me\r\naccept: text/plain\r\nAccept-Encoding: br\r\n\r\n");
}

TEST_CASE("the Host header names what is asked, with its port where it is not the usual one") {
    HttpProbe plain;
    CHECK(http_host(plain, "gw.example", 80) == "gw.example");
    CHECK(http_host(plain, "gw.example", 8080) == "gw.example:8080");
    CHECK(http_host(plain, "2001:db8::1", 80) == "[2001:db8::1]");
    CHECK(http_host(plain, "192.0.2.1", 443) == "192.0.2.1:443");
    HttpProbe secure;
    secure.tls.emplace();
    CHECK(http_host(secure, "gw.example", 443) == "gw.example");
    CHECK(http_host(secure, "gw.example", 80) == "gw.example:80");
    secure.tls->server_name = "portal.example";
    CHECK(http_host(secure, "192.0.2.1", 443) == "portal.example");
    secure.host = "as.written:1";
    CHECK(http_host(secure, "192.0.2.1", 443) == "as.written:1");
}

TEST_CASE("nothing can be smuggled into a request") {
    const auto with = [](auto change) {
        HttpProbe settings;
        change(settings);
        return complaint(settings);
    };
    CHECK(with([](HttpProbe&) {}).empty());
    CHECK(with([](HttpProbe& s) { s.method = "GET / HTTP/1.1\r\nX:"; }) ==
          "\"GET / HTTP/1.1\\r\\nX:\" is not an HTTP method");
    CHECK(with([](HttpProbe& s) { s.method = ""; }) == "\"\" is not an HTTP method");
    CHECK(with([](HttpProbe& s) { s.method = "CONNECT"; }) == "an HTTP probe cannot CONNECT");
    for (const char* path : {"", "x", "/a b", "/a\r\nX: y", "/\x7f", "/\xc3\xa4", "/a#b"})
        CHECK(with([&](HttpProbe& s) { s.path = path; }).ends_with("is not a path that can be asked for"));
    CHECK(with([](HttpProbe& s) { s.host = "a\r\nX: y"; }) == "\"a\\r\\nX: y\" cannot be a Host header");
    CHECK(with([](HttpProbe& s) { s.headers = {{"X:", "y"}}; }) == "\"X:\" cannot be a header's name");
    CHECK(with([](HttpProbe& s) {
              s.headers = {{"X", "y\r\nZ: a"}};
          }) == "the value of header X contains control characters");
    CHECK(with([](HttpProbe& s) {
              s.headers = {{"Host", "b"}};
          }) == "header Host is set by the probe itself; use host");
    for (const char* name : {"Connection", "content-length", "Transfer-Encoding", "Upgrade"})
        CHECK(with([&](HttpProbe& s) {
                  s.headers = {{name, "1"}};
              }) == std::string("header ") + name + " is set by the probe itself");
}

TEST_CASE("a redirect within the same place is followed") {
    CHECK(follow("/new?x=y#part") == "/new?x=y");
    CHECK(follow("https://gw.example/new") == "/new");
    CHECK(follow("HTTPS://GW.example:443/new") == "/new");
    CHECK(follow("https://gw.example") == "/");
    CHECK(follow("https://gw.example?x") == "/?x");
    CHECK(follow("//gw.example/new") == "/new");
    CHECK(follow("c") == "/a/c");
    CHECK(follow("?z") == "/a/b?z");
    CHECK(follow("#part") == "/a/b?q");
    CHECK(follow("http://gw.example/", HttpScheme::http) == "/");
    CHECK(follow("http://gw.example:8080/", HttpScheme::http, "gw.example:8080") == "/");
}

TEST_CASE("a redirect that leads elsewhere is refused") {
    CHECK(follow("") == "error: redirect without a Location");
    CHECK(follow("http://gw.example/") == "error: redirect to \"http://gw.example/\" changes the scheme");
    CHECK(follow("https://gw.example/", HttpScheme::http) ==
          "error: redirect to \"https://gw.example/\" changes the scheme");
    CHECK(follow("https://evil.example/") ==
          "error: redirect to \"https://evil.example/\" leads to another host");
    for (const char* elsewhere : {"https://gw.example:444/", "https://gw.example@evil.example/",
                                  "https://gw.example.evil/", "//evil.example/", "https:///x"})
        CHECK(follow(elsewhere) ==
              "error: redirect to \"" + std::string(elsewhere) + "\" leads to another host");
    CHECK(follow("ftp://gw.example/") == "error: redirect to \"ftp://gw.example/\" changes the scheme");
    CHECK(follow("javascript:alert(1)") == "error: redirect to \"javascript:alert(1)\" changes the scheme");
    CHECK(follow("https:x") == "error: redirect to \"https:x\" cannot be followed");
    CHECK(follow("/a b") == "error: redirect to \"/a b\" cannot be followed");
    CHECK(follow("/a\r\nX: y") == "error: redirect to \"/a\\r\\nX: y\" cannot be followed");
    CHECK(follow("/" + std::string(5000, 'x')) ==
          "error: redirect to \"/" + std::string(79, 'x') + "...\" cannot be followed");
}
