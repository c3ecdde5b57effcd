// SPDX-License-Identifier: Apache-2.0
// ICMP packets as bytes, the exchange's judgement, and echoes to loopback in a network namespace of the
// test's own, where ping sockets can be allowed and forbidden.

#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sched.h>
#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "probes/icmp_packet.h"
#include "probes/registry.h"
#include "unit/probes/fleet.h"
#include "unit/probes/sockets.h"

using namespace fairway;
using namespace fairway::test;

namespace {

std::vector<uint8_t> bytes_of(const std::string& hex) {
    std::vector<uint8_t> bytes;
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
        if (hex[i] == ' ') {
            --i;
            continue;
        }
        bytes.push_back(static_cast<uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
    }
    return bytes;
}

/// The io of an ICMP exchange whose peer answers or not as told.
struct EchoIo final : DatagramIo {
    Attempt attempt_;
    std::vector<uint8_t> sent;
    std::optional<ProbeResult> result;

    const Attempt& attempt() const noexcept override { return attempt_; }
    MonotonicTime now() const noexcept override { return {}; }
    WallTime wall_now() const noexcept override { return {}; }
    void finish(ProbeResult decided) override { result = std::move(decided); }
    bool tracing() const noexcept override { return false; }
    void step(std::string_view) override {}
    void send(size_t, ByteSpan bytes) override { sent.assign(bytes.begin(), bytes.end()); }
};

struct Pinger {
    std::unique_ptr<EchoProbe> probe;
    std::unique_ptr<DatagramExchange> exchange;
    uint64_t nonce = 0x0123456789abcdef;

