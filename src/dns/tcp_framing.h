// SPDX-License-Identifier: Apache-2.0
#pragma once
// DNS messages out of a byte stream (RFC 1035 section 4.2.2): two octets of length, then the message. Without
// I/O.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"

namespace fairway::dns {

class TcpFraming {
  public:
    /// Messages longer than `max_message` octets are an error.
    explicit TcpFraming(size_t max_message) noexcept : max_message_(max_message) {}

    void append(ByteSpan bytes);
    /// The next whole message, valid until the next call of append(); nothing while it is incomplete, and
    /// after an error.
    [[nodiscard]] std::optional<ByteSpan> next() noexcept;
    /// A length that is zero or too large; the stream cannot be followed any further.
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    /// Octets that wait for the rest of their message.
    [[nodiscard]] size_t buffered() const noexcept { return bytes_.size() - taken_; }
    /// Those octets; valid until the next call of append().
    [[nodiscard]] ByteSpan rest() const noexcept { return ByteSpan(bytes_).subspan(taken_); }

  private:
    size_t max_message_;
    std::vector<uint8_t> bytes_;
    size_t taken_ = 0;
    bool failed_ = false;
};

}  // namespace fairway::dns
