// SPDX-License-Identifier: Apache-2.0
#include "probes/registry.h"

#include <array>
#include <string>

namespace fairway {

namespace {

using Compile = Result<CompiledProbe> (*)(const Monitor&, net::TlsContexts&);

/// The alternative of monitor.probe that `compile` is for.
struct Row {
    size_t alternative;
    Compile compile;
};

template <class Settings>
constexpr size_t alternative_of() {
    // The position of Settings among the alternatives, found by asking a variant that holds one.
    return ProbeSettings(std::in_place_type<Settings>).index();
}

/// One line per probe type.
const std::array table{
    Row{alternative_of<TcpProbe>(), [](const Monitor& m, net::TlsContexts&) { return compile_tcp(m); }},
    Row{alternative_of<TlsProbe>(), compile_tls},
    Row{alternative_of<HttpProbe>(), compile_http},
};

}  // namespace

Result<CompiledProbe> compile_probe(const Monitor& monitor, net::TlsContexts& tls) {
    for (const Row& row : table)
        if (row.alternative == monitor.probe.index()) return row.compile(monitor, tls);
    return fail("monitor " + monitor.name + ": probes of type " + std::string(monitor.type()) +
                " are not available");
}

}  // namespace fairway
