// SPDX-License-Identifier: Apache-2.0
#include "probes/ike_exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ipsec/nat.h"

namespace fairway {

using ipsec::DhGroup;
using ipsec::Framing;

namespace {

constexpr size_t max_lanes = 2;
constexpr unsigned last_round = 2;  // three transmissions

double milliseconds_of(microseconds time) {
    return static_cast<double>(time.count()) / 1000.0;
}

}  // namespace

/// How a lane will be asked; `coast`: not at all, its last answer is recent enough.
struct IkeExchange::Plan {
    IkeAsk ask = IkeAsk::unacceptable;
    DhGroup group = DhGroup::x25519;
    enum class Action : uint8_t { send, coast } action = Action::send;
};

/// A request that was sent; repeated, it is the same to the byte.
struct IkeExchange::Sent {
    IkeAsk ask = IkeAsk::unacceptable;
    DhGroup group = DhGroup::none;
    bool reserved = false;  // for it the budget is held
    unsigned times = 0;
    uint64_t spi = 0;
    IkeRequests::Nonce nonce{};
    MonotonicTime at{};  // last transmission
};

struct IkeExchange::Answer {
    enum class Kind : uint8_t {
        none,
        accepted,
        cookie,
        invalid_ke,
        no_proposal,
        redirected,
        other
    } kind = Kind::none;
    DhGroup group = DhGroup::none;  // invalid_ke: the one wanted
    std::string text;               // other: its name; redirected: where to; none: what is wrong with it
};

/// One remote port in one attempt.
struct IkeExchange::Lane {
    std::array<Sent, 2> sent;
    size_t asks = 0;
    bool coasting = false;
    bool noise = false;  // something came that is no answer
    std::string defect;  // of an answer that cannot be
    Answer answer;
    IkeAsk answered_to = IkeAsk::unacceptable;
    microseconds took{0};

