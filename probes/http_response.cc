// SPDX-License-Identifier: Apache-2.0
#include "probes/http_response.h"

#include <algorithm>
#include <limits>

#include "base/text.h"

namespace fairway {

namespace {

constexpr std::string_view version_prefix = "HTTP/1.";
constexpr size_t shown_octets = 24;  // of what a peer says that does not speak HTTP
constexpr size_t framing_limit = size_t{16} * 1024;
constexpr size_t framing_per_octet = 8;  // "1 CR LF x CR LF" spends six on each octet of body

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_token(std::string_view text) {
    constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') ||
               others.find(c) != std::string_view::npos;
    });
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(),
                       [](char c) { return (static_cast<uint8_t>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

// The comma-separated parts of a field value, trimmed, empty ones left out (RFC 9110 section 5.6.1).
template <class Visit>
void each_element(std::string_view value, Visit visit) {
    while (!value.empty()) {
        const size_t comma = std::min(value.find(','), value.size());
        if (const std::string_view element = trim(value.substr(0, comma)); !element.empty()) visit(element);
        value.remove_prefix(std::min(comma + 1, value.size()));
    }
}

}  // namespace

void HttpResponseParser::feed(ByteSpan bytes) {
    Reader input(bytes);
    while (!input.at_end() && (state_ == State::head || state_ == State::body)) {
        if (state_ == State::head)
            head_octets(input);
        else
            body_octets(input);
    }
}

void HttpResponseParser::end() {
    if (state_ == State::head) {
        if (header_octets_ == 0)
            fail("connection closed without an answer");
        else if (!saw_status_line_ && !line_.starts_with(version_prefix))
            fail("not HTTP: the peer sent \"" + escape_text(line_, shown_octets) + "\"");
        else
            fail("connection closed inside the header");
    } else if (state_ == State::body) {
        if (framing_ == Framing::until_close)
            state_ = State::complete;
        else if (framing_ == Framing::length)
            fail("connection closed after " + std::to_string(length_ - remaining_) + " of " +
                 std::to_string(length_) + " octets of the body");
        else
            fail("connection closed inside a chunked body");
    }
}

std::string_view HttpResponseParser::awaiting() const noexcept {
    if (state_ != State::head) return "the end of the body";
    return saw_status_line_ ? "the end of the header" : "the status line";
}

void HttpResponseParser::fail(std::string problem) {
    state_ = State::failed;
    problem_ = std::move(problem);
}

// Moves octets into line_ up to a line feed. True: the line is whole, without its end. Only a line feed ends
// it; the carriage return before it is optional (RFC 9112 section 2.2). Each octet counts against `limit`.
bool HttpResponseParser::take_line(Reader& input, size_t& spent, size_t limit, const char* too_large) {
    const std::string_view rest = as_text(input.whole().subspan(input.position()));
    const size_t feed_at = rest.find('\n');
    const size_t count = feed_at == std::string_view::npos ? rest.size() : feed_at + 1;
    if (count > limit - std::min(spent, limit)) {
        fail(too_large);
        return false;
    }
    spent += count;
    line_ += as_text(input.take(count));
    if (feed_at == std::string_view::npos) return false;
    line_.pop_back();
    if (line_.ends_with('\r')) line_.pop_back();
    return true;
}

void HttpResponseParser::head_octets(Reader& input) {
    const bool whole = take_line(input, header_octets_, header_limit, "header section larger than 16 kB");
    if (state_ == State::failed) return;
    // One more than is shown may be the carriage return that a whole line does not have.
    if (!saw_status_line_ && (whole || line_.size() > shown_octets + 1)) check_first_words();
    if (!whole || state_ == State::failed) return;
    const std::string line = std::move(line_);
    line_.clear();
    head_line(line);
}

// Judges by the whole line or by its first octets, never by how much came at once: the outcome must not
// depend on how the network cut the stream.
void HttpResponseParser::check_first_words() {
    if (line_.starts_with(version_prefix)) return;
    if (line_.starts_with("\x15\x03"))
        fail("not HTTP: the peer speaks TLS");
    else
        fail("not HTTP: the peer sent \"" + escape_text(line_, shown_octets) + "\"");
}

void HttpResponseParser::head_line(std::string_view line) {
    if (has_control(line)) {
        fail("control character in the header");
    } else if (!saw_status_line_) {
        status_line(line);
    } else if (line.starts_with(' ') || line.starts_with('\t')) {
        // A folded line continues the field (RFC 9112 section 5.2).
        if (field_.empty())
            fail("malformed header \"" + escape_text(line, 40) + "\"");
        else
            field_.append(" ").append(trim(line));
    } else {
        const std::string field = std::move(field_);
        field_ = line;
        if (!field.empty()) header_field(field);
        if (line.empty() && state_ == State::head) end_of_head();
    }
}

void HttpResponseParser::status_line(std::string_view line) {
    // HTTP-version SP status-code [SP reason-phrase]; many leave out the last space (RFC 9112 section 4).
    const std::string_view rest = line.substr(version_prefix.size());
    const bool well_formed = rest.size() >= 5 && is_digit(rest[0]) && rest[1] == ' ' && rest[2] >= '1' &&
                             is_digit(rest[2]) && is_digit(rest[3]) && is_digit(rest[4]) &&
                             (rest.size() == 5 || rest[5] == ' ');
    if (!well_formed) {
        fail("malformed status line \"" + escape_text(line, 40) + "\"");
        return;
    }
    saw_status_line_ = true;
    status_ = static_cast<uint16_t>((rest[2] - '0') * 100 + (rest[3] - '0') * 10 + (rest[4] - '0'));
}

void HttpResponseParser::header_field(std::string_view field) {
    const size_t colon = field.find(':');
    if (colon == std::string_view::npos || !is_token(field.substr(0, colon))) {
        fail("malformed header \"" + escape_text(field, 40) + "\"");
        return;
    }
    const std::string name = ascii_lower(field.substr(0, colon));
    const std::string_view value = trim(field.substr(colon + 1));
    if (name == "content-length") {
        content_length(value);
    } else if (name == "transfer-encoding") {
        has_transfer_coding_ = true;
        each_element(value, [&](std::string_view coding) { chunked_ = ascii_lower(coding) == "chunked"; });
    } else if (name == "location") {
        location_ = value;
    }
}

// A list of equal lengths counts as one (RFC 9112 section 6.3).
void HttpResponseParser::content_length(std::string_view value) {
    constexpr uint64_t most = std::numeric_limits<uint64_t>::max() / 16;
    size_t elements = 0;
    bool good = true;
    each_element(value, [&](std::string_view element) {
        ++elements;
        uint64_t number = 0;
        for (const char c : element) {
            if (!is_digit(c) || number > most) {
                good = false;
                return;
            }
            number = number * 10 + static_cast<uint64_t>(c - '0');
        }
        if (has_length_ && number != length_) good = false;
        has_length_ = true;
        length_ = number;
    });
    if (!good || elements == 0) fail("malformed Content-Length \"" + escape_text(value, 40) + "\"");
}

// Which octets are the body: the rules of RFC 9112 section 6.3 in their order.
void HttpResponseParser::end_of_head() {
    if (status_ >= 100 && status_ < 200 && status_ != 101) {
        // An interim response: the next one starts from nothing, except for what may be spent on headers.
        saw_status_line_ = has_length_ = has_transfer_coding_ = chunked_ = false;
        status_ = 0;
        location_.clear();
        return;
    }
    has_head_ = true;
    state_ = State::body;
    if (body_allowed_ == HttpBody::none || status_ == 101 || status_ == 204 || status_ == 304) {
        state_ = State::complete;
    } else if (has_transfer_coding_) {
        framing_ = chunked_ ? Framing::chunk_size : Framing::until_close;
    } else if (has_length_) {
        framing_ = Framing::length;
        remaining_ = length_;
        if (length_ == 0) state_ = State::complete;
    } else {
        framing_ = Framing::until_close;
    }
    if (state_ == State::body && body_limit_ == 0) {
        state_ = State::complete;
        body_cut_ = true;
    }
}

void HttpResponseParser::body_octets(Reader& input) {
    const auto take_framing_line = [&] {
        return take_line(input, framing_octets_, framing_limit + framing_per_octet * body_.size(),
                         "chunked body has more framing than content");
    };
    switch (framing_) {
        case Framing::none:
            break;
        case Framing::until_close:
            remaining_ = std::numeric_limits<uint64_t>::max();
            keep(input);
            break;
        case Framing::length:
            keep(input);
            if (remaining_ == 0) state_ = State::complete;
            break;
        case Framing::chunk_data:
            keep(input);
            if (remaining_ == 0) framing_ = Framing::chunk_end;
            break;
        case Framing::chunk_size:
            if (!take_framing_line()) break;
            chunk_size_line(line_);
            line_.clear();
            break;
        case Framing::chunk_end:
            if (!take_framing_line()) break;
            if (!line_.empty()) fail("chunk longer than its size");
            framing_ = Framing::chunk_size;
            break;
        case Framing::trailer:
            if (!take_framing_line()) break;
            if (line_.empty()) state_ = State::complete;
            line_.clear();
            break;
    }
}

void HttpResponseParser::chunk_size_line(std::string_view line) {
    uint64_t size = 0;
    size_t digits = 0;
    for (; digits < line.size(); ++digits) {
        const char c = ascii_lower(line[digits]);
        const int digit = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) break;
        size = size << 4 | static_cast<uint64_t>(digit);
    }
    const std::string_view rest = trim(line.substr(digits));
    // 15 digits are an exabyte; more could wrap around.
    if (digits == 0 || digits > 15 || (!rest.empty() && rest[0] != ';')) {
        fail("malformed chunk size \"" + escape_text(line, 40) + "\"");
        return;
    }
    remaining_ = size;
    framing_ = size == 0 ? Framing::trailer : Framing::chunk_data;
}

// Moves content into body_, as much as there is, as belongs there, and as was asked for.
void HttpResponseParser::keep(Reader& input) {
    const uint64_t wanted = std::min<uint64_t>(remaining_, body_limit_ - body_.size());
    const size_t count = static_cast<size_t>(std::min<uint64_t>(input.remaining(), wanted));
    body_ += as_text(input.take(count));
    remaining_ -= count;
    if (body_.size() < body_limit_ || (framing_ == Framing::length && remaining_ == 0)) return;
    state_ = State::complete;
    body_cut_ = true;
}

}  // namespace fairway
