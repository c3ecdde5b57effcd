// SPDX-License-Identifier: Apache-2.0
// Answers per second through a real pdns-server with Fairway behind it, beside the same pdns-server in front
// of a responder that decides nothing: it looks for a few words in the call and writes a constant. Both have
// the committed conf/pdns/pdns.conf and their Unix socket; every question carries the subnet of another
// client. Medians of interleaved rounds, and what the responders' own CPU cost.
//
//     cd SOURCES && build/release/tests/bench_pdns_rate [SECONDS_PER_ROUND [ROUNDS]]

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "bench/dns/bench_world.h"
#include "net/loop.h"
#include "pdns/server.h"

using namespace fairway;
namespace bench = dns::bench;

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t outstanding = 64;
/// As many records as Fairway's answer has.
constexpr int addresses_expected = 2;

[[noreturn]] void give_up(const std::string& why) {
    std::fprintf(stderr, "bench_pdns_rate: %s\n", why.c_str());
    std::exit(1);
}

/// Runs `work` in a child that ends with us.
template <class Work>
pid_t in_child(Work work) {
    const pid_t child = ::fork();
    if (child < 0) give_up("fork");
    if (child > 0) return child;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    work();
    ::_exit(0);
}

std::string constant_reply(std::string_view call) {
    const auto has = [call](std::string_view words) { return call.find(words) != std::string_view::npos; };
    if (has("\"method\": \"lookup\"") || has("\"method\":\"lookup\"")) {
        if (has("\"vpn.gslb.example.com.\"")) {
            if (has("\"SOA\"") || has("\"NS\"")) return "{\"result\":[]}\n";
            return R"({"result":[{"qname":"vpn.gslb.example.com.","qtype":"A","content":"198.51.100.1","ttl":30,)"
                   R"("domain_id":1,"scopeMask":24},{"qname":"vpn.gslb.example.com.","qtype":"A",)"
                   R"("content":"198.51.100.2","ttl":30,"domain_id":1,"scopeMask":24}]})"
                   "\n";
        }
        if (has("\"gslb.example.com.\""))
            return R"({"result":[{"qname":"gslb.example.com.","qtype":"SOA","content":"ns1.gslb.example.com. )"
                   R"(hostmaster.gslb.example.com. 1 3600 600 86400 30","ttl":3600,"domain_id":1}]})"
                   "\n";
        return "{\"result\":[]}\n";
    }
    if (has("getAllDomainMetadata")) return "{\"result\":{}}\n";
    if (has("getAllDomains"))
        return R"({"result":[{"id":1,"zone":"gslb.example.com.","kind":"native","serial":1}]})"
               "\n";
    return has("initialize") ? "{\"result\":true}\n" : "{\"result\":false}\n";
}

[[noreturn]] void serve_constant(const std::string& path) {
    UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener.get(), 64) != 0)
        ::_exit(1);
    std::vector<pollfd> watched{{listener.get(), POLLIN, 0}};
    std::map<int, std::string> unread;
    for (;;) {
        if (::poll(watched.data(), watched.size(), -1) <= 0) continue;
        for (size_t i = watched.size(); i-- > 0;) {
            if (watched[i].revents == 0) continue;
            if (i == 0) {
                watched.push_back({::accept(listener.get(), nullptr, nullptr), POLLIN, 0});
                continue;
            }
            const int fd = watched[i].fd;
            char bytes[8192];
            const ssize_t got = ::read(fd, bytes, sizeof bytes);
            if (got <= 0) {
                ::close(fd);
                unread.erase(fd);
                watched.erase(watched.begin() + static_cast<ptrdiff_t>(i));
                continue;
            }
            std::string& buffer = unread[fd];
            buffer.append(bytes, static_cast<size_t>(got));
            for (size_t end; (end = buffer.find('\n')) != std::string::npos; buffer.erase(0, end + 1)) {
                const std::string reply = constant_reply(std::string_view(buffer).substr(0, end));
                if (::write(fd, reply.data(), reply.size()) < 0) break;
            }
        }
    }
}

void serve_fairway(const std::string& path) {
    net::Loop loop;
    Published<dns::Serving> serving(
        std::make_shared<dns::Serving>(bench::make_serving(bench::make_model(), bench::make_locator())));
    pdns::ServerOptions options;
    options.unix_path = path;
    const pdns::Server server(loop, serving, options);
    loop.run();
}

uint16_t free_port() {
    const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM, 0));
    sockaddr_storage storage{};
    socklen_t size = SocketAddress{IpAddress::v4(0x7f000001), 0}.to_sockaddr(storage);
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0) give_up("no free port");
    size = sizeof storage;
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &size);
    return SocketAddress::from_sockaddr(reinterpret_cast<sockaddr*>(&storage))->port;
}

pid_t start_pdns(const std::filesystem::path& folder, const std::string& socket, uint16_t port) {
    std::ifstream in("conf/pdns/pdns.conf");
    std::string text{std::istreambuf_iterator<char>(in), {}};
    const std::string usual = "/run/fairway/pdns.sock";
    size_t moved = 0;
    for (size_t at = 0; (at = text.find(usual, at)) != std::string::npos; at += socket.size(), ++moved)
        text.replace(at, usual.size(), socket);
    if (moved == 0) give_up("conf/pdns/pdns.conf is not here: run it in the folder of the sources");
    std::filesystem::create_directory(folder);
    std::ofstream(folder / "pdns.conf")
        << text << "\nlocal-address=127.0.0.1\nlocal-port=" << port << "\nsocket-dir=" << folder.string()
        << "\ndisable-syslog=yes\nloglevel=0\n";
    return in_child([&] {
        const std::string config = "--config-dir=" + folder.string();
        if (std::freopen("/dev/null", "w", stderr) == nullptr) ::_exit(1);
        ::execl("/usr/sbin/pdns_server", "pdns_server", config.c_str(), "--daemon=no", "--guardian=no",
                nullptr);
        ::_exit(127);
    });
}

