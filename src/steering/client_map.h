// SPDX-License-Identifier: Apache-2.0
#pragma once
// From a client's address to the outcomes of a set of facets, for the whole address space, computed once.
// Immutable after finish().

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "geoip/interned.h"
#include "geoip/locator.h"
#include "model/model.h"
#include "steering/facet.h"
#include "steering/range_table.h"

namespace fairway {

class ClientMap {
  public:
    /// One per facet; equal facets should be given once.
    explicit ClientMap(std::vector<Facet> facets) : facets_(std::move(facets)) {}

    [[nodiscard]] const std::vector<Facet>& facets() const noexcept { return facets_; }
    [[nodiscard]] ClassHit find(const IpAddress& address) const noexcept { return table_.find(address); }
    void prefetch_v4(std::span<const uint32_t> keys) const noexcept { table_.prefetch_v4(keys); }
    /// Valid as long as the map.
    [[nodiscard]] std::span<const uint16_t> outcome(uint32_t client_class, size_t facet) const noexcept {
        const Row row = rows_[outcomes_[client_class * facets_.size() + facet]];
        return {pool_.data() + row.begin, row.size};
    }
    [[nodiscard]] size_t ranges() const noexcept { return table_.size(); }
    [[nodiscard]] size_t classes() const noexcept {
        return facets_.empty() ? 1 : outcomes_.size() / facets_.size();
    }
    [[nodiscard]] size_t bytes() const noexcept;

    /// Fills one map while the locator walks one family after the other.
    class Builder {
      public:
        /// `cuts` are those of the walk; they must include the prefixes() of every facet.
        Builder(ClientMap& map, const Model& model, std::span<const IpPrefix> cuts);
        /// Before each family: its location numbers begin anew.
        void begin_family() { class_of_location_.clear(); }
        /// `location` stands in for network.location, with the default location filled in.
        void add(const geoip::Locator::Network& network, const Location* location);
        void finish();

      private:
        [[nodiscard]] uint32_t row(const std::vector<uint16_t>& outcome);
        [[nodiscard]] uint32_t with_cut(uint32_t base_class, uint32_t cut);

        ClientMap& map_;
        const Model& model_;
        std::span<const IpPrefix> cuts_;
        bool has_prefixes_ = false;
        geoip::Interned classes_;          // tuples of rows
        geoip::Interned cut_classes_{2};   // (class, cut) -> position in cut_class_
        std::vector<uint32_t> cut_class_;  // the class there
        std::vector<uint32_t> class_of_location_;
        std::map<std::vector<uint16_t>, uint32_t> row_numbers_;
        std::vector<uint32_t> tuple_;
    };

  private:
    struct Row {
        uint32_t begin = 0;
        uint32_t size = 0;
    };

    std::vector<Facet> facets_;
    RangeTable table_;                // -> class
    std::vector<uint32_t> outcomes_;  // by class and facet: a row
    std::vector<Row> rows_;
    std::vector<uint16_t> pool_;
};

}  // namespace fairway
