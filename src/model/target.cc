// SPDX-License-Identifier: Apache-2.0
#include "model/target.h"

#include "base/text.h"

namespace fairway {
namespace {

std::string did_you_mean(std::string_view text, const std::vector<std::string>& candidates) {
    const std::string near = nearest_name(text, candidates);
    // A region or zone may exist and hold nothing: then its own name is no help.
    return near.empty() || near == text ? "" : " (did you mean \"" + near + "\"?)";
}

/// `known` lists what could have been meant; it is asked only when nothing was found.
template <class Wanted, class Known>
Result<ResolvedTarget> gateways_where(const Model& model, const std::string& what, std::string_view name,
                                      Wanted wanted, Known known) {
    ResolvedTarget target;
    for (const Gateway& gateway : model.gateways) {
        if (wanted(gateway)) target.gateways.push_back(gateway.id);
    }
    if (!target.gateways.empty()) return target;
    std::vector<std::string> candidates;
    known(candidates);
    return fail("no gateway " + what + "\"" + std::string(name) + "\"" + did_you_mean(name, candidates));
}

Result<ResolvedTarget> endpoints_where(const Model& model, std::string_view path) {
    ResolvedTarget resolved;
    std::vector<std::string> known;
    for (const Endpoint& endpoint : model.endpoints) {
        known.push_back(endpoint_path(model, endpoint.id));
        if (glob_match(path, known.back())) resolved.endpoints.push_back(endpoint.id);
    }
    if (!resolved.endpoints.empty()) return resolved;
    return fail("no endpoint \"" + std::string(path) + "\"" + did_you_mean(path, known));
}

}  // namespace

Result<ResolvedTarget> resolve_target(const Model& model, std::string_view target) {
    using Names = std::vector<std::string>;
    if (target.starts_with("region:")) {
        const std::string_view name = target.substr(7);
        return gateways_where(
            model, "is in region ", name,
            [&](const Gateway& gateway) { return glob_match(name, model[gateway.region].name); },
            [&](Names& known) {
                for (const Region& region : model.regions) known.push_back(region.name);
            });
    }
    if (target.starts_with("zone:")) {
        const std::string_view name = target.substr(5);
        return gateways_where(
            model, "is in zone ", name,
            [&](const Gateway& gateway) { return !gateway.zone.empty() && glob_match(name, gateway.zone); },
            [&](Names& known) {
                for (const Gateway& gateway : model.gateways) known.push_back(gateway.zone);
            });
    }
    if (target.starts_with("label:")) {
        const std::string_view text = target.substr(6);
        const size_t equals = text.find('=');
        if (equals == std::string_view::npos) return fail("a label target is label:KEY=VALUE");
        const std::string key(text.substr(0, equals));
        const std::string_view value = text.substr(equals + 1);
        return gateways_where(
            model, "has label ", text,
            [&](const Gateway& gateway) {
                const auto found = gateway.labels.find(key);
                return found != gateway.labels.end() && glob_match(value, found->second);
            },
            [&](Names& known) {
                for (const Gateway& gateway : model.gateways) {
                    for (const auto& [k, v] : gateway.labels) known.push_back(k + "=" + v);
                }
            });
    }
    if (target.find('/') != std::string_view::npos) return endpoints_where(model, target);
    return gateways_where(
        model, "", target, [&](const Gateway& gateway) { return glob_match(target, gateway.name); },
        [&](Names& known) {
            for (const Gateway& gateway : model.gateways) known.push_back(gateway.name);
        });
}

std::vector<EndpointId> endpoints_of(const Model& model, const ResolvedTarget& target) {
    std::vector<EndpointId> all = target.endpoints;
    for (const GatewayId gateway : target.gateways)
        all.insert(all.end(), model[gateway].endpoints.begin(), model[gateway].endpoints.end());
    return all;
}

}  // namespace fairway
