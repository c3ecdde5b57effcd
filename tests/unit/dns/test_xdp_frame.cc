// SPDX-License-Identifier: Apache-2.0
// Ethernet frames with questions, and the frames of their answers, byte by byte.
#include <catch2/catch.hpp>

#include "dns/xdp_frame.h"
#include "unit/dns/packet.h"
#include "unit/dns/xdp_frames.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

const Frame text{'q', 'u', 'e', 's', 't', 'i', 'o', 'n', '!'};

/// The frame of the reply, in a buffer of `room` octets that begins with the question's frame.
Frame answered(const Frame& frame, const Frame& reply, size_t room = 2048, uint16_t identification = 0x0102) {
    Frame buffer = frame;
    buffer.resize(std::max(room, frame.size()), 0xee);
    const auto question = read_question_frame(ByteSpan(buffer).first(frame.size()));
    REQUIRE(question);
    const size_t size = write_reply_frame(std::span(buffer).first(room), *question, reply, identification);
    buffer.resize(size);
    return buffer;
}

/// `frame` with another octet at `at`, with a right header checksum where `header` says so.
enum class Header : uint8_t { as_it_was, summed_again };
Frame with(Frame frame, size_t at, uint8_t value, Header header = Header::as_it_was) {
    frame.at(at) = value;
    if (header == Header::summed_again) {
        frame[24] = frame[25] = 0;
        const auto sum = static_cast<uint16_t>(~sum_of(ByteSpan(frame).subspan(14, 20)));
        frame[24] = static_cast<uint8_t>(sum >> 8);
        frame[25] = static_cast<uint8_t>(sum);
    }
    return frame;
}

}  // namespace

TEST_CASE("a question in an IPv4 frame is found, with who asks and where") {
    const Frame frame = make_frame({.message = text});
    const auto question = read_question_frame(frame);
    REQUIRE(question);
    CHECK(as_text(question->message) == "question!");
    CHECK(question->source.to_string() == "192.0.2.9:40000");
    CHECK(question->destination.to_string() == "192.0.2.1:53");
    CHECK(question->headers == 42);
}

TEST_CASE("a question in an IPv6 frame is found, with who asks and where") {
    const Frame frame = make_frame({.v6 = true, .message = text});
    const auto question = read_question_frame(frame);
    REQUIRE(question);
    CHECK(as_text(question->message) == "question!");
    CHECK(question->source.to_string() == "[2001:db8::9]:40000");
    CHECK(question->destination.to_string() == "[2001:db8::1]:53");
    CHECK(question->headers == 62);
}

TEST_CASE("the answer's IPv4 frame goes back the way the question came, octet by octet") {
    CHECK(to_hex(answered(make_frame({.message = text}), {0xca, 0xfe, 0x01})) ==
          to_hex(octets("020000000009 020000000001 0800"
                        "4500 001f 0102 0000 40 11 f5c1 c0000201 c0000209"
                        "0035 9c40 000b 1359 cafe01")));
}

TEST_CASE("the answer's IPv6 frame goes back the way the question came, octet by octet") {
    CHECK(to_hex(answered(make_frame({.v6 = true, .message = text}), {0xca, 0xfe, 0x01})) ==
          to_hex(octets("020000000009 020000000001 86dd"
                        "60000000 000b 11 40"
                        "20010db8000000000000000000000001 20010db8000000000000000000000009"
                        "0035 9c40 000b 3be8 cafe01")));
}

