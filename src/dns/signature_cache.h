// SPDX-License-Identifier: Apache-2.0
#pragma once
// Signatures that were made, by what was signed and by which key, so that each is made once for all threads.
// Bounded: what was not asked for in a while makes room. Locks are per shard and held for a look-up only;
// answers that a thread still has do not come here at all.

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/bytes.h"
#include "dns/dnssec_key.h"

namespace fairway::dns {

class SignatureCache {
  public:
    /// `capacity` signatures at most; about 300 octets each once they are there.
    explicit SignatureCache(size_t capacity);
    SignatureCache(const SignatureCache&) = delete;
    SignatureCache& operator=(const SignatureCache&) = delete;

    /// Any thread. `key` is DnssecKey::identity(), `data` what is signed.
    [[nodiscard]] std::optional<DnssecSignature> find(uint64_t key, ByteSpan data);
    void insert(uint64_t key, ByteSpan data, const DnssecSignature& signature);

    /// Signatures held now.
    [[nodiscard]] size_t size() const;

  private:
    struct View {
        uint64_t key;
        std::string_view data;
    };
    struct Signed {
        uint64_t key;
        std::string data;
    };
    struct Hash {
        using is_transparent = void;
        size_t operator()(const View& view) const noexcept;
        size_t operator()(const Signed& entry) const noexcept { return (*this)(View{entry.key, entry.data}); }
    };
    struct Same {
        using is_transparent = void;
        template <class A, class B>
        bool operator()(const A& a, const B& b) const noexcept {
            return a.key == b.key && a.data == b.data;
        }
    };
    using Map = std::unordered_map<Signed, DnssecSignature, Hash, Same>;
    // Two generations: when the younger is full it becomes the older, and the older goes. What is found in
    // the older moves to the younger.
    struct alignas(64) Shard {
        mutable std::mutex mutex;
        Map young;
        Map old;
    };
    static constexpr size_t shard_count = 32;

    [[nodiscard]] Shard& shard_of(const View& view) noexcept;
    Map make_room(Shard& shard);

    const size_t per_generation_;
    std::array<Shard, shard_count> shards_;
};

}  // namespace fairway::dns
