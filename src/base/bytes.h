// SPDX-License-Identifier: Apache-2.0
#pragma once
// Bounds-checked reading and writing of wire formats. Both sides keep a sticky error: parse in a straight
// line, then ask ok() once. After an error every read returns zero or an empty span and every write does
// nothing, so no check can be forgotten into an out-of-bounds access.

#include <cassert>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace fairway {

using ByteSpan = std::span<const uint8_t>;

[[nodiscard]] inline ByteSpan as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view as_text(ByteSpan bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Reads big-endian fields off the front of bytes it does not own.
class Reader {
  public:
    explicit Reader(ByteSpan bytes) noexcept : bytes_(bytes) {}

    [[nodiscard]] bool ok() const noexcept { return ok_; }
    [[nodiscard]] bool at_end() const noexcept { return position_ == bytes_.size(); }
    [[nodiscard]] size_t position() const noexcept { return position_; }
    [[nodiscard]] size_t remaining() const noexcept { return bytes_.size() - position_; }
    /// Everything this reader was given, for formats that point backwards (DNS compression).
    [[nodiscard]] ByteSpan whole() const noexcept { return bytes_; }

    /// Makes the error stick; for values that are in bounds but not allowed.
    void fail() noexcept {
        ok_ = false;
        position_ = bytes_.size();
    }

    uint8_t u8() noexcept { return static_cast<uint8_t>(number(1)); }
    uint16_t u16() noexcept { return static_cast<uint16_t>(number(2)); }
    uint32_t u24() noexcept { return static_cast<uint32_t>(number(3)); }
    uint32_t u32() noexcept { return static_cast<uint32_t>(number(4)); }
    uint64_t u64() noexcept { return number(8); }

    ByteSpan take(size_t count) noexcept {
        if (!ok_ || count > remaining()) {
            fail();
            return {};
        }
        const ByteSpan taken = bytes_.subspan(position_, count);
        position_ += count;
        return taken;
    }
    ByteSpan rest() noexcept { return take(remaining()); }
    void skip(size_t count) noexcept { take(count); }
    /// A reader over the next `count` bytes; errors in it do not reach this one.
    Reader sub(size_t count) noexcept {
        Reader inner(take(count));
        if (!ok_) inner.fail();
        return inner;
    }

  private:
    uint64_t number(size_t width) noexcept {
        uint64_t value = 0;
        for (const uint8_t byte : take(width)) value = value << 8 | byte;
        return value;
    }

    ByteSpan bytes_;
    size_t position_ = 0;
    bool ok_ = true;
};

/// Writes big-endian fields into a buffer it does not own and never past its end.
class Writer {
  public:
    explicit Writer(std::span<uint8_t> buffer) noexcept : buffer_(buffer) {}

    [[nodiscard]] bool ok() const noexcept { return ok_; }
    [[nodiscard]] size_t position() const noexcept { return position_; }
    [[nodiscard]] size_t remaining() const noexcept { return ok_ ? buffer_.size() - position_ : 0; }
    [[nodiscard]] ByteSpan written() const noexcept { return buffer_.first(position_); }

    void fail() noexcept { ok_ = false; }
    /// Forgets what was written after `position` and the error with it; for "does this record still fit".
    void rewind(size_t position) noexcept {
        assert(position <= buffer_.size());
        position_ = position;
        ok_ = true;
    }

    void u8(uint8_t value) noexcept { number(value, 1); }
    void u16(uint16_t value) noexcept { number(value, 2); }
    void u24(uint32_t value) noexcept { number(value, 3); }
    void u32(uint32_t value) noexcept { number(value, 4); }
    void u64(uint64_t value) noexcept { number(value, 8); }
    void bytes(ByteSpan data) noexcept {
        uint8_t* to = claim(data.size());
        if (to != nullptr && !data.empty()) std::memcpy(to, data.data(), data.size());
    }
    void text(std::string_view data) noexcept { bytes(as_bytes(data)); }
    void zeros(size_t count) noexcept {
        uint8_t* to = claim(count);
        if (to != nullptr) std::memset(to, 0, count);
    }
    /// Overwrites a 16-bit field written earlier, such as a length or a count.
    void patch_u16(size_t at, uint16_t value) noexcept {
        if (position_ < 2 || at > position_ - 2) {
            fail();
            return;
        }
        buffer_[at] = static_cast<uint8_t>(value >> 8);
        buffer_[at + 1] = static_cast<uint8_t>(value);
    }
    void patch_u32(size_t at, uint32_t value) noexcept {
        patch_u16(at, static_cast<uint16_t>(value >> 16));
        patch_u16(at + 2, static_cast<uint16_t>(value));
    }

  private:
    uint8_t* claim(size_t count) noexcept {
        if (!ok_ || count > buffer_.size() - position_) {
            ok_ = false;
            return nullptr;
        }
        uint8_t* at = buffer_.data() + position_;
        position_ += count;
        return at;
    }
    void number(uint64_t value, size_t width) noexcept {
        uint8_t* to = claim(width);
        if (to == nullptr) return;
        for (size_t i = 0; i < width; ++i) to[i] = static_cast<uint8_t>(value >> (8 * (width - 1 - i)));
    }

    std::span<uint8_t> buffer_;
    size_t position_ = 0;
    bool ok_ = true;
};

}  // namespace fairway
