// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a policy filter is, and what it works on.
//
// Candidates are endpoints, grouped by gateway, best first. They carry tiers: gateways of one tier are
// equally good so far, and so are endpoints of one tier within their gateway. A filter either removes
// candidates or refines tiers: a ranking only reorders what the rankings before it left equal, so that
// "nearest, weighted" spreads clients over the nearest region. What is still equal in the end stays in the
// order of the configuration.
//
// A filter sees the client only through outcome() and client_block(); asking is what makes the answer
// tailored, so a filter that cannot change anything (one gateway left) does not ask.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "health/snapshot.h"
#include "model/model.h"
#include "steering/client_map.h"
#include "steering/facet.h"
#include "steering/selection.h"

namespace fairway {

using Candidate = Selection::Candidate;

/// Who is asking, as far as the filters may know.
struct ClientView {
    IpAddress address;
    /// Set while explaining only: for distances in the trace.
    const Location* location = nullptr;
};

/// A chain at work for one client. The trace, when there is one, is written here, so that filters only say
/// why, and only when asked.
class ChainRun {
  public:
    /// Whether endpoints whose state is about to change count as if they were up already.
    enum class Doubt : uint8_t { as_is, counts_as_up };

    ChainRun(const Model& model, const Service& service, const HealthSnapshot& health,
             const ClientView& client, const ClientMap* map, size_t map_number,
             std::span<const uint32_t> facets, std::vector<Candidate>& candidates, Dependence& depends,
             Trace* trace)
        : model_(model),
          service_(service),
          health_(health),
          client_(client),
          map_(map),
          map_number_(map_number),
          facets_(facets),
          candidates_(candidates),
          depends_(depends),
          trace_(trace) {}

    [[nodiscard]] const Model& model() const noexcept { return model_; }
    [[nodiscard]] const Service& service() const noexcept { return service_; }
    [[nodiscard]] const HealthSnapshot& health() const noexcept { return health_; }
    [[nodiscard]] const std::vector<Candidate>& candidates() const noexcept { return candidates_; }
    [[nodiscard]] bool empty() const noexcept { return candidates_.empty(); }
    [[nodiscard]] bool one_gateway() const noexcept {
        return empty() || candidates_.front().gateway == candidates_.back().gateway;
    }

    /// Whether any gateways, or any endpoints of one, are equally good so far: only then can ranking change
    /// anything.
    [[nodiscard]] bool has_ties() const noexcept {
        for (size_t i = 1; i < candidates_.size(); ++i) {
            const Candidate& a = candidates_[i - 1];
            const Candidate& b = candidates_[i];
            if (a.gateway == b.gateway ? a.endpoint_tier == b.endpoint_tier
                                       : a.gateway_tier == b.gateway_tier)
                return true;
        }
        return false;
    }

    /// The outcome of one of the filter's facets for this client; makes the answer depend on its location.
    [[nodiscard]] std::span<const uint16_t> outcome(uint32_t facet);
    /// The hash of the client's block; makes the answer depend on the block.
    [[nodiscard]] uint64_t client_block();
    /// SCOPE PREFIX-LENGTH so far, for the address that decided.
    [[nodiscard]] uint8_t scope() const noexcept { return scope_; }

    [[nodiscard]] Doubt doubt() const noexcept { return doubt_; }
    void set_doubt(Doubt doubt) noexcept { doubt_ = doubt; }

    /// Removes the candidates for which `condemned` holds, which is asked once for each, in order; `why`
    /// gives the reason as text.
    template <class Condemned, class Why>
    void remove_if(Condemned condemned, Why why) {
        for (Candidate& candidate : candidates_) {
            candidate.endpoint_key = condemned(std::as_const(candidate)) ? 1 : 0;
            if (step_ && candidate.endpoint_key != 0)
                step_->removed.push_back({candidate.endpoint, why(std::as_const(candidate))});
        }
        std::erase_if(candidates_, [](const Candidate& candidate) { return candidate.endpoint_key != 0; });
    }
    /// Orders gateways within their tiers by key(first candidate of the gateway), lowest first.
    template <class Key>
    void rank_gateways(Key key) {
        for (size_t i = 0; i < candidates_.size();) {
            const uint64_t value = key(std::span<const Candidate>(&candidates_[i], group_size(i)));
            for (const size_t end = i + group_size(i); i < end; ++i) candidates_[i].gateway_key = value;
        }
        settle();
    }
    /// Orders the endpoints of each gateway within their tiers, lowest key first.
    template <class Key>
    void rank_endpoints(Key key) {
        for (Candidate& candidate : candidates_) candidate.endpoint_key = key(candidate);
        settle();
    }
    /// Calls visit(candidates of one gateway) for each gateway, in order.
    template <class Visit>
    void for_each_gateway(Visit visit) const {
        for (size_t i = 0; i < candidates_.size(); i += group_size(i))
            visit(std::span<const Candidate>(&candidates_[i], group_size(i)));
    }

    /// For a trace: the step at work, or null. Only whoever explains pays for texts.
    [[nodiscard]] TraceStep* step() noexcept { return step_ ? &*step_ : nullptr; }
    [[nodiscard]] const Location* location() const noexcept { return client_.location; }
    /// Does nothing without a trace.
    void begin_step(std::string_view name);
    void end_step();
    /// The text beside each candidate that the step kept: call it last.
    template <class Mark>
    void mark_all(Mark mark) {
        if (!step_) return;
        for (const Candidate& candidate : candidates_) step_->marks.push_back(mark(candidate));
    }

  private:
    [[nodiscard]] size_t group_size(size_t from) const noexcept {
        size_t end = from + 1;
        while (end < candidates_.size() && candidates_[end].gateway == candidates_[from].gateway) ++end;
        return end - from;
    }
    /// Sorts by what the keys now say and turns them into tiers.
    void settle();

    const Model& model_;
    const Service& service_;
    const HealthSnapshot& health_;
    const ClientView& client_;
    const ClientMap* map_;
    size_t map_number_;
    std::span<const uint32_t> facets_;  // the service's facets in the map
    std::vector<Candidate>& candidates_;
    Dependence& depends_;
    Trace* trace_;
    std::optional<TraceStep> step_;
    std::optional<uint32_t> client_class_;
    uint8_t scope_ = 0;
    Doubt doubt_ = Doubt::as_is;
};

/// One compiled item of a policy chain. Immutable.
class Filter {
  public:
    virtual ~Filter() = default;
    virtual void apply(ChainRun& run) const = 0;
};

/// What a filter is compiled from; `facets` collects what the service wants to know about clients.
struct FilterSource {
    const Model& model;
    const Service& service;
    const FilterSpec& spec;
    std::vector<Facet>& facets;

    /// The number by which the filter asks for the facet's outcome.
    [[nodiscard]] uint32_t add(Facet facet) const;
};

}  // namespace fairway
