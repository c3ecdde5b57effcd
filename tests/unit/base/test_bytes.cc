// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <array>
#include <catch2/catch.hpp>
#include <vector>

using namespace fairway;

namespace {
constexpr std::array<uint8_t, 18> counting{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};

std::vector<uint8_t> copy(ByteSpan bytes) {
    return {bytes.begin(), bytes.end()};
}
}  // namespace

TEST_CASE("a reader takes big-endian fields off the front, and knows where it is") {
    Reader reader(counting);
    CHECK(reader.u8() == 0x01);
    CHECK(reader.u16() == 0x0203);
    CHECK(reader.u24() == 0x040506);
    CHECK(reader.u32() == 0x0708090a);
    CHECK(reader.position() == 10);
    CHECK(reader.remaining() == 8);
    CHECK_FALSE(reader.at_end());
    CHECK(reader.u64() == 0x0b0c0d0e0f101112);
    CHECK(reader.at_end());
    CHECK(reader.ok());
    CHECK(copy(reader.whole()) == copy(counting));
}

TEST_CASE("reading past the end gives nothing, and the error sticks") {
    for (size_t size = 0; size < 8; ++size) {
        Reader reader(ByteSpan(counting).first(size));
        CHECK(reader.u64() == 0);
        CHECK_FALSE(reader.ok());
        CHECK(reader.remaining() == 0);
        CHECK(reader.u8() == 0);
        CHECK(reader.take(0).empty());
        CHECK(reader.rest().empty());
        CHECK_FALSE(reader.ok());
    }
    Reader huge(counting);
    CHECK(huge.take(SIZE_MAX).empty());
    CHECK_FALSE(huge.ok());
}

TEST_CASE("a reader takes, skips and hands over spans of what it was given") {
    Reader reader(counting);
    CHECK(copy(reader.take(2)) == std::vector<uint8_t>{1, 2});
    reader.skip(1);
    Reader inner = reader.sub(3);
    CHECK(inner.u32() == 0);
    CHECK_FALSE(inner.ok());
    CHECK(reader.ok());
    CHECK(reader.u8() == 7);
    CHECK(reader.rest().size() == 11);
    CHECK(reader.at_end());
    CHECK(reader.rest().empty());
    CHECK(reader.ok());
    Reader beyond = reader.sub(1);
    CHECK_FALSE(beyond.ok());
    CHECK_FALSE(reader.ok());
    Reader failed(counting);
    failed.fail();
    CHECK_FALSE(failed.sub(0).ok());
}

TEST_CASE("a writer writes big-endian fields, bytes and zeros") {
    std::array<uint8_t, 32> buffer{};
    buffer.fill(0xee);
    Writer writer(buffer);
    writer.u8(0x01);
    writer.u16(0x0203);
    writer.u24(0x040506);
    writer.u32(0x0708090a);
    writer.u64(0x0b0c0d0e0f101112);
    CHECK(copy(writer.written()) == copy(counting));
    writer.zeros(2);
    writer.text("ab");
    writer.bytes({});
    CHECK(writer.position() == 22);
    CHECK(writer.remaining() == 10);
    CHECK(copy(writer.written().last(4)) == std::vector<uint8_t>{0, 0, 'a', 'b'});
    writer.patch_u16(0, 0xfffe);
    writer.patch_u32(20, 0);
    CHECK_FALSE(writer.ok());
    CHECK(buffer[22] == 0xee);
}

TEST_CASE("writing past the end writes nothing more, until it is rewound") {
    std::array<uint8_t, 4> buffer{9, 9, 9, 9};
    Writer writer{std::span<uint8_t>(buffer).first(3)};
    writer.u16(1);
    writer.u16(2);
    CHECK_FALSE(writer.ok());
    CHECK(writer.remaining() == 0);
    writer.u8(7);
    writer.zeros(1);
    writer.bytes(counting);
    CHECK(copy(writer.written()) == std::vector<uint8_t>{0, 1});
    CHECK(copy(buffer) == std::vector<uint8_t>{0, 1, 9, 9});
    writer.rewind(1);
    CHECK(writer.ok());
    writer.u8(5);
    CHECK(copy(writer.written()) == std::vector<uint8_t>{0, 5});
}

TEST_CASE("only what was written can be patched") {
    std::array<uint8_t, 8> buffer{};
    for (const size_t at : {size_t{1}, size_t{3}, SIZE_MAX, SIZE_MAX - 1}) {
        Writer writer(buffer);
        writer.u16(0);
        writer.patch_u16(at, 0x1234);
        CHECK_FALSE(writer.ok());
    }
    Writer empty(buffer);
    empty.patch_u16(0, 1);
    CHECK_FALSE(empty.ok());
    Writer writer(buffer);
    writer.u32(0);
    writer.patch_u32(0, 0x01020304);
    CHECK(copy(writer.written()) == std::vector<uint8_t>{1, 2, 3, 4});
    writer.patch_u16(2, 0xffff);
    CHECK(copy(writer.written()) == std::vector<uint8_t>{1, 2, 0xff, 0xff});
    CHECK(writer.ok());
}
