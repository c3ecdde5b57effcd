// SPDX-License-Identifier: Apache-2.0
#pragma once
// Answers UDP in batches: one system call receives many questions, one sends their answers.

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "dns/answer.h"
#include "dns/server_counters.h"
#include "dns/udp_gate.h"

namespace fairway::dns {

class UdpBatch {
  public:
    static constexpr size_t max_messages = 32;

    UdpBatch();
    ~UdpBatch();
    UdpBatch(const UdpBatch&) = delete;
    UdpBatch& operator=(const UdpBatch&) = delete;

    /// Receives what is there, at most max_messages, answers and sends. Returns how many were received: fewer
    /// than max_messages means that the socket was empty. Errors of single packets are counted and skipped.
    size_t serve(int fd, const Serving& serving, Answerer& answerer, WorkerCounters& counters,
                 uint32_t unix_seconds);

  private:
    struct Buffers;
    void make_ready(size_t i) noexcept;

    std::unique_ptr<Buffers> buffers_;
    UdpGate gate_;
};

}  // namespace fairway::dns
