// SPDX-License-Identifier: Apache-2.0
#pragma once
// IP addresses, prefixes and socket addresses as values.

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace fairway {

enum class IpFamily : uint8_t { v4 = 4, v6 = 6 };

/// An IPv4 or IPv6 address. An IPv4 address is its own family, never a mapped IPv6 one. 17 bytes, trivially
/// copyable; default-constructed it is 0.0.0.0.
class IpAddress {
  public:
    constexpr IpAddress() noexcept = default;
    static constexpr IpAddress v4(std::array<uint8_t, 4> bytes) noexcept {
        IpAddress address;
        for (size_t i = 0; i < 4; ++i) address.bytes_[i] = bytes[i];
        return address;
    }
    static constexpr IpAddress v4(uint32_t host_order) noexcept {
        return v4(std::array<uint8_t, 4>{
            static_cast<uint8_t>(host_order >> 24), static_cast<uint8_t>(host_order >> 16),
            static_cast<uint8_t>(host_order >> 8), static_cast<uint8_t>(host_order)});
    }
    static constexpr IpAddress v6(std::array<uint8_t, 16> bytes) noexcept {
        IpAddress address;
        address.family_ = IpFamily::v6;
        address.bytes_ = bytes;
        return address;
    }
    /// Textual form without brackets, port or zone; an IPv4-mapped IPv6 address becomes IPv4.
    static Result<IpAddress> parse(std::string_view text);

    [[nodiscard]] constexpr IpFamily family() const noexcept { return family_; }
    [[nodiscard]] constexpr bool is_v4() const noexcept { return family_ == IpFamily::v4; }
    [[nodiscard]] constexpr bool is_v6() const noexcept { return family_ == IpFamily::v6; }
    /// 4 or 16 bytes in network order.
    [[nodiscard]] ByteSpan bytes() const noexcept { return {bytes_.data(), is_v4() ? 4U : 16U}; }
    /// 32 or 128.
    [[nodiscard]] constexpr uint8_t bits() const noexcept { return is_v4() ? 32 : 128; }
    /// Only for IPv4.
    [[nodiscard]] constexpr uint32_t v4_host_order() const noexcept {
        return uint32_t{bytes_[0]} << 24 | uint32_t{bytes_[1]} << 16 | uint32_t{bytes_[2]} << 8 | bytes_[3];
    }
    /// RFC 5952.
    [[nodiscard]] std::string to_string() const;
    /// With all bits beyond `length` cleared; a length over bits() changes nothing.
    [[nodiscard]] IpAddress masked(uint8_t length) const noexcept;

    [[nodiscard]] bool is_loopback() const noexcept;
    /// RFC 1918, RFC 6598, link-local, unique local and loopback: no public geography.
    [[nodiscard]] bool is_private() const noexcept;

    friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

  private:
    IpFamily family_ = IpFamily::v4;
    std::array<uint8_t, 16> bytes_{};
};

/// A block of addresses; the address has no bits set beyond the length.
class IpPrefix {
  public:
    constexpr IpPrefix() noexcept = default;
    IpPrefix(const IpAddress& address, uint8_t length) noexcept
        : address_(address.masked(length)), length_(length > address.bits() ? address.bits() : length) {}
    /// "192.0.2.0/24", or a bare address as a /32 or /128. Bits set beyond the length are an error.
    static Result<IpPrefix> parse(std::string_view text);

    [[nodiscard]] const IpAddress& address() const noexcept { return address_; }
    [[nodiscard]] uint8_t length() const noexcept { return length_; }
    [[nodiscard]] bool contains(const IpAddress& address) const noexcept {
        return address.family() == address_.family() && address.masked(length_) == address_;
    }
    [[nodiscard]] std::string to_string() const;

    friend auto operator<=>(const IpPrefix&, const IpPrefix&) = default;

  private:
    IpAddress address_;
    uint8_t length_ = 0;
};

/// An address with a port.
struct SocketAddress {
    IpAddress address;
    uint16_t port = 0;

    /// "192.0.2.1:53", "[2001:db8::1]:53"; without a port, `default_port` if there is one, else an error.
    static Result<SocketAddress> parse(std::string_view text,
                                       std::optional<uint16_t> default_port = std::nullopt);
    static Result<SocketAddress> from_sockaddr(const sockaddr* address);
    /// Fills `storage`; returns the length to hand to the kernel.
    socklen_t to_sockaddr(sockaddr_storage& storage) const noexcept;
    [[nodiscard]] std::string to_string() const;

    friend auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
};

/// FNV-1a over the address; stable across runs and machines, so it may be used for sticky choices.
[[nodiscard]] uint64_t stable_hash(const IpAddress& address) noexcept;

}  // namespace fairway

template <>
struct std::hash<fairway::IpAddress> {
    size_t operator()(const fairway::IpAddress& address) const noexcept {
        return fairway::stable_hash(address);
    }
};
template <>
struct std::hash<fairway::SocketAddress> {
    size_t operator()(const fairway::SocketAddress& address) const noexcept {
        return fairway::stable_hash(address.address) * 31 + address.port;
    }
};
