// SPDX-License-Identifier: Apache-2.0
#include "steering/client_map.h"

#include <algorithm>
#include <iterator>

namespace fairway {

size_t ClientMap::bytes() const noexcept {
    return table_.bytes() + outcomes_.capacity() * sizeof(uint32_t) + rows_.capacity() * sizeof(Row) +
           pool_.capacity() * sizeof(uint16_t);
}

ClientMap::Builder::Builder(ClientMap& map, const Model& model, std::span<const IpPrefix> cuts)
    : map_(map), model_(model), cuts_(cuts), classes_(map.facets_.size()), tuple_(map.facets_.size()) {
    has_prefixes_ = std::any_of(map.facets_.begin(), map.facets_.end(),
                                [](const Facet& facet) { return !facet.prefixes().empty(); });
}

uint32_t ClientMap::Builder::row(const std::vector<uint16_t>& outcome) {
    const auto [found, fresh] = row_numbers_.try_emplace(outcome, static_cast<uint32_t>(map_.rows_.size()));
    if (fresh) {
        map_.rows_.push_back(
            {static_cast<uint32_t>(map_.pool_.size()), static_cast<uint32_t>(outcome.size())});
        map_.pool_.insert(map_.pool_.end(), outcome.begin(), outcome.end());
    }
    return found->second;
}

uint32_t ClientMap::Builder::with_cut(uint32_t base_class, uint32_t cut) {
    const uint32_t key[2] = {base_class, cut};
    const auto [number, fresh] = cut_classes_.number(key);
    if (!fresh) return cut_class_[number];
    for (size_t i = 0; i < map_.facets_.size(); ++i) {
        const Facet& facet = map_.facets_[i];
        tuple_[i] = classes_[base_class][i];
        const std::vector<uint16_t> by_prefix = facet.prefix_matches(cuts_[cut]);
        if (by_prefix.empty()) continue;
        const Row base = map_.rows_[tuple_[i]];
        const auto by_location = map_.pool_.begin() + base.begin;
        std::vector<uint16_t> both;
        std::set_union(by_location, by_location + base.size, by_prefix.begin(), by_prefix.end(),
                       std::back_inserter(both));
        tuple_[i] = row(both);
    }
    cut_class_.push_back(classes_.number(tuple_).first);
    return cut_class_.back();
}

void ClientMap::Builder::add(const geoip::Locator::Network& network, const Location* location) {
    if (location != nullptr) {
        for (size_t i = 0; i < map_.facets_.size(); ++i)
            tuple_[i] = row(map_.facets_[i].outcome(model_, *location));
        class_of_location_.push_back(classes_.number(tuple_).first);
    }
    uint32_t client_class = class_of_location_[network.location_number];
    if (has_prefixes_ && network.cut) client_class = with_cut(client_class, *network.cut);
    map_.table_.append(network.prefix.address(), client_class);
}

void ClientMap::Builder::finish() {
    map_.table_.finish();
    map_.outcomes_.reserve(classes_.size() * map_.facets_.size());
    for (size_t i = 0; i < classes_.size(); ++i)
        map_.outcomes_.insert(map_.outcomes_.end(), classes_[i].begin(), classes_[i].end());
    map_.rows_.shrink_to_fit();
    map_.pool_.shrink_to_fit();
}

}  // namespace fairway
