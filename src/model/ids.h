// SPDX-License-Identifier: Apache-2.0
#pragma once
// Positions in the vectors of one Model. A reload makes a new Model with new positions; what must outlive it
// (overrides, history, health state) is keyed by name.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace fairway {

template <class Tag>
struct Id {
    uint32_t value = UINT32_MAX;

    constexpr Id() noexcept = default;
    constexpr explicit Id(size_t index) noexcept : value(static_cast<uint32_t>(index)) {}
    [[nodiscard]] constexpr size_t index() const noexcept { return value; }
    [[nodiscard]] constexpr bool valid() const noexcept { return value != UINT32_MAX; }
    friend constexpr auto operator<=>(Id, Id) = default;
};

using RegionId = Id<struct RegionTag>;
using GatewayId = Id<struct GatewayTag>;
using EndpointId = Id<struct EndpointTag>;
using MonitorId = Id<struct MonitorTag>;
using ServiceId = Id<struct ServiceTag>;

}  // namespace fairway

template <class Tag>
struct std::hash<fairway::Id<Tag>> {
    size_t operator()(fairway::Id<Tag> id) const noexcept { return id.value; }
};
