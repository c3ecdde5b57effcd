// SPDX-License-Identifier: Apache-2.0
// What a stateless IKE probe costs beside the floor, which is a bare loop of the same system calls on the
// same datagrams: socket, connect, send, poll, receive, close.
//
//     bench_ike_probe [ENDPOINTS [INTERVAL_MS [ROUNDS]]]
//
// A process of its own answers as a gateway that prefers group 14, so every probe ends with
// INVALID_KE_PAYLOAD. Rounds of floor and probes alternate; medians are printed as one line of JSON.

#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "ipsec/entropy.h"
#include "ipsec/responder.h"
#include "model/model.h"
#include "net/loop.h"
#include "net/open_files.h"
#include "net/resolver.h"
#include "net/timer.h"
#include "probes/ike_requests.h"
#include "probes/prober.h"

using namespace fairway;

namespace {

constexpr uint32_t first_address = 0x7f210001;  // 127.33.0.1

/// Answers on every loopback address from the address that was asked, until it is killed.
[[noreturn]] void answer_for_ever(int fd, uint16_t port) {
    ipsec::SystemEntropy entropy;
    ipsec::ResponderSettings settings;
    settings.policy = {*ipsec::parse_proposal("aes256gcm16-prfsha384-modp2048")};
    ipsec::Ikev2Responder responder(settings, entropy);
    while (true) {
        std::array<uint8_t, 2048> buffer;
        std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control;
        sockaddr_storage from{};
        iovec data{buffer.data(), buffer.size()};
        msghdr message{&from, sizeof from, &data, 1, control.data(), control.size(), 0};
        const ssize_t size = ::recvmsg(fd, &message, 0);
        const auto peer = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&from));
        if (size < 4 || !peer) continue;
        const ByteSpan request = ByteSpan(buffer).subspan(4, static_cast<size_t>(size) - 4);
        const ByteSpan answer =
            responder.on_message(request, {{IpAddress{}, port}, *peer}, std::chrono::steady_clock::now());
        if (answer.empty()) continue;
        std::array<uint8_t, 2048> out{};
        std::copy(answer.begin(), answer.end(), out.begin() + 4);
        data = {out.data(), answer.size() + 4};
        // The control message that came names the address that was asked: sent back, it is the source.
        for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
            in_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(c), sizeof info);
            info.ipi_spec_dst = info.ipi_addr;
            info.ipi_ifindex = 0;
            std::memcpy(CMSG_DATA(c), &info, sizeof info);
        }
        (void)::sendmsg(fd, &message, 0);
    }
}

struct Peer {
    uint16_t port = 0;
    pid_t child = -1;

    Peer() {
        const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM, 0));
        sockaddr_in any{};
        any.sin_family = AF_INET;
        socklen_t length = sizeof any;
        const int one = 1;
        const int room = 8 << 20;
        ::setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
        ::setsockopt(fd.get(), IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
        ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
        if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0 ||
            ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&any), &length) != 0) {
            std::perror("peer");
            std::exit(1);
        }
        port = ntohs(any.sin_port);
        child = ::fork();
        if (child == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            answer_for_ever(fd.get(), port);
        }
    }
    ~Peer() {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    }
};

double cpu_microseconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/// CPU per request and answer of the bare loop, in microseconds.
double floor_round(uint16_t port, size_t count) {
    ipsec::SystemEntropy entropy;
    IkeRequests requests(IkeProbe{}, entropy);
    const ByteSpan made =
        requests.render(IkeAsk::mismatched, ipsec::DhGroup::p521, 1, {}, ipsec::Framing::marked);
    const std::vector<uint8_t> request(made.begin(), made.end());
    const double before = cpu_microseconds();
    for (size_t i = 0; i < count; ++i) {
        sockaddr_storage to{};
        const socklen_t length =
            SocketAddress{IpAddress::v4(first_address + static_cast<uint32_t>(i % 10'000)), port}.to_sockaddr(
                to);
        const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        std::array<uint8_t, 2048> answer;
        pollfd wait{fd.get(), POLLIN, 0};
        if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), length) != 0 ||
            ::send(fd.get(), request.data(), request.size(), 0) < 0 || ::poll(&wait, 1, 1'000) != 1 ||
            ::recv(fd.get(), answer.data(), answer.size(), 0) < 28) {
            std::perror("floor");
            std::exit(1);
        }
    }
    return (cpu_microseconds() - before) / static_cast<double>(count);
}

