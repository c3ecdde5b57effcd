// SPDX-License-Identifier: Apache-2.0
#pragma once
// An IKE probe and a gateway in one process, in virtual time, with a network between them that loses, repeats
// and reorders datagrams from a seed.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "ipsec/nat.h"
#include "ipsec/responder.h"
#include "ipsec/v1_responder.h"
#include "probes/ike_exchange.h"
#include "support/seeded_entropy.h"

namespace fairway {

/// Datagrams in flight to and from the gateway's ports, known by their index.
struct IkeNetwork {
    double loss = 0;
    double repeat = 0;
    nanoseconds latency = microseconds{300};
    nanoseconds jitter{0};
};

class IkeWorld {
  public:
    explicit IkeWorld(uint64_t seed = 1, ipsec::ResponderSettings gateway = {})
        : random_(seed),
          probe_entropy_(seed * 3 + 1),
          gateway_entropy_(seed * 5 + 2),
          responder(std::move(gateway), gateway_entropy_),
          v1_responder(gateway_entropy_) {}

    static inline const IpAddress gateway_address = IpAddress::v4(0x7f000105);
    static inline const SocketAddress prober{IpAddress::v4(0x7f000001), 40'000};

    MonotonicTime now{std::chrono::hours(1)};
    IkeNetwork network;
    IkeBudget budget;

  private:
    Random random_;
    test::SeededEntropy probe_entropy_;
    test::SeededEntropy gateway_entropy_;

  public:
    ipsec::Ikev2Responder responder;
    ipsec::V1Responder v1_responder;
    /// Instead of the responders: what the gateway answers to a message on a port, by index.
    std::function<std::vector<uint8_t>(ByteSpan, size_t)> instead;
    /// By port index: nothing listens.
    std::map<size_t, Unreachable> unreachable;
    /// By port index: datagrams vanish.
    std::map<size_t, bool> silent;
    /// Answers to this port come from another one, framed as that one is.
    std::map<size_t, size_t> answers_from;
    /// How many datagrams the gateway got, by port index.
    std::map<size_t, size_t> received;
    std::vector<std::string> steps;

    /// A check: its exchange and what that needs. Attempts are made with attempt().
    struct Check {
        Check(IkeWorld& world, IkeProbe probe, uint16_t port)
            : settings(probe),
              ports([&] {
                  Monitor monitor;
                  monitor.port = port;
                  monitor.probe = probe;
                  return ike_ports(monitor);
              }()),
              requests(settings, world.probe_entropy_),
              exchange(settings, ports, requests, world.budget) {}

        IkeProbe settings;
        std::vector<uint16_t> ports;
        IkeRequests requests;
        IkeExchange exchange;
    };

    /// Runs one attempt to its end and returns its result.
    ProbeResult attempt(Check& check, nanoseconds timeout = milliseconds{800},
                        IpAddress address = gateway_address) {
        Io io(*this, check, timeout, address);
        return io.run();
    }

    [[nodiscard]] size_t half_open() {
        responder.expire(now);
        return responder.stats().half_open;
    }

  private:
    class Io final : public DatagramIo {
      public:
        Io(IkeWorld& world, Check& check, nanoseconds timeout, const IpAddress& address)
            : world_(world), check_(check) {
            attempt_.peer = {address, check.ports[0]};
            attempt_.timeout = timeout;
            attempt_.started = world.now;
            attempt_.deadline = world.now + timeout;
            attempt_.nonce = world.random_.next();
        }

        ProbeResult run() {
            check_.exchange.on_start(*this);
            while (!result_) {
                const auto timer = check_.exchange.next_timer();
                MonotonicTime next = attempt_.deadline;
                if (timer && *timer < next) next = *timer;
                const bool datagram = !flying_.empty() && flying_.begin()->first < next;
                if (datagram) {
                    const auto [when, packet] = *flying_.begin();
                    flying_.erase(flying_.begin());
                    world_.now = when;
                    deliver(packet);
                } else {
                    world_.now = next;
                    if (next == attempt_.deadline) {
                        finish(check_.exchange.on_silence(*this));
                    } else {
                        check_.exchange.on_timer(*this);
                    }
                }
            }
            check_.exchange.release();
            return *result_;
        }

        [[nodiscard]] const Attempt& attempt() const noexcept override { return attempt_; }
        [[nodiscard]] MonotonicTime now() const noexcept override { return world_.now; }
        [[nodiscard]] WallTime wall_now() const noexcept override { return {}; }
        void finish(ProbeResult result) override {
            // Twice would be a defect of the exchange.
            if (result_) throw std::logic_error("finished twice");
            result_ = std::move(result);
        }
        [[nodiscard]] bool tracing() const noexcept override { return true; }
        void step(std::string_view what) override { world_.steps.emplace_back(what); }
        void send(size_t port_index, ByteSpan datagram) override {
            fly({Packet::to_gateway, port_index, {datagram.begin(), datagram.end()}, {}});
        }

      private:
        struct Packet {
            enum Kind { to_gateway, to_prober, icmp } kind;
            size_t port_index;
            std::vector<uint8_t> bytes;
            Unreachable unreachable;
        };

        void fly(const Packet& packet) {
            const IkeNetwork& network = world_.network;
            if (world_.random_.fraction() < network.loss) return;
            const int copies = world_.random_.fraction() < network.repeat ? 2 : 1;
            for (int i = 0; i < copies; ++i) {
                const auto extra = static_cast<int64_t>(world_.random_.fraction() *
                                                        static_cast<double>(network.jitter.count()));
                flying_.emplace(world_.now + network.latency + nanoseconds{extra}, packet);
            }
        }

        ipsec::Framing framing(size_t port_index) const {
            return port_index == 0 ? ipsec::framing_of_port(check_.ports[0]) : ipsec::Framing::marked;
        }

        void deliver(const Packet& packet) {
            switch (packet.kind) {
                case Packet::to_prober:
                    check_.exchange.on_datagram(packet.bytes, packet.port_index, *this);
                    return;
                case Packet::icmp:
                    check_.exchange.on_unreachable(packet.unreachable, packet.port_index, *this);
                    return;
                case Packet::to_gateway:
                    arrive(packet);
            }
        }

        void arrive(const Packet& packet) {
            const size_t index = packet.port_index;
            ++world_.received[index];
            if (world_.silent.count(index) != 0) return;
            if (const auto refused = world_.unreachable.find(index); refused != world_.unreachable.end()) {
                fly({Packet::icmp, index, {}, refused->second});
                return;
            }
            const auto message = ipsec::unframe(framing(index), packet.bytes);
            if (!message) return;
            const ipsec::Path path{{gateway_address, check_.ports[index]}, prober};
            std::vector<uint8_t> answer;
            if (world_.instead) {
                answer = world_.instead(*message, index);
            } else {
                const bool v1 = message->size() > 17 && (*message)[17] >> 4 == 1;
                const ByteSpan bytes = v1 ? world_.v1_responder.on_message(*message, path)
                                          : world_.responder.on_message(*message, path, world_.now);
                answer.assign(bytes.begin(), bytes.end());
            }
            if (answer.empty()) return;
            const auto moved = world_.answers_from.find(index);
            const size_t from = moved == world_.answers_from.end() ? index : moved->second;
            if (framing(from) == ipsec::Framing::marked) answer.insert(answer.begin(), 4, 0);
            fly({Packet::to_prober, from, std::move(answer), {}});
        }

        IkeWorld& world_;
        Check& check_;
        Attempt attempt_;
        std::multimap<MonotonicTime, Packet> flying_;
        std::optional<ProbeResult> result_;
    };
};

}  // namespace fairway
