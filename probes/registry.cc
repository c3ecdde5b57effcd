// SPDX-License-Identifier: Apache-2.0
#include "probes/registry.h"

#include <array>
#include <string>
#include <utility>

#include "probes/ike_budget.h"

namespace fairway {

namespace {

using Compile = Result<CompiledProbe> (*)(const Monitor&, const ProbeSupplies&);

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
    Row{alternative_of<TcpProbe>(), [](const Monitor& m, const ProbeSupplies&) { return compile_tcp(m); }},
    Row{alternative_of<TlsProbe>(),
        [](const Monitor& m, const ProbeSupplies& supplies) { return compile_tls(m, supplies.tls); }},
    Row{alternative_of<HttpProbe>(),
        [](const Monitor& m, const ProbeSupplies& supplies) { return compile_http(m, supplies.tls); }},
    Row{alternative_of<IkeProbe>(),
        [](const Monitor& m, const ProbeSupplies& supplies) { return compile_ike(m, supplies.ike_budget); }},
    Row{alternative_of<IcmpProbe>(), [](const Monitor& m, const ProbeSupplies&) { return compile_icmp(m); }},
};

}  // namespace

ProbeSupplies::ProbeSupplies(net::TlsContexts& contexts, std::shared_ptr<IkeBudget> budget)
    : tls(contexts), ike_budget(budget ? std::move(budget) : std::make_shared<IkeBudget>()) {}

Result<CompiledProbe> compile_probe(const Monitor& monitor, const ProbeSupplies& supplies) {
    for (const Row& row : table)
        if (row.alternative == monitor.probe.index()) return row.compile(monitor, supplies);
    return fail("monitor " + monitor.name + ": probes of type " + std::string(monitor.type()) +
                " are not available");
}

}  // namespace fairway
