// SPDX-License-Identifier: Apache-2.0
// The rings of an AF_XDP queue over plain memory, with the test as the kernel: whatever it does, every frame
// is at one place, and answers are those of the Answerer.
#include <array>
#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <set>

#include "base/random.h"
#include "dns/xdp_frame.h"
#include "dns/xdp_rings.h"
#include "unit/dns/responder.h"
#include "unit/dns/world.h"
#include "unit/dns/xdp_frames.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

/// Memory of one ring, shared with the kernel as libxdp would have mapped it.
template <class Ring, class Entry>
struct Shared {
    std::vector<Entry> entries;
    uint32_t producer = 0;
    uint32_t consumer = 0;
    uint32_t flags = XDP_RING_NEED_WAKEUP;

    Shared(Ring& ring, uint32_t size) : entries(size) {
        ring.mask = size - 1;
        ring.size = size;
        ring.producer = &producer;
        ring.consumer = &consumer;
        ring.ring = entries.data();
        ring.flags = &flags;
        if constexpr (std::is_same_v<Ring, xsk_ring_prod>) ring.cached_cons = size;
    }
    [[nodiscard]] uint32_t filled() const { return producer - consumer; }
    [[nodiscard]] uint32_t room() const { return static_cast<uint32_t>(entries.size()) - filled(); }
    void push(const Entry& entry) { entries[producer++ % entries.size()] = entry; }
    Entry pop() { return entries[consumer++ % entries.size()]; }
};

struct Queue {
    std::vector<uint8_t> area;
    XdpRings rings;
    Shared<xsk_ring_prod, uint64_t> fill;
    Shared<xsk_ring_cons, uint64_t> completion;
    Shared<xsk_ring_cons, xdp_desc> receive;
    Shared<xsk_ring_prod, xdp_desc> transmit;
    Serving serving;
    Answerer answerer;
    WorkerCounters counters;
    XdpCounters xdp;

    explicit Queue(uint32_t frames, uint32_t slots)
        : area(size_t{frames} * XdpRings::frame_size),
          rings(area),
          fill(rings.fill, slots * 2),
          completion(rings.completion, slots),
          receive(rings.receive, slots),
          transmit(rings.transmit, slots),
          serving(make_world().serving()) {
        rings.recycle();
        counters.use_model(serving.authority->model_pointer());
    }
    XdpRings::Served serve() { return rings.serve(serving, answerer, counters, xdp, now_seconds); }
    /// As the kernel: puts a frame into the next free one.
    void deliver(const Frame& frame) {
        const uint64_t address = fill.pop() + 256;
        std::copy(frame.begin(), frame.end(), area.begin() + static_cast<std::ptrdiff_t>(address));
        receive.push({address, static_cast<uint32_t>(frame.size()), 0});
    }
    [[nodiscard]] Frame sent() {
        const xdp_desc desc = transmit.pop();
        completion.push(desc.addr);
        const auto begin = area.begin() + static_cast<std::ptrdiff_t>(desc.addr);
        return {begin, begin + desc.len};
    }
};

Frame question_frame(std::string_view name, uint16_t id, bool v6 = false) {
    Ask ask{std::string(name)};
    ask.id = id;
    return make_frame({.v6 = v6, .message = to_bytes(ask)});
}

ServerStats stats_of(WorkerCounters& counters) {
    ServerStats stats;
    counters.add_to(stats);
    return stats;
}

}  // namespace

TEST_CASE(
    "a question in the receive ring becomes the Answerer's reply in the transmit ring, in the same frame") {
    Queue queue(16, 8);
    Responder direct(make_world());
    for (const bool v6 : {false, true}) {
        const Frame frame = question_frame("vpn.gslb.test", 7, v6);
        queue.deliver(frame);
        const uint64_t address = queue.receive.entries[queue.receive.consumer % 8].addr;
        const auto served = queue.serve();
        CHECK(served.received == 1);
        CHECK(served.queued == 1);
        CHECK(queue.rings.unsent() == 1);
        CHECK(queue.transmit.entries[queue.transmit.consumer % 8].addr == address);
        const Frame reply = queue.sent();
        CHECK(queue.rings.unsent() == 0);
        Ask ask{"vpn.gslb.test"};
        ask.id = 7;
        direct.ask(to_bytes(ask), Transport::udp, v6 ? "2001:db8::9" : "192.0.2.9");
        const auto read = read_question_frame(reply);
        REQUIRE(read);
        CHECK(Bytes(read->message.begin(), read->message.end()) == direct.bytes);
        CHECK(read->destination.port == 40000);
    }
    CHECK(queue.xdp.received.get() == 2);
    CHECK(queue.xdp.answered.get() == 2);
    CHECK(stats_of(queue.counters).udp_queries == 2);
}

TEST_CASE("frames that get no answer go back to be filled, and are counted") {
    Queue queue(4, 4);
    const uint32_t offered = queue.fill.filled();
    CHECK(offered == 4);
    Frame damaged = question_frame("vpn.gslb.test", 1);
    damaged.back() ^= 1;
    Ask response{"vpn.gslb.test"};
    response.flags = 0x8000;
    queue.deliver(damaged);
    queue.deliver(make_frame({.message = to_bytes(response)}));
    queue.deliver(octets("00"));
    const auto served = queue.serve();
    CHECK(served.received == 3);
    CHECK(served.queued == 0);
    CHECK(queue.fill.filled() == 4);
    CHECK(queue.xdp.dropped.get() == 2);
    CHECK(stats_of(queue.counters).dropped == 3);
    CHECK(queue.transmit.filled() == 0);
}

