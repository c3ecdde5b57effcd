// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where is an address? One immutable answerer over the operator's own prefixes and any number of geo
// databases (MaxMind DB files of nested and flat schemas, IPv4 and IPv6 in one file or in two). Opening reads
// and checks whole files and may take a second: do it on a worker thread. Everything else is safe from any
// thread.
//
// The knowledge is in layers: the own prefixes (longest match), then the databases in their order. The place
// (country, continent, coordinates) comes from the first layer that knows one, the AS number from the first
// layer that knows one. A country without coordinates gets the country's centroid, a country without a
// continent its continent.
//
// It does not watch files: whoever does calls changed() and then open() with the locator in use.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"
#include "model/location.h"

namespace fairway::geoip {

/// The operator's knowledge about a block of addresses; beats every database.
struct OwnPrefix {
    IpPrefix prefix;
    Location location;
    friend bool operator==(const OwnPrefix&, const OwnPrefix&) = default;
};

struct Sources {
    std::vector<std::filesystem::path> databases;  // the first that knows an address wins
    std::vector<OwnPrefix> own;                    // any order; of equal prefixes the last wins
    /// The folder for the private, unnamed copies of the databases that are looked into; where none can be
    /// made (or this is empty) they are in memory.
    std::filesystem::path copies;
    friend bool operator==(const Sources&, const Sources&) = default;
};

/// Which layer knew the place.
enum class Origin : uint8_t { nothing, own_prefix, database };

struct Located {
    Location location;
    /// The block around the address for which the layers that were asked say the same.
    IpPrefix network;
    Origin origin = Origin::nothing;
    /// With Origin::database: its position in Sources::databases.
    uint32_t database = 0;
    /// The coordinates are the country's centroid, not the address's own.
    bool from_centroid = false;
};

/// What is known about one open database, for `fairway geoip info` and metrics.
struct DatabaseInfo {
    std::filesystem::path path;
    std::string type;  // "GeoLite2-City", "city ipv4" ...
    std::string description;
    uint8_t ip_version = 0;    // 4, or 6: a tree that may hold both
    uint8_t record_size = 0;   // bits of a tree record: 24, 28, 32
    uint32_t node_count = 0;   // of the search tree
    uint64_t file_size = 0;    // bytes
    bool in_memory = false;    // its copy is no file: it takes as much memory for as long as it is open
    WallTime built;            // build_epoch of the file; the age is now - built
    bool has_country = false;  // which fields the schema was found to have
    bool has_continent = false;
    bool has_coordinates = false;
    bool has_asn = false;
};

class Database;
class OwnPrefixes;

class Locator {
  public:
    /// Opens everything or says what is wrong with the first source that cannot be used, and then nothing has
    /// changed. Files that are unchanged since `previous` opened them are shared with it instead of read
    /// again; `previous` may be null. Blocking.
    static Result<std::shared_ptr<const Locator>> open(const Sources& sources,
                                                       const Locator* previous = nullptr);
    ~Locator();
    Locator(const Locator&) = delete;
    Locator& operator=(const Locator&) = delete;

    [[nodiscard]] Located locate(const IpAddress& address) const;

    /// Whether a file of the sources is another one (identity, size or times) than the one that is open, or
    /// is gone. One stat() per file; blocking.
    [[nodiscard]] bool changed() const;
    /// Lets go of the memory that looking into the databases has filled. Later lookups bring back what they
    /// need; nothing else changes. Any thread, any time.
    void rest() const noexcept;
    [[nodiscard]] const Sources& sources() const noexcept { return sources_; }
    [[nodiscard]] std::vector<DatabaseInfo> databases() const;

    /// One block of the walk below.
    struct Network {
        IpPrefix prefix;
        /// Numbers the distinct locations of this walk from 0 in order of first appearance; different numbers
        /// may still be equal locations.
        uint32_t location_number = 0;
        /// What the number stands for; only when it appears for the first time, else null. Valid during the
        /// call.
        const Location* location = nullptr;
        /// Position in `cuts` of the longest of them that contains the block; absent: none does.
        std::optional<uint32_t> cut;
    };
    /// Walks the whole address space of a family in order of addresses, as disjoint blocks that cover it;
    /// inside each locate() says the same everywhere, and each is wholly inside or outside every prefix of
    /// `cuts`. Prefixes of the other family in `cuts` are passed over. Seconds for a large database.
    void for_each_network(IpFamily family, std::span<const IpPrefix> cuts,
                          const std::function<void(const Network&)>& visit) const;

  private:
    Locator();

    Sources sources_;
    std::unique_ptr<const OwnPrefixes> own_;
    std::vector<std::shared_ptr<const Database>> databases_;
};

}  // namespace fairway::geoip
