// SPDX-License-Identifier: Apache-2.0
#include "base/ip.h"

#include <netinet/in.h>

#include <catch2/catch.hpp>
#include <unordered_set>

using namespace fairway;

namespace {
IpAddress ip(std::string_view text) {
    return IpAddress::parse(text).value();
}
IpPrefix prefix(std::string_view text) {
    return IpPrefix::parse(text).value();
}
}  // namespace

TEST_CASE("addresses are read and written in their canonical form (RFC 5952)") {
    const std::pair<const char*, const char*> forms[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"::", "::"},
        {"::1", "::1"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::ffff:c000:201", "192.0.2.1"},
    };
    for (const auto& [text, canonical] : forms) {
        INFO(text);
        CHECK(ip(text).to_string() == canonical);
        CHECK(ip(canonical) == ip(text));
    }
    CHECK(ip("192.0.2.1").is_v4());
    CHECK(ip("::1").is_v6());
    CHECK(ip("192.0.2.1").bits() == 32);
    CHECK(ip("::1").bits() == 128);
    CHECK(ip("1.2.3.4").v4_host_order() == 0x01020304);
    CHECK(ip("1.2.3.4") == IpAddress::v4(0x01020304));
    CHECK(ip("1.2.3.4").bytes().size() == 4);
    CHECK(ip("::").bytes().size() == 16);
    CHECK(IpAddress{} == ip("0.0.0.0"));
}

