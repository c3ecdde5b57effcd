// SPDX-License-Identifier: Apache-2.0
#include "dns/server_counters.h"

#include <algorithm>

namespace fairway::dns {

void WorkerCounters::use_model(const std::shared_ptr<const Model>& model) {
    if (steered_ != nullptr && steered_->model == model) return;
    auto fresh = std::make_shared<Steered>();
    fresh->model = model;
    fresh->services = std::vector<Counter>(model->services.size());
    fresh->endpoints = std::vector<Counter>(model->endpoints.size());
    steered_ = fresh.get();
    const std::lock_guard lock(mutex_);
    all_.push_back(std::move(fresh));
}

void WorkerCounters::count(Transport transport, const Outcome& outcome) noexcept {
    (transport == Transport::udp   ? udp_queries_
     : transport == Transport::tcp ? tcp_queries_
                                   : tls_queries_)
        .add();
    if (!outcome.answered) {
        dropped.add();
        return;
    }
    rcodes_[std::min<size_t>(static_cast<size_t>(outcome.rcode), rcodes_.size() - 1)].add();
    if (outcome.has_edns) with_edns_.add();
    if (outcome.has_ecs) with_ecs_.add();
    if (outcome.truncated) truncated_.add();
    if (outcome.last_resort) last_resort_.add();
    if (outcome.service.valid()) steered_->services[outcome.service.index()].add();
    if (outcome.endpoint.valid()) steered_->endpoints[outcome.endpoint.index()].add();
}

void WorkerCounters::add_names(const Steered& steered, ServerStats& stats) {
    const Model& model = *steered.model;
    for (const Service& service : model.services)
        stats.services[service.key] += steered.services[service.id.index()].get();
    for (const Endpoint& endpoint : model.endpoints)
        stats.endpoints[endpoint_path(model, endpoint.id)] += steered.endpoints[endpoint.id.index()].get();
}

void WorkerCounters::add_to(ServerStats& stats) {
    stats.udp_queries += udp_queries_.get();
    stats.tcp_queries += tcp_queries_.get();
    stats.tls_queries += tls_queries_.get();
    stats.dropped += dropped.get();
    stats.send_failures += send_failures.get();
    stats.limited_dropped += limited_dropped.get();
    stats.limited_truncated += limited_truncated.get();
    stats.with_edns += with_edns_.get();
    stats.with_ecs += with_ecs_.get();
    stats.truncated += truncated_.get();
    stats.last_resort += last_resort_.get();
    stats.connections_accepted += connections_accepted.get();
    stats.connections_closed_idle += connections_closed_idle.get();
    stats.connections_closed_for_room += connections_closed_for_room.get();
    stats.connections_open += connections_open.get();
    stats.tls_connections_open += tls_connections_open.get();
    stats.tls_handshakes += tls_handshakes.get();
    stats.tls_resumptions += tls_resumptions.get();
    stats.tls_failures += tls_failures.get();
    stats.rcodes.resize(std::max(stats.rcodes.size(), rcodes_.size()));
    for (size_t i = 0; i < rcodes_.size(); ++i) stats.rcodes[i] += rcodes_[i].get();

    // The worker is done with all but the last: those are folded, so that models do not pile up.
    std::vector<std::shared_ptr<Steered>> done;
    std::shared_ptr<Steered> current;
    {
        const std::lock_guard lock(mutex_);
        if (!all_.empty()) {
            current = all_.back();
            done.assign(all_.begin(), all_.end() - 1);
            all_.erase(all_.begin(), all_.end() - 1);
        }
        for (const auto& old : done) add_names(*old, folded_);
        for (const auto& [name, count] : folded_.services) stats.services[name] += count;
        for (const auto& [name, count] : folded_.endpoints) stats.endpoints[name] += count;
    }
    if (current) add_names(*current, stats);
}

}  // namespace fairway::dns