    explicit Pinger(IcmpProbe settings) {
        Monitor monitor;
        monitor.probe = settings;
        auto compiled = compile_icmp(monitor);
        probe = std::get<std::unique_ptr<EchoProbe>>(std::move(*compiled));
        exchange = probe->make_exchange({});
    }
    enum class Fate { answered, lost, unreachable };
    std::string ping(Fate fate) {
        EchoIo io;
        io.attempt_.nonce = nonce++;
        io.attempt_.timeout = milliseconds{500};
        exchange->on_start(io);
        if (fate == Fate::answered) exchange->on_datagram(io.sent, 0, io);
        if (fate == Fate::unreachable) exchange->on_unreachable(Unreachable::host, 0, io);
        if (fate == Fate::lost) io.result = exchange->on_silence(io);
        exchange->release();
        return describe(io.result.value()) + " (" + io.result->detail + ")";
    }
};

/// Runs `body` in a child with a network namespace of its own, its loopback device up. The status the child
/// exits with.
template <class Body>
int in_own_network(Body body) {
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        const uid_t uid = ::geteuid();
        const gid_t gid = ::getegid();
        if (::unshare(uid == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) != 0) ::_exit(100);
        if (uid != 0) {
            std::ofstream("/proc/self/setgroups") << "deny";
            std::ofstream("/proc/self/uid_map") << "0 " << uid << " 1";
            std::ofstream("/proc/self/gid_map") << "0 " << gid << " 1";
        }
        if (std::system("ip link set lo up") != 0) ::_exit(101);
        ::_exit(body());
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

bool allow_ping_sockets(bool allowed) {
    std::ofstream range("/proc/sys/net/ipv4/ping_group_range");
    range << (allowed ? "0 0" : "1 0") << std::endl;
    return range.good();
}

/// Lines of a table of sockets below /proc, without its header.
size_t sockets_in(const std::string& table) {
    std::ifstream file("/proc/self/net/" + table);
    std::string line;
    size_t count = 0;
    while (std::getline(file, line)) ++count;
    return count - 1;
}

/// Pings 127.0.0.1 and ::1; 0 when both pass and the kinds of sockets used are as expected.
int ping_loopback(size_t ping_sockets, size_t raw_sockets) {
    Harness harness;
    const auto results = harness.first_round(ModelBuilder()
                                                 .add(monitor("icmp", IcmpProbe{}, 0))
                                                 .gateway("gw", {"127.0.0.1", "::1", "127.0.0.2"}, {"icmp"})
                                                 .build());
    if (results.size() != 3) return 1;
    for (const Reported& reported : results)
        if (describe(reported.result) != "ok" || !reported.result.rtt) return 2;
    if (sockets_in("icmp") + sockets_in("icmp6") != ping_sockets) return 3;
    if (sockets_in("raw") + sockets_in("raw6") != raw_sockets) return 4;
    return 0;
}

}  // namespace

TEST_CASE("an echo request for IPv4 carries its checksum") {
    std::vector<uint8_t> buffer(64);
    const ByteSpan packet = write_echo_request(buffer, IpFamily::v4, 0x1234, 7, as_bytes("abc"));
    // ~(0800 + 1234 + 0007 + 6162 + 6300) in ones' complement.
    CHECK(std::vector<uint8_t>(packet.begin(), packet.end()) == bytes_of("0800 2162 1234 0007 616263"));
    CHECK(write_echo_request(std::span(buffer).first(10), IpFamily::v4, 1, 1, as_bytes("abc")).empty());
}

TEST_CASE("echo replies are read with and without an IP header") {
    const auto framed = bytes_of("45000000000000004001 0000 7f000001 7f000002 0000ffff 1234 0007 6162");
    const auto v4 = parse_icmp(framed, IpFamily::v4, IcmpFraming::with_ip_header);
    REQUIRE(v4);
    CHECK(v4->kind == IcmpMessage::Kind::reply);
    CHECK(v4->id == 0x1234);
    CHECK(v4->sequence == 7);
    CHECK(as_text(v4->payload) == "ab");
    const auto bare = bytes_of("8100ffff 1234 0007 6162");
    const auto v6 = parse_icmp(bare, IpFamily::v6, IcmpFraming::bare);
    REQUIRE(v6);
    CHECK(as_text(v6->payload) == "ab");
}

TEST_CASE("errors are read back to the echo that caused them") {
    const auto v4 =
        parse_icmp(bytes_of("45000000000000004001 0000 0a000001 7f000001 0301ffff 00000000"
                            "46000000000000004001 0000 7f000001 c0000201 00000000 0800ffff 1234 0007"),
                   IpFamily::v4, IcmpFraming::with_ip_header);
    REQUIRE(v4);
    CHECK(v4->kind == IcmpMessage::Kind::unreachable);
    CHECK(v4->reason == Unreachable::host);
    CHECK(v4->destination->to_string() == "192.0.2.1");
    CHECK(v4->sequence == 7);
    const auto v6 = parse_icmp(bytes_of("0101ffff 00000000 6000000000003a40"
                                        "00000000000000000000000000000001 20010db8000000000000000000000001"
                                        "8000ffff 1234 0007"),
                               IpFamily::v6, IcmpFraming::bare);
    REQUIRE(v6);
    CHECK(v6->reason == Unreachable::prohibited);
    CHECK(v6->destination->to_string() == "2001:db8::1");
    CHECK(v6->id == 0x1234);
}

TEST_CASE("other ICMP, errors about other traffic and cut packets are nothing to us") {
    const std::string error =
        "45000000000000004001 0000 0a000001 7f000001 0301ffff 00000000"
        "45000000000000004001 0000 7f000001 c0000201 0800ffff 1234 0007";
    REQUIRE(parse_icmp(bytes_of(error), IpFamily::v4, IcmpFraming::with_ip_header));
    const auto whole = bytes_of(error);
    for (size_t length = 0; length < whole.size(); ++length)
        CHECK_FALSE(parse_icmp(ByteSpan(whole).first(length), IpFamily::v4, IcmpFraming::with_ip_header));
    auto udp = whole;
    udp[20 + 8 + 9] = 17;
    CHECK_FALSE(parse_icmp(udp, IpFamily::v4, IcmpFraming::with_ip_header));
    CHECK_FALSE(parse_icmp(bytes_of("0800ffff12340007"), IpFamily::v4, IcmpFraming::bare));  // a request
    CHECK_FALSE(parse_icmp(bytes_of("0304ffff00000000"), IpFamily::v4, IcmpFraming::bare));  // too big
    CHECK_FALSE(parse_icmp(bytes_of("8000ffff12340007"), IpFamily::v6, IcmpFraming::bare));
}

TEST_CASE("an ICMP probe judges this echo and the loss over its window") {
    IcmpProbe settings;
    settings.window = 10;
    settings.degraded_loss = 0.2;
    settings.down_loss = 0.6;
    Pinger pinger(settings);
    using Fate = Pinger::Fate;
    CHECK(pinger.ping(Fate::lost) == "network: no echo reply after 500ms (loss 1 of 1)");
    // Too few echoes to speak of loss.
    CHECK(pinger.ping(Fate::answered) == "ok (loss 1 of 2)");
    for (int i = 0; i < 2; ++i) pinger.ping(Fate::answered);
    CHECK(pinger.ping(Fate::answered) == "network: packet loss 20 % (loss 1 of 5)");
    CHECK(pinger.ping(Fate::answered) == "ok (loss 1 of 6)");
    CHECK(pinger.ping(Fate::unreachable) == "network: host unreachable (loss 2 of 7)");
    for (int i = 0; i < 6; ++i) pinger.ping(Fate::lost);
    CHECK(pinger.ping(Fate::answered) == "network: packet loss 70 % (loss 7 of 10)");
    for (int i = 0; i < 8; ++i) pinger.ping(Fate::answered);
    CHECK(pinger.ping(Fate::answered) == "ok (loss 0 of 10)");
}

TEST_CASE("an echo reply with another payload is not ours") {
    Pinger pinger(IcmpProbe{});
    EchoIo io;
    io.attempt_.nonce = 1;
    pinger.exchange->on_start(io);
    CHECK(io.sent.size() == 56);
    auto other = io.sent;
    other[7] ^= 1;
    pinger.exchange->on_datagram(other, 0, io);
    pinger.exchange->on_datagram(ByteSpan(io.sent).first(55), 0, io);
    CHECK_FALSE(io.result);
    pinger.exchange->on_datagram(io.sent, 0, io);
    CHECK(io.result);
}

TEST_CASE("echoes go through a ping socket where those are allowed") {
    CHECK(in_own_network([] { return allow_ping_sockets(true) ? ping_loopback(2, 0) : 102; }) == 0);
}

TEST_CASE("echoes go through a raw socket where ping sockets are not allowed") {
    CHECK(in_own_network([] { return allow_ping_sockets(false) ? ping_loopback(0, 2) : 102; }) == 0);
}

TEST_CASE("without either, the result says what to permit") {
    CHECK(in_own_network([] {
              if (!allow_ping_sockets(false)) return 102;
              __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
              const std::array<__user_cap_data_struct, 2> nothing{};
              if (::syscall(SYS_capset, &header, nothing.data()) != 0) return 103;
              const ProbeResult result = probe_once(monitor("icmp", IcmpProbe{}, 0), "127.0.0.1");
              return describe(result) ==
                             "internal: ICMP is not permitted: add this process' group to "
                             "net.ipv4.ping_group_range or give it CAP_NET_RAW"
                         ? 0
                         : 1;
          }) == 0);
}

TEST_CASE("an unreachable host is an explicit refusal, through either kind of socket") {
    for (const bool ping : {true, false})
        CHECK(in_own_network([ping] {
                  if (!allow_ping_sockets(ping)) return 102;
                  const ProbeResult result = probe_once(monitor("icmp", IcmpProbe{}, 0), "192.0.2.1");
                  return describe(result) == "network: network unreachable" && result.explicit_refusal ? 0
                                                                                                       : 1;
              }) == 0);
}
