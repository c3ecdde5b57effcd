// SPDX-License-Identifier: Apache-2.0
#include "ipsec/responder.h"

#include <algorithm>

#include "base/random.h"
#include "ipsec/nat.h"

namespace fairway::ipsec {

namespace {

constexpr size_t nonce_size = 32;

Header response_to(const Header& request, uint64_t spi_responder) {
    Header header;
    header.spi_initiator = request.spi_initiator;
    header.spi_responder = spi_responder;
    header.exchange = request.exchange;
    header.flags = Header::response_flag;
    header.message_id = request.message_id;
    return header;
}

}  // namespace

size_t Ikev2Responder::KeyHash::operator()(const Key& key) const noexcept {
    return static_cast<size_t>(mix(std::hash<SocketAddress>{}(key.peer) ^ key.spi_initiator));
}

Ikev2Responder::Ikev2Responder(ResponderSettings settings, Entropy& entropy)
    : settings_(std::move(settings)), entropy_(entropy), cookies_(entropy) {}

ResponderStats Ikev2Responder::stats() const noexcept {
    ResponderStats stats = stats_;
    stats.half_open = half_open_.size();
    return stats;
}

const HalfOpenSa* Ikev2Responder::find(const SocketAddress& peer, uint64_t spi_initiator) const {
    const auto found = half_open_.find(Key{peer, spi_initiator});
    return found == half_open_.end() ? nullptr : &found->second;
}

size_t Ikev2Responder::half_open_of(const IpAddress& source) const {
    const auto found = per_source_.find(source);
    return found == per_source_.end() ? 0 : found->second;
}

std::optional<MonotonicTime> Ikev2Responder::next_deadline() const {
    if (by_age_.empty()) return std::nullopt;
    return half_open_.at(by_age_.front()).expires;
}

void Ikev2Responder::expire(MonotonicTime now) {
    while (!by_age_.empty()) {
        const auto oldest = half_open_.find(by_age_.front());
        if (oldest->second.expires > now) return;
        const auto source = per_source_.find(by_age_.front().peer.address);
        if (--source->second == 0) per_source_.erase(source);
        half_open_.erase(oldest);
        by_age_.pop_front();
    }
}

ByteSpan Ikev2Responder::drop() noexcept {
    ++stats_.dropped;
    return {};
}

ByteSpan Ikev2Responder::notify(const Header& request, NotifyType type, ByteSpan data) {
    ++(type == NotifyType::cookie ? stats_.cookies : stats_.refused);
    MessageWriter message(buffer_, response_to(request, 0));
    encode_notify(message.begin(PayloadType::notify), type, data);
    message.end();
    return message.finish();
}

ByteSpan Ikev2Responder::on_message(ByteSpan message, const Path& path, MonotonicTime now) {
    ++stats_.requests;
    expire(now);
    const auto header = decode_header(message);
    if (!header || header->is_response() || header->spi_initiator == 0) return drop();
    if (header->major_version() > 2) return notify(*header, NotifyType::invalid_major_version, {});
    if (header->major_version() < 2) return drop();
    // Anything else belongs to an SA, and there is none that it could belong to.
    if (header->exchange != ExchangeType::ike_sa_init || header->spi_responder != 0 ||
        !header->from_initiator()) {
        return drop();
    }
    if (header->message_id != 0) return notify(*header, NotifyType::invalid_syntax, {});
    return on_init_request(*header, message, path, now);
}

ByteSpan Ikev2Responder::on_init_request(const Header& header, ByteSpan message, const Path& path,
                                         MonotonicTime now) {
    if (mode_ == ResponderMode::garbage) return garbage(header);
    const auto refuse = [&](const DecodeError& error) {
        const bool critical = error.notify == NotifyType::unsupported_critical_payload;
        return notify(header, error.notify, {&error.payload, critical ? 1U : 0U});
    };
    const auto chain = PayloadChain::decode(header.first_payload, message.subspan(header_size));
    if (!chain) return refuse(chain.error());
    if (const auto allowed = check_payloads(header.exchange, Direction::request, *chain); !allowed) {
        return refuse(allowed.error());
    }
    Request request{header, path, now, message, {}, {}, {}, {}};
    for (const Payload& payload : *chain) {
        switch (payload.type) {
            case PayloadType::sa: {
                auto proposals = decode_sa(payload.body);
                if (!proposals) return refuse(proposals.error());
                request.proposals = std::move(*proposals);
                break;
            }
            case PayloadType::ke: {
                const auto ke = decode_ke(payload.body);
                if (!ke) return refuse(ke.error());
                request.ke = *ke;
                break;
            }
            case PayloadType::nonce: {
                const auto nonce = decode_nonce(payload.body);
                if (!nonce) return refuse(nonce.error());
                request.nonce = *nonce;
                break;
            }
            case PayloadType::notify: {
                const auto notification = decode_notify(payload.body);
                if (!notification) return refuse(notification.error());
                if (notification->type == NotifyType::cookie) request.cookie = notification->data;
                if (notification->type == NotifyType::nat_detection_source_ip) request.nat_detection = true;
                break;
            }
            default:
                break;
        }
    }
    return on_valid_request(request);
}

ByteSpan Ikev2Responder::on_valid_request(const Request& request) {
    if (const HalfOpenSa* known = find(request.path.peer, request.header.spi_initiator)) {
        // RFC 7296 2.1: a retransmission gets the same bytes again; anything else under this SPI is not its
        // owner's.
        if (!std::equal(request.message.begin(), request.message.end(), known->request.begin(),
                        known->request.end())) {
            return drop();
        }
        ++stats_.retransmitted;
        return known->response;
    }
    if (mode_ == ResponderMode::no_proposal) {
        return notify(request.header, NotifyType::no_proposal_chosen, {});
    }
    if (mode_ == ResponderMode::redirect) return redirect(request);

    const IpAddress& source = request.path.peer.address;
    const size_t from_source = half_open_of(source);
    const HalfOpenLimits& limits = settings_.limits;
    if (half_open_.size() >= limits.table || from_source >= limits.block_per_source) return drop();
    if (mode_ == ResponderMode::always_cookie || half_open_.size() >= limits.cookie_total ||
        from_source >= limits.cookie_per_source) {
        if (!cookies_.check(request.now, source, request.header.spi_initiator, request.nonce,
                            request.cookie)) {
            return notify(request.header, NotifyType::cookie,
                          cookies_.make(request.now, source, request.header.spi_initiator, request.nonce));
        }
    }

    const auto selection = select_proposal(settings_.policy, request.proposals, request.ke.group);
    if (!selection) return notify(request.header, NotifyType::no_proposal_chosen, {});
    if (selection->suite.group != request.ke.group) {
        const auto wanted = static_cast<uint16_t>(selection->suite.group);
        const uint8_t data[] = {static_cast<uint8_t>(wanted >> 8), static_cast<uint8_t>(wanted)};
        return notify(request.header, NotifyType::invalid_ke_payload, data);
    }
    return accept(request, *selection);
}

ByteSpan Ikev2Responder::accept(const Request& request, const Selection& selection) {
    const auto exchange = KeyExchange::generate(selection.suite.group, entropy_);
    if (!exchange) return notify(request.header, NotifyType::no_proposal_chosen, {});
    auto secret = exchange->shared_secret(request.ke.value);
    if (!secret) return notify(request.header, NotifyType::invalid_syntax, {});

    HalfOpenSa sa;
    sa.path = request.path;
    sa.spi_initiator = request.header.spi_initiator;
    sa.spi_responder = entropy_.spi();
    sa.suite = selection.suite;
    sa.shared_secret = std::move(*secret);
    sa.nonce_initiator.assign(request.nonce.begin(), request.nonce.end());
    sa.nonce_responder.resize(nonce_size);
    entropy_.fill(sa.nonce_responder);
    sa.request.assign(request.message.begin(), request.message.end());
    sa.expires = request.now + settings_.limits.timeout;

    MessageWriter message(buffer_, response_to(request.header, sa.spi_responder));
    encode_sa(message.begin(PayloadType::sa), {selection.proposal});
    message.end();
    encode_ke(message.begin(PayloadType::ke), selection.suite.group, exchange->public_value());
    message.end();
    message.add(PayloadType::nonce, sa.nonce_responder);
    if (request.nat_detection) {
        encode_notify(message.begin(PayloadType::notify), NotifyType::nat_detection_source_ip,
                      nat_detection_hash(sa.spi_initiator, sa.spi_responder, request.path.local));
        message.end();
        encode_notify(message.begin(PayloadType::notify), NotifyType::nat_detection_destination_ip,
                      nat_detection_hash(sa.spi_initiator, sa.spi_responder, request.path.peer));
        message.end();
    }
    const ByteSpan response = message.finish();
    sa.response.assign(response.begin(), response.end());

    const Key key{request.path.peer, sa.spi_initiator};
    ++per_source_[key.peer.address];
    by_age_.push_back(key);
    half_open_.emplace(key, std::move(sa));
    ++stats_.accepted;
    return response;
}

ByteSpan Ikev2Responder::redirect(const Request& request) {
    ++stats_.refused;
    MessageWriter message(buffer_, response_to(request.header, 0));
    encode_redirect(message.begin(PayloadType::notify), settings_.redirect_to, request.nonce);
    message.end();
    return message.finish();
}

ByteSpan Ikev2Responder::garbage(const Header& request) {
    const std::span<uint8_t> noise = std::span(buffer_).first(160);
    entropy_.fill(noise);
    const bool with_header = (noise[header_size] & 1) != 0;
    if (with_header) {
        Header header = response_to(request, request.spi_initiator ^ 1);
        header.first_payload = PayloadType::sa;
        header.length = static_cast<uint32_t>(noise.size());
        Writer writer(noise);
        encode_header(writer, header);
        // A payload length beyond the message, so that chance cannot make it well-formed.
        noise[header_size + 2] |= 0x80;
    }
    ++stats_.refused;
    return noise;
}

}  // namespace fairway::ipsec
