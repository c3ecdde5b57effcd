// SPDX-License-Identifier: Apache-2.0
#pragma once
// The IKEv2 message format: header and chain of payloads (RFC 7296 3.1, 3.2), and the table of what each
// exchange may hold. What stands inside a payload is payloads.h's. No cryptography, no state.

#include <array>
#include <cstddef>
#include <span>

#include "base/bytes.h"
#include "ipsec/types.h"

namespace fairway::ipsec {

/*  0                   1                   2                   3
    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
   +---------------------------------------------------------------+
   |                 IKE SA initiator's SPI (64 bits)              |
   |                 IKE SA responder's SPI (64 bits)              |
   |  next payload | major | minor | exchange type |     flags     |
   |                          message id                           |
   |                            length                             |
   +---------------------------------------------------------------+ */
inline constexpr size_t header_size = 28;

struct Header {
    static constexpr uint8_t response_flag = 0x20;
    static constexpr uint8_t version_flag = 0x10;
    static constexpr uint8_t initiator_flag = 0x08;

    uint64_t spi_initiator = 0;
    uint64_t spi_responder = 0;
    PayloadType first_payload = PayloadType::none;
    uint8_t version = 0x20;  // major in the high four bits
    ExchangeType exchange = ExchangeType::ike_sa_init;
    uint8_t flags = 0;
    uint32_t message_id = 0;
    uint32_t length = 0;  // of the whole message; filled by the writer

    [[nodiscard]] uint8_t major_version() const noexcept { return version >> 4; }
    [[nodiscard]] bool is_response() const noexcept { return (flags & response_flag) != 0; }
    [[nodiscard]] bool from_initiator() const noexcept { return (flags & initiator_flag) != 0; }
    friend bool operator==(const Header&, const Header&) = default;
};

/// The header alone, of any version (ISAKMP's is laid out alike). The length field must be the datagram's.
[[nodiscard]] Decoded<Header> decode_header(ByteSpan datagram);
void encode_header(Writer& writer, const Header& header);

struct Payload {
    PayloadType type = PayloadType::none;
    ByteSpan body;  // without the generic header; points into the datagram
    /// Of an encrypted payload: the type of the first payload inside.
    PayloadType inner = PayloadType::none;
};

/// A chain of payloads as views into the bytes they were read from, which must outlive it. Allocates nothing.
class PayloadChain {
  public:
    static constexpr size_t max_payloads = 64;

    /// Walks `bytes` from a payload of type `first` to exactly the end. Unknown payloads are skipped, unless
    /// critical: UNSUPPORTED_CRITICAL_PAYLOAD (RFC 7296 2.5). An encrypted payload must be the last.
    static Decoded<PayloadChain> decode(PayloadType first, ByteSpan bytes);

    [[nodiscard]] const Payload* begin() const noexcept { return payloads_.data(); }
    [[nodiscard]] const Payload* end() const noexcept { return payloads_.data() + size_; }
    [[nodiscard]] size_t size() const noexcept { return size_; }
    /// The first of that type, or null.
    [[nodiscard]] const Payload* find(PayloadType type) const noexcept;

  private:
    std::array<Payload, max_payloads> payloads_;
    size_t size_ = 0;
};

enum class Direction : uint8_t { request, response };

/// Holds a chain to the table of message.cc: too few or too many of a payload, or one that has no place in
/// this exchange, is INVALID_SYNTAX. A response that carries an error notification, or a COOKIE or REDIRECT,
/// instead of its contents is complete with it.
[[nodiscard]] Decoded<void> check_payloads(ExchangeType exchange, Direction direction,
                                           const PayloadChain& chain);

/// Writes one message into a buffer that it does not own. Payloads are written between begin() and end();
/// lengths and the next-payload fields are filled in behind. An overflow sticks: finish() is then empty.
class MessageWriter {
  public:
    MessageWriter(std::span<uint8_t> buffer, const Header& header) noexcept;

    /// Starts a payload; its body goes to the returned writer.
    Writer& begin(PayloadType type) noexcept;
    void end() noexcept;
    /// A payload whose body is ready.
    void add(PayloadType type, ByteSpan body) noexcept;
    /// The whole message.
    [[nodiscard]] ByteSpan finish() noexcept;

  private:
    std::span<uint8_t> buffer_;
    Writer writer_;
    size_t next_field_;      // where the type of the next payload belongs
    size_t payload_at_ = 0;  // start of the payload being written
};

}  // namespace fairway::ipsec
