// SPDX-License-Identifier: Apache-2.0
#include "geoip/locator.h"

#include <algorithm>
#include <array>

#include "geoip/centroids.h"
#include "geoip/database.h"
#include "geoip/interned.h"
#include "geoip/prefix_trie.h"

namespace fairway::geoip {
namespace {

/// Fills in what the layers before did not know. Returns whether it was this layer that knew the place.
bool add_layer(Location& location, const Location& layer) {
    if (location.asn == 0) location.asn = layer.asn;
    if (knows_place(location) || !knows_place(layer)) return false;
    location.country = layer.country;
    location.continent = layer.continent;
    location.coordinates = layer.coordinates;
    return true;
}

bool has_places(const DatabaseInfo& info) {
    return info.has_country || info.has_continent || info.has_coordinates;
}

/// Whether a database could tell anything that is still missing.
bool worth_asking(const DatabaseInfo& info, const Location& so_far) {
    return (has_places(info) && !knows_place(so_far)) || (info.has_asn && so_far.asn == 0);
}

template <class Tree>
TreeCursor descend(const Tree& tree, const IpAddress& address, uint8_t& depth) {
    TreeCursor cursor = tree.root(address.family());
    depth = 0;
    while (cursor.node != TreeCursor::none) cursor = tree.step(cursor, bit_of(address.bytes(), depth++));
    return cursor;
}

}  // namespace

/// Longest match over Sources::own, by position in it.
class OwnPrefixes {
  public:
    explicit OwnPrefixes(std::span<const OwnPrefix> own) {
        for (size_t i = 0; i < own.size(); ++i) trie.insert(own[i].prefix, static_cast<uint32_t>(i));
    }
    PrefixTrie trie;
};

Locator::Locator() = default;
Locator::~Locator() = default;

Result<std::shared_ptr<const Locator>> Locator::open(const Sources& sources, const Locator* previous) {
    std::shared_ptr<Locator> locator(new Locator);
    locator->sources_ = sources;
    locator->own_ = std::make_unique<OwnPrefixes>(sources.own);
    for (const auto& path : sources.databases) {
        std::shared_ptr<const Database> database;
        const auto signature = FileSignature::of(path);
        if (previous != nullptr && signature) {
            for (const auto& open : previous->databases_) {
                if (open->info().path == path && open->signature() == *signature) database = open;
            }
        }
        if (database == nullptr) {
            auto opened = Database::open(path, sources.copies);
            if (!opened) return tl::unexpected(opened.error());
            database = std::move(*opened);
        }
        locator->databases_.push_back(std::move(database));
    }
    return locator;
}

Located Locator::locate(const IpAddress& address) const {
    Located located;
    uint8_t length = 0;
    uint8_t longest = 0;
    const TreeCursor own = descend(own_->trie, address, longest);
    if (own.value != TreeCursor::none && add_layer(located.location, sources_.own[own.value].location))
        located.origin = Origin::own_prefix;
    for (size_t i = 0; i < databases_.size(); ++i) {
        const Database& database = *databases_[i];
        if (!worth_asking(database.info(), located.location)) continue;
        const TreeCursor found = descend(database, address, length);
        longest = std::max(longest, length);
        if (found.value == TreeCursor::none) continue;
        if (add_layer(located.location, database.record_at(found.value))) {
            located.origin = Origin::database;
            located.database = static_cast<uint32_t>(i);
        }
    }
    located.from_centroid = complete_from_country(located.location);
    located.network = IpPrefix(address, longest);
    return located;
}

bool Locator::changed() const {
    return std::any_of(databases_.begin(), databases_.end(), [](const auto& database) {
        return FileSignature::of(database->info().path) != database->signature();
    });
}

void Locator::rest() const noexcept {
    for (const auto& database : databases_) database->rest();
}

std::vector<DatabaseInfo> Locator::databases() const {
    std::vector<DatabaseInfo> all;
    for (const auto& database : databases_) all.push_back(database->info());
    return all;
}

// The walk goes down all trees at once, bit by bit, until each has come to an end: the blocks it meets there
// are those in which no tree changes its mind. No tree is longer than its nodes, so neither is the walk.
class Walk {
  public:
    Walk(IpFamily family, const PrefixTrie& cuts, const PrefixTrie& own,
         std::span<const OwnPrefix> own_places, std::span<const std::shared_ptr<const Database>> databases,
         const std::function<void(const Locator::Network&)>& visit)
        : family_(family),
          cuts_(cuts),
          own_(own),
          own_places_(own_places),
          databases_(databases),
          visit_(visit),
          width_(databases.size() + 2),
          cursors_(width_ * 129),
          numbers_(databases.size() + 1),
          key_(databases.size() + 1) {}

