// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writes MaxMind DB files (format 2.0): for demonstrations, for tests, and for operators who want their own
// knowledge in a database of its own. Everything is kept in memory; meant for thousands of networks, not for
// the world. The same input makes the same bytes.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace fairway::geoip {

struct MmdbValue;
struct MmdbEntry;
using MmdbArray = std::vector<MmdbValue>;
using MmdbMap = std::vector<MmdbEntry>;  // written in this order

/// One value of the data section.
struct MmdbValue {
    std::variant<std::string, double, float, uint16_t, uint32_t, uint64_t, int32_t, bool, MmdbArray, MmdbMap>
        value;
};

struct MmdbEntry {
    std::string key;
    MmdbValue value;
};

struct MmdbOptions {
    std::string type = "Fairway";  // database_type
    std::string description;       // English; may be empty
    uint64_t build_epoch = 1;      // seconds since 1970; readers refuse 0
    uint8_t ip_version = 6;        // 4, or 6: IPv4 networks go under ::/96
    uint8_t record_size = 24;      // bits: 24, 28 or 32
    /// Makes 6to4 (2002::/16) and mapped (::ffff:0:0/96) networks point at IPv4, as the large databases do.
    bool alias_ipv4 = false;
};

class MmdbWriter {
  public:
    explicit MmdbWriter(MmdbOptions options);
    ~MmdbWriter();
    MmdbWriter(const MmdbWriter&) = delete;
    MmdbWriter& operator=(const MmdbWriter&) = delete;

    /// Any order; the longest prefix wins, of equal ones the last.
    void insert(const IpPrefix& prefix, const MmdbMap& record);
    /// The whole file. Fails for an IPv6 network in a database of IPv4, and when the records are too small.
    [[nodiscard]] Result<std::vector<uint8_t>> finish() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fairway::geoip
