// SPDX-License-Identifier: Apache-2.0
// How long a large configuration takes to load, show and compare, beside its floor: turning the text into a
// tree of TOML, which any loader must do. Medians of interleaved rounds.
//
//     bench_config_load [services [gateways]]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "config/document.h"

using namespace fairway;
using namespace fairway::config;

namespace {

std::string large_configuration(size_t services, size_t gateways) {
    std::string text = "[zone.\"gslb.example.com\"]\nns = { \"ns1.gslb.example.com\" = [\"192.0.2.53\"] }\n";
    for (const char* monitor : {"ike", "portal"})
        text += std::string("[monitor.") + monitor + "]\ntype = \"tcp\"\nport = 443\n";
    constexpr size_t regions = 50;
    for (size_t i = 0; i < regions; ++i)
        text += "[region.r" + std::to_string(i) + "]\nlocation = { latitude = " + std::to_string(i) +
                ", longitude = 8.5 }\n";
    for (size_t i = 0; i < gateways; ++i) {
        const std::string net = "10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".";
        text += "[gateway.g" + std::to_string(i) + "]\nregion = \"r" + std::to_string(i % regions) +
                "\"\nendpoints = [\"" + net + "1\", \"" + net +
                "2\"]\nmonitors = [\"ike\", \"portal\"]\nhealth = \"ike and portal\"\nlabels = { site = \"s" +
                std::to_string(i % 100) + "\" }\n";
    }
    for (size_t i = 0; i < services; ++i) {
        text += "[service.s" + std::to_string(i) + "]\nname = \"s" + std::to_string(i) +
                ".gslb.example.com\"\ngateways = [\"g" + std::to_string(i % gateways) + "\", \"g" +
                std::to_string(i * 7 % gateways) + "\", \"g1*\", \"label:site=s" + std::to_string(i % 100) +
                "\", \"g*\"]\npolicy = [\"healthy\", \"nearest\", \"first 2\"]\n";
    }
    return text;
}

template <class Work>
double seconds_of(Work work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    const size_t services = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10'000;
    const size_t gateways = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1'000;
    const std::string text = large_configuration(services, gateways);
    constexpr int rounds = 5;
    std::vector<double> floor, load, shown, compared;
    for (int round = 0; round < rounds; ++round) {
        floor.push_back(seconds_of([&] {
            Reporter report;
            report.add_file("bench.toml");
            if (!parse_document(report, 0, text)) std::abort();
        }));
        LoadResult result;
        load.push_back(seconds_of([&] { result = load_text(text, "bench.toml"); }));
        if (!result.config) {
            for (const Diagnostic& each : result.diagnostics) std::printf("%s\n", each.to_string().c_str());
            return 1;
        }
        std::string out;
        shown.push_back(seconds_of([&] { out = show(*result.config); }));
        compared.push_back(seconds_of([&] {
            if (!diff(*result.config, *result.config).empty()) std::abort();
        }));
    }
    std::printf("%zu services, %zu gateways, %.1f MB of text, medians of %d rounds\n", services, gateways,
                static_cast<double>(text.size()) / 1e6, rounds);
    std::printf("tree of TOML (floor)  %7.3f s\n", median(floor));
    std::printf("load                  %7.3f s  %.2f x floor\n", median(load), median(load) / median(floor));
    std::printf("show                  %7.3f s  %.2f x floor\n", median(shown),
                median(shown) / median(floor));
    std::printf("diff                  %7.3f s  %.2f x floor\n", median(compared),
                median(compared) / median(floor));
    return 0;
}