TEST_CASE("answers of every length have checksums that the receiver accepts") {
    for (const bool v6 : {false, true}) {
        const Frame frame = make_frame({.v6 = v6, .message = text});
        for (size_t size = 0; size <= 1232; ++size) {
            Frame reply(size);
            for (size_t i = 0; i < size; ++i) reply[i] = static_cast<uint8_t>(i * 7 + size);
            const Frame back = answered(frame, reply, 2048, static_cast<uint16_t>(size));
            REQUIRE(back.size() == (v6 ? 62 : 42) + size);
            const size_t udp = v6 ? 54 : 34;
            const ByteSpan all(back);
            if (!v6) REQUIRE(sum_of(all.subspan(14, 20)) == 0xffff);
            const uint16_t pseudo =
                sum_of(v6 ? all.subspan(22, 32) : all.subspan(26, 8), static_cast<uint32_t>(17 + 8 + size));
            REQUIRE(sum_of(all.subspan(udp), pseudo) == 0xffff);
            REQUIRE((back[udp + 6] != 0 || back[udp + 7] != 0));
            REQUIRE(
                std::equal(reply.begin(), reply.end(), back.begin() + static_cast<std::ptrdiff_t>(udp + 8)));
            // And our own reader takes it for what it is.
            const auto again = read_question_frame(back);
            REQUIRE(again);
            REQUIRE(again->source.port == 53);
            REQUIRE(again->message.size() == size);
        }
    }
}

TEST_CASE("an answer whose checksum comes to zero says so with all bits set") {
    const Frame frame = make_frame({.message = text});
    // The sum of all else is found with a first try, then completed to 0xffff.
    const Frame first = answered(frame, {0, 0});
    const auto missing = static_cast<uint16_t>(first[40] << 8 | first[41]);
    const Frame back = answered(frame, {static_cast<uint8_t>(missing >> 8), static_cast<uint8_t>(missing)});
    CHECK(to_hex(ByteSpan(back).subspan(40, 2)) == "ffff");
}

TEST_CASE("UDP checksums: right, absent over IPv4, or left to a network card; never wrong") {
    for (const bool v6 : {false, true}) {
        const auto accepted = [v6](UdpChecksum checksum) {
            return read_question_frame(make_frame({.v6 = v6, .message = text, .checksum = checksum}))
                .has_value();
        };
        CHECK(accepted(UdpChecksum::full));
        CHECK(accepted(UdpChecksum::pseudo_header));
        CHECK_FALSE(accepted(UdpChecksum::wrong));
        CHECK(accepted(UdpChecksum::none) == !v6);
    }
}

TEST_CASE("a flipped bit anywhere in an IPv4 packet is noticed") {
    const Frame good = make_frame({.message = text});
    for (size_t at = 14; at < good.size(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            Frame bad = good;
            bad[at] = static_cast<uint8_t>(bad[at] ^ 1 << bit);
            INFO(at << " bit " << bit);
            CHECK_FALSE(read_question_frame(bad));
        }
    }
}

TEST_CASE("what the kernel must judge is not a question: options, fragments, tags, other protocols") {
    const Frame four = make_frame({.message = text});
    const Frame six = make_frame({.v6 = true, .message = text});
    CHECK(read_question_frame(with(four, 20, 0x40, Header::summed_again)));        // may not be fragmented
    CHECK_FALSE(read_question_frame(with(four, 20, 0x20, Header::summed_again)));  // more follow
    CHECK_FALSE(read_question_frame(with(four, 21, 0x01, Header::summed_again)));  // an offset
    CHECK_FALSE(read_question_frame(with(four, 14, 0x46, Header::summed_again)));  // options
    CHECK_FALSE(read_question_frame(with(four, 14, 0x65, Header::summed_again)));
    CHECK_FALSE(read_question_frame(with(four, 23, 6, Header::summed_again)));  // TCP
    CHECK(read_question_frame(with(four, 22, 1, Header::summed_again)));        // any TTL
    CHECK_FALSE(read_question_frame(with(six, 14, 0x45)));
    CHECK_FALSE(read_question_frame(with(six, 20, 44)));  // fragment header
    CHECK_FALSE(read_question_frame(with(six, 20, 0)));   // hop-by-hop options
    CHECK_FALSE(read_question_frame(make_frame({.message = text, .tag = octets("81000064")})));
    CHECK_FALSE(read_question_frame(with(four, 12, 0x86)));
    CHECK_FALSE(read_question_frame(with(four, 13, 0x06)));  // ARP
}