std::shared_ptr<const Model> fleet(size_t endpoints, milliseconds interval, uint16_t port) {
    auto model = std::make_shared<Model>();
    Monitor monitor;
    monitor.id = MonitorId(size_t{0});
    monitor.name = "ike";
    monitor.interval = interval;
    monitor.timeout = interval / 2;
    monitor.recheck = interval / 4;
    monitor.port = port;
    IkeProbe settings;
    settings.nat_traversal = false;  // one datagram each way, as in the floor
    monitor.probe = settings;
    model->monitors.push_back(monitor);
    for (size_t i = 0; i < endpoints; ++i) {
        Gateway gateway;
        gateway.id = GatewayId(i);
        gateway.name = "gw" + std::to_string(i);
        gateway.monitors = {MonitorId(size_t{0})};
        gateway.endpoints = {EndpointId(i)};
        model->gateways.push_back(std::move(gateway));
        Endpoint endpoint;
        endpoint.id = EndpointId(i);
        endpoint.gateway = GatewayId(i);
        endpoint.address = IpAddress::v4(first_address + static_cast<uint32_t>(i));
        endpoint.name = endpoint.host = endpoint.address->to_string();
        model->endpoints.push_back(std::move(endpoint));
    }
    return model;
}

struct ProbeRound {
    double cpu_per_probe = 0;
    double share_of_core = 0;
    double late_share = 0;
    uint64_t failed = 0;
};

ProbeRound probe_round(uint16_t port, size_t endpoints, milliseconds interval) {
    net::Loop loop;
    net::Resolver resolver(loop, {});
    Prober prober(loop, resolver, {.rate = 0, .rate_per_gateway = 0, .seed = 1},
                  {[](EndpointId, size_t, const ProbeResult&) { return Pace::interval; }, {}, {}});
    prober.configure(fleet(endpoints, interval, port));
    ProberStats before;
    double cpu_before = 0;
    MonotonicTime begun;
    // Past the first round, in which the gateways' group is learned.
    net::Timer warm(loop, [&] {
        before = prober.stats();
        cpu_before = cpu_microseconds();
        begun = loop.now();
    });
    net::Timer end(loop, [&] { loop.stop(); });
    warm.start(2 * interval);
    end.start(5 * interval);
    loop.run();
    const ProberStats after = prober.stats();
    const double cpu = cpu_microseconds() - cpu_before;
    const double elapsed = std::chrono::duration<double, std::micro>(loop.now() - begun).count();
    ProbeRound round;
    round.cpu_per_probe = cpu / static_cast<double>(after.finished - before.finished);
    round.share_of_core = cpu / elapsed;
    round.late_share =
        static_cast<double>(after.late - before.late) / static_cast<double>(after.started - before.started);
    round.failed = after.failed - before.failed;
    return round;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    const size_t endpoints = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10'000;
    const milliseconds interval{argc > 2 ? std::strtol(argv[2], nullptr, 10) : 2'000};
    const size_t rounds = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 3;
    const Peer peer;
    (void)net::raise_open_file_limit();
    std::vector<double> floors;
    std::vector<double> probes;
    std::vector<double> shares;
    std::vector<double> late;
    uint64_t failed = 0;
    for (size_t i = 0; i < rounds; ++i) {
        floors.push_back(floor_round(peer.port, 20'000));
        const ProbeRound round = probe_round(peer.port, endpoints, interval);
        probes.push_back(round.cpu_per_probe);
        shares.push_back(round.share_of_core);
        late.push_back(round.late_share);
        failed += round.failed;
    }
    std::printf(
        "{\"endpoints\":%zu,\"interval_ms\":%ld,\"rounds\":%zu,\"floor_us\":%.2f,\"probe_us\":%.2f,\"ratio\":"
        "%.2f,"
        "\"core_pct\":%.1f,\"late_50ms_pct\":%.3f,\"failed\":%lu}\n",
        endpoints, static_cast<long>(interval.count()), rounds, median(floors), median(probes),
        median(probes) / median(floors), 100 * median(shares), 100 * median(late),
        static_cast<unsigned long>(failed));
    return 0;
}
