// SPDX-License-Identifier: Apache-2.0
// Asks a running server, ours or another, for "vpn.gslb.example.com" with the client subnets of the world;
// geo_peers.py starts the servers. The gateways are those of bench_world.h.
//
//     bench_geo_load load ADDRESS:PORT PID SECONDS        rate, CPU of the process per answer, latencies
//     bench_geo_load check ADDRESS:PORT DATABASE COUNT    that many prefixes: is each answered with the
//     nearest? bench_geo_load floor ADDRESS:PORT                   turn questions around until killed
//     bench_geo_load gateways                             name, address, latitude, longitude
//     bench_geo_load countries                            code and name of the nearest gateway

#include <fstream>
#include <string>
#include <string_view>

#include "bench/dns/udp_load.h"
#include "geoip/centroids.h"
#include "steering/great_circle.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::bench;

namespace {

constexpr size_t gateways = sizeof(places) / sizeof(places[0]);

IpAddress address_of(size_t gateway) {
    return IpAddress::v4(0xc6336401U + static_cast<uint32_t>(gateway));
}

double distance(const Coordinates& from, size_t gateway) {
    return great_circle_km(from, {places[gateway].latitude, places[gateway].longitude});
}

size_t nearest(const Coordinates& to) {
    size_t best = 0;
    for (size_t i = 1; i < gateways; ++i)
        if (distance(to, i) < distance(to, best)) best = i;
    return best;
}

// All threads of a process, at the clock tick.
Cpu used_by(const std::string& pid) {
    std::ifstream in("/proc/" + pid + "/stat");
    std::string text;
    std::getline(in, text);
    text.erase(0, text.rfind(')') + 2);
    unsigned long long user = 0;
    unsigned long long system = 0;
    std::sscanf(text.c_str(), "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system);
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    return {static_cast<double>(user) / ticks, static_cast<double>(system) / ticks};
}

int measure(const SocketAddress& server, const std::string& pid, double duration) {
    const Measured one = load(server, duration, -1, [&pid] { return used_by(pid); });
    std::printf("%.0f %.0f %.0f %.0f %.0f %zu %zu\n", one.rate, one.user_ns, one.total_ns, one.p50_us,
                one.p99_us, one.wrong, one.lost);
    return 0;
}

// The first address of an answer and the scope of its client subnet; a gateway that is none for no answer.
std::pair<size_t, unsigned> ask(int fd, const std::vector<uint8_t>& question) {
    std::array<uint8_t, room> bytes{};
    for (int attempt = 0; attempt < 5; ++attempt) {
        if (send(fd, question.data(), question.size(), 0) < 0) continue;
        pollfd entry{fd, POLLIN, 0};
        if (poll(&entry, 1, 1000) <= 0) continue;
        const ssize_t size = recv(fd, bytes.data(), bytes.size(), 0);
        if (size < 12 || bytes[0] != question[0] || bytes[1] != question[1]) continue;
        Reader reader(ByteSpan(bytes).first(static_cast<size_t>(size)));
        reader.skip(6);
        const uint16_t answers = reader.u16();
        reader.skip(4);
        skip_name(reader);
        reader.skip(4);
        size_t found = gateways;
        unsigned scope = 0;
        while (reader.ok() && !reader.at_end()) {
            skip_name(reader);
            const uint16_t type = reader.u16();
            reader.skip(6);
            const ByteSpan data = reader.take(reader.u16());
            if (type == 1 && data.size() == 4 && found == gateways && answers > 0) {
                const IpAddress address = IpAddress::v4({data[0], data[1], data[2], data[3]});
                for (size_t i = 0; i < gateways; ++i)
                    if (address == address_of(i)) found = i;
            }
            if (type == 41 && data.size() >= 8 && data[1] == 8) scope = data[7];
        }
        return {found, scope};
    }
    return {gateways, 0};
}

int check(const SocketAddress& server, const char* database, size_t count) {
    geoip::Sources sources;
    sources.databases = {database};
    const auto locator = geoip::Locator::open(sources);
    if (!locator) {
        std::fprintf(stderr, "%s\n", locator.error().message.c_str());
        return 1;
    }
    const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage to{};
    const socklen_t size = server.to_sockaddr(to);
    if (connect(fd.get(), reinterpret_cast<sockaddr*>(&to), size) != 0) return 1;
    Random random(11);
    size_t wrong = 0;
    size_t asked = 0;
    uint64_t scopes = 0;
    double detour = 0;
    while (asked < count) {
        const std::vector<uint8_t> question = make_query(random, static_cast<uint16_t>(asked));
        const size_t end = question.size();
        const IpAddress client = IpAddress::v4({question[end - 3], question[end - 2], question[end - 1], 0});
        const geoip::Located located = (*locator)->locate(client);
        // Whose place nobody knows has no nearest gateway.
        if (!located.location.coordinates) continue;
        ++asked;
        const auto [given, scope] = ask(fd.get(), question);
        const size_t best = nearest(*located.location.coordinates);
        scopes += scope;
        if (given == best) continue;
        ++wrong;
        if (given < gateways)
            detour = std::max(detour, distance(*located.location.coordinates, given) -
                                          distance(*located.location.coordinates, best));
    }
    std::printf("%zu of %zu right (%.2f%%), mean scope %.1f, longest detour %.0f km\n", asked - wrong, asked,
                100.0 * static_cast<double>(asked - wrong) / static_cast<double>(asked),
                static_cast<double>(scopes) / static_cast<double>(asked), detour);
    return wrong == 0 ? 0 : 3;
}

int print_countries() {
    for (char a = 'A'; a <= 'Z'; ++a)
        for (char b = 'A'; b <= 'Z'; ++b) {
            const std::string code{a, b};
            const geoip::Country* country = geoip::find_country(code);
            if (country != nullptr)
                std::printf("%s %s\n", code.c_str(), places[nearest(country->centroid)].name);
        }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view mode = argc > 1 ? argv[1] : "";
    if (mode == "gateways") {
        for (size_t i = 0; i < gateways; ++i)
            std::printf("%s %s %.4f %.4f\n", places[i].name, address_of(i).to_string().c_str(),
                        places[i].latitude, places[i].longitude);
        return 0;
    }
    if (mode == "countries") return print_countries();
    const auto server = argc > 2 ? SocketAddress::parse(argv[2]) : tl::unexpected(Error{"no address"});
    if (server && mode == "load" && argc == 5) return measure(*server, argv[3], std::atof(argv[4]));
    if (server && mode == "check" && argc == 5)
        return check(*server, argv[3], static_cast<size_t>(std::atol(argv[4])));
    if (server && mode == "floor" && argc == 3) {
        const Floor floor(*server);
        pause();
        return 0;
    }
    std::fprintf(stderr, "usage: see the head of geo_load.cc\n");
    return 2;
}
