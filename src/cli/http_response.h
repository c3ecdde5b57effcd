// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reads an HTTP/1.1 response from bytes as they come: no I/O. Bodies end by Content-Length, by chunks, or
// with the connection. The server is ours, but what answers at an address need not be: everything is bounded.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fairway::cli {

class HttpResponse {
  public:
    /// More bytes from the server. An error sticks.
    Result<void> feed(std::string_view bytes);
    /// The connection has ended: an error where the response has not.
    Result<void> finish();

    [[nodiscard]] bool has_headers() const noexcept { return state_ > State::headers; }
    [[nodiscard]] bool complete() const noexcept { return state_ == State::complete; }
    [[nodiscard]] int status() const noexcept { return status_; }
    /// Lower-case media type without parameters.
    [[nodiscard]] const std::string& content_type() const noexcept { return content_type_; }
    /// The body so far, except what take_body() took.
    [[nodiscard]] const std::string& body() const noexcept { return body_; }
    [[nodiscard]] std::string take_body();

    static constexpr size_t max_headers = 64 * 1024;
    static constexpr size_t max_body = 64 << 20;

  private:
    enum class State : uint8_t {
        status,
        headers,
        sized_body,
        unsized_body,
        chunk_size,
        chunk_data,
        chunk_end,
        trailers,
        complete,
        failed
    };

    Result<void> wrong(std::string message);
    /// Takes a line without its end; absent while it is not whole.
    std::optional<std::string> line();
    Result<void> read_status(const std::string& text);
    Result<void> read_header(const std::string& text);
    Result<void> end_headers();
    /// Moves what waits to the body, at most `left_` octets.
    void take_data();

    State state_ = State::status;
    std::string waiting_;
    size_t header_bytes_ = 0;
    int status_ = 0;
    std::string content_type_;
    std::optional<uint64_t> length_;
    bool chunked_ = false;
    uint64_t left_ = 0;
    std::string body_;
    uint64_t body_total_ = 0;
};

}  // namespace fairway::cli