TEST_CASE("a full transmit ring costs answers, not frames") {
    Queue queue(16, 4);
    for (uint16_t i = 0; i < 4; ++i) queue.deliver(question_frame("vpn.gslb.test", i));
    CHECK(queue.serve().queued == 4);
    for (uint16_t i = 0; i < 4; ++i) queue.deliver(question_frame("vpn.gslb.test", i));
    CHECK(queue.serve().queued == 0);
    CHECK(queue.xdp.transmit_full.get() == 4);
    CHECK(stats_of(queue.counters).send_failures == 4);
    CHECK(queue.rings.unsent() == 4);
    for (int i = 0; i < 4; ++i) (void)queue.sent();
    queue.rings.recycle();
    CHECK(queue.fill.filled() + queue.rings.free_frames() == 16);
}

TEST_CASE("an answer longer than the interface takes is dropped and counted") {
    Queue queue(4, 4);
    queue.rings.set_longest_reply(100);
    queue.deliver(make_frame({.message = to_bytes(Ask{"big.gslb.test", RecordType::txt}.with_edns(1232))}));
    CHECK(queue.serve().queued == 0);
    CHECK(queue.xdp.transmit_full.get() == 1);
    CHECK(queue.fill.filled() == 4);
}

TEST_CASE("descriptors that are no frames of ours are not touched") {
    Queue queue(4, 4);
    queue.receive.push({4 * XdpRings::frame_size, 60, 0});
    queue.receive.push({UINT64_MAX, 60, 0});
    queue.receive.push({XdpRings::frame_size - 10, 60, 0});
    queue.receive.push({0, UINT32_MAX, 0});
    CHECK(queue.serve().received == 4);
    CHECK(queue.xdp.dropped.get() == 4);
    CHECK(queue.fill.filled() == 4);
}

TEST_CASE(
    "whatever the kernel does with the rings, every frame is at one place and answers keep their questions") {
    for (uint64_t seed = 1; seed <= 40; ++seed) {
        Random random(seed);
        constexpr uint32_t frames = 32;
        Queue queue(frames, 16);
        uint16_t id = 0;
        size_t delivered = 0;
        size_t replies = 0;
        std::deque<xdp_desc> in_the_card;  // taken for sending, not yet completed
        std::multiset<uint16_t> waiting;
        for (int step = 0; step < 400; ++step) {
            switch (random.below(4)) {
                case 0:
                    for (uint64_t n = random.below(12);
                         n > 0 && queue.fill.filled() > 0 && queue.receive.room() > 0; --n) {
                        Frame frame = question_frame("host.gslb.test", ++id, random.below(2) == 0);
                        if (random.below(8) == 0)
                            frame.back() ^= 0x55;
                        else
                            waiting.insert(id);
                        queue.deliver(frame);
                        ++delivered;
                    }
                    break;
                case 1:
                    (void)queue.serve();
                    break;
                case 2:
                    for (uint64_t n = random.below(12); n > 0 && queue.transmit.filled() > 0; --n) {
                        const xdp_desc desc = queue.transmit.pop();
                        const auto reply =
                            read_question_frame(ByteSpan(queue.area).subspan(desc.addr, desc.len));
                        REQUIRE(reply);
                        const auto reply_id =
                            static_cast<uint16_t>(reply->message[0] << 8 | reply->message[1]);
                        const auto found = waiting.find(reply_id);
                        REQUIRE(found != waiting.end());
                        waiting.erase(found);
                        ++replies;
                        in_the_card.push_back(desc);
                    }
                    break;
                default:
                    // The kernel keeps completions within their ring.
                    for (uint64_t n = random.below(12);
                         n > 0 && !in_the_card.empty() && queue.completion.room() > 0; --n) {
                        queue.completion.push(in_the_card.front().addr);
                        in_the_card.pop_front();
                    }
            }
            std::map<uint64_t, int> places;
            const auto see = [&places](uint64_t address) { ++places[address / XdpRings::frame_size]; };
            for (uint32_t i = queue.fill.consumer; i != queue.fill.producer; ++i)
                see(queue.fill.entries[i % queue.fill.entries.size()]);
            for (uint32_t i = queue.receive.consumer; i != queue.receive.producer; ++i)
                see(queue.receive.entries[i % queue.receive.entries.size()].addr);
            for (uint32_t i = queue.transmit.consumer; i != queue.transmit.producer; ++i)
                see(queue.transmit.entries[i % queue.transmit.entries.size()].addr);
            for (uint32_t i = queue.completion.consumer; i != queue.completion.producer; ++i)
                see(queue.completion.entries[i % queue.completion.entries.size()]);
            for (const xdp_desc& desc : in_the_card) see(desc.addr);
            size_t seen = 0;
            for (const auto& [frame, count] : places) {
                INFO("seed " << seed << " step " << step << " frame " << frame);
                REQUIRE(frame < frames);
                REQUIRE(count == 1);
                ++seen;
            }
            REQUIRE(seen + queue.rings.free_frames() == frames);
        }
        CHECK(delivered > 100);
        CHECK(replies > 50);
    }
}
