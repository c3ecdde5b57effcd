// SPDX-License-Identifier: Apache-2.0
#pragma once
// What Steering::compile() makes of a configuration and of the geo knowledge. Immutable afterwards.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "geoip/locator.h"
#include "model/model.h"
#include "steering/chain.h"
#include "steering/client_map.h"
#include "steering/range_table.h"
#include "steering/registry.h"
#include "steering/steering.h"

namespace fairway {

struct ChainItem {
    std::unique_ptr<const Filter> filter;
    FilterEntry::LastResort last_resort;
    std::string text;  // as configured, for traces
};

struct CompiledService {
    std::vector<ChainItem> chain;
    std::vector<uint32_t> facets;  // of the filters, as positions in the map's facets
    size_t map = 0;
};

/// Services that ask the same about clients share a map; beyond this many different sets of questions all
/// further ones share the last, whose scopes are then narrower than they could be but never wrong.
inline constexpr size_t max_client_maps = 8;

struct CompiledSteering {
    /// Values of private_space.
    static constexpr uint32_t private_unknown = 0;
    static constexpr uint32_t not_private_unknown = 1;

    std::shared_ptr<const Model> model;
    std::shared_ptr<const geoip::Locator> locator;
    std::vector<CompiledService> services;  // by ServiceId
    std::vector<ClientMap> maps;
    /// Tells the private addresses of which nothing is known: as client subnets they are ignored.
    RangeTable private_space;

    CompiledSteering(std::shared_ptr<const Model> the_model,
                     std::shared_ptr<const geoip::Locator> the_locator);

    [[nodiscard]] Steering::Decider decider(const Client& client) const noexcept;
    [[nodiscard]] Steering::Decider decider(const IpAddress& source, const IpAddress& subnet,
                                            uint8_t length) const noexcept;

  private:
    void compile_services();
    void compile_maps();
};

/// The location that steers: what is known, or else the configured default.
[[nodiscard]] Location steering_location(const Model& model, Location location);

}  // namespace fairway
