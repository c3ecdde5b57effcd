// SPDX-License-Identifier: Apache-2.0
// Questions per second over UDP on loopback: our server on one core, the load on another, beside the floor of
// a responder that only turns the question around (recvmmsg, set QR, sendmmsg). Every answer is checked.
// Medians of interleaved rounds.
//
//     bench_dns_load [SECONDS_PER_ROUND [ROUNDS]]
//     bench_dns_load serve ADDRESS:PORT          answer until killed, for dig, resolvers and foreign load
//     generators

#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "bench/dns/udp_load.h"
#include "dns/server.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::bench;

namespace {

void print(const char* name, std::vector<Measured>& rounds) {
    std::sort(rounds.begin(), rounds.end(),
              [](const Measured& a, const Measured& b) { return a.rate < b.rate; });
    const Measured& middle = rounds[rounds.size() / 2];
    size_t wrong = 0;
    size_t lost = 0;
    for (const Measured& one : rounds) {
        wrong += one.wrong;
        lost += one.lost;
    }
    std::printf(
        "%-8s %9.0f q/s  user %6.0f ns  CPU %6.0f ns  p50 %6.0f us  p99 %6.0f us  wrong %zu  lost %zu\n",
        name, middle.rate, middle.user_ns, middle.total_ns, middle.p50_us, middle.p99_us, wrong, lost);
}

int serve(const char* address, const Serving& serving) {
    const auto listen = SocketAddress::parse(address, 53);
    if (!listen) {
        std::fprintf(stderr, "%s\n", listen.error().message.c_str());
        return 2;
    }
    Published<Serving> published(std::make_shared<Serving>(serving));
    auto server = Server::open({{*listen}, 1, {}}, published);
    if (!server) {
        std::fprintf(stderr, "%s\n", server.error().message.c_str());
        return 1;
    }
    (*server)->start();
    std::printf("answering vpn.gslb.example.com on %s\n", (*server)->addresses().front().to_string().c_str());
    std::fflush(stdout);
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    int signal = 0;
    sigwait(&ends, &signal);
    (*server)->stop();
    const ServerStats stats = (*server)->stats();
    std::printf("%llu questions over UDP, %llu over TCP\n",
                static_cast<unsigned long long>(stats.udp_queries),
                static_cast<unsigned long long>(stats.tcp_queries));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::string_view(argv[1]) == "serve") {
        // Before any thread, so that all inherit it and the signals come to sigwait().
        sigset_t ends;
        sigemptyset(&ends);
        sigaddset(&ends, SIGINT);
        sigaddset(&ends, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &ends, nullptr);
    }
    const auto model = bench::make_model();
    const Serving serving = bench::make_serving(model, bench::make_locator());
    if (argc == 3 && std::string_view(argv[1]) == "serve") return serve(argv[2], serving);

    const double duration = argc > 1 ? std::atof(argv[1]) : 1.0;
    const int rounds = argc > 2 ? std::atoi(argv[2]) : 7;
    Published<Serving> published(std::make_shared<Serving>(serving));
    std::vector<Measured> floor;
    std::vector<Measured> ours;
    for (int round = 0; round < rounds; ++round) {
        {
            pin_to(0);
            const Floor responder;
            pin_to(1);
            floor.push_back(load(responder.address(), duration, -1, other_threads));
        }
        pin_to(0);
        auto server = Server::open({{{IpAddress::v4(0x7f000001), 0}}, 1, {}}, published);
        if (!server) return 1;
        (*server)->start();
        pin_to(1);
        ours.push_back(load((*server)->addresses().front(), duration, 2, other_threads));
    }
    print("floor", floor);
    print("fairway", ours);
    const double ratio = ours[ours.size() / 2].rate / floor[floor.size() / 2].rate;
    std::printf("fairway / floor: %.3f of the rate\n", ratio);
    size_t wrong = 0;
    for (const Measured& one : ours) wrong += one.wrong;
    return wrong == 0 ? 0 : 1;
}
