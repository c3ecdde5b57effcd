// SPDX-License-Identifier: Apache-2.0
#include "dns/xdp_rings.h"

#include <algorithm>

namespace fairway::dns {
namespace {

// How many frames ahead their octets are fetched: another core wrote them a moment ago, and the answer will
// be written over them.
constexpr uint32_t ahead = 6;
constexpr uint64_t cache_line = 64;

}  // namespace

XdpRings::XdpRings(std::span<uint8_t> area) : area_(area), reply_(Answerer::max_udp_answer) {
    const size_t frames = area.size() / frame_size;
    free_.reserve(frames);
    for (size_t i = 0; i < frames; ++i) free_.push_back((frames - 1 - i) * frame_size);
}

void XdpRings::put_back(uint64_t address) noexcept {
    if (free_.size() < free_.capacity()) free_.push_back(address / frame_size * frame_size);
}

void XdpRings::recycle() noexcept {
    uint32_t at = 0;
    const uint32_t sent = xsk_ring_cons__peek(&completion, completion.size, &at);
    for (uint32_t i = 0; i < sent; ++i) put_back(*xsk_ring_cons__comp_addr(&completion, at + i));
    if (sent > 0) xsk_ring_cons__release(&completion, sent);

    const auto free = static_cast<uint32_t>(free_.size());
    const uint32_t count = std::min(free, xsk_prod_nb_free(&fill, free));
    if (count == 0 || xsk_ring_prod__reserve(&fill, count, &at) != count) return;
    for (uint32_t i = 0; i < count; ++i) {
        *xsk_ring_prod__fill_addr(&fill, at + i) = free_.back();
        free_.pop_back();
    }
    xsk_ring_prod__submit(&fill, count);
}

XdpRings::Served XdpRings::serve(const Serving& serving, Answerer& answerer, WorkerCounters& counters,
                                 XdpCounters& xdp, uint32_t unix_seconds) noexcept {
    Served served;
    uint32_t first = 0;
    served.received = xsk_ring_cons__peek(&receive, batch, &first);
    if (served.received == 0) {
        recycle();
        return served;
    }
    const auto fetch = [this, first](uint32_t i) {
        const uint64_t address = xsk_ring_cons__rx_desc(&receive, first + i)->addr;
        if (address >= area_.size() - cache_line) return;
        __builtin_prefetch(area_.data() + address, 1);
        __builtin_prefetch(area_.data() + address + cache_line, 1);
    };
    for (uint32_t i = 0; i < std::min(ahead, served.received); ++i) fetch(i);
    uint32_t dropped = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < served.received; ++i) {
        if (i + ahead < served.received) fetch(i + ahead);
        const xdp_desc in = *xsk_ring_cons__rx_desc(&receive, first + i);
        const uint64_t end_of_frame = (in.addr / frame_size + 1) * frame_size;
        if (in.addr >= area_.size() || in.len > end_of_frame - in.addr) {
            // Not a frame of ours: nothing to put back.
            ++dropped;
            continue;
        }
        const auto question = read_question_frame(area_.subspan(in.addr, in.len));
        if (!question) {
            ++dropped;
            put_back(in.addr);
            continue;
        }
        addresses_[count] = in.addr;
        questions_[count] = *question;
        Request& request = requests_[count];
        request.message = question->message;
        request.source = question->source.address;
        request.transport = Transport::udp;
        request.unix_seconds = unix_seconds;
        ++count;
    }
    Answerer::expect(serving, std::span(requests_).first(count));
    const MonotonicTime now = UdpGate::time_for(serving);
    for (uint32_t i = 0; i < count; ++i) {
        const uint64_t address = addresses_[i];
        const Request& request = requests_[i];
        size_t size = answerer.answer(serving, request, reply_);
        counters.count(Transport::udp, answerer.outcome());
        if (size > 0)
            size = gate_.pass(serving, request.source, answerer.outcome(), std::span(reply_).first(size), now,
                              counters);
        if (size == 0) {
            put_back(address);
            continue;
        }
        const size_t room = std::min<size_t>(frame_size - address % frame_size, longest_reply_);
        const size_t length = write_reply_frame(area_.subspan(address, room), questions_[i],
                                                std::span(reply_).first(size), ++identification_);
        uint32_t slot = 0;
        if (length == 0 || xsk_ring_prod__reserve(&transmit, 1, &slot) != 1) {
            xdp.transmit_full.add();
            counters.send_failures.add();
            put_back(address);
            continue;
        }
        *xsk_ring_prod__tx_desc(&transmit, slot) = {address, static_cast<uint32_t>(length), 0};
        ++served.queued;
    }
    xsk_ring_cons__release(&receive, served.received);
    if (served.queued > 0) xsk_ring_prod__submit(&transmit, served.queued);
    xdp.received.add(served.received);
    xdp.answered.add(served.queued);
    if (dropped > 0) {
        xdp.dropped.add(dropped);
        counters.dropped.add(dropped);
    }
    recycle();
    return served;
}

uint32_t XdpRings::unsent() const noexcept {
    return *transmit.producer - __atomic_load_n(transmit.consumer, __ATOMIC_ACQUIRE);
}

}  // namespace fairway::dns
