// SPDX-License-Identifier: Apache-2.0
#include "steering/selecting.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "geoip/centroids.h"

namespace fairway {
namespace {

/// Of services that fall back to each other; the configuration refuses cycles.
constexpr unsigned max_fallbacks = 8;

std::string describe(const Location& location) {
    std::string text;
    if (location.coordinates) {
        std::array<char, 48> at{};
        std::snprintf(at.data(), at.size(), "at %.2f,%.2f", location.coordinates->latitude,
                      location.coordinates->longitude);
        text = at.data();
    }
    if (!location.country.empty() || !location.continent.empty()) {
        text += text.empty() ? "in " : " in ";
        text += location.country;
        if (!location.country.empty() && !location.continent.empty()) text += ", ";
        text += location.continent;
    }
    if (location.asn != 0) text += (text.empty() ? "in AS" : ", AS") + std::to_string(location.asn);
    return text.empty() ? "nowhere known" : text;
}

bool in_doubt(const HealthSnapshot& health, const Candidate& candidate) {
    return health[candidate.endpoint].in_doubt || health[candidate.gateway].in_doubt;
}

bool is_held(const HealthSnapshot& health, const Service& service, GatewayId gateway) {
    const auto& held = health[service.id].held;
    return std::binary_search(held.begin(), held.end(), gateway);
}

}  // namespace

void Selecting::note(std::string_view filter, std::string text) {
    TraceStep step;
    step.filter = filter;
    step.note = std::move(text);
    trace_->steps.push_back(std::move(step));
}

void Selecting::locate() {
    decider_ = compiled_.decider(client_);
    view_.address = decider_.address;
    out_.used_ecs = decider_.is_subnet;
    out_.decided_by = view_.address;
    if (trace_ == nullptr) return;

    geoip::Located located;
    if (compiled_.locator != nullptr) located = compiled_.locator->locate(view_.address);
    const bool by_default = !geoip::knows_place(located.location) && model_.default_location;
    location_ = steering_location(model_, located.location);
    view_.location = &location_;
    std::string_view ignored;
    if (client_.ecs && !out_.used_ecs)
        ignored = client_.ecs->length() == 0 ? "; the client subnet is empty"
                                             : "; the client subnet is private and nothing is known about it";
    std::string text = out_.used_ecs ? "client subnet " + client_.ecs->to_string()
                                     : "source " + client_.source.to_string() + std::string(ignored);
    text += by_default ? ": not known, taken as " : ": ";
    text += describe(location_);
    if (located.from_centroid) text += " (middle of the country)";
    if (located.origin == geoip::Origin::own_prefix)
        text += ", by the own prefix around " + located.network.to_string();
    if (located.origin == geoip::Origin::database)
        text += ", by the database's " + located.network.to_string();
    note("client", std::move(text));
}

ChainRun Selecting::chain_run(const Service& service, Trace* trace) {
    const CompiledService& compiled = compiled_.services[service.id.index()];
    const ClientMap* map = compiled.facets.empty() ? nullptr : &compiled_.maps[compiled.map];
    return {model_,       service,         health_,         view_,        map,
            compiled.map, compiled.facets, out_.candidates, out_.depends, trace};
}

void Selecting::start(ChainRun& run, Resort resort) {
    const Service& service = run.service();
    out_.candidates.clear();
    size_t withheld = 0;
    size_t unresolved = 0;
    bool standby = false;
    doubt_ = false;
    uint32_t gateway_position = 0;
    uint32_t endpoint_position = 0;
    for (const GatewayId gateway : service.gateways) {
        standby = standby || model_[gateway].mode == GatewayMode::active_standby;
        for (const EndpointId endpoint : model_[gateway].endpoints) {
            Candidate& candidate = out_.candidates.emplace_back();
            candidate.endpoint = endpoint;
            candidate.gateway = gateway;
            candidate.gateway_position = gateway_position;
            candidate.endpoint_position = endpoint_position++;
            const EndpointStatus& status = health_[endpoint];
            withheld += status.withheld ? 1 : 0;
            unresolved += status.address ? 0 : 1;
            doubt_ = doubt_ || (!status.withheld && in_doubt(health_, candidate));
        }
        ++gateway_position;
    }
    run.begin_step("overrides");
    if (withheld > 0 && (resort == Resort::normal || withheld < out_.candidates.size()))
        run.remove_if([this](const Candidate& candidate) { return health_[candidate.endpoint].withheld; },
                      [this](const Candidate& candidate) {
                          return std::string(to_string(health_[candidate.endpoint].admin));
                      });
    if (unresolved > 0 && service.answer == AnswerKind::address)
        run.remove_if(
            [this](const Candidate& candidate) { return !health_[candidate.endpoint].address.has_value(); },
            [](const Candidate&) { return std::string("its host name has no address yet"); });
    run.end_step();
    if (resort == Resort::last || !standby) return;

    // Of an active-standby gateway the endpoint that serves, or else the first that is left, is its only one.
    run.begin_step("active-standby");
    GatewayId current;
    EndpointId active;
    const auto is_other = [&](const Candidate& candidate) {
        if (model_[candidate.gateway].mode != GatewayMode::active_standby) return false;
        if (candidate.gateway != current) {
            current = candidate.gateway;
            active = candidate.endpoint;
            for (const Candidate& other : run.candidates()) {
                if (other.gateway != current || !health_[other.endpoint].serving) continue;
                active = other.endpoint;
                break;
            }
        }
        return candidate.endpoint != active;
    };
    run.remove_if(is_other, [&](const Candidate&) { return "stands by for " + model_[active].name; });
    run.end_step();
}

void Selecting::apply_chain(ChainRun& run, const CompiledService& compiled, Resort resort) {
    for (const ChainItem& item : compiled.chain) {
        if (resort == Resort::last && item.last_resort == FilterEntry::LastResort::skipped) continue;
        run.begin_step(item.text);
        item.filter->apply(run);
        run.end_step();
    }
    if (out_.candidates.size() <= Selection::max_endpoints) return;
    run.begin_step("limit");
    size_t count = 0;
    run.remove_if([&count](const Candidate&) { return ++count > Selection::max_endpoints; },
                  [](const Candidate&) { return std::string("more than an answer may hold"); });
    run.end_step();
}

void Selecting::keep_result(const ChainRun& run) {
    out_.endpoints.clear();
    for (const Candidate& candidate : out_.candidates) out_.endpoints.push_back(candidate.endpoint);
    scope_ = std::max(scope_, run.scope());
}

bool Selecting::may_change(const Service& service, const ChainRun& run) {
    const auto selected_may_go = [&](const Candidate& candidate) {
        return in_doubt(health_, candidate) || is_held(health_, service, candidate.gateway);
    };
    if (std::any_of(run.candidates().begin(), run.candidates().end(), selected_may_go)) return true;
    if (!doubt_) return false;
    // Someone else is in doubt. It matters if the answer would be another one, were it up.
    ChainRun other = chain_run(service, nullptr);
    other.set_doubt(ChainRun::Doubt::counts_as_up);
    start(other, Resort::normal);
    apply_chain(other, compiled_.services[service.id.index()], Resort::normal);
    scope_ = std::max(scope_, other.scope());
    return !std::equal(
        out_.candidates.begin(), out_.candidates.end(), out_.endpoints.begin(), out_.endpoints.end(),
        [](const Candidate& candidate, EndpointId endpoint) { return candidate.endpoint == endpoint; });
}

void Selecting::answer(const Service& service, const ChainRun& run) {
    out_.kind = SelectionKind::endpoints;
    if (out_.last_resort) {
        out_.ttl = std::min(out_.ttl, service.ttl_min);
        return;
    }
    const bool doubt = may_change(service, run);
    out_.ttl = doubt ? service.ttl_min : service.ttl_max;
    if (trace_ != nullptr)
        note("ttl", std::to_string(out_.ttl.count()) + " s: " +
                        (doubt ? "a member's state may change the answer soon" : "nothing is in doubt"));
}

void Selecting::serve_all(const Service& service) {
    ChainRun run = chain_run(service, trace_);
    start(run, Resort::last);
    // What the probes see alive though it may not serve yet (held down, its gateway below its minimum) first.
    run.begin_step("all_down");
    const auto dead = [this](const Candidate& candidate) {
        const HealthState state = health_[candidate.endpoint].measured;
        return uint64_t{state == HealthState::down || state == HealthState::unknown};
    };
    run.rank_gateways([&](std::span<const Candidate> gateway) {
        return uint64_t{
            std::all_of(gateway.begin(), gateway.end(), [&](const Candidate& c) { return dead(c) == 1; })};
    });
    run.rank_endpoints(dead);
    if (TraceStep* step = run.step())
        step->note = "serve-all: no candidate was left, so everything is answered";
    run.mark_all([this](const Candidate& candidate) {
        return std::string(to_string(health_[candidate.endpoint].measured));
    });
    run.end_step();
    apply_chain(run, compiled_.services[service.id.index()], Resort::last);
    keep_result(run);
    // A host name may have no address yet; then there is nothing to answer with.
    out_.kind = out_.endpoints.empty() ? SelectionKind::servfail : SelectionKind::endpoints;
}

void Selecting::run(ServiceId id) {
    out_.endpoints.clear();
    out_.endpoints.reserve(Selection::max_endpoints);
    out_.last_resort = false;
    out_.depends = {};
    locate();
    for (unsigned fallbacks = 0;; ++fallbacks) {
        const Service& service = model_[id];
        out_.service = id;
        ChainRun run = chain_run(service, trace_);
        start(run, Resort::normal);
        apply_chain(run, compiled_.services[id.index()], Resort::normal);
        keep_result(run);
        if (!run.empty()) {
            answer(service, run);
            break;
        }
        // Until it is better, whatever comes now may change at any moment.
        out_.ttl = out_.last_resort ? std::min(out_.ttl, service.ttl_min) : service.ttl_min;
        out_.last_resort = true;
        const bool to_service = service.all_down == AllDown::fallback && service.fallback_service.valid();
        if (to_service && fallbacks < max_fallbacks) {
            if (trace_ != nullptr)
                note("all_down",
                     "no candidate was left: falls back to service " + model_[service.fallback_service].key);
            id = service.fallback_service;
            continue;
        }
        switch (service.all_down) {
            case AllDown::serve_all:
                serve_all(service);
                break;
            case AllDown::fallback:
                out_.kind = to_service ? SelectionKind::servfail : SelectionKind::name;
                if (trace_ != nullptr)
                    note("all_down", to_service ? "too many fallbacks: SERVFAIL"
                                                : "no candidate was left: CNAME to " + service.fallback_name);
                break;
            case AllDown::nodata:
                out_.kind = SelectionKind::nodata;
                if (trace_ != nullptr) note("all_down", "no candidate was left: no data");
                break;
            case AllDown::servfail:
                out_.kind = SelectionKind::servfail;
                if (trace_ != nullptr) note("all_down", "no candidate was left: SERVFAIL");
                break;
            case AllDown::refuse:
                out_.kind = SelectionKind::refuse;
                if (trace_ != nullptr) note("all_down", "no candidate was left: REFUSED");
                break;
        }
        break;
    }
    out_.scope = Steering::scope_of(decider_, scope_);
    if (trace_ == nullptr) return;
    if (out_.last_resort) note("ttl", std::to_string(out_.ttl.count()) + " s: a last resort");
    note("scope",
         out_.scope == 0
             ? std::string("the same for every client")
             : "the same for all of " +
                   IpPrefix(client_.ecs ? client_.ecs->address() : view_.address, out_.scope).to_string());
}

}  // namespace fairway
