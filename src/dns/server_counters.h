// SPDX-License-Identifier: Apache-2.0
#pragma once
// What one worker counts. Only the worker writes, with plain loads and stores; anybody may read at any time.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "dns/answer.h"
#include "dns/server.h"
#include "model/model.h"

namespace fairway::dns {

class Counter {
  public:
    void add(uint64_t count = 1) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
    }
    void subtract(uint64_t count) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) - count, std::memory_order_relaxed);
    }
    [[nodiscard]] uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<uint64_t> value_{0};
};

/// Aligned so that two workers never write to one cache line.
class alignas(128) WorkerCounters {
  public:
    /// Worker's thread, once per batch: answers from here on are of this model. Cheap while it stays the
    /// same.
    void use_model(const std::shared_ptr<const Model>& model);
    /// Worker's thread, after every answer (or drop).
    void count(Transport transport, const Outcome& outcome) noexcept;
    /// Any thread: adds to `stats`.
    void add_to(ServerStats& stats);

    Counter dropped;
    Counter send_failures;
    Counter limited_dropped;
    Counter limited_truncated;
    Counter connections_accepted;
    Counter connections_closed_idle;
    Counter connections_closed_for_room;
    Counter connections_open;
    Counter tls_connections_open;
    Counter tls_handshakes;
    Counter tls_resumptions;
    Counter tls_failures;

  private:
    // Answers by the ids of one model. After a reload the numbers go on in a new one; they are added up by
    // name.
    struct Steered {
        std::shared_ptr<const Model> model;
        std::vector<Counter> services;
        std::vector<Counter> endpoints;
    };
    static void add_names(const Steered& steered, ServerStats& stats);

    Counter udp_queries_;
    Counter tcp_queries_;
    Counter tls_queries_;
    Counter with_edns_;
    Counter with_ecs_;
    Counter truncated_;
    Counter last_resort_;
    std::array<Counter, 24> rcodes_;
    Steered* steered_ = nullptr;  // the last of all_, for the worker

    // Held by the worker only while it changes the model, and by readers only while they copy pointers.
    std::mutex mutex_;
    std::vector<std::shared_ptr<Steered>> all_;
    ServerStats folded_;  // names of models that are gone
};

}  // namespace fairway::dns
