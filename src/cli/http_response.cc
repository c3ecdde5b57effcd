// SPDX-License-Identifier: Apache-2.0
#include "cli/http_response.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace fairway::cli {

Result<void> HttpResponse::wrong(std::string message) {
    state_ = State::failed;
    return fail("the answer is not HTTP: " + std::move(message));
}

std::optional<std::string> HttpResponse::line() {
    const size_t end = waiting_.find('\n');
    if (end == std::string::npos) return std::nullopt;
    std::string text = waiting_.substr(0, end);
    waiting_.erase(0, end + 1);
    if (!text.empty() && text.back() == '\r') text.pop_back();
    return text;
}

void HttpResponse::take_data() {
    const size_t count = static_cast<size_t>(std::min<uint64_t>(left_, waiting_.size()));
    body_.append(waiting_, 0, count);
    waiting_.erase(0, count);
    left_ -= count;
    body_total_ += count;
}

Result<void> HttpResponse::feed(std::string_view bytes) {
    if (state_ == State::failed) return fail("the answer is not HTTP");
    waiting_ += bytes;
    for (;;) {
        switch (state_) {
            case State::status:
            case State::headers:
            case State::chunk_size:
            case State::chunk_end:
            case State::trailers: {
                const auto text = line();
                if (!text) {
                    if (waiting_.size() > max_headers) return wrong("a line without an end");
                    return {};
                }
                header_bytes_ += text->size();
                if (state_ != State::chunk_size && state_ != State::chunk_end && header_bytes_ > max_headers)
                    return wrong("too many headers");
                if (state_ == State::status) {
                    if (const auto read = read_status(*text); !read) return read;
                } else if (state_ == State::headers) {
                    const auto read = text->empty() ? end_headers() : read_header(*text);
                    if (!read) return read;
                } else if (state_ == State::chunk_size) {
                    const std::string_view digits = trim(std::string_view(*text).substr(0, text->find(';')));
                    const auto [end, error] =
                        std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
                    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size())
                        return wrong("a chunk without a size");
                    if (left_ > max_body) return wrong("a chunk beyond all measure");
                    state_ = left_ == 0 ? State::trailers : State::chunk_data;
                } else if (state_ == State::chunk_end) {
                    if (!text->empty()) return wrong("a chunk longer than its size");
                    state_ = State::chunk_size;
                } else if (text->empty()) {
                    state_ = State::complete;
                }
                break;
            }
            case State::sized_body:
                take_data();
                if (left_ > 0) return {};
                state_ = State::complete;
                break;
            case State::chunk_data:
                take_data();
                if (body_.size() > max_body) return wrong("a body beyond all measure");
                if (left_ > 0) return {};
                state_ = State::chunk_end;
                break;
            case State::unsized_body:
                left_ = waiting_.size();
                take_data();
                if (body_.size() > max_body) return wrong("a body beyond all measure");
                return {};
            case State::complete:
                return {};  // what follows is not ours
            case State::failed:
                return fail("the answer is not HTTP");
        }
    }
}

Result<void> HttpResponse::finish() {
    if (state_ == State::unsized_body) state_ = State::complete;
    if (state_ == State::complete) return {};
    if (state_ == State::status && waiting_.empty()) return wrong("the connection was closed without one");
    return wrong("the connection was closed in the middle of it");
}

std::string HttpResponse::take_body() {
    return std::exchange(body_, {});
}

Result<void> HttpResponse::read_status(const std::string& text) {
    if (text.rfind("HTTP/1.", 0) != 0 || text.size() < 12 || text[8] != ' ') return wrong("no status line");
    const auto [end, error] = std::from_chars(text.data() + 9, text.data() + 12, status_);
    if (error != std::errc() || end != text.data() + 12 || status_ < 100 || status_ > 599 ||
        (text.size() > 12 && text[12] != ' '))
        return wrong("no status");
    state_ = State::headers;
    return {};
}

Result<void> HttpResponse::read_header(const std::string& text) {
    const size_t colon = text.find(':');
    if (colon == std::string::npos || colon == 0) return wrong("a header without a name");
    const std::string name = ascii_lower(text.substr(0, colon));
    const std::string_view value = trim(std::string_view(text).substr(colon + 1));
    if (name == "content-type") {
        content_type_ = ascii_lower(trim(value.substr(0, value.find(';'))));
    } else if (name == "content-length") {
        uint64_t length = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
        if (value.empty() || error != std::errc() || end != value.data() + value.size())
            return wrong("a Content-Length that is no number");
        if (length_ && *length_ != length) return wrong("two lengths");
        if (length > max_body) return wrong("a body beyond all measure");
        length_ = length;
    } else if (name == "transfer-encoding") {
        if (ascii_lower(value) != "chunked") return wrong("an unknown transfer encoding");
        chunked_ = true;
    }
    return {};
}

Result<void> HttpResponse::end_headers() {
    if (status_ < 200) {
        // An interim response: another follows.
        state_ = State::status;
        length_.reset();
        chunked_ = false;
        return {};
    }
    if (status_ == 204 || status_ == 304) {
        state_ = State::complete;
    } else if (chunked_) {
        state_ = State::chunk_size;
    } else if (length_) {
        left_ = *length_;
        state_ = State::sized_body;
    } else {
        state_ = State::unsized_body;
    }
    return {};
}

}  // namespace fairway::cli
