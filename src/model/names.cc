// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "model/event.h"
#include "model/model.h"
#include "model/probe_result.h"
#include "model/states.h"

namespace fairway {
namespace {

template <class Enum, size_t N>
std::string_view name_of(const std::array<std::string_view, N>& names, Enum value) noexcept {
    const auto index = static_cast<size_t>(value);
    return index < N ? names[index] : "?";
}

}  // namespace

std::string_view to_string(HealthState state) noexcept {
    static constexpr std::array<std::string_view, 5> names{"unknown", "up", "suspect", "degraded", "down"};
    return name_of(names, state);
}

std::string_view to_string(AdminState state) noexcept {
    static constexpr std::array<std::string_view, 5> names{"automatic", "forced_up", "forced_down", "drain",
                                                           "maintenance"};
    return name_of(names, state);
}

std::string_view to_string(Verdict verdict) noexcept {
    static constexpr std::array<std::string_view, 3> names{"pass", "degraded", "fail"};
    return name_of(names, verdict);
}

std::string_view to_string(ProbeLayer layer) noexcept {
    static constexpr std::array<std::string_view, 10> names{
        "none", "resolve", "network", "transport", "TLS", "HTTP", "IKE", "tunnel", "application", "internal"};
    return name_of(names, layer);
}

std::string_view to_string(EventKind kind) noexcept {
    static constexpr std::array<std::string_view, 9> names{
        "endpoint", "gateway", "zone", "region", "service", "override", "config", "geoip", "system"};
    return name_of(names, kind);
}

std::string_view to_string(Severity severity) noexcept {
    static constexpr std::array<std::string_view, 3> names{"info", "warning", "critical"};
    return name_of(names, severity);
}

std::string describe(const ProbeResult& result) {
    if (result.reason.empty())
        return result.verdict == Verdict::pass ? "ok" : std::string(to_string(result.verdict));
    return std::string(to_string(result.layer)) + ": " + result.reason;
}

std::string_view type_name(const ProbeSettings& probe) noexcept {
    struct Name {
        std::string_view operator()(const TcpProbe&) const { return "tcp"; }
        std::string_view operator()(const TlsProbe&) const { return "tls"; }
        std::string_view operator()(const HttpProbe&) const { return "http"; }
        std::string_view operator()(const IkeProbe&) const { return "ike"; }
        std::string_view operator()(const IcmpProbe&) const { return "icmp"; }
        std::string_view operator()(const UnfinishedProbe& unfinished) const { return unfinished.type; }
    };
    return std::visit(Name{}, probe);
}

std::string endpoint_path(const Model& model, EndpointId id) {
    const Endpoint& endpoint = model[id];
    return model[endpoint.gateway].name + "/" + endpoint.name;
}

}  // namespace fairway
