// SPDX-License-Identifier: Apache-2.0
#pragma once
// As much of JSON (RFC 8259) as the remote backend needs: finding where a document ends in a stream, reading
// one straight through without a tree, and writing strings. Strict, bounded in depth, and sticky in its error
// like base/bytes.h: read in a straight line, then ask ok() once.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fairway::pdns {

/// Finds the end of a JSON object in bytes that come in pieces, looking at each byte once. It knows brackets
/// and strings only: what it lets pass may still be malformed.
class JsonFramer {
  public:
    enum class State : uint8_t {
        incomplete,  // more bytes are needed
        complete,    // `end()` is one past the object
        junk         // this is no object
    };
    /// `buffer` holds the bytes of the current document from its beginning; white space may come first.
    State look(std::string_view buffer) noexcept;
    [[nodiscard]] size_t end() const noexcept { return position_; }
    /// Nothing but white space was seen since reset().
    [[nodiscard]] bool idle() const noexcept { return depth_ == 0 && !complete_; }
    /// For the next document, after the caller took the first end() bytes off.
    void reset() noexcept { *this = JsonFramer{}; }

    static constexpr size_t max_depth = 64;

  private:
    size_t position_ = 0;
    size_t depth_ = 0;
    bool in_string_ = false;
    bool escaped_ = false;
    bool complete_ = false;
};

/// Reads values off the front of a text.
class JsonReader {
  public:
    enum class Kind : uint8_t { object, array, string, number, boolean, null, end };

    explicit JsonReader(std::string_view text) noexcept : rest_(text) {}

    [[nodiscard]] bool ok() const noexcept { return ok_; }
    void fail() noexcept;
    /// What comes next; `end` after the last character and after an error.
    [[nodiscard]] Kind peek() noexcept;

    /// `for (reader.enter_object(); reader.next_member(key);) { ...read or skip one value... }`
    void enter_object() noexcept;
    /// False after the last member, and after an error.
    bool next_member(std::string& key);
    /// Replaces `out`; escapes become UTF-8. Fails on anything but a string.
    void read_string(std::string& out);
    /// A whole number within 53 bits, also when it is written as a string or with an exponent or fraction of
    /// zero.
    int64_t read_integer();
    bool read_boolean() noexcept;
    /// One value of any kind.
    void skip_value();
    /// Fails unless nothing but white space is left.
    void expect_end() noexcept;

  private:
    void skip_space() noexcept;
    bool accept(char c) noexcept;
    void expect(char c) noexcept;
    void literal(std::string_view word) noexcept;
    std::string_view number() noexcept;
    uint32_t hex4() noexcept;

    std::string_view rest_;
    bool ok_ = true;
    bool first_ = false;  // the next member is the first of its object
    std::string scratch_;
};

/// Appends `text` as a JSON string with its quotes.
void append_json_string(std::string& out, std::string_view text);

}  // namespace fairway::pdns