    [[nodiscard]] bool done() const noexcept { return coasting || answer.kind != Answer::Kind::none; }
};

struct IkeExchange::Running {
    std::array<Lane, max_lanes> lanes;
    unsigned round = 0;
    std::optional<MonotonicTime> next;
    bool holds_budget = false;
    MonotonicTime last_sent{};
};

std::vector<uint16_t> ike_ports(const Monitor& monitor) {
    const auto& settings = std::get<IkeProbe>(monitor.probe);
    std::vector<uint16_t> ports{monitor.port};
    if (settings.nat_traversal && settings.nat_port != monitor.port) ports.push_back(settings.nat_port);
    return ports;
}

IkeExchange::IkeExchange(const IkeProbe& settings, const std::vector<uint16_t>& ports, IkeRequests& requests,
                         IkeBudget& budget)
    : settings_(settings), ports_(ports), requests_(requests), budget_(budget) {}

IkeExchange::~IkeExchange() {
    release();
}

std::string_view IkeExchange::question() const noexcept {
    return settings_.version == 1 ? "main mode" : "IKE_SA_INIT";
}

DhGroup IkeExchange::mismatched_group() const noexcept {
    // Gateways rarely prefer P-521: before anything is known it is the best guess at a mismatch.
    return knowledge_.preferred == DhGroup::p521 ? DhGroup::p384 : DhGroup::p521;
}

DhGroup IkeExchange::accepted_group() const noexcept {
    return requests_.offers(knowledge_.preferred) ? knowledge_.preferred : DhGroup::x25519;
}

bool IkeExchange::reserve(MonotonicTime now) {
    if (running_->holds_budget || !budget_.take(gateway_, now)) return false;
    running_->holds_budget = true;
    return true;
}

void IkeExchange::settle(IkeBudget::Left left, MonotonicTime now) noexcept {
    if (!running_->holds_budget) return;
    running_->holds_budget = false;
    budget_.settle(gateway_, left, now);
}

bool IkeExchange::heard_lately(size_t index, MonotonicTime now) const noexcept {
    const MonotonicTime heard = knowledge_.last_answer[index];
    return heard != MonotonicTime{} && now - heard <= IkeBudget::window;
}

IkeExchange::Plan IkeExchange::plan(size_t index, MonotonicTime now) {
    const bool may_mismatch = settings_.version != 1 && !knowledge_.any_group;
    if (settings_.mode == IkeMode::full && index == 0 && reserve(now))
        return {IkeAsk::full, accepted_group()};
    if (may_mismatch && knowledge_.preferred != DhGroup::none)
        return {IkeAsk::mismatched, mismatched_group()};
    if (may_mismatch && index == 0 && reserve(now)) return {IkeAsk::mismatched, mismatched_group()};
    if (!knowledge_.unacceptable_ignored) return {};
    if (reserve(now)) return {IkeAsk::full, accepted_group()};
    // Nothing harmless would be answered, and the budget is spent: what was heard last has to do until then.
    if (heard_lately(index, now)) return {IkeAsk::unacceptable, DhGroup::x25519, Plan::Action::coast};
    return {};
}

IkeExchange::Plan IkeExchange::other_plan(const Sent& sent, MonotonicTime now) {
    if (sent.ask != IkeAsk::unacceptable) return {};
    if (settings_.version != 1 && !knowledge_.any_group && knowledge_.preferred != DhGroup::none) {
        return {IkeAsk::mismatched, mismatched_group()};
    }
    if (reserve(now)) return {IkeAsk::full, accepted_group()};
    return {};
}

void IkeExchange::carry_out(size_t index, const Plan& plan, DatagramIo& io) {
    Lane& lane = running_->lanes[index];
    if (plan.action == Plan::Action::coast) {
        lane.coasting = true;
        return;
    }
    if (lane.asks > 0 && lane.sent[lane.asks - 1].ask == plan.ask) {
        transmit(index, lane.sent[lane.asks - 1], io);
        return;
    }
    Sent& sent = lane.sent[lane.asks++];
    sent.ask = plan.ask;
    sent.group = plan.group;
    sent.spi = requests_.entropy().spi();
    requests_.entropy().fill(sent.nonce);
    // Only full offers of this lane can have made the reservation: others never ask for one.
    const bool may_leave_state =
        plan.ask == IkeAsk::full || (plan.ask == IkeAsk::mismatched && knowledge_.preferred == DhGroup::none);
    sent.reserved = may_leave_state && running_->holds_budget;
    transmit(index, sent, io);
}

void IkeExchange::transmit(size_t index, Sent& sent, DatagramIo& io) {
    const Framing framing = index == 0 ? ipsec::framing_of_port(ports_[0]) : Framing::marked;
    sent.at = io.now();
    ++sent.times;
    running_->last_sent = sent.at;
    io.send(index, settings_.version == 1
                       ? requests_.render_v1(sent.ask, sent.spi, framing)
                       : requests_.render(sent.ask, sent.group, sent.spi, sent.nonce, framing));
    if (io.tracing()) {
        constexpr std::string_view offers[] = {"full offer, mismatched group", "unacceptable offer",
                                               "full offer"};
        io.step(fmt::format("{} to port {}: {}", question(), ports_[index],
                            offers[static_cast<size_t>(sent.ask)]));
    }
}

void IkeExchange::on_start(DatagramIo& io) {
    const Attempt& attempt = io.attempt();
    if (gateway_ != attempt.peer.address) {
        gateway_ = attempt.peer.address;
        knowledge_ = {};
    }
    running_ = std::make_unique<Running>();
    for (size_t i = 0; i < ports_.size(); ++i) carry_out(i, plan(i, io.now()), io);
    // First after a quarter, then after five eighths of the timeout, each up to a tenth earlier.
    running_->next = io.now() + attempt.timeout / 4 - attempt.timeout / 40 * (attempt.nonce % 16) / 16;
    finish_if_complete(io);
}

std::optional<MonotonicTime> IkeExchange::next_timer() const {
    return running_ == nullptr ? std::nullopt : running_->next;
}

void IkeExchange::on_timer(DatagramIo& io) {
    ++running_->round;
    for (size_t i = 0; i < ports_.size(); ++i) {
        Lane& lane = running_->lanes[i];
        if (lane.done()) continue;
        Sent& latest = lane.sent[lane.asks - 1];
        if (running_->round < last_round) {
            transmit(i, latest, io);
        } else if (lane.asks < lane.sent.size()) {
            carry_out(i, other_plan(latest, io.now()), io);
        }
    }
    running_->next.reset();
    if (running_->round < last_round) {
        const Attempt& attempt = io.attempt();
        running_->next =
            io.now() + attempt.timeout * 3 / 8 - attempt.timeout / 40 * (attempt.nonce / 16 % 16) / 16;
    }
}

void IkeExchange::on_datagram(ByteSpan datagram, size_t port_index, DatagramIo& io) {
    // Some gateways answer from port 500 what they were asked on 4500, so the framing is not certain either:
    // our SPI decides.
    const Framing expected = port_index == 0 ? ipsec::framing_of_port(ports_[0]) : Framing::marked;
    const Framing other = expected == Framing::marked ? Framing::plain : Framing::marked;
    for (const Framing framing : {expected, other}) {
        const auto message = ipsec::unframe(framing, datagram);
        if (message && take_answer(*message, io)) return;
    }
    if (port_index < ports_.size()) running_->lanes[port_index].noise = true;
}

bool IkeExchange::take_answer(ByteSpan message, DatagramIo& io) {
    const uint64_t spi = Reader(message).u64();
    for (size_t i = 0; i < ports_.size(); ++i) {
        Lane& lane = running_->lanes[i];
        for (size_t j = 0; j < lane.asks; ++j) {
            const Sent& sent = lane.sent[j];
            if (sent.spi != spi) continue;
            if (lane.done()) return true;  // a late duplicate
            Answer answer = read(sent, message);
            if (answer.kind == Answer::Kind::none) {
                lane.defect = std::move(answer.text);
                return true;
            }
            const MonotonicTime now = io.now();
            lane.took = std::chrono::duration_cast<microseconds>(now - sent.at);
            lane.answered_to = sent.ask;
            learn(i, sent, answer, now);
            lane.answer = std::move(answer);
            finish_if_complete(io);
            return true;
        }
    }
    return false;
}

IkeExchange::Answer IkeExchange::read(const Sent& sent, ByteSpan message) const {
    using Kind = Answer::Kind;
    if (settings_.version == 1) {
        const ipsec::V1Answer answer = ipsec::read_v1_answer(message, sent.spi, requests_.v1_offer(sent.ask));
        switch (answer.kind) {
            case ipsec::V1AnswerKind::unrelated:
                return {Kind::none, DhGroup::none, "not an answer to main mode"};
            case ipsec::V1AnswerKind::malformed:
                return {Kind::none, DhGroup::none, answer.defect};
            case ipsec::V1AnswerKind::accepted:
                return {Kind::accepted, DhGroup::none, {}};
            case ipsec::V1AnswerKind::no_proposal:
                return {Kind::no_proposal, DhGroup::none, {}};
            case ipsec::V1AnswerKind::error:
                break;
        }
        return {Kind::other, DhGroup::none, fmt::format("v1 notify {}", answer.notify)};
    }
    ipsec::InitAnswer answer =
        ipsec::read_init_answer(message, sent.spi, requests_.offer(sent.ask), sent.group);
    switch (answer.kind) {
        case ipsec::InitAnswerKind::unrelated:
            return {Kind::none, DhGroup::none, "not an answer to IKE_SA_INIT"};
        case ipsec::InitAnswerKind::malformed:
            return {Kind::none, DhGroup::none, answer.defect};
        case ipsec::InitAnswerKind::accepted:
            return {Kind::accepted, answer.group, {}};
        case ipsec::InitAnswerKind::cookie:
            return {Kind::cookie, DhGroup::none, {}};
        case ipsec::InitAnswerKind::invalid_ke:
            // A gateway that wants what it was given answers something else: this is an echo of another time.
            if (answer.group == sent.group) {
                return {Kind::none, DhGroup::none, "INVALID_KE_PAYLOAD names the group that was used"};
            }
            return {Kind::invalid_ke, answer.group, {}};
        case ipsec::InitAnswerKind::redirected:
            return {Kind::redirected, DhGroup::none, printable(answer.redirect_target)};
        case ipsec::InitAnswerKind::error:
            break;
    }
    if (answer.notify == ipsec::NotifyType::no_proposal_chosen) return {Kind::no_proposal, DhGroup::none, {}};
    return {Kind::other, DhGroup::none, ipsec::to_string(answer.notify)};
}

void IkeExchange::learn(size_t index, const Sent& sent, const Answer& answer, MonotonicTime now) {
    using Kind = Answer::Kind;
    const bool left_state = answer.kind == Kind::accepted;
    const Lane& lane = running_->lanes[index];
    // An earlier request of this lane may have been accepted without our hearing of it.
    const bool held_here =
        std::any_of(lane.sent.begin(), lane.sent.end(), [](const Sent& s) { return s.reserved; });
    if (held_here) {
        settle(left_state || !sent.reserved ? IkeBudget::Left::half_open : IkeBudget::Left::nothing, now);
    } else if (left_state) {
        budget_.record(gateway_, now);
    }
    knowledge_.last_answer[index] = now;
    if (answer.kind == Kind::cookie) {
        budget_.back_off(gateway_, now);
        return;
    }
    if (sent.ask == IkeAsk::unacceptable) {
        knowledge_.unacceptable_answered = true;
        knowledge_.unacceptable_ignored = false;
        return;
    }
    if (answer.kind == Kind::invalid_ke) {
        knowledge_.preferred = answer.group;
        knowledge_.any_group = false;
    } else if (left_state) {
        const bool preferred_another =
            knowledge_.preferred != DhGroup::none && knowledge_.preferred != answer.group;
        if (sent.ask == IkeAsk::mismatched && preferred_another) {
            knowledge_.any_group = true;
        } else {
            knowledge_.preferred = answer.group;
        }
    }
    const Sent& first = running_->lanes[index].sent[0];
    if (first.ask == IkeAsk::unacceptable && !knowledge_.unacceptable_answered) {
        knowledge_.unacceptable_ignored = true;
    }
}

void IkeExchange::on_unreachable(Unreachable kind, size_t port_index, DatagramIo& io) {
    if (port_index >= ports_.size()) return;
    Lane& lane = running_->lanes[port_index];
    if (lane.done()) return;
    // Nobody received it, so nothing was left.
    if (std::any_of(lane.sent.begin(), lane.sent.end(), [](const Sent& s) { return s.reserved; })) {
        settle(IkeBudget::Left::nothing, io.now());
    }
    std::string reason = fmt::format("{} on {}", to_string(kind), ports_[port_index]);
    for (size_t i = 0; i < ports_.size(); ++i) {
        if (running_->lanes[i].done()) reason += fmt::format(", answers on {}", ports_[i]);
    }
    ProbeResult result =
        failed(kind == Unreachable::port ? ProbeLayer::transport : ProbeLayer::network, std::move(reason));
    result.explicit_refusal = true;
    io.finish(std::move(result));
}

void IkeExchange::finish_if_complete(DatagramIo& io) {
    const auto end = running_->lanes.begin() + static_cast<ptrdiff_t>(ports_.size());
    if (std::all_of(running_->lanes.begin(), end, [](const Lane& lane) { return lane.done(); })) {
        running_->next.reset();
        io.finish(verdict());
    }
}

ProbeResult IkeExchange::verdict() const {
    using Kind = Answer::Kind;
    ProbeResult result = passed();
    std::string detail;
    std::string before;
    for (size_t i = 0; i < ports_.size(); ++i) {
        const Lane& lane = running_->lanes[i];
        std::string text;
        switch (lane.answer.kind) {
            case Kind::none:
                text = "not asked, the budget for half-open SAs is spent";
                break;
            case Kind::accepted:
                text = "answered SA";
                break;
            case Kind::cookie:
                text = "busy, answered COOKIE";
                break;
            case Kind::invalid_ke:
                text = fmt::format("answered INVALID_KE_PAYLOAD (prefers {})",
                                   ipsec::to_string(lane.answer.group));
                break;
            case Kind::no_proposal:
                text = "answered NO_PROPOSAL_CHOSEN";
                break;
            case Kind::redirected:
                text = "answered REDIRECT";
                break;
            case Kind::other:
                text = "warning: answered " + lane.answer.text;
                break;
        }
        if (lane.answer.kind == Kind::no_proposal && lane.answered_to != IkeAsk::unacceptable) {
            text += " to a full offer";
            if (settings_.mismatch_is_degraded) {
                result.verdict = Verdict::degraded;
                result.layer = ProbeLayer::ike;
                result.reason = "NO_PROPOSAL_CHOSEN";
            }
        }
        if (lane.answer.kind == Kind::redirected) {
            result.verdict = Verdict::degraded;
            result.layer = ProbeLayer::ike;
            result.reason = "redirects to " + lane.answer.text;
        }
        if (lane.answer.kind != Kind::none && !result.rtt) result.rtt = lane.took;
        if (i > 0 && text == before) {
            detail += fmt::format(" and {}", ports_[i]);
        } else {
            detail += (detail.empty() ? "" : "; ") + text;
            if (ports_.size() > 1) detail += fmt::format(" on {}", ports_[i]);
        }
        before = std::move(text);
    }
    if (result.rtt) detail += fmt::format(", {:.1f} ms", milliseconds_of(*result.rtt));
    result.detail = std::move(detail);
    return result;
}

ProbeResult IkeExchange::silence() const {
    std::string silent;
    std::string answered;
    for (size_t i = 0; i < ports_.size(); ++i) {
        const Lane& lane = running_->lanes[i];
        std::string& list = lane.done() ? answered : silent;
        list += (list.empty() ? "" : " and ") + std::to_string(ports_[i]);
        if (lane.done()) continue;
        if (!lane.defect.empty()) {
            return failed(ProbeLayer::ike, fmt::format("malformed answer to {} on {}: {}", question(),
                                                       ports_[i], lane.defect));
        }
        if (lane.noise) {
            return failed(ProbeLayer::ike, fmt::format("what answers on {} does not speak IKE", ports_[i]));
        }
    }
    if (answered.empty())
        return failed(ProbeLayer::ike, fmt::format("no answer to {} on {}", question(), silent));
    return failed(ProbeLayer::ike, fmt::format("answers on {} but not on {}", answered, silent));
}

/// Whether all that was met with silence are offers that this gateway may well be silent about, while it
/// answered others lately. Happens once per gateway of that kind: afterwards it is known.
bool IkeExchange::silence_proves_nothing(MonotonicTime now) {
    if (knowledge_.unacceptable_answered || knowledge_.unacceptable_ignored) return false;
    for (size_t i = 0; i < ports_.size(); ++i) {
        Lane& lane = running_->lanes[i];
        if (lane.done()) continue;
        const bool only_unacceptable = lane.asks == 1 && lane.sent[0].ask == IkeAsk::unacceptable;
        if (!only_unacceptable || lane.noise || !lane.defect.empty() || !heard_lately(i, now)) return false;
        lane.coasting = true;
    }
    return true;
}

ProbeResult IkeExchange::on_silence(DatagramIo& io) {
    settle(IkeBudget::Left::half_open, io.now());
    if (silence_proves_nothing(io.now())) {
        knowledge_.unacceptable_ignored = true;
        return verdict();
    }
    return silence();
}

void IkeExchange::release() noexcept {
    if (running_ == nullptr) return;
    settle(IkeBudget::Left::half_open, running_->last_sent);
    running_.reset();
}

}  // namespace fairway