double cpu_seconds(pid_t process) {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(process, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return 0;
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

struct Measured {
    double rate = 0;          // answers per second
    double responder_us = 0;  // of its CPU, for each answer
    size_t wrong = 0, lost = 0;
};

/// Keeps questions in flight for a while; an answer that has not come within a second is lost.
Measured load(uint16_t port, pid_t responder, double duration) {
    const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    sockaddr_storage to{};
    const socklen_t size = SocketAddress{IpAddress::v4(0x7f000001), port}.to_sockaddr(to);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), size) != 0) give_up("connect");
    Random random(static_cast<uint64_t>(port));
    Measured result;
    size_t in_flight = 0;
    size_t answered = 0;
    uint16_t id = 0;
    const double cpu_before = cpu_seconds(responder);
    const auto begin = Clock::now();
    const auto end =
        begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(duration));
    while (Clock::now() < end) {
        for (; in_flight < outstanding; ++in_flight) {
            const std::vector<uint8_t> query = bench::make_query(random, id++);
            if (::send(fd.get(), query.data(), query.size(), 0) < 0) break;
        }
        pollfd item{fd.get(), POLLIN, 0};
        if (::poll(&item, 1, 1000) == 0) {
            result.lost += std::exchange(in_flight, 0);
            continue;
        }
        std::array<uint8_t, 1500> bytes;
        for (ssize_t got; (got = ::recv(fd.get(), bytes.data(), bytes.size(), 0)) > 12;) {
            if (in_flight > 0) --in_flight;
            ++answered;
            if ((bytes[3] & 0x0f) != 0 || bytes[7] != addresses_expected) ++result.wrong;
        }
    }
    const double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
    const auto count = static_cast<double>(std::max<size_t>(answered, 1));
    result.rate = count / elapsed;
    result.responder_us = (cpu_seconds(responder) - cpu_before) / count * 1e6;
    return result;
}

struct Contender {
    const char* name;
    pid_t responder = 0;
    pid_t pdns = 0;
    uint16_t port = 0;
    std::vector<Measured> rounds;
};

void wait_until_it_answers(const Contender& contender) {
    for (int attempt = 0; attempt < 300; ++attempt) {
        if (load(contender.port, contender.responder, 0.05).rate > 100) return;
        ::usleep(20'000);
    }
    give_up(std::string("no answers from pdns-server in front of ") + contender.name);
}

double median(std::vector<Measured> rounds, double Measured::*what) {
    std::sort(rounds.begin(), rounds.end(),
              [what](const Measured& a, const Measured& b) { return a.*what < b.*what; });
    return rounds[rounds.size() / 2].*what;
}

}  // namespace

int main(int argc, char** argv) {
    const double duration = argc > 1 ? std::atof(argv[1]) : 1.0;
    const int count = argc > 2 ? std::atoi(argv[2]) : 7;
    std::string pattern = (std::filesystem::temp_directory_path() / "fairway-bench-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) give_up("mkdtemp");
    const std::filesystem::path folder = pattern;

    std::array<Contender, 2> contenders{{{"constant", 0, 0, 0, {}}, {"fairway", 0, 0, 0, {}}}};
    for (Contender& each : contenders) {
        const std::string socket = (folder / (std::string(each.name) + ".sock")).string();
        const bool is_fairway = &each == &contenders[1];
        each.responder = in_child([&] { is_fairway ? serve_fairway(socket) : serve_constant(socket); });
        for (int i = 0; i < 500 && !std::filesystem::exists(socket); ++i) ::usleep(20'000);
        each.port = free_port();
        each.pdns = start_pdns(folder / each.name, socket, each.port);
    }
    for (const Contender& each : contenders) wait_until_it_answers(each);
    for (int round = 0; round < count; ++round)
        for (Contender& each : contenders) each.rounds.push_back(load(each.port, each.responder, duration));

    size_t wrong = 0;
    for (Contender& each : contenders) {
        size_t lost = 0;
        size_t bad = 0;
        for (const Measured& one : each.rounds) {
            lost += one.lost;
            bad += one.wrong;
        }
        wrong += bad;
        std::printf("%-8s %8.0f answers/s, %5.1f us of the responder's CPU for each; %zu wrong, %zu lost\n",
                    each.name, median(each.rounds, &Measured::rate),
                    median(each.rounds, &Measured::responder_us), bad, lost);
        for (const pid_t process : {each.pdns, each.responder}) {
            ::kill(process, SIGKILL);
            ::waitpid(process, nullptr, 0);
        }
    }
    std::printf("fairway / constant: %.3f of the rate\n", median(contenders[1].rounds, &Measured::rate) /
                                                              median(contenders[0].rounds, &Measured::rate));
    std::filesystem::remove_all(folder);
    return wrong == 0 ? 0 : 1;
}
