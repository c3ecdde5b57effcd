// SPDX-License-Identifier: Apache-2.0
#include "steering/compiled.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "geoip/centroids.h"

namespace fairway {
namespace {

static_assert(max_client_maps <= 8 * sizeof(Dependence::maps));

/// What has no public geography; a map beside the others tells which of it is known all the same.
std::vector<IpPrefix> private_blocks() {
    std::vector<IpPrefix> blocks;
    for (const char* text : {"10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
                             "192.168.0.0/16", "::1/128", "fc00::/7", "fe80::/10"})
        blocks.push_back(IpPrefix::parse(text).value());
    return blocks;
}

/// All facets of several services in one list; their rankings become one over all their regions, which orders
/// any subset of them the same.
void merge_facets(std::vector<Facet>& all, const std::vector<Facet>& more) {
    for (const Facet& facet : more) {
        if (!facet.is_ranking()) {
            if (std::find(all.begin(), all.end(), facet) == all.end()) all.push_back(facet);
            continue;
        }
        const auto ranking =
            std::find_if(all.begin(), all.end(), [](const Facet& f) { return f.is_ranking(); });
        if (ranking == all.end()) {
            all.push_back(facet);
            continue;
        }
        std::vector<RegionId> regions;
        std::set_union(ranking->regions.begin(), ranking->regions.end(), facet.regions.begin(),
                       facet.regions.end(), std::back_inserter(regions));
        ranking->regions = std::move(regions);
    }
}

/// Where a facet's outcome is found in a map that has it, by itself or merged.
uint32_t facet_position(const std::vector<Facet>& all, const Facet& facet) {
    const auto serves = [&facet](const Facet& candidate) {
        if (!facet.is_ranking()) return candidate == facet;
        return candidate.is_ranking() && std::includes(candidate.regions.begin(), candidate.regions.end(),
                                                       facet.regions.begin(), facet.regions.end());
    };
    const auto found = std::find_if(all.begin(), all.end(), serves);
    assert(found != all.end());
    return static_cast<uint32_t>(found - all.begin());
}

}  // namespace

Location steering_location(const Model& model, Location location) {
    if (geoip::knows_place(location) || !model.default_location) return location;
    const uint32_t asn = location.asn;
    location = *model.default_location;
    if (asn != 0) location.asn = asn;
    geoip::complete_from_country(location);
    return location;
}

CompiledSteering::CompiledSteering(std::shared_ptr<const Model> the_model,
                                   std::shared_ptr<const geoip::Locator> the_locator)
    : model(std::move(the_model)), locator(std::move(the_locator)) {
    compile_services();
    compile_maps();
}

Steering::Decider CompiledSteering::decider(const Client& client) const noexcept {
    if (!client.ecs) return {client.source, false, std::nullopt};
    return decider(client.source, client.ecs->address(), client.ecs->length());
}

Steering::Decider CompiledSteering::decider(const IpAddress& source, const IpAddress& subnet,
                                            uint8_t length) const noexcept {
    if (length == 0) return {source, false, uint8_t{0}};
    if (subnet.is_private()) {
        const ClassHit hit = private_space.find(subnet);
        if (hit.value == private_unknown) return {source, false, hit.scope};
    }
    return {subnet, true, std::nullopt};
}

void CompiledSteering::compile_services() {
    std::vector<std::vector<Facet>> wanted;  // by service
    for (const Service& service : model->services) {
        CompiledService& compiled = services.emplace_back();
        std::vector<Facet>& facets = wanted.emplace_back();
        for (const FilterSpec& spec : service.policy) {
            const FilterEntry* entry = find_filter(spec.name);
            if (entry == nullptr)
                throw std::invalid_argument("service " + service.key + ": there is no policy filter \"" +
                                            spec.name + "\"");
            compiled.chain.push_back({entry->make(FilterSource{*model, service, spec, facets}),
                                      entry->last_resort, spec.to_string()});
        }
    }
    std::vector<std::vector<Facet>> map_facets;
    for (size_t i = 0; i < services.size(); ++i) {
        if (wanted[i].empty()) continue;
        const auto same = std::find(map_facets.begin(), map_facets.end(), wanted[i]);
        services[i].map = static_cast<size_t>(same - map_facets.begin());
        if (same != map_facets.end()) continue;
        if (map_facets.size() < max_client_maps) {
            map_facets.push_back(wanted[i]);
        } else {
            services[i].map = max_client_maps - 1;
            merge_facets(map_facets.back(), wanted[i]);
        }
    }
    for (size_t i = 0; i < services.size(); ++i) {
        for (const Facet& facet : wanted[i])
            services[i].facets.push_back(facet_position(map_facets[services[i].map], facet));
    }
    for (std::vector<Facet>& facets : map_facets) maps.emplace_back(std::move(facets));
}

void CompiledSteering::compile_maps() {
    const std::vector<IpPrefix> blocks = private_blocks();
    std::vector<IpPrefix> cuts = blocks;
    for (const ClientMap& map : maps) {
        for (const Facet& facet : map.facets()) {
            for (const IpPrefix& prefix : facet.prefixes()) cuts.push_back(prefix);
        }
    }
    // The walk reports the longest cut around a network, and of equal ones the last.
    std::vector<ClientMap::Builder> builders;
    builders.reserve(maps.size());
    for (ClientMap& map : maps) builders.emplace_back(map, *model, cuts);

    std::shared_ptr<const geoip::Locator> source = locator;
    if (source == nullptr) source = geoip::Locator::open({}).value();
    for (const IpFamily family : {IpFamily::v4, IpFamily::v6}) {
        for (ClientMap::Builder& builder : builders) builder.begin_family();
        std::vector<bool> known;  // by location number
        source->for_each_network(family, cuts, [&](const geoip::Locator::Network& network) {
            Location location;
            const Location* fresh = nullptr;
            if (network.location != nullptr) {
                known.push_back(geoip::knows_place(*network.location) || network.location->asn != 0);
                location = steering_location(*model, *network.location);
                fresh = &location;
            }
            const bool ruled = network.cut && *network.cut >= blocks.size();
            const bool ignored = !known[network.location_number] && !ruled &&
                                 std::any_of(blocks.begin(), blocks.end(), [&](const IpPrefix& block) {
                                     return block.length() <= network.prefix.length() &&
                                            block.contains(network.prefix.address());
                                 });
            private_space.append(network.prefix.address(), ignored ? private_unknown : not_private_unknown);
            for (ClientMap::Builder& builder : builders) builder.add(network, fresh);
        });
    }
    for (ClientMap::Builder& builder : builders) builder.finish();
    private_space.finish();
    source->rest();
}

}  // namespace fairway
