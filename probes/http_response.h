// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reads one HTTP/1.1 response (RFC 9112) as it comes, cut anywhere, without I/O. Made for probes of peers
// that may be broken or hostile: everything is bounded, nothing is decompressed, and only what a probe asks
// about is kept. Not a general client: no cookies, no trailers, no upgrade.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace fairway {

/// Whether the request's method lets the response have a body: HEAD does not.
enum class HttpBody : uint8_t { allowed, none };

class HttpResponseParser {
  public:
    enum class State : uint8_t {
        head,
        body,
        complete,  // all of it, or as much of the body as was asked for
        failed     // see problem()
    };

    /// Octets of all header sections together, those of interim responses included.
    static constexpr size_t header_limit = size_t{16} * 1024;

    /// Keeps at most `body_limit` octets of the body and is complete when it has them.
    HttpResponseParser(HttpBody body, size_t body_limit) : body_allowed_(body), body_limit_(body_limit) {}

    /// Reads on. What comes after the end of the response is ignored, like everything after a failure.
    void feed(ByteSpan bytes);
    /// The peer has closed the connection: the end of some bodies, and the failure of everything else.
    void end();

    [[nodiscard]] State state() const noexcept { return state_; }
    /// The final response's header section has been read; status() and what follows it are known. Stays true
    /// when the body fails later.
    [[nodiscard]] bool has_head() const noexcept { return has_head_; }
    [[nodiscard]] uint16_t status() const noexcept { return status_; }
    /// Field value, not escaped; empty without the field.
    [[nodiscard]] const std::string& location() const noexcept { return location_; }
    [[nodiscard]] std::string_view body() const noexcept { return body_; }
    /// There was, or may be, more of the body than was asked for.
    [[nodiscard]] bool body_cut() const noexcept { return body_cut_; }
    /// For people, escaped and bounded: "header section larger than 16 kB".
    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
    /// What is awaited, for people whose time is up: "the status line", "the end of the body".
    [[nodiscard]] std::string_view awaiting() const noexcept;

  private:
    enum class Framing : uint8_t { none, length, chunk_size, chunk_data, chunk_end, trailer, until_close };

    void fail(std::string problem);
    [[nodiscard]] bool take_line(Reader& input, size_t& spent, size_t limit, const char* too_large);
    void head_octets(Reader& input);
    void head_line(std::string_view line);
    void status_line(std::string_view line);
    void header_field(std::string_view field);
    void content_length(std::string_view value);
    void end_of_head();
    void body_octets(Reader& input);
    void chunk_size_line(std::string_view line);
    void keep(Reader& input);
    void check_first_words();

    State state_ = State::head;
    Framing framing_ = Framing::none;
    HttpBody body_allowed_;
    size_t body_limit_;
    bool has_head_ = false;
    bool body_cut_ = false;
    bool saw_status_line_ = false;
    bool has_length_ = false, has_transfer_coding_ = false, chunked_ = false;
    uint16_t status_ = 0;
    uint64_t length_ = 0;     // Content-Length
    uint64_t remaining_ = 0;  // of the body, or of the chunk
    size_t header_octets_ = 0;
    size_t framing_octets_ = 0;  // of chunk sizes, their extensions and trailers
    std::string line_;           // as far as it has come
    std::string field_;          // header field that a folded line may continue
    std::string location_;
    std::string body_;
    std::string problem_;
};

}  // namespace fairway
