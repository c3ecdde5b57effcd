// SPDX-License-Identifier: Apache-2.0
#include "ipsec/gateway_ike.h"

#include <system_error>

namespace fairway::ipsec {

namespace {

ResponderMode mode_of(FaultKind fault) noexcept {
    switch (fault) {
        case FaultKind::ike_cookie:
            return ResponderMode::always_cookie;
        case FaultKind::ike_no_proposal:
            return ResponderMode::no_proposal;
        case FaultKind::ike_garbage:
            return ResponderMode::garbage;
        case FaultKind::ike_redirect:
            return ResponderMode::redirect;
        default:
            return ResponderMode::normal;
    }
}

constexpr size_t version_offset = 17;

}  // namespace

IkeService::IkeService(net::Loop& loop, const IpAddress& address,
                       std::array<std::optional<uint16_t>, 2> ports, const ResponderSettings& settings,
                       Entropy& entropy)
    : loop_(loop),
      address_(address),
      ports_(ports),
      responder_(settings, entropy),
      v1_responder_(entropy),
      timer_(loop, [this] { send_late(); }) {}

Result<void> IkeService::apply(const Fault& fault, nanoseconds delay) {
    fault_ = fault.kind;
    delay_ = delay;
    late_.clear();
    responder_.set_mode(mode_of(fault_));
    v1_responder_.set_mode(mode_of(fault_));
    if (fault_ == FaultKind::refuse) {
        for (auto& socket : sockets_) socket.reset();  // the kernel answers with ICMP port unreachable
        return {};
    }
    for (size_t i = 0; i < sockets_.size(); ++i) {
        if (!ports_[i] || sockets_[i] != nullptr) continue;
        try {
            sockets_[i] = std::make_unique<net::UdpSocket>(
                loop_, SocketAddress{address_, *ports_[i]},
                [this, i](ByteSpan datagram, const SocketAddress& from) { on_datagram(i, datagram, from); });
        } catch (const std::system_error& error) {
            return fail(error.what());
        }
        ports_[i] = sockets_[i]->local().port;
    }
    return {};
}

void IkeService::on_datagram(size_t socket, ByteSpan datagram, const SocketAddress& from) {
    if (fault_ == FaultKind::silent) return;
    const Path path{sockets_[socket]->local(), from};
    const Framing framing = socket == 1 ? Framing::marked : framing_of_port(path.local.port);
    const auto message = unframe(framing, datagram);
    if (!message || message->size() < header_size) return;
    const bool v1 = ((*message)[version_offset] >> 4) == 1;
    const ByteSpan answer =
        v1 ? v1_responder_.on_message(*message, path) : responder_.on_message(*message, path, loop_.now());
    if (answer.empty()) return;
    std::vector<uint8_t> framed(framing == Framing::marked ? marker_size : 0);
    framed.insert(framed.end(), answer.begin(), answer.end());
    if (fault_ != FaultKind::slow) {
        sockets_[socket]->send(framed, from);
        return;
    }
    if (late_.size() >= max_late) return;
    late_.push_back({loop_.now() + delay_, socket, from, std::move(framed)});
    if (!timer_.armed()) timer_.start_at(late_.front().due);
}

void IkeService::send_late() {
    const MonotonicTime now = loop_.now();
    while (!late_.empty() && late_.front().due <= now) {
        const Late& late = late_.front();
        if (sockets_[late.socket] != nullptr) sockets_[late.socket]->send(late.datagram, late.to);
        late_.pop_front();
    }
    if (!late_.empty()) timer_.start_at(late_.front().due);
}

}  // namespace fairway::ipsec