TEST_CASE("what is not an address is refused") {
    for (const std::string text :
         {"", " ", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4/32",
          ":::", "1::2::3", "2001:db8::1%eth0", "[::1]", "12345::", "::ffff:1.2.3.256", "localhost"}) {
        INFO(text);
        const auto parsed = IpAddress::parse(text);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().message == "\"" + text + "\" is not an IP address");
    }
    CHECK_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0", 8)));
    CHECK(IpAddress::parse(std::string(10'000, '1')).error().message.size() < 120);
}

TEST_CASE("masking clears what lies beyond the length") {
    CHECK(ip("255.255.255.255").masked(0) == ip("0.0.0.0"));
    CHECK(ip("255.255.255.255").masked(1) == ip("128.0.0.0"));
    CHECK(ip("10.1.2.3").masked(23) == ip("10.1.2.0"));
    CHECK(ip("10.1.2.3").masked(32) == ip("10.1.2.3"));
    CHECK(ip("10.1.2.3").masked(200) == ip("10.1.2.3"));
    CHECK(ip("ffff:ffff::ffff").masked(20) == ip("ffff:f000::"));
    CHECK(ip("::ff").masked(127) == ip("::fe"));
    CHECK(ip("::ff").masked(128) == ip("::ff"));
}

TEST_CASE("loopback and private addresses are known to their borders") {
    for (const char* text : {"127.0.0.1", "127.255.255.255", "::1"}) CHECK(ip(text).is_loopback());
    for (const char* text : {"126.255.255.255", "128.0.0.0", "::2", "::", "0.0.0.1"})
        CHECK_FALSE(ip(text).is_loopback());
    for (const char* text : {"10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0",
                             "192.168.255.255", "100.64.0.0", "100.127.255.255", "169.254.0.0", "127.0.0.1",
                             "fe80::1", "febf::", "fc00::", "fdff::", "::1"}) {
        INFO(text);
        CHECK(ip(text).is_private());
    }
    for (const char* text :
         {"9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0",
          "100.63.255.255", "100.128.0.0", "8.8.8.8", "fec0::", "fe00::", "2001:db8::1", "fb00::"}) {
        INFO(text);
        CHECK_FALSE(ip(text).is_private());
    }
}

TEST_CASE("addresses order by family, then by value, and hash alike when equal") {
    CHECK(ip("255.255.255.255") < ip("::"));
    CHECK(ip("1.2.3.4") < ip("1.2.4.0"));
    const std::unordered_set<IpAddress> set{ip("1.2.3.4"), ip("::1"), ip("1.2.3.4")};
    CHECK(set.size() == 2);
    // These numbers are part of sticky answers: they must not change.
    CHECK(stable_hash(ip("192.0.2.1")) == 0x492d47c046214554ULL);
    CHECK(stable_hash(ip("2001:db8::1")) == 0xf97161b7a3be1c14ULL);
}

TEST_CASE("prefixes are read, written and asked what they hold") {
    CHECK(prefix("192.0.2.0/24").to_string() == "192.0.2.0/24");
    CHECK(prefix("192.0.2.1").to_string() == "192.0.2.1/32");
    CHECK(prefix("2001:DB8::/32").to_string() == "2001:db8::/32");
    CHECK(prefix("::/0").length() == 0);
    CHECK(prefix("0.0.0.0/0").contains(ip("203.0.113.1")));
    CHECK_FALSE(prefix("0.0.0.0/0").contains(ip("::1")));
    CHECK(prefix("192.0.2.128/25").contains(ip("192.0.2.255")));
    CHECK_FALSE(prefix("192.0.2.128/25").contains(ip("192.0.2.127")));
    CHECK(IpPrefix(ip("192.0.2.77"), 24) == prefix("192.0.2.0/24"));
    CHECK(IpPrefix(ip("192.0.2.77"), 99) == prefix("192.0.2.77"));
    CHECK(prefix("10.0.0.0/8") < prefix("10.0.0.0/9"));
}

TEST_CASE("what is not a prefix is refused, with what was meant") {
    const auto said = [](std::string_view text) { return IpPrefix::parse(text).error().message; };
    CHECK(said("192.0.2.1/24") == "\"192.0.2.1/24\" has bits set beyond its length; meant 192.0.2.0/24?");
    CHECK(said("192.0.2.0/33") == "\"192.0.2.0/33\" has no prefix length between 0 and 32");
    CHECK(said("::/129") == "\"::/129\" has no prefix length between 0 and 128");
    for (const char* text : {"192.0.2.0/", "192.0.2.0/x", "192.0.2.0/-1", "192.0.2.0/+1", "192.0.2.0/24/",
                             "192.0.2.0/ 24", "192.0.2.0/256"})
        CHECK(said(text) == "\"" + std::string(text) + "\" has no prefix length between 0 and 32");
    CHECK(said("/24") == "\"\" is not an IP address");
}

TEST_CASE("socket addresses are read with and without a port") {
    const auto read = [](std::string_view text) { return SocketAddress::parse(text, 53).value(); };
    CHECK(read("192.0.2.1:5300") == SocketAddress{ip("192.0.2.1"), 5300});
    CHECK(read("192.0.2.1") == SocketAddress{ip("192.0.2.1"), 53});
    CHECK(read("[2001:db8::1]:65535") == SocketAddress{ip("2001:db8::1"), 65535});
    CHECK(read("[2001:db8::1]") == SocketAddress{ip("2001:db8::1"), 53});
    CHECK(read("2001:db8::1") == SocketAddress{ip("2001:db8::1"), 53});
    CHECK(read("127.0.0.1:0").port == 0);
    for (const char* text : {"192.0.2.1:53", "[2001:db8::1]:53"}) CHECK(read(text).to_string() == text);
    CHECK(SocketAddress::parse("192.0.2.1").error().message ==
          "\"192.0.2.1\" is not an address with a port: a port is missing");
}

TEST_CASE("what is not a socket address is refused with the reason") {
    const auto said = [](std::string_view text) {
        const std::string message = SocketAddress::parse(text, 53).error().message;
        return message.substr(message.find(": ", message.find("with a port")) + 2);
    };
    CHECK(said("[::1:53") == "the bracket is not closed");
    CHECK(said("[::1]53") == "a colon must follow the bracket");
    CHECK(said("192.0.2.1:") == "the port must be a number from 0 to 65535");
    CHECK(said("192.0.2.1:65536") == "the port must be a number from 0 to 65535");
    CHECK(said("192.0.2.1:5x") == "the port must be a number from 0 to 65535");
    CHECK(said("host:53") == "the address is not IPv4 or IPv6");
    CHECK(said(":53") == "the address is not IPv4 or IPv6");
    CHECK(said("") == "the address is not IPv4 or IPv6");
}

TEST_CASE("socket addresses go to the kernel and come back") {
    for (const char* text : {"192.0.2.1:53", "[2001:db8::1]:5300"}) {
        const SocketAddress address = SocketAddress::parse(text).value();
        sockaddr_storage storage{};
        const socklen_t length = address.to_sockaddr(storage);
        CHECK(length == (address.address.is_v4() ? sizeof(sockaddr_in) : sizeof(sockaddr_in6)));
        CHECK(SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage)).value() == address);
    }
    sockaddr_in6 mapped{};
    mapped.sin6_family = AF_INET6;
    mapped.sin6_port = htons(53);
    mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
    mapped.sin6_addr.s6_addr[15] = 1;
    CHECK(SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&mapped)).value() ==
          SocketAddress{ip("0.0.0.1"), 53});
    sockaddr other{};
    other.sa_family = AF_UNIX;
    CHECK_FALSE(SocketAddress::from_sockaddr(&other));
}
