// SPDX-License-Identifier: Apache-2.0
#include "dns/authority.h"

#include <algorithm>

namespace fairway::dns {

std::string ZoneDiagnostic::to_string() const {
    std::string text;
    if (!file.empty()) {
        text = file + ":";
        if (line > 0) text += std::to_string(line) + ":";
        text += " ";
    }
    text += severity == Severity::error ? "error: " : "warning: ";
    return text + message;
}

const ServedZone* Authority::find_zone(const Name& name) const noexcept {
    const Name lowered = name.lowered();
    bool exact = false;
    const uint32_t found = table_.find_encloser(lowered.wire(), lowered.labels(), exact);
    return found == no_index ? nullptr : &zones_[table_.node(found).zone];
}

const ServedZone* Authority::zone_at(const Name& apex) const noexcept {
    const ServedZone* zone = find_zone(apex);
    return zone != nullptr && zone->apex == apex ? zone : nullptr;
}

const ServedZone* Authority::zone_by_id(int32_t id) const noexcept {
    const auto found =
        std::find_if(zones_.begin(), zones_.end(), [id](const ServedZone& zone) { return zone.id == id; });
    return found == zones_.end() ? nullptr : &*found;
}

}  // namespace fairway::dns
