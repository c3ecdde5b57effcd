// SPDX-License-Identifier: Apache-2.0
// What steering costs: bench_steering [DATABASE.mmdb ...]. Without databases it makes one of 100,000
// networks. The peer in each round is what a server without a compiled map does for a query: a lookup in the
// database, three values, eight distances. Medians of interleaved rounds.

#include <maxminddb.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "base/random.h"
#include "geoip/network_table.h"
#include "steering/great_circle.h"
#include "unit/steering/fleet.h"

using namespace fairway;
using namespace fairway::test;

namespace {

constexpr size_t queries = 200'000;
constexpr int rounds = 7;

constexpr Coordinates places[] = {{39.0438, -77.4874}, {37.3382, -121.8863}, {-23.5505, -46.6333},
                                  {50.1109, 8.6821},   {-26.2041, 28.0473},  {19.0760, 72.8777},
                                  {35.6762, 139.6503}, {-33.8688, 151.2093}};

/// Seconds of this thread on a core: other programs may share the machine.
double now() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

long peak_kib() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

long resident_kib(const char* key) {
    std::ifstream in("/proc/self/status");
    std::string word;
    long value = 0;
    while (in >> word) {
        if (word == key) in >> value;
    }
    return value;
}

std::string make_database() {
    Random random(1);
    geoip::MmdbWriter writer({});
    for (int i = 0; i < 100'000; ++i) {
        geoip::NetworkRow row;
        row.prefix = {IpAddress::v4(static_cast<uint32_t>(random.next())),
                      static_cast<uint8_t>(12 + random.below(13))};
        row.country = "DE";
        row.coordinates = Coordinates{random.fraction() * 140 - 60, random.fraction() * 360 - 180};
        writer.insert(row.prefix, geoip::network_record(row, geoip::MmdbSchema::flat));
    }
    const auto bytes = writer.finish().value();
    const std::string path = "/tmp/fairway-bench-steering.mmdb";
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path;
}

template <class Work>
double nanoseconds_each(Work work) {
    const double start = now();
    for (size_t i = 0; i < queries; ++i) work(i);
    return (now() - start) / static_cast<double>(queries) * 1e9;
}

/// Nearest of eight by hand, from the library.
uint32_t naive(MMDB_s& database, const IpAddress& address) {
    sockaddr_storage storage{};
    SocketAddress{address, 0}.to_sockaddr(storage);
    int error = 0;
    MMDB_lookup_result_s found =
        MMDB_lookup_sockaddr(&database, reinterpret_cast<const sockaddr*>(&storage), &error);
    if (!found.found_entry) return 0;
    MMDB_entry_data_s country{};
    MMDB_entry_data_s latitude{};
    MMDB_entry_data_s longitude{};
    MMDB_get_value(&found.entry, &country, "country_code", nullptr);
    MMDB_get_value(&found.entry, &latitude, "latitude", nullptr);
    MMDB_get_value(&found.entry, &longitude, "longitude", nullptr);
    const Coordinates at{static_cast<double>(latitude.float_value),
                         static_cast<double>(longitude.float_value)};
    uint32_t best = 0;
    double least = 1e9;
    for (uint32_t i = 0; i < 8; ++i) {
        const double km = great_circle_km(at, places[i]);
        if (km < least) {
            least = km;
            best = i;
        }
    }
    return best;
}

}  // namespace

