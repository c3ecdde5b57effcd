// SPDX-License-Identifier: Apache-2.0
#pragma once
// What two fairwayd say to each other while one takes over from the other, without I/O. Both run on one
// machine, often in different versions: what is said is JSON, of which unknown members are ignored, in a
// frame that does not change.
//
//     new                                          old
//     hello: I want to take over          ->       stops writing its store, goes on with everything else
//                                         <-       offer: all listening sockets
//     prepared: I am configured           ->
//                                         <-       state: health, cookie secrets
//     serving: I answer on the sockets    ->
//                                         <-       released: from here on it is yours
//                                         <-       connections: those that you can go on with
//
// Until `released` has been sent the old one is in charge: when the new one fails, says so (`failed`), or
// takes too long, the old one goes on as if nothing had happened, and says `refused` to whoever still
// listens.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "net/inherited_sockets.h"

namespace fairway::handover {

enum class MessageType : uint8_t {
    hello = 1,
    offer = 2,
    prepared = 3,
    state = 4,
    serving = 5,
    released = 6,
    connections = 7,
    refused = 8,  // by the old one, with the reason
    failed = 9    // by the new one, with the reason
};

[[nodiscard]] std::string_view to_string(MessageType type) noexcept;

/// A message travels as one or more frames, each of which is a header and the descriptors that came with its
/// octets; the body is in a sealed memory file, the first descriptor of the first frame.
///
///     0       4         5      6       7          8             12
///     "FWHO"  version   type   flags   reserved   descriptors
struct FrameHeader {
    static constexpr size_t size = 12;
    static constexpr uint8_t version = 1;
    static constexpr uint32_t max_descriptors = 200;  // of a frame; the kernel takes 253

    MessageType type = MessageType::hello;
    bool more = false;      // frames of the same message follow
    bool has_body = false;  // first frame only
    uint32_t descriptors = 0;

    friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

[[nodiscard]] std::array<uint8_t, FrameHeader::size> encode(const FrameHeader& header) noexcept;
[[nodiscard]] Result<FrameHeader> parse_frame_header(ByteSpan bytes);

/// A body may not be longer than this, nor a message bring more descriptors.
inline constexpr size_t max_body = size_t{256} << 20;
inline constexpr size_t max_descriptors = 20'000;

struct Hello {
    int64_t pid = 0;
    std::string program;  // "fairwayd 0.1.0"
};

struct OfferedTo {  // the offer, on the side of who gets it
    int64_t pid = 0;
    std::string program;
    net::InheritedSockets sockets;
    UniqueFd lock;  // of the state folder
};

/// An established connection that goes on.
struct Connection {
    std::string owner;      // "dns", "pdns"
    std::string connector;  // the owner's own distinction; may be empty
    std::string unread;     // octets that came and were not answered
    UniqueFd fd;
};

/// Bodies. Descriptors travel beside them, in the order in which the body lists what they are.
[[nodiscard]] std::string hello_body(const Hello& hello);
[[nodiscard]] Result<Hello> parse_hello(std::string_view body);
[[nodiscard]] std::string offer_body(const Hello& self, const std::vector<net::OfferedSocket>& sockets,
                                     bool with_lock);
/// `fds` are the sockets in the order of the body, then the lock if there is one.
[[nodiscard]] Result<OfferedTo> parse_offer(std::string_view body, std::vector<UniqueFd> fds);
[[nodiscard]] std::string connections_body(const std::vector<Connection>& connections);
[[nodiscard]] Result<std::vector<Connection>> parse_connections(std::string_view body,
                                                                std::vector<UniqueFd> fds);

/// What makes the new process answer as the old one does, beside what the store holds.
struct State {
    std::string health;                           // to_text() of a HealthMemory
    bool ready = false;                           // the old one answers DNS
    std::string cookie_current, cookie_previous;  // octets; previous may be empty
    uint64_t cookie_age = 0;                      // seconds since current became that
    uint64_t takeovers = 0;                       // how often a process has taken over without a restart
    int64_t since = 0;  // when the first of these processes started, seconds since 1970
};
[[nodiscard]] std::string state_body(const State& state);
[[nodiscard]] Result<State> parse_state(std::string_view body);

/// A sentence for `refused` and `failed`.
[[nodiscard]] std::string reason_body(std::string_view reason);
[[nodiscard]] std::string parse_reason(std::string_view body);

}  // namespace fairway::handover
