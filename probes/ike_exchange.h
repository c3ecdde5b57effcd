// SPDX-License-Identifier: Apache-2.0
#pragma once
// The IKE probe: IKE_SA_INIT (IKEv2) or the first message of main mode (IKEv1), on the IKE port and, with NAT
// traversal, on the port of the non-ESP marker; both must answer. It authenticates nothing: whoever sees the
// request can forge the answer. It never goes beyond the first answer and never returns a cookie.
//
// What an answer means:
//
//     SA, or any well-formed refusal       pass: something there speaks IKE. Only an SA leaves a half-open SA
//     COOKIE                               pass, busy; nothing that leaves state is sent for 30 s
//     NO_PROPOSAL_CHOSEN to a full offer   pass with a warning, or degraded (mismatch_is_degraded)
//     REDIRECT                             degraded: the gateway sends clients elsewhere
//     ICMP unreachable                     fail at once
//     silence                              fail after three transmissions; so is noise
//
// How to ask without filling the gateway's table of half-open SAs (mode stateless):
//
//     nothing known yet       full offer in the group least likely to be preferred; INVALID_KE_PAYLOAD names
//                             the preferred one and leaves no state. It might be accepted: IkeBudget decides
//     preferred group known   full offer in another group: INVALID_KE_PAYLOAD, no state
//     every group accepted    an unacceptable offer: NO_PROPOSAL_CHOSEN, no state
//     ... and that not even   a full offer when the IkeBudget grants it; in between, the last answer counts
//     answered
//
// Mode full makes the full offer in the preferred group whenever the budget grants it, on the first port
// only, and asks statelessly otherwise. The third transmission always asks the other way, because some
// gateways are silent where others refuse.

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/monitor.h"
#include "probes/exchange.h"
#include "probes/ike_budget.h"
#include "probes/ike_requests.h"

namespace fairway {

/// UDP ports of a monitor, in the order of their index.
[[nodiscard]] std::vector<uint16_t> ike_ports(const Monitor& monitor);

class IkeExchange final : public DatagramExchange {
  public:
    /// All must outlive the exchange; requests and budget are shared with others of the same thread. `ports`
    /// are those of ike_ports().
    IkeExchange(const IkeProbe& settings, const std::vector<uint16_t>& ports, IkeRequests& requests,
                IkeBudget& budget);
    ~IkeExchange() override;

    void on_start(DatagramIo& io) override;
    void on_datagram(ByteSpan datagram, size_t port_index, DatagramIo& io) override;
    void on_unreachable(Unreachable kind, size_t port_index, DatagramIo& io) override;
    [[nodiscard]] std::optional<MonotonicTime> next_timer() const override;
    void on_timer(DatagramIo& io) override;
    [[nodiscard]] ProbeResult on_silence(DatagramIo& io) override;
    void release() noexcept override;

  private:
    /// What attempts taught about the gateway.
    struct Knowledge {
        ipsec::DhGroup preferred = ipsec::DhGroup::none;
        bool any_group = false;              // accepts every group offered: mismatching leaves state
        bool unacceptable_answered = false;  // refuses what it cannot accept
        bool unacceptable_ignored = false;   // is silent instead
        std::array<MonotonicTime, 2> last_answer{};
    };
    struct Plan;
    struct Sent;
    struct Answer;
    struct Lane;
    struct Running;

    [[nodiscard]] Plan plan(size_t index, MonotonicTime now);
    [[nodiscard]] Plan other_plan(const Sent& sent, MonotonicTime now);
    [[nodiscard]] ipsec::DhGroup mismatched_group() const noexcept;
    [[nodiscard]] ipsec::DhGroup accepted_group() const noexcept;
    [[nodiscard]] bool heard_lately(size_t index, MonotonicTime now) const noexcept;
    [[nodiscard]] bool reserve(MonotonicTime now);
    void settle(IkeBudget::Left left, MonotonicTime now) noexcept;
    void carry_out(size_t index, const Plan& plan, DatagramIo& io);
    void transmit(size_t index, Sent& sent, DatagramIo& io);
    [[nodiscard]] bool take_answer(ByteSpan message, DatagramIo& io);
    [[nodiscard]] Answer read(const Sent& sent, ByteSpan message) const;
    void learn(size_t index, const Sent& sent, const Answer& answer, MonotonicTime now);
    void finish_if_complete(DatagramIo& io);
    [[nodiscard]] ProbeResult verdict() const;
    [[nodiscard]] bool silence_proves_nothing(MonotonicTime now);
    [[nodiscard]] ProbeResult silence() const;
    [[nodiscard]] std::string_view question() const noexcept;

    const IkeProbe& settings_;
    const std::vector<uint16_t>& ports_;
    IkeRequests& requests_;
    IkeBudget& budget_;
    IpAddress gateway_;
    Knowledge knowledge_;
    std::unique_ptr<Running> running_;
};

}  // namespace fairway
