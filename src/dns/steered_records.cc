// SPDX-License-Identifier: Apache-2.0
#include "dns/steered_records.h"

#include <algorithm>
#include <cstring>

#include "health/snapshot.h"

namespace fairway::dns {
namespace {

constexpr uint16_t key_ipv4hint = 4;  // RFC 9460 section 14.3.2
constexpr uint16_t key_ipv6hint = 6;

void put16(std::vector<uint8_t>& bytes, size_t value) {
    bytes.push_back(static_cast<uint8_t>(value >> 8));
    bytes.push_back(static_cast<uint8_t>(value));
}

// A parameter with the endpoints' addresses of one family; nothing when there are none, for it must not be
// empty.
void put_hint(std::vector<uint8_t>& bytes, uint16_t key, IpFamily family,
              std::span<const EndpointId> endpoints, const HealthSnapshot& health) {
    const size_t start = bytes.size();
    put16(bytes, key);
    put16(bytes, 0);
    for (const EndpointId endpoint : endpoints) {
        const auto& address = health[endpoint].address;
        if (!address || address->family() != family) continue;
        bytes.insert(bytes.end(), address->bytes().begin(), address->bytes().end());
    }
    const size_t size = bytes.size() - start - 4;
    if (size == 0) bytes.resize(start);
    if (size == 0) return;
    bytes[start + 2] = static_cast<uint8_t>(size >> 8);
    bytes[start + 3] = static_cast<uint8_t>(size);
}

}  // namespace

void SteeredRecords::add(const Template& from, const Piece& piece, size_t rank,
                         std::span<const EndpointId> endpoints, const HealthSnapshot& health,
                         Made& made) const {
    if (made.ends.size() == max_records) return;
    std::vector<uint8_t>& bytes = made.bytes;
    const size_t start = bytes.size();
    const uint8_t* const text = bytes_.data() + piece.at;
    const auto copy = [&](size_t begin, size_t end) { bytes.insert(bytes.end(), text + begin, text + end); };
    size_t done = 0;
    if (from.rank_step > 0) {
        put16(bytes, rank * from.rank_step);
        done = 2;
    }
    if (piece.hint4 != no_hint) {
        copy(done, piece.hint4);
        done = piece.hint4;
        put_hint(bytes, key_ipv4hint, IpFamily::v4, endpoints, health);
    }
    if (piece.hint6 != no_hint) {
        copy(done, piece.hint6);
        done = piece.hint6;
        put_hint(bytes, key_ipv6hint, IpFamily::v6, endpoints, health);
    }
    copy(done, piece.size);
    // RFC 2181 section 5: a set has no record twice.
    const size_t size = bytes.size() - start;
    size_t other = 0;
    for (const size_t end : made.ends) {
        if (end - other == size && std::memcmp(bytes.data() + other, bytes.data() + start, size) == 0) {
            bytes.resize(start);
            return;
        }
        other = end;
    }
    made.ends.push_back(bytes.size());
}

void SteeredRecords::make(ServiceId service, RecordType type, std::span<const EndpointId> endpoints,
                          const HealthSnapshot& health, Made& made) const {
    made.records.clear();
    made.bytes.clear();
    made.ends.clear();
    const Set* set = find(service, type);
    if (set == nullptr || endpoints.empty()) return;
    for (const Template& one : set->templates)
        if (!one.each && !one.pieces.empty()) add(one, one.pieces.front(), 1, endpoints, health, made);
    for (size_t i = 0; i < endpoints.size(); ++i)
        for (const Template& one : set->templates) {
            if (!one.each) continue;
            const auto piece =
                std::lower_bound(one.pieces.begin(), one.pieces.end(), endpoints[i],
                                 [](const Piece& left, EndpointId right) { return left.endpoint < right; });
            if (piece != one.pieces.end() && piece->endpoint == endpoints[i])
                add(one, *piece, i + 1, endpoints.subspan(i, 1), health, made);
        }
    size_t start = 0;
    for (const size_t end : made.ends) {
        made.records.push_back(ByteSpan(made.bytes).subspan(start, end - start));
        start = end;
    }
}

ByteSpan target_of(RecordType type, ByteSpan data) noexcept {
    switch (type) {
        case RecordType::ns:
            break;
        case RecordType::mx:
        case RecordType::svcb:
        case RecordType::https:
            data = data.subspan(2);
            break;
        case RecordType::srv:
            data = data.subspan(6);
            break;
        default:
            return {};
    }
    size_t size = 0;
    while (data[size] != 0) size += data[size] + 1U;
    return size == 0 ? ByteSpan() : data.first(size + 1);
}

}  // namespace fairway::dns
