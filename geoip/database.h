// SPDX-License-Identifier: Apache-2.0
#pragma once
// One open geo database. The file is copied to where nobody else can write and checked as a whole before use:
// a file that is mapped itself and then overwritten in place would kill the process with SIGBUS. The copy is
// a file without a name, whose pages the kernel may drop and bring back, or where that cannot be, sealed
// anonymous memory. Immutable; safe from any thread.

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/file_signature.h"
#include "base/ip.h"
#include "base/result.h"
#include "geoip/locator.h"
#include "geoip/mmdb_format.h"
#include "geoip/prefix_trie.h"
#include "model/location.h"

namespace fairway::geoip {

class Database {
  public:
    /// `copies` is the folder for the copy; empty: in memory.
    static Result<std::shared_ptr<const Database>> open(const std::filesystem::path& path,
                                                        const std::filesystem::path& copies);
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    [[nodiscard]] const DatabaseInfo& info() const noexcept { return info_; }
    /// Locator::rest().
    void rest() const noexcept;
    [[nodiscard]] const FileSignature& signature() const noexcept { return signature_; }

    /// Where the search for an address of a family begins; the cursor's value is a record for record_at().
    [[nodiscard]] TreeCursor root(IpFamily family) const noexcept;
    [[nodiscard]] TreeCursor step(TreeCursor from, uint32_t bit) const noexcept;
    /// What the record says and nothing that follows from it: no centroid, no continent of a country.
    [[nodiscard]] Location record_at(uint32_t offset) const;

  private:
    struct Reading;  // the library's handle and the chosen schema
    Database() = default;
    [[nodiscard]] TreeCursor cursor(uint32_t record) const noexcept;

    DatabaseInfo info_;
    FileSignature signature_;
    MmdbTree tree_;
    uint32_t v4_root_ = 0;  // a record
    std::unique_ptr<Reading> reading_;
};

}  // namespace fairway::geoip
