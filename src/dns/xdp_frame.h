// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ethernet frames with a DNS question over UDP, read and turned into the frame of their answer. Bytes in,
// bytes out; knows neither rings nor interfaces. Only what the XDP program lets through is understood:
//
//     Ethernet II | IPv4 without options and fragments | UDP | DNS
//     Ethernet II | IPv6 without extension headers     | UDP | DNS
//
// Tagged frames, options, fragments and everything else are the kernel's, which answers them by the sockets.

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/ip.h"

namespace fairway::dns {

/// What a reply needs to know of the question's frame. Points into it.
struct QuestionFrame {
    ByteSpan message;
    SocketAddress source;
    SocketAddress destination;
    size_t headers = 0;  // octets before the message
};

/// The question in a frame, or nothing when it is malformed, damaged or could not be answered (no source
/// port, a source address that is nobody's).
///
/// Checksums: that of IPv4's header must be right. That of UDP must be right too, or be absent (IPv4), or be
/// the sum of the pseudo header alone: a sender on this machine leaves the rest to the network card, and its
/// frames come over a veth pair as they left.
[[nodiscard]] std::optional<QuestionFrame> read_question_frame(ByteSpan frame) noexcept;

/// Turns the frame of `question`, which begins at `room`, into that of its answer: addresses and ports
/// change places, `reply` is copied over the message. Returns the frame's length, or 0 when `room` is too
/// small. `identification` is IPv4's, and should differ between answers (RFC 6864).
[[nodiscard]] size_t write_reply_frame(std::span<uint8_t> room, const QuestionFrame& question, ByteSpan reply,
                                       uint16_t identification) noexcept;

}  // namespace fairway::dns
