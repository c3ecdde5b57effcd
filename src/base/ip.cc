// SPDX-License-Identifier: Apache-2.0
#include "base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>

namespace fairway {
namespace {

template <class Number>
bool parse_number(std::string_view text, Number& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

constexpr bool within(uint32_t address, uint32_t network, unsigned length) {
    return address >> (32 - length) == network >> (32 - length);
}

}  // namespace

Result<IpAddress> IpAddress::parse(std::string_view text) {
    // inet_pton wants a terminated string; the longest textual address has 45 characters.
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    const auto bad = [text] {
        return fail("\"" + std::string(text.substr(0, 80)) + "\" is not an IP address");
    };
    if (text.size() >= buffer.size() || text.find('\0') != std::string_view::npos) return bad();
    std::copy(text.begin(), text.end(), buffer.begin());
    std::array<uint8_t, 4> four{};
    if (inet_pton(AF_INET, buffer.data(), four.data()) == 1) return v4(four);
    std::array<uint8_t, 16> sixteen{};
    if (inet_pton(AF_INET6, buffer.data(), sixteen.data()) != 1) return bad();
    const bool mapped =
        std::all_of(sixteen.begin(), sixteen.begin() + 10, [](uint8_t b) { return b == 0; }) &&
        sixteen[10] == 0xff && sixteen[11] == 0xff;
    if (mapped) return v4({sixteen[12], sixteen[13], sixteen[14], sixteen[15]});
    return v6(sixteen);
}

std::string IpAddress::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), buffer.data(), buffer.size());
    return buffer.data();
}

IpAddress IpAddress::masked(uint8_t length) const noexcept {
    IpAddress result = *this;
    const size_t size = bytes().size();
    const size_t whole = length / 8U;
    if (whole >= size) return result;
    result.bytes_[whole] = static_cast<uint8_t>(result.bytes_[whole] & (0xff00U >> (length % 8U)));
    for (size_t i = whole + 1; i < size; ++i) result.bytes_[i] = 0;
    return result;
}

bool IpAddress::is_loopback() const noexcept {
    if (is_v4()) return bytes_[0] == 127;
    return std::all_of(bytes_.begin(), bytes_.end() - 1, [](uint8_t b) { return b == 0; }) && bytes_[15] == 1;
}

bool IpAddress::is_private() const noexcept {
    if (is_v4()) {
        const uint32_t a = v4_host_order();
        return within(a, 0x0a000000, 8) || within(a, 0xac100000, 12) || within(a, 0xc0a80000, 16) ||
               within(a, 0x64400000, 10) || within(a, 0xa9fe0000, 16) || within(a, 0x7f000000, 8);
    }
    return is_loopback() || (bytes_[0] & 0xfe) == 0xfc || (bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80);
}

Result<IpPrefix> IpPrefix::parse(std::string_view text) {
    const size_t slash = text.find('/');
    auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return tl::unexpected(address.error());
    if (slash == std::string_view::npos) return IpPrefix(*address, address->bits());
    uint8_t length = 0;
    if (!parse_number(text.substr(slash + 1), length) || length > address->bits())
        return fail("\"" + std::string(text.substr(0, 80)) + "\" has no prefix length between 0 and " +
                    std::to_string(address->bits()));
    if (address->masked(length) != *address)
        return fail("\"" + std::string(text.substr(0, 80)) + "\" has bits set beyond its length; meant " +
                    IpPrefix(*address, length).to_string() + "?");
    return IpPrefix(*address, length);
}

std::string IpPrefix::to_string() const {
    return address_.to_string() + "/" + std::to_string(length_);
}

Result<SocketAddress> SocketAddress::parse(std::string_view text, std::optional<uint16_t> default_port) {
    const auto bad = [text](const char* why) {
        return fail("\"" + std::string(text.substr(0, 80)) + "\" is not an address with a port: " + why);
    };
    std::string_view host = text;
    std::string_view port;
    bool has_port = false;
    if (!text.empty() && text.front() == '[') {
        const size_t close = text.find(']');
        if (close == std::string_view::npos) return bad("the bracket is not closed");
        host = text.substr(1, close - 1);
        std::string_view after = text.substr(close + 1);
        has_port = !after.empty();
        if (has_port && after.front() != ':') return bad("a colon must follow the bracket");
        if (has_port) port = after.substr(1);
    } else if (std::count(text.begin(), text.end(), ':') == 1) {
        const size_t colon = text.find(':');
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
        has_port = true;
    }
    auto address = IpAddress::parse(host);
    if (!address) return bad("the address is not IPv4 or IPv6");
    SocketAddress result{*address, 0};
    if (has_port) {
        if (!parse_number(port, result.port)) return bad("the port must be a number from 0 to 65535");
    } else if (default_port) {
        result.port = *default_port;
    } else {
        return bad("a port is missing");
    }
    return result;
}

Result<SocketAddress> SocketAddress::from_sockaddr(const sockaddr* address) {
    if (address->sa_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, address, sizeof in);
        return SocketAddress{IpAddress::v4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
    }
    if (address->sa_family == AF_INET6) {
        sockaddr_in6 in6{};
        std::memcpy(&in6, address, sizeof in6);
        std::array<uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), &in6.sin6_addr, bytes.size());
        if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
            return SocketAddress{IpAddress::v4({bytes[12], bytes[13], bytes[14], bytes[15]}),
                                 ntohs(in6.sin6_port)};
        return SocketAddress{IpAddress::v6(bytes), ntohs(in6.sin6_port)};
    }
    return fail("address family " + std::to_string(address->sa_family) + " is neither IPv4 nor IPv6");
}

socklen_t SocketAddress::to_sockaddr(sockaddr_storage& storage) const noexcept {
    storage = {};
    if (address.is_v4()) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(port);
        in.sin_addr.s_addr = htonl(address.v4_host_order());
        std::memcpy(&storage, &in, sizeof in);
        return sizeof in;
    }
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    std::memcpy(&in6.sin6_addr, address.bytes().data(), 16);
    std::memcpy(&storage, &in6, sizeof in6);
    return sizeof in6;
}

std::string SocketAddress::to_string() const {
    if (address.is_v4()) return address.to_string() + ":" + std::to_string(port);
    return "[" + address.to_string() + "]:" + std::to_string(port);
}

uint64_t stable_hash(const IpAddress& address) noexcept {
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (const uint8_t byte : address.bytes()) hash = (hash ^ byte) * 0x100000001b3ULL;
    return hash;
}

}  // namespace fairway
