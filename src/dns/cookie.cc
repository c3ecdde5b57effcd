// SPDX-License-Identifier: Apache-2.0
#include "dns/cookie.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

namespace fairway::dns {
namespace {

constexpr uint8_t cookie_version = 1;
constexpr int32_t oldest_seconds = 3600;
constexpr int32_t newest_seconds = 300;

uint64_t load_little(const uint8_t* from) noexcept {
    uint64_t value = 0;
    for (int i = 7; i >= 0; --i) value = value << 8 | from[i];
    return value;
}

struct SipState {
    uint64_t v0, v1, v2, v3;

    void round() noexcept {
        v0 += v1;
        v1 = std::rotl(v1, 13) ^ v0;
        v0 = std::rotl(v0, 32);
        v2 += v3;
        v3 = std::rotl(v3, 16) ^ v2;
        v0 += v3;
        v3 = std::rotl(v3, 21) ^ v0;
        v2 += v1;
        v1 = std::rotl(v1, 17) ^ v2;
        v2 = std::rotl(v2, 32);
    }
    void compress(uint64_t word) noexcept {
        v3 ^= word;
        round();
        round();
        v0 ^= word;
    }
};

// The timing of a comparison must not tell how much of a forged cookie was right.
bool equal_in_constant_time(ByteSpan a, ByteSpan b) noexcept {
    if (a.size() != b.size()) return false;
    uint8_t difference = 0;
    for (size_t i = 0; i < a.size(); ++i) difference = static_cast<uint8_t>(difference | (a[i] ^ b[i]));
    return difference == 0;
}

//  0        1         4            8                     16
//  +--------+---------+------------+---------------------+
//  | version| reserved| timestamp  | hash (little endian)|     RFC 9018 section 4
//  +--------+---------+------------+---------------------+
//
// The hash is over the client cookie, the first eight octets as they are, and the client's address.
ServerCookie hashed(const CookieSecret& secret, const ClientCookie& client, ByteSpan first_eight,
                    const IpAddress& source) noexcept {
    std::array<uint8_t, 8 + 8 + 16> buffer{};
    Writer input(buffer);
    input.bytes(client);
    input.bytes(first_eight);
    input.bytes(source.bytes());
    const uint64_t hash = siphash24(secret, input.written());

    ServerCookie cookie{};
    std::memcpy(cookie.data(), first_eight.data(), 8);
    for (size_t i = 0; i < 8; ++i) cookie[8 + i] = static_cast<uint8_t>(hash >> (8 * i));
    return cookie;
}

}  // namespace

Result<CookieSecrets> parse_cookie_secrets(std::string_view text) {
    constexpr std::string_view blank = " \t\r\n";
    std::array<CookieSecret, 2> secrets{};
    size_t count = 0;
    for (size_t at = text.find_first_not_of(blank); at != std::string_view::npos; ++count) {
        const size_t end = std::min(text.find_first_of(blank, at), text.size());
        const std::string_view word = text.substr(at, end - at);
        bool good = count < secrets.size() && word.size() == 2 * secrets[0].size();
        for (size_t i = 0; good && i < secrets[0].size(); ++i) {
            const char* digits = word.data() + 2 * i;
            const auto [stop, error] = std::from_chars(digits, digits + 2, secrets[count][i], 16);
            good = error == std::errc{} && stop == digits + 2;
        }
        if (!good) return fail("a cookie secret has 32 hexadecimal digits, and there are at most two");
        at = text.find_first_not_of(blank, end);
    }
    if (count == 0) return fail("there is no cookie secret");
    CookieSecrets result;
    result.current = secrets[0];
    if (count > 1) result.previous = secrets[1];
    return result;
}

uint64_t siphash24(const CookieSecret& key, ByteSpan data) noexcept {
    const uint64_t k0 = load_little(key.data());
    const uint64_t k1 = load_little(key.data() + 8);
    SipState state{k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL, k0 ^ 0x6c7967656e657261ULL,
                   k1 ^ 0x7465646279746573ULL};
    size_t at = 0;
    for (; at + 8 <= data.size(); at += 8) state.compress(load_little(data.data() + at));
    uint64_t last = uint64_t{data.size() & 0xff} << 56;
    for (size_t i = 0; at + i < data.size(); ++i) last |= uint64_t{data[at + i]} << (8 * i);
    state.compress(last);
    state.v2 ^= 0xff;
    for (int i = 0; i < 4; ++i) state.round();
    return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

ServerCookie make_server_cookie(const CookieSecret& secret, const ClientCookie& client,
                                const IpAddress& source, uint32_t unix_seconds) noexcept {
    std::array<uint8_t, 8> start{};
    Writer writer(start);
    writer.u8(cookie_version);
    writer.zeros(3);
    writer.u32(unix_seconds);
    return hashed(secret, client, start, source);
}

bool check_server_cookie(const CookieSecrets& secrets, const ClientCookie& client, ByteSpan server,
                         const IpAddress& source, uint32_t unix_seconds) noexcept {
    if (server.size() != ServerCookie().size() || server[0] != cookie_version) return false;
    Reader reader(server);
    reader.skip(4);
    const uint32_t made = reader.u32();
    // Serial number arithmetic (RFC 1982), as RFC 9018 section 4.3 asks for.
    const auto age = static_cast<int32_t>(unix_seconds - made);
    if (age > oldest_seconds || age < -newest_seconds) return false;
    // Reserved octets that are not zero are hashed all the same: another server of the set may know their
    // meaning.
    const auto made_with = [&](const CookieSecret& secret) {
        return equal_in_constant_time(hashed(secret, client, server.first(8), source), server);
    };
    return made_with(secrets.current) || (secrets.previous && made_with(*secrets.previous));
}

}  // namespace fairway::dns
