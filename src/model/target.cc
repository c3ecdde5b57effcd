// SPDX-License-Identifier: Apache-2.0
#include "model/target.h"

#include "base/text.h"

namespace fairway {
namespace {

std::string did_you_mean(std::string_view text, const std::vector<std::string>& candidates) {
    const std::string near = nearest_name(text, candidates);
    return near.empty() ? "" : " (did you mean \"" + near + "\"?)";
}

template <class Wanted>
Result<ResolvedTarget> gateways_where(const Model& model, const std::string& what, std::string_view name,
                                      const std::vector<std::string>& known, Wanted wanted) {
    ResolvedTarget target;
    for (const Gateway& gateway : model.gateways) {
        if (wanted(gateway)) target.gateways.push_back(gateway.id);
    }
    if (!target.gateways.empty()) return target;
    return fail("no gateway is in " + what + " \"" + std::string(name) + "\"" + did_you_mean(name, known));
}

}  // namespace

Result<ResolvedTarget> resolve_target(const Model& model, std::string_view target) {
    const auto starts = [&target](std::string_view prefix) {
        return target.substr(0, prefix.size()) == prefix;
    };
    if (starts("region:")) {
        const std::string_view name = target.substr(7);
        std::vector<std::string> known;
        for (const Region& region : model.regions) known.push_back(region.name);
        return gateways_where(model, "region", name, known,
                              [&](const Gateway& g) { return glob_match(name, model[g.region].name); });
    }
    if (starts("zone:")) {
        const std::string_view name = target.substr(5);
        std::vector<std::string> known;
        for (const Gateway& gateway : model.gateways) known.push_back(gateway.zone);
        return gateways_where(model, "zone", name, known,
                              [&](const Gateway& g) { return !g.zone.empty() && glob_match(name, g.zone); });
    }
    if (starts("label:")) {
        const std::string_view text = target.substr(6);
        const size_t equals = text.find('=');
        if (equals == std::string_view::npos) return fail("a label target is label:KEY=VALUE");
        const std::string key(text.substr(0, equals));
        const std::string_view value = text.substr(equals + 1);
        std::vector<std::string> known;
        for (const Gateway& gateway : model.gateways) {
            for (const auto& [k, v] : gateway.labels) known.push_back(k + "=" + v);
        }
        return gateways_where(model, "label", text, known, [&](const Gateway& g) {
            const auto found = g.labels.find(key);
            return found != g.labels.end() && glob_match(value, found->second);
        });
    }
    ResolvedTarget resolved;
    std::vector<std::string> known;
    if (target.find('/') != std::string_view::npos) {
        for (const Endpoint& endpoint : model.endpoints) {
            known.push_back(endpoint_path(model, endpoint.id));
            if (glob_match(target, known.back())) resolved.endpoints.push_back(endpoint.id);
        }
        if (!resolved.endpoints.empty()) return resolved;
        return fail("no endpoint \"" + std::string(target) + "\"" + did_you_mean(target, known));
    }
    for (const Gateway& gateway : model.gateways) {
        known.push_back(gateway.name);
        if (glob_match(target, gateway.name)) resolved.gateways.push_back(gateway.id);
    }
    if (!resolved.gateways.empty()) return resolved;
    return fail("no gateway \"" + std::string(target) + "\"" + did_you_mean(target, known));
}

std::vector<EndpointId> endpoints_of(const Model& model, const ResolvedTarget& target) {
    std::vector<EndpointId> all = target.endpoints;
    for (const GatewayId gateway : target.gateways)
        all.insert(all.end(), model[gateway].endpoints.begin(), model[gateway].endpoints.end());
    return all;
}

}  // namespace fairway