int main(int argc, char** argv) {
    geoip::Sources sources;
    for (int i = 1; i < argc; ++i) sources.databases.emplace_back(argv[i]);
    if (sources.databases.empty()) sources.databases.emplace_back(make_database());

    Fleet fleet;
    for (uint32_t i = 0; i < 8; ++i) {
        const std::string number = std::to_string(i);
        fleet.region("r" + number, places[i])
            .gateway("g" + number, "r" + number, {"127.10." + number + ".1"});
    }
    fleet.service("one", {"healthy", "nearest", "first 1"});
    fleet.service("spread", {"healthy", "nearest", "weighted", "first 2"});

    double start = now();
    const auto opened = geoip::Locator::open(sources);
    if (!opened) {
        std::fprintf(stderr, "%s\n", opened.error().message.c_str());
        return 1;
    }
    std::printf("open and check   %6.2f s, peak %ld MiB\n", now() - start, peak_kib() / 1024);
    for (const auto& info : (*opened)->databases())
        std::printf("  %s: %u nodes, %.1f MiB\n", info.type.c_str(), info.node_count,
                    static_cast<double>(info.file_size) / 1048576);
    const auto model = std::make_shared<Model>(fleet.model());
    start = now();
    const auto steering = Steering::compile(model, *opened);
    const Steering::Size size = steering->size();
    std::printf("compile          %6.2f s, peak %ld MiB\n", now() - start, peak_kib() / 1024);
    std::printf("  %zu maps, %zu ranges, %zu classes, %.2f MiB; anonymous memory %ld MiB\n", size.maps,
                size.ranges, size.classes, static_cast<double>(size.bytes) / 1048576,
                resident_kib("RssAnon:") / 1024);

    Random random(7);
    std::vector<Client> clients(queries);
    for (Client& client : clients) {
        client.source = IpAddress::v4(0x09090909);
        client.ecs = IpPrefix(IpAddress::v4(static_cast<uint32_t>(random.next())), 24);
    }
    MMDB_s peer{};
    if (MMDB_open(sources.databases[0].c_str(), MMDB_MODE_MMAP, &peer) != MMDB_SUCCESS) return 1;
    Selection selection;
    uint64_t sum = 0;
    std::vector<double> locates;
    std::vector<double> ones;
    std::vector<double> spreads;
    std::vector<double> peers;
    for (int round = 0; round < rounds; ++round) {
        locates.push_back(nanoseconds_each(
            [&](size_t i) { sum += (*opened)->locate(clients[i].ecs->address()).network.length(); }));
        ones.push_back(nanoseconds_each([&](size_t i) {
            steering->select(ServiceId(size_t{0}), fleet.health(), clients[i], selection);
            sum += selection.scope;
        }));
        spreads.push_back(nanoseconds_each([&](size_t i) {
            steering->select(ServiceId(size_t{1}), fleet.health(), clients[i], selection);
            sum += selection.scope;
        }));
        peers.push_back(nanoseconds_each([&](size_t i) { sum += naive(peer, clients[i].ecs->address()); }));
    }
    uint64_t scopes = 0;
    size_t wrong = 0;
    for (const Client& client : clients) {
        steering->select(ServiceId(size_t{0}), fleet.health(), client, selection);
        scopes += selection.scope;
        const geoip::Located located = (*opened)->locate(client.ecs->address());
        if (!located.location.coordinates) continue;
        const auto km = [&](uint32_t i) { return great_circle_km(*located.location.coordinates, places[i]); };
        uint32_t best = 0;
        for (uint32_t i = 1; i < 8; ++i) best = km(i) < km(best) ? i : best;
        wrong += selection.endpoints.front().value != best;
    }
    MMDB_close(&peer);
    std::printf("per query, ns (medians of %d rounds; ratio to the peer):\n", rounds);
    std::printf("  peer: library and trigonometry  %7.0f\n", median(peers));
    const auto line = [&](const char* name, const std::vector<double>& values) {
        std::printf("  %-30s  %7.0f  %.2f\n", name, median(values), median(values) / median(peers));
    };
    line("locate", locates);
    line("select nearest, first 1", ones);
    line("select nearest, weighted", spreads);
    std::printf("mean scope %.1f; %zu of %zu not the nearest; (%llu)\n",
                static_cast<double>(scopes) / static_cast<double>(queries), wrong, queries,
                static_cast<unsigned long long>(sum % 10));
    return wrong == 0 ? 0 : 1;
}
