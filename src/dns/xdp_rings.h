// SPDX-License-Identifier: Apache-2.0
#pragma once
// The four rings of an AF_XDP queue and the frames that go round in them. Works on memory alone: who maps the
// rings and wakes the kernel is xdp_socket.h, so that a test can be the kernel.
//
//     free -> fill ring -> (kernel receives) -> receive ring -> answered in place -> transmit ring
//       ^                                            |                                    |
//       |                                            | not answered                       v
//       +--------------------------------------------+------ completion ring <- (kernel sends)
//
// A frame is at one of these places at any time. An answer is written over its question, so a question that
// could be received can be answered without a second frame.

#include <xdp/xsk.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dns/answer.h"
#include "dns/server_counters.h"
#include "dns/udp_gate.h"
#include "dns/xdp_counters.h"
#include "dns/xdp_frame.h"

namespace fairway::dns {

class XdpRings {
  public:
    static constexpr uint32_t frame_size = 2048;
    static constexpr uint32_t batch = 64;
    static_assert(batch <= Answerer::max_expected);

    /// `area` is the frames' memory, a whole number of frames, all of them free; it must outlive the rings.
    explicit XdpRings(std::span<uint8_t> area);
    XdpRings(const XdpRings&) = delete;
    XdpRings& operator=(const XdpRings&) = delete;

    // As libxdp fills them in; their addresses must not change.
    xsk_ring_prod fill{};
    xsk_ring_cons completion{};
    xsk_ring_cons receive{};
    xsk_ring_prod transmit{};

    /// Octets that a frame to be sent may have; the interface's MTU and the Ethernet header.
    void set_longest_reply(size_t size) noexcept { longest_reply_ = size; }

    /// Takes back what was sent and offers free frames for receiving.
    void recycle() noexcept;

    struct Served {
        uint32_t received = 0;  // fewer than `batch`: the receive ring was empty
        uint32_t queued = 0;    // for sending
    };
    /// Answers one batch. recycle() included.
    [[nodiscard]] Served serve(const Serving& serving, Answerer& answerer, WorkerCounters& counters,
                               XdpCounters& xdp, uint32_t unix_seconds) noexcept;

    /// Queued replies that the kernel has not taken yet.
    [[nodiscard]] uint32_t unsent() const noexcept;
    /// Frames that neither the kernel nor a ring has.
    [[nodiscard]] size_t free_frames() const noexcept { return free_.size(); }

  private:
    /// Back among the free ones.
    void put_back(uint64_t address) noexcept;

    std::span<uint8_t> area_;
    std::vector<uint64_t> free_;  // addresses of frames; never grows beyond what it reserved
    size_t longest_reply_ = frame_size;
    uint16_t identification_ = 0;
    std::vector<uint8_t> reply_;
    // Of one batch: what is answered, in the order in which it came.
    std::array<uint64_t, batch> addresses_{};
    std::array<QuestionFrame, batch> questions_{};
    std::array<Request, batch> requests_{};
    UdpGate gate_;
};

}  // namespace fairway::dns
