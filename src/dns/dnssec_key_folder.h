// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the keys of one zone are kept: `<folder>/<zone>/K<zone>+<algorithm>+<tag>.private` and `.key`. Files
// are replaced as a whole and are on the disk before a change is reported done; the `.private` file is what
// makes a key exist, and it is written last. Blocks on the disk.

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/result.h"
#include "dns/dnssec_key_file.h"
#include "dns/name.h"

namespace fairway::dns {

class KeyFolder {
  public:
    /// `folder` holds one folder for each zone; nothing is touched yet.
    KeyFolder(std::filesystem::path folder, const Name& zone);

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    /// Every key there is; none when the folder is not there yet. One damaged key is an error for all:
    /// without it nobody knows what the zone was signed with.
    [[nodiscard]] Result<std::vector<DatedKey>> load() const;
    /// Adds a key or replaces its times. `ttl` is of the DNSKEY record, for people.
    [[nodiscard]] Result<void> save(const DnssecKey& key, const KeyTimes& times, uint32_t ttl) const;
    [[nodiscard]] Result<void> forget(DnssecAlgorithm algorithm, uint16_t tag) const;

  private:
    std::filesystem::path path_;
    Name zone_;
};

}  // namespace fairway::dns
