// SPDX-License-Identifier: Apache-2.0
#pragma once
// "What would clients get if": the health snapshot as other overrides would make it, and the answers that the
// real steering gives on it. Pure.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ip.h"
#include "health/snapshot.h"
#include "model/override.h"
#include "steering/selection.h"

namespace fairway {
class Steering;
namespace geoip {
class Locator;
}
}  // namespace fairway

namespace fairway::api {

/// `health` with exactly these overrides in force. Targets that stand for nothing are passed over. An
/// endpoint under an override now is taken to be as measured without it.
[[nodiscard]] HealthSnapshot with_overrides(const HealthSnapshot& health,
                                            std::span<const Override> overrides);

/// The services (by key) that have something to answer with now and would not have any more: no usable
/// gateway, or none that is not withheld by an operator.
[[nodiscard]] std::vector<std::string> emptied_services(const HealthSnapshot& before,
                                                        const HealthSnapshot& after);

/// A client that stands for those near a region, or for those of whom nothing is known.
struct SampleClient {
    std::string region;  // empty: unknown location
    IpAddress address;
};

/// One for each region that has coordinates and some known address on its continent's side of the world, then
/// the unknown one. Walks what the locator knows, within a bound; keep the outcome.
[[nodiscard]] std::vector<SampleClient> sample_clients(const Model& model, const geoip::Locator& locator);

/// The answer to one kind of client, before and after.
struct Effect {
    ServiceId service;
    SampleClient client;
    Selection before;
    Selection after;
    [[nodiscard]] bool differs() const;
};

[[nodiscard]] std::vector<Effect> effects(const Steering& steering, const HealthSnapshot& before,
                                          const HealthSnapshot& after, std::span<const SampleClient> clients);

}  // namespace fairway::api
