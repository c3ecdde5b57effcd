// SPDX-License-Identifier: Apache-2.0
#pragma once
// What changes in zones without compiling their tables anew, as one immutable value beside the Authority: the
// serial that each zone is served with, and TXT records that stand for a limited time (ACME challenges, RFC
// 8555 section 8.4). Small: looked at after the table, and only where it has something to say.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "dns/authority.h"
#include "dns/name.h"

namespace fairway::dns {

/// What a zone's serial depends on: its static records, and the members of its steered names, but not the
/// serial itself. The same on every run and node.
[[nodiscard]] uint64_t content_hash(const Authority& authority, const ServedZone& zone);

class ZoneOverlay {
  public:
    static constexpr uint32_t challenge_ttl = 10;  // seconds

    /// TXT records at one name of one of the zones; values of 1 to 255 octets.
    struct Challenge {
        Name name;
        std::vector<std::string> values;
    };
    /// What stands at a name. Without texts it is an empty non-terminal above one that has some.
    struct Entry {
        uint32_t zone = 0;                        // position in Authority::zones()
        std::vector<std::vector<uint8_t>> texts;  // data of TXT records
    };

    /// `serials` by position of the zones. Challenges outside of the zones are left out.
    ZoneOverlay(const Authority& authority, const std::vector<uint32_t>& serials,
                const std::vector<Challenge>& challenges);

    [[nodiscard]] uint32_t serial(size_t zone) const { return soas_[zone].serial; }
    /// Wire form of the SOA's data with that serial.
    [[nodiscard]] ByteSpan soa_data(size_t zone) const { return soas_[zone].data; }
    /// Its presentation form.
    [[nodiscard]] std::string_view soa_text(size_t zone) const { return soas_[zone].text; }

    [[nodiscard]] bool has_challenges() const noexcept { return !entries_.empty(); }
    /// By lower-cased wire form; null when the overlay does not know the name.
    [[nodiscard]] const Entry* find(ByteSpan lowered) const noexcept;
    /// Whether a name between `lowered` and its ancestor of `labels` labels, both left out, exists here: then
    /// no wildcard of that ancestor applies (RFC 4592 section 3.3.1).
    [[nodiscard]] bool hides_wildcard(ByteSpan lowered, size_t labels) const noexcept;
    /// By lower-cased wire form.
    [[nodiscard]] const std::map<std::string, Entry, std::less<>>& entries() const noexcept {
        return entries_;
    }

  private:
    struct Soa {
        uint32_t serial = 0;
        std::vector<uint8_t> data;
        std::string text;
    };
    std::vector<Soa> soas_;
    std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace fairway::dns
