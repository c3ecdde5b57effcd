// SPDX-License-Identifier: Apache-2.0
#include "dns/signature_cache.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/random.h"

namespace fairway::dns {

SignatureCache::SignatureCache(size_t capacity)
    : per_generation_(std::max<size_t>(1, capacity / shard_count / 2)) {}

size_t SignatureCache::Hash::operator()(const View& view) const noexcept {
    return mix(std::hash<std::string_view>()(view.data) ^ view.key);
}

SignatureCache::Shard& SignatureCache::shard_of(const View& view) noexcept {
    return shards_[Hash()(view) >> 48 & (shard_count - 1)];
}

/// What fell out, to be freed without the lock.
SignatureCache::Map SignatureCache::make_room(Shard& shard) {
    if (shard.young.size() < per_generation_) return {};
    return std::exchange(shard.old, std::exchange(shard.young, {}));
}

std::optional<DnssecSignature> SignatureCache::find(uint64_t key, ByteSpan data) {
    const View view{key, as_text(data)};
    Shard& shard = shard_of(view);
    Map fallen;
    const std::lock_guard lock(shard.mutex);
    if (const auto found = shard.young.find(view); found != shard.young.end()) return found->second;
    const auto found = shard.old.find(view);
    if (found == shard.old.end()) return std::nullopt;
    const DnssecSignature signature = found->second;
    auto moved = shard.old.extract(found);
    fallen = make_room(shard);
    shard.young.insert(std::move(moved));
    return signature;
}

void SignatureCache::insert(uint64_t key, ByteSpan data, const DnssecSignature& signature) {
    const View view{key, as_text(data)};
    Shard& shard = shard_of(view);
    Map fallen;
    const std::lock_guard lock(shard.mutex);
    fallen = make_room(shard);
    shard.young.try_emplace(Signed{key, std::string(view.data)}, signature);
}

size_t SignatureCache::size() const {
    size_t total = 0;
    for (const Shard& shard : shards_) {
        const std::lock_guard lock(shard.mutex);
        total += shard.young.size() + shard.old.size();
    }
    return total;
}

}  // namespace fairway::dns