    void run() {
        cursors_[0] = cuts_.root(family_);
        cursors_[1] = own_.root(family_);
        for (size_t i = 0; i < databases_.size(); ++i) cursors_[i + 2] = databases_[i]->root(family_);
        descend(0);
    }

  private:
    [[nodiscard]] TreeCursor step(size_t tree, TreeCursor from, uint32_t bit) const {
        if (from.node == TreeCursor::none) return from;
        if (tree == 0) return cuts_.step(from, bit);
        if (tree == 1) return own_.step(from, bit);
        return databases_[tree - 2]->step(from, bit);
    }

    void descend(uint8_t depth) {
        const TreeCursor* here = &cursors_[depth * width_];
        if (std::all_of(here, here + width_, [](TreeCursor c) { return c.node == TreeCursor::none; })) {
            emit(depth, here);
            return;
        }
        TreeCursor* below = &cursors_[(depth + size_t{1}) * width_];
        const auto mask = static_cast<uint8_t>(0x80U >> (depth % 8U));
        for (const uint32_t bit : {0U, 1U}) {
            for (size_t tree = 0; tree < width_; ++tree) below[tree] = step(tree, here[tree], bit);
            uint8_t& byte = address_[depth / 8U];
            byte = static_cast<uint8_t>(bit == 1 ? byte | mask : byte & ~mask);
            descend(static_cast<uint8_t>(depth + 1));
        }
        address_[depth / 8U] = static_cast<uint8_t>(address_[depth / 8U] & ~mask);
    }

    void emit(uint8_t depth, const TreeCursor* found) {
        for (size_t i = 0; i < key_.size(); ++i) key_[i] = found[i + 1].value;
        const auto [number, fresh] = numbers_.number(key_);
        const IpAddress address = family_ == IpFamily::v4
                                      ? IpAddress::v4({address_[0], address_[1], address_[2], address_[3]})
                                      : IpAddress::v6(address_);
        Locator::Network network{IpPrefix(address, depth), number, nullptr, std::nullopt};
        if (found[0].value != TreeCursor::none) network.cut = found[0].value;
        if (fresh) {
            location_ = compose();
            network.location = &location_;
        }
        visit_(network);
    }

    [[nodiscard]] Location compose() const {
        Location location;
        if (key_[0] != TreeCursor::none) add_layer(location, own_places_[key_[0]].location);
        for (size_t i = 0; i < databases_.size(); ++i) {
            if (key_[i + 1] == TreeCursor::none || !worth_asking(databases_[i]->info(), location)) continue;
            add_layer(location, databases_[i]->record_at(key_[i + 1]));
        }
        complete_from_country(location);
        return location;
    }

    IpFamily family_;
    const PrefixTrie& cuts_;
    const PrefixTrie& own_;
    std::span<const OwnPrefix> own_places_;
    std::span<const std::shared_ptr<const Database>> databases_;
    const std::function<void(const Locator::Network&)>& visit_;
    size_t width_;  // trees: the cuts, the own prefixes, the databases
    std::vector<TreeCursor> cursors_;
    std::array<uint8_t, 16> address_{};
    Interned numbers_;  // of what the own prefixes and the databases say
    std::vector<uint32_t> key_;
    Location location_;
};

void Locator::for_each_network(IpFamily family, std::span<const IpPrefix> cuts,
                               const std::function<void(const Network&)>& visit) const {
    PrefixTrie cut_trie;
    for (size_t i = 0; i < cuts.size(); ++i) {
        if (cuts[i].address().family() == family) cut_trie.insert(cuts[i], static_cast<uint32_t>(i));
    }
    Walk(family, cut_trie, own_->trie, sources_.own, databases_, visit).run();
}

}  // namespace fairway::geoip
