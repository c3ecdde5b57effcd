// SPDX-License-Identifier: Apache-2.0
#include "dns/zone_overlay.h"

#include <algorithm>

#include "base/random.h"
#include "model/model.h"

namespace fairway::dns {
namespace {

constexpr size_t soa_numbers = 20;  // octets behind the two names: serial, refresh, retry, expire, minimum

class Hash {
  public:
    void add(ByteSpan bytes) noexcept { value_ = mix(value_ ^ stable_hash(as_text(bytes))) + bytes.size(); }
    void add(std::string_view text) noexcept { add(as_bytes(text)); }
    void add(uint64_t number) noexcept { value_ = mix(value_ ^ number); }
    [[nodiscard]] uint64_t value() const noexcept { return value_; }

  private:
    uint64_t value_ = 0;
};

void add_sets(Hash& hash, const ZoneTable& table, std::span<const StaticSet> sets) {
    for (const StaticSet& set : sets) {
        hash.add(static_cast<uint64_t>(set.type));
        hash.add(uint64_t{set.ttl});
        for (const StaticRecord& record : table.records(set)) {
            const ByteSpan data = table.data(record);
            if (set.type == RecordType::soa) {
                const size_t serial_at = data.size() - soa_numbers;
                hash.add(data.first(serial_at));
                hash.add(data.subspan(serial_at + 4));
            } else {
                hash.add(data);
            }
        }
    }
}

void add_service(Hash& hash, const Model& model, const Service& service) {
    hash.add(static_cast<uint64_t>(service.ttl_max.count()));
    hash.add(static_cast<uint64_t>(service.answer));
    hash.add(service.fallback_name);
    for (const RecordTemplates& templates : service.records) {
        hash.add(templates.type);
        for (const std::string& record : templates.records) hash.add(record);
    }
    for (const GatewayId gateway : service.gateways)
        for (const EndpointId endpoint : model[gateway].endpoints) {
            hash.add(model[endpoint].host);
            hash.add(model[endpoint].name);
        }
}

/// "ns. contact. 7 3600 ..." with another serial.
std::string with_serial(std::string_view text, uint32_t serial) {
    const size_t first = text.find(' ');
    const size_t second = text.find(' ', first + 1);
    const size_t third = text.find(' ', second + 1);
    return std::string(text.substr(0, second + 1)) + std::to_string(serial) + std::string(text.substr(third));
}

}  // namespace

uint64_t content_hash(const Authority& authority, const ServedZone& zone) {
    const ZoneTable& table = authority.table();
    const auto index = static_cast<uint32_t>(&zone - authority.zones().data());
    Hash hash;
    for (uint32_t i = zone.first_node; i < zone.last_node; ++i) {
        const Node& node = table.node(i);
        if (node.debug_of.valid()) continue;
        hash.add(table.name(node));
        add_sets(hash, table, table.sets(node));
        if (node.service.valid()) add_service(hash, authority.model(), authority.model()[node.service]);
    }
    for (const ServedZone& child : authority.zones()) {
        const Node& apex = table.node(child.first_node);
        if (apex.parent_zone != index) continue;
        hash.add(child.apex.wire());
        add_sets(hash, table, table.parent_sets(apex));
    }
    return hash.value();
}

ZoneOverlay::ZoneOverlay(const Authority& authority, const std::vector<uint32_t>& serials,
                         const std::vector<Challenge>& challenges) {
    const ZoneTable& table = authority.table();
    for (size_t i = 0; i < authority.zones().size(); ++i) {
        const ServedZone& zone = authority.zones()[i];
        const StaticRecord& record = table.records(table.set(zone.soa_set)).front();
        const ByteSpan data = table.data(record);
        Soa soa{serials[i], {data.begin(), data.end()}, with_serial(table.text(record), serials[i])};
        Writer writer(soa.data);
        writer.rewind(soa.data.size());
        writer.patch_u32(soa.data.size() - soa_numbers, soa.serial);
        soas_.push_back(std::move(soa));
    }
    for (const Challenge& challenge : challenges) {
        const ServedZone* zone = authority.find_zone(challenge.name);
        if (zone == nullptr) continue;
        const auto index = static_cast<uint32_t>(zone - authority.zones().data());
        Name name = challenge.name.lowered();
        Entry& entry = entries_[std::string(as_text(name.wire()))];
        entry.zone = index;
        for (const std::string& value : challenge.values) {
            std::vector<uint8_t> text;
            text.push_back(static_cast<uint8_t>(value.size()));
            text.insert(text.end(), value.begin(), value.end());
            entry.texts.push_back(std::move(text));
        }
        while (name != zone->apex) {
            name = name.parent();
            entries_.try_emplace(std::string(as_text(name.wire())), Entry{index, {}});
        }
    }
}

const ZoneOverlay::Entry* ZoneOverlay::find(ByteSpan lowered) const noexcept {
    const auto found = entries_.find(as_text(lowered));
    return found == entries_.end() ? nullptr : &found->second;
}

bool ZoneOverlay::hides_wildcard(ByteSpan lowered, size_t labels) const noexcept {
    size_t count = 0;
    for (size_t at = 0; lowered[at] != 0; at += lowered[at] + 1U) ++count;
    for (size_t at = 0; count > labels + 1; --count) {
        at += lowered[at] + 1U;
        if (find(lowered.subspan(at)) != nullptr) return true;
    }
    return false;
}

}  // namespace fairway::dns