TEST_CASE("lengths that contradict each other are refused, and padding is not read") {
    for (const bool v6 : {false, true}) {
        const Frame frame = make_frame({.v6 = v6, .message = text, .padding = 17});
        const auto question = read_question_frame(frame);
        REQUIRE(question);
        CHECK(as_text(question->message) == "question!");
        // Cut anywhere within the packet.
        for (size_t size = 0; size < frame.size() - 17; ++size) {
            INFO(size);
            CHECK_FALSE(read_question_frame(ByteSpan(frame).first(size)));
        }
        CHECK(read_question_frame(ByteSpan(frame).first(frame.size() - 17)));
        // A UDP length beyond the packet's end, below its own header, and one that leaves a rest.
        const size_t length = v6 ? 59U : 39U;
        const Frame loose = make_frame({.v6 = v6, .message = text, .checksum = UdpChecksum::pseudo_header});
        CHECK(read_question_frame(loose));
        CHECK_FALSE(read_question_frame(with(loose, length, 18)));
        CHECK_FALSE(read_question_frame(with(loose, length, 7)));
    }
    const Frame four = make_frame({.message = text, .checksum = UdpChecksum::none});
    const Frame cut = with(four, 39, 12);
    const auto shorter = read_question_frame(cut);
    REQUIRE(shorter);
    CHECK(as_text(shorter->message) == "ques");
    CHECK_FALSE(read_question_frame(with(four, 17, 19, Header::summed_again)));
    CHECK_FALSE(read_question_frame(with(four, 17, 27, Header::summed_again)));
}

TEST_CASE("nobody's addresses and port 0 get no answer") {
    const auto from4 = [](std::initializer_list<uint8_t> address) {
        Frame frame = make_frame({.message = text, .checksum = UdpChecksum::none});
        std::copy(address.begin(), address.end(), frame.begin() + 26);
        return read_question_frame(with(frame, 24, 0, Header::summed_again)).has_value();
    };
    CHECK(from4({10, 0, 0, 1}));
    CHECK(from4({223, 255, 255, 255}));
    CHECK_FALSE(from4({0, 0, 0, 0}));
    CHECK_FALSE(from4({127, 0, 0, 1}));
    CHECK_FALSE(from4({224, 0, 0, 1}));
    CHECK_FALSE(from4({255, 255, 255, 255}));

    const auto from6 = [](std::string_view hex) {
        FrameSpec spec{.v6 = true, .message = text};
        Frame frame = make_frame(spec);
        const Frame address = octets(hex);
        std::copy(address.begin(), address.end(), frame.begin() + 22);
        const uint16_t pseudo =
            sum_of(ByteSpan(frame).subspan(22, 32), static_cast<uint32_t>(17 + 8 + text.size()));
        frame[60] = static_cast<uint8_t>(pseudo >> 8);
        frame[61] = static_cast<uint8_t>(pseudo);
        return read_question_frame(frame).has_value();
    };
    CHECK(from6("20010db8000000000000000000000009"));
    CHECK(from6("00000000000000000000000000000002"));
    CHECK_FALSE(from6("00000000000000000000000000000000"));
    CHECK_FALSE(from6("00000000000000000000000000000001"));
    CHECK_FALSE(from6("ff020000000000000000000000000001"));

    const Frame frame = make_frame({.message = text, .checksum = UdpChecksum::none});
    CHECK_FALSE(read_question_frame(with(with(frame, 34, 0), 35, 0)));
}

TEST_CASE("an answer that does not fit is not written") {
    const Frame frame = make_frame({.message = text});
    const Frame reply(100, 1);
    CHECK(answered(frame, reply, 142).size() == 142);
    CHECK(answered(frame, reply, 141).empty());
    CHECK(answered(make_frame({.v6 = true, .message = text}), reply, 161).empty());
}
