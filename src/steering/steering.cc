// SPDX-License-Identifier: Apache-2.0
#include "steering/steering.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "steering/compiled.h"
#include "steering/selecting.h"

namespace fairway {

Steering::Steering(std::unique_ptr<const CompiledSteering> compiled) : compiled_(std::move(compiled)) {}
Steering::~Steering() = default;

std::shared_ptr<const Steering> Steering::compile(std::shared_ptr<const Model> model,
                                                  std::shared_ptr<const geoip::Locator> locator) {
    return std::shared_ptr<const Steering>(
        new Steering(std::make_unique<CompiledSteering>(std::move(model), std::move(locator))));
}

Steering::Decider Steering::decider(const Client& client) const noexcept {
    return compiled_->decider(client);
}

Steering::Decider Steering::decider(const IpAddress& source, const IpAddress& subnet,
                                    uint8_t length) const noexcept {
    return compiled_->decider(source, subnet, length);
}

ClassHit Steering::class_of(size_t map, const IpAddress& address) const noexcept {
    return compiled_->maps[map].find(address);
}

void Steering::prefetch(std::span<const uint32_t> addresses) const noexcept {
    constexpr size_t worthwhile = 2;
    for (size_t map = 0; map < std::min(worthwhile, compiled_->maps.size()); ++map)
        compiled_->maps[map].prefetch_v4(addresses);
}

const Model& Steering::model() const noexcept {
    return *compiled_->model;
}

const std::shared_ptr<const geoip::Locator>& Steering::locator() const noexcept {
    return compiled_->locator;
}

Steering::Size Steering::size() const noexcept {
    Size size;
    size.maps = compiled_->maps.size();
    for (const ClientMap& map : compiled_->maps) {
        size.ranges += map.ranges();
        size.classes += map.classes();
        size.bytes += map.bytes();
    }
    return size;
}

void Steering::select(ServiceId service, const HealthSnapshot& health, const Client& client, Selection& out,
                      Trace* trace) const {
    assert(health.endpoints.size() == compiled_->model->endpoints.size());
    assert(health.gateways.size() == compiled_->model->gateways.size());
    assert(health.services.size() == compiled_->model->services.size());
    if (trace != nullptr) trace->steps.clear();
    Selecting(*compiled_, health, client, out, trace).run(service);
}

}  // namespace fairway
