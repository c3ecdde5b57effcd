// SPDX-License-Identifier: Apache-2.0
#pragma once
// One AF_XDP socket: a receive queue of an interface with its memory and rings, and the system calls around
// them. Made and destroyed by the control thread, served by one worker in between.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "dns/xdp_rings.h"

namespace fairway::dns {

class XdpSocket {
  public:
    enum class Copying : uint8_t { as_the_driver_can, always };

    /// Binds to `queue` of `interface`; nothing arrives before an XdpProgram sends it here. `longest_reply`:
    /// see XdpRings. The error names what is missing.
    [[nodiscard]] static Result<std::unique_ptr<XdpSocket>> open(const std::string& interface, uint32_t queue,
                                                                 size_t longest_reply, Copying copying);
    ~XdpSocket();
    XdpSocket(const XdpSocket&) = delete;
    XdpSocket& operator=(const XdpSocket&) = delete;

    [[nodiscard]] int fd() const noexcept;
    /// Whether the driver reads and writes the frames where they are.
    [[nodiscard]] bool is_zero_copy() const noexcept { return zero_copy_; }

    // The worker's

    /// Answers one batch and wakes the kernel for what is to be sent. Returns how many frames were received.
    size_t serve(const Serving& serving, Answerer& answerer, WorkerCounters& counters, XdpCounters& xdp,
                 uint32_t unix_seconds) noexcept;
    /// Replies wait for the kernel to have room; call serve() again soon, even without new questions.
    [[nodiscard]] bool has_unsent() const noexcept { return rings_.unsent() > 0; }
    /// The worker has seen that the queue is gone (its interface vanished).
    void set_failed() noexcept { failed_.store(true, std::memory_order_relaxed); }

    // Any thread's

    [[nodiscard]] bool failed() const noexcept { return failed_.load(std::memory_order_relaxed); }
    /// Questions that the kernel could not deliver, because the worker was behind.
    [[nodiscard]] uint64_t lost() const noexcept;

  private:
    struct Unmap {
        size_t size = 0;
        void operator()(uint8_t* memory) const noexcept;
    };
    struct DeleteUmem {
        void operator()(xsk_umem* umem) const noexcept { xsk_umem__delete(umem); }
    };
    struct DeleteSocket {
        void operator()(xsk_socket* socket) const noexcept { xsk_socket__delete(socket); }
    };
    using Memory = std::unique_ptr<uint8_t, Unmap>;

    XdpSocket(Memory memory, size_t size) : memory_(std::move(memory)), rings_({memory_.get(), size}) {}
    void send() noexcept;

    // Destroyed from the last: the socket, then the memory's registration, then the memory.
    Memory memory_;
    XdpRings rings_;
    std::unique_ptr<xsk_umem, DeleteUmem> umem_;
    std::unique_ptr<xsk_socket, DeleteSocket> socket_;
    bool zero_copy_ = false;
    std::atomic<bool> failed_{false};
};

}  // namespace fairway::dns
