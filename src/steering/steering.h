// SPDX-License-Identifier: Apache-2.0
#pragma once
// Decides which endpoints a client gets for a service, and tells why. Pure: no I/O, no clock, no randomness;
// the same question to the same health always has the same answer, on every node. Health is handed in with
// each question, so a health change costs nothing here; a Steering is compiled anew only when the
// configuration or the geo knowledge changes.
//
// How a client becomes a location: the address that decides (the client subnet, or the packet's source) is
// looked up in a range table compiled from everything the Locator knows; it yields the client's class, which
// stands for "the same for every location-dependent filter of the service". Classes hold rankings that were
// computed once, so a question needs no trigonometry, and the merged ranges are what makes ECS scopes wide.
//
// ECS (RFC 7871): the subnet decides by its network address as sent. A SOURCE PREFIX-LENGTH of 0 means that
// the packet's source decides and the scope is 0 (7.5). A private or loopback subnet is ignored in favour of
// the source and the scope covers the private block (section 10), except where the configuration (own
// prefixes, rules about prefixes) or a database knows the subnet: then it decides like any other.

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "geoip/locator.h"
#include "health/snapshot.h"
#include "model/model.h"
#include "steering/range_table.h"
#include "steering/selection.h"

namespace fairway {

/// The policy filters that can be used, in alphabetical order: those of the registry.
[[nodiscard]] std::span<const std::string_view> steering_filter_names() noexcept;

struct CompiledSteering;

class Steering {
  public:
    /// Walks all that `locator` knows: up to seconds for a large database, so do it on a worker thread.
    /// `locator` may be null: nothing is known about any address. Throws std::invalid_argument for a filter
    /// that steering_filter_names() lacks; the configuration refuses those before.
    static std::shared_ptr<const Steering> compile(std::shared_ptr<const Model> model,
                                                   std::shared_ptr<const geoip::Locator> locator);
    ~Steering();
    Steering(const Steering&) = delete;
    Steering& operator=(const Steering&) = delete;

    /// Any thread. `health` must be about the model this was compiled from. Overwrites `out` and, once the
    /// vectors in it have grown, allocates nothing; with `trace` (whose steps are replaced) the same code
    /// also tells what each step did, and then it allocates.
    void select(ServiceId service, const HealthSnapshot& health, const Client& client, Selection& out,
                Trace* trace = nullptr) const;

    /// Which of a client's addresses decides.
    struct Decider {
        IpAddress address;
        bool is_subnet = false;  // the client subnet's
        /// For answers that are tailored at all: the scope, when the subnet was ignored.
        std::optional<uint8_t> fixed_scope;
    };
    [[nodiscard]] Decider decider(const Client& client) const noexcept;
    /// The same, with the client subnet's address and SOURCE PREFIX-LENGTH.
    [[nodiscard]] Decider decider(const IpAddress& source, const IpAddress& subnet,
                                  uint8_t length) const noexcept;
    /// A client's class in one of the maps that Dependence names, and how far around it the class holds.
    [[nodiscard]] ClassHit class_of(size_t map, const IpAddress& address) const noexcept;
    /// For who will soon ask for the classes of all of these IPv4 addresses (in host order): their memory is
    /// fetched together instead of one after the other. In the first maps only, which most services share.
    void prefetch(std::span<const uint32_t> addresses) const noexcept;
    /// Selection::scope, from the longest of the scopes of all that was looked at.
    [[nodiscard]] static uint8_t scope_of(const Decider& decider, uint8_t scope) noexcept {
        return scope == 0 ? uint8_t{0} : decider.fixed_scope.value_or(scope);
    }

    [[nodiscard]] const Model& model() const noexcept;
    [[nodiscard]] const std::shared_ptr<const geoip::Locator>& locator() const noexcept;

    /// Size of what was compiled, for metrics.
    struct Size {
        size_t maps = 0;     // range tables; services with the same location-dependent filters share one
        size_t ranges = 0;   // of all maps, both families
        size_t classes = 0;  // of all maps
        size_t bytes = 0;    // of all maps
    };
    [[nodiscard]] Size size() const noexcept;

  private:
    explicit Steering(std::unique_ptr<const CompiledSteering> compiled);

    std::unique_ptr<const CompiledSteering> compiled_;
};

}  // namespace fairway
