// SPDX-License-Identifier: Apache-2.0
#pragma once
// An answer of several messages, such as a zone transfer (RFC 5936): made message by message as the
// connection takes them, so that a slow reader costs one write queue and no more. What it reads from is one
// Serving, held until the stream is gone: the zone does not change under a transfer.

#include <cstddef>
#include <cstdint>
#include <span>

namespace fairway::dns {

class ResponseStream {
  public:
    /// Octets that a buffer for next() must have.
    static constexpr size_t max_message = 65535;

    ResponseStream() = default;
    virtual ~ResponseStream() = default;
    ResponseStream(const ResponseStream&) = delete;
    ResponseStream& operator=(const ResponseStream&) = delete;

    /// Writes the next message, without TCP's length, and returns its size; 0: there is no further one.
    [[nodiscard]] virtual size_t next(std::span<uint8_t> out, uint32_t unix_seconds) = 0;
};

}  // namespace fairway::dns
