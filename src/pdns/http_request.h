// SPDX-License-Identifier: Apache-2.0
#pragma once
// The server's half of as much HTTP/1.1 (RFC 9112) as PowerDNS' http connector speaks: requests with a
// Content-Length on connections that stay open. No I/O. Not for the API, which has a library for all of HTTP.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fairway::pdns {

/// Views into the buffer that was parsed.
struct HttpRequest {
    std::string_view method;
    std::string_view target;  // as sent
    std::string_view body;
    /// X-RemoteBackend-...: what RESTful requests have no place for in their path. Empty when absent.
    std::string_view remote, real_remote, zone_id;
    bool keep_alive = true;
};

class HttpRequestParser {
  public:
    enum class State : uint8_t {
        incomplete,  // more bytes are needed
        complete,    // `request` and `size` are set
        refused      // `status` and `reason` say why; the connection cannot go on
    };
    struct Parsed {
        State state = State::incomplete;
        HttpRequest request;
        size_t size = 0;  // octets of the buffer that the request took
        uint16_t status = 0;
        std::string_view reason;  // one sentence without a full stop
    };
    /// `buffer` holds the bytes of the current request from its beginning. Remembers how far it has looked,
    /// so that bytes may come one by one.
    Parsed parse(std::string_view buffer);
    /// For the next request, after the caller took `size` bytes off.
    void reset() noexcept { *this = HttpRequestParser{}; }

    static constexpr size_t max_head = 8192;
    static constexpr size_t max_body = 65536;
    static constexpr size_t max_fields = 64;

  private:
    size_t looked_ = 0;  // no end of the head before here
};

/// The head and body of a response, to be written at once: PowerDNS waits 40 ms for a body that comes alone.
void append_http_response(std::string& out, uint16_t status, std::string_view content_type,
                          std::string_view body, bool keep_alive);
/// An RFC 9457 problem document.
void append_http_problem(std::string& out, uint16_t status, std::string_view detail, bool keep_alive);

}  // namespace fairway::pdns
