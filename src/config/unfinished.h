// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the configuration knows but this version cannot do yet. Such a key parses and validates like any
// other, and using it is an error, so that nobody relies on what is not there. Whoever finishes a part
// deletes its line here; nothing else in src/config changes.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace fairway::config {

struct Unfinished {
    enum class Kind : uint8_t {
        monitor_type,
        filter,  // of a service's policy
        key      // as the reference spells it: "section", "section.key", "zone.NAME.key"
    };
    Kind kind;
    std::string_view name;
};

inline constexpr std::array unfinished{
    Unfinished{Unfinished::Kind::monitor_type, "ike-auth"},
    Unfinished{Unfinished::Kind::monitor_type, "tunnel"},
    Unfinished{Unfinished::Kind::monitor_type, "quic"},
    Unfinished{Unfinished::Kind::monitor_type, "wireguard"},
    Unfinished{Unfinished::Kind::monitor_type, "openvpn"},
    Unfinished{Unfinished::Kind::monitor_type, "dns"},
    Unfinished{Unfinished::Kind::monitor_type, "metrics"},
    Unfinished{Unfinished::Kind::monitor_type, "exec"},
    Unfinished{Unfinished::Kind::filter, "shed"},
    Unfinished{Unfinished::Kind::key, "api.cert"},
    Unfinished{Unfinished::Kind::key, "api.key"},
    Unfinished{Unfinished::Kind::key, "cluster"},
    Unfinished{Unfinished::Kind::key, "alerts"},
    Unfinished{Unfinished::Kind::key, "hook"},
};

inline constexpr std::string_view unfinished_text = " is not available in this version";

[[nodiscard]] constexpr bool is_unfinished(Unfinished::Kind kind, std::string_view name) {
    return std::any_of(unfinished.begin(), unfinished.end(),
                       [&](const Unfinished& item) { return item.kind == kind && item.name == name; });
}

}  // namespace fairway::config
