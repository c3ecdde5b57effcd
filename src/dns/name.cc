// SPDX-License-Identifier: Apache-2.0
#include "dns/name.h"

#include <algorithm>

#include "base/random.h"
#include "base/text.h"

namespace fairway::dns {
namespace {

constexpr uint8_t pointer_bits = 0xc0;

constexpr uint8_t lower(uint8_t byte) noexcept {
    return byte >= 'A' && byte <= 'Z' ? static_cast<uint8_t>(byte + ('a' - 'A')) : byte;
}

uint64_t load(const uint8_t* from, size_t count) noexcept {
    uint64_t word = 0;
    std::memcpy(&word, from, count);
    return word;
}

// Reads labels up to the root or a pointer; false when malformed. `to` points at the pointer's target, or is
// no_pointer at the root.
constexpr size_t no_pointer = SIZE_MAX;

bool read_labels(Reader& reader, uint8_t* out, size_t& size, size_t& to) noexcept {
    while (true) {
        const uint8_t length = reader.u8();
        if (!reader.ok()) return false;
        if ((length & pointer_bits) == pointer_bits) {
            to = size_t{length & 0x3fU} << 8 | reader.u8();
            return reader.ok();
        }
        // 0x40 and 0x80 are reserved label types (RFC 6891 section 5).
        if ((length & pointer_bits) != 0 || size + 1 + length > Name::max_size) return false;
        out[size++] = length;
        if (length == 0) {
            to = no_pointer;
            return true;
        }
        const ByteSpan label = reader.take(length);
        if (!reader.ok()) return false;
        std::memcpy(out + size, label.data(), length);
        size += length;
    }
}

}  // namespace

void Name::assign(ByteSpan wire) noexcept {
    std::memcpy(bytes_.data(), wire.data(), wire.size());
    size_ = static_cast<uint8_t>(wire.size());
}

Result<Name> Name::parse(std::string_view text) {
    const auto bad = [text](const char* why) {
        return fail("\"" + std::string(text.substr(0, 300)) + "\" is not a domain name: " + why);
    };
    Name name;
    if (text.empty()) return bad("it is empty");
    if (text == ".") return name;
    size_t size = 0;
    size_t label = size++;  // where the length of the current label goes
    for (size_t i = 0; i < text.size(); ++i) {
        auto byte = static_cast<uint8_t>(text[i]);
        if (byte == '.') {
            const size_t length = size - label - 1;
            if (length == 0) return bad("a label is empty");
            name.bytes_[label] = static_cast<uint8_t>(length);
            label = size;
            if (i + 1 == text.size()) break;
            if (size++ >= max_size - 1) return bad("it is longer than 255 octets");
            continue;
        }
        if (byte == '\\') {
            const std::string_view rest = text.substr(i + 1);
            const auto digit = [](char c) { return c >= '0' && c <= '9'; };
            if (rest.empty()) return bad("it ends in a backslash");
            if (digit(rest[0])) {
                if (rest.size() < 3 || !digit(rest[1]) || !digit(rest[2]))
                    return bad("a backslash and a digit must be followed by two more");
                const int value = (rest[0] - '0') * 100 + (rest[1] - '0') * 10 + (rest[2] - '0');
                if (value > 255) return bad("an escaped octet is over 255");
                byte = static_cast<uint8_t>(value);
                i += 3;
            } else {
                byte = static_cast<uint8_t>(rest[0]);
                i += 1;
            }
        }
        if (size - label - 1 >= max_label) return bad("a label is longer than 63 octets");
        if (size >= max_size - 1) return bad("it is longer than 255 octets");
        name.bytes_[size++] = byte;
    }
    if (label != size) {  // no trailing dot
        const size_t length = size - label - 1;
        if (length == 0) return bad("a label is empty");
        name.bytes_[label] = static_cast<uint8_t>(length);
    }
    name.bytes_[size++] = 0;
    name.size_ = static_cast<uint8_t>(size);
    return name;
}

Result<Name> Name::from_wire(ByteSpan wire) {
    Reader reader(wire);
    Name name = read_uncompressed(reader);
    if (!reader.ok() || !reader.at_end()) return fail("the octets are not one domain name");
    return name;
}

Name Name::read_uncompressed(Reader& reader) noexcept {
    Name name;
    size_t size = 0;
    size_t to = no_pointer;
    if (!read_labels(reader, name.bytes_.data(), size, to) || to != no_pointer) {
        reader.fail();
        return Name();
    }
    name.size_ = static_cast<uint8_t>(size);
    return name;
}

Name Name::read(Reader& reader) noexcept {
    Name name;
    size_t size = 0;
    size_t to = no_pointer;
    size_t before = reader.position();
    bool good = read_labels(reader, name.bytes_.data(), size, to);
    while (good && to != no_pointer) {
        // Each jump lands before the labels it came from, so that there is an end.
        if (to >= before) {
            good = false;
            break;
        }
        before = to;
        Reader earlier(reader.whole());
        earlier.skip(to);
        good = read_labels(earlier, name.bytes_.data(), size, to);
    }
    if (!good) {
        reader.fail();
        return Name();
    }
    name.size_ = static_cast<uint8_t>(size);
    return name;
}

size_t Name::labels() const noexcept {
    size_t count = 0;
    for (size_t at = 0; bytes_[at] != 0; at += bytes_[at] + 1U) ++count;
    return count;
}

Name Name::parent() const noexcept {
    Name result;
    if (!is_root()) result.assign(wire().subspan(bytes_[0] + 1U));
    return result;
}

bool Name::is_within(const Name& ancestor) const noexcept {
    if (ancestor.size_ > size_) return false;
    const size_t start = size_t{size_} - ancestor.size_;
    size_t at = 0;
    while (at < start) at += bytes_[at] + 1U;
    if (at != start) return false;
    for (size_t i = 0; i < ancestor.size_; ++i)
        if (lower(bytes_[start + i]) != lower(ancestor.bytes_[i])) return false;
    return true;
}

Name Name::lowered() const noexcept {
    Name result;
    lower_wire(wire(), result.bytes_.data());
    result.size_ = size_;
    return result;
}

Result<Name> Name::child(std::string_view label) const {
    if (label.empty() || label.size() > max_label) return fail("a label must have 1 to 63 octets");
    if (size_ + 1 + label.size() > max_size)
        return fail("a label in front of " + to_text() + " makes it longer than 255 octets");
    Name result;
    result.bytes_[0] = static_cast<uint8_t>(label.size());
    std::memcpy(result.bytes_.data() + 1, label.data(), label.size());
    std::memcpy(result.bytes_.data() + 1 + label.size(), bytes_.data(), size_);
    result.size_ = static_cast<uint8_t>(size_ + 1 + label.size());
    return result;
}

std::string Name::to_string() const {
    if (is_root()) return ".";
    std::string text;
    for (size_t at = 0; bytes_[at] != 0; at += bytes_[at] + 1U) {
        for (const uint8_t byte : wire().subspan(at + 1, bytes_[at])) {
            const char c = static_cast<char>(byte);
            if (byte <= ' ' || byte > '~') {
                text += '\\';
                text += static_cast<char>('0' + byte / 100);
                text += static_cast<char>('0' + byte / 10 % 10);
                text += static_cast<char>('0' + byte % 10);
            } else {
                // What would end or change a name in a zone file.
                if (std::string_view(".\\\"();@$").find(c) != std::string_view::npos) text += '\\';
                text += c;
            }
        }
        text += '.';
    }
    return text;
}

std::string Name::to_text() const {
    std::string text = to_string();
    if (text.size() > 1) text.pop_back();
    return text;
}

bool operator==(const Name& a, const Name& b) noexcept {
    return a.size_ == b.size_ && std::equal(a.bytes_.begin(), a.bytes_.begin() + a.size_, b.bytes_.begin(),
                                            [](uint8_t x, uint8_t y) { return lower(x) == lower(y); });
}

std::strong_ordering operator<=>(const Name& a, const Name& b) noexcept {
    std::array<uint8_t, Name::max_labels> starts_a{};
    std::array<uint8_t, Name::max_labels> starts_b{};
    const auto split = [](const Name& name, auto& starts) {
        size_t count = 0;
        for (size_t at = 0; name.bytes_[at] != 0; at += name.bytes_[at] + 1U)
            starts[count++] = static_cast<uint8_t>(at);
        return count;
    };
    size_t left_a = split(a, starts_a);
    size_t left_b = split(b, starts_b);
    while (left_a > 0 && left_b > 0) {
        const ByteSpan label_a = a.wire().subspan(starts_a[--left_a]);
        const ByteSpan label_b = b.wire().subspan(starts_b[left_b - 1]);
        --left_b;
        const size_t common = std::min(label_a[0], label_b[0]);
        for (size_t i = 1; i <= common; ++i)
            if (lower(label_a[i]) != lower(label_b[i])) return lower(label_a[i]) <=> lower(label_b[i]);
        if (label_a[0] != label_b[0]) return label_a[0] <=> label_b[0];
    }
    return left_a <=> left_b;
}

void skip_name(Reader& reader) noexcept {
    while (true) {
        const uint8_t length = reader.u8();
        if (!reader.ok() || length == 0) return;
        if ((length & pointer_bits) == pointer_bits) {
            reader.u8();
            return;
        }
        if ((length & pointer_bits) != 0) {
            reader.fail();
            return;
        }
        reader.skip(length);
    }
}

void lower_wire(ByteSpan wire, uint8_t* out) noexcept {
    const uint8_t* from = wire.data();
    size_t left = wire.size();
    for (; left >= 8; left -= 8, from += 8, out += 8) {
        const uint64_t word = lower_word(load(from, 8));
        std::memcpy(out, &word, 8);
    }
    for (; left > 0; --left) *out++ = lower(*from++);
}

uint64_t hash_wire(ByteSpan lowered) noexcept {
    constexpr uint64_t odd = 0x9e3779b97f4a7c15ULL;
    const uint8_t* from = lowered.data();
    size_t left = lowered.size();
    uint64_t hash = left * odd;
    for (; left >= 8; left -= 8, from += 8) {
        hash = (hash ^ load(from, 8)) * odd;
        hash ^= hash >> 29;
    }
    hash ^= load(from, left);
    return mix(hash);
}

}  // namespace fairway::dns
