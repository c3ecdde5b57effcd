// SPDX-License-Identifier: Apache-2.0
// Runs the probes of a configuration without the daemon and prints every result as a line of JSON:
//
//     probe_runner CONFIG COUNT      ends after COUNT results
//
// For scenarios that want to see single probes, such as against a peer in a network namespace.

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "config/config.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "probes/prober.h"

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: probe_runner CONFIG COUNT\n");
        return 2;
    }
    const auto load = fairway::config::load(argv[1]);
    if (!load.config) {
        for (const auto& diagnostic : load.diagnostics) {
            std::fprintf(stderr, "%s\n", diagnostic.to_string().c_str());
        }
        return 2;
    }
    const auto model = load.config->model;
    long left = std::strtol(argv[2], nullptr, 10);
    fairway::net::Loop loop;
    fairway::net::Resolver resolver(loop, {});
    fairway::Prober prober(
        loop, resolver, {},
        {[&](fairway::EndpointId endpoint, size_t slot, const fairway::ProbeResult& result) {
             const fairway::Gateway& gateway = (*model)[(*model)[endpoint].gateway];
             const nlohmann::ordered_json line{{"endpoint", fairway::endpoint_path(*model, endpoint)},
                                               {"monitor", (*model)[gateway.monitors[slot]].name},
                                               {"verdict", fairway::to_string(result.verdict)},
                                               {"reason", fairway::describe(result)},
                                               {"refused", result.explicit_refusal},
                                               {"detail", result.detail}};
             std::printf("%s\n", line.dump().c_str());
             std::fflush(stdout);
             if (--left <= 0) loop.stop();
             return fairway::Pace::interval;
         },
         {},
         {}});
    prober.configure(model);
    loop.run();
    return 0;
}
