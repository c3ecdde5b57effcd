// SPDX-License-Identifier: Apache-2.0
#include "dns/signing_keys.h"

#include <algorithm>
#include <utility>

#include "dns/dnssec_key_folder.h"

namespace fairway::dns {
namespace {

constexpr uint32_t hinfo_ttl = 3600;  // of what ANY gets
constexpr int max_steps = 8;          // of a plan, until it has nothing more to do

int64_t whole_seconds(nanoseconds duration) {
    return std::chrono::duration_cast<seconds>(duration).count();
}

KeyPolicy policy_of(const Dnssec& settings, uint32_t max_ttl) {
    KeyPolicy policy;
    policy.algorithm = static_cast<DnssecAlgorithm>(settings.algorithm);
    policy.combined = settings.keys == SigningKeys::csk;
    policy.zsk_lifetime = whole_seconds(settings.zsk_lifetime);
    policy.ksk_lifetime = whole_seconds(settings.ksk_lifetime);
    policy.dnskey_ttl = settings.dnskey_ttl.count();
    policy.parent_ds_ttl = settings.parent_ds_ttl.count();
    policy.margin = settings.propagation.count();
    policy.max_ttl = std::max<int64_t>(max_ttl, policy.dnskey_ttl);
    return policy;
}

KeyInfo info_of(const DnssecKey& key, const KeyTimes& times) {
    return {key.tag(), key.algorithm(), (key.flags() & dnskey_sep) != 0, times};
}

/// Tags tell keys apart in RRSIG and DS: no two of a zone have the same.
Result<DnssecKey> make_key(const ZoneKeyring& keyring, DnssecAlgorithm algorithm, bool sep) {
    const auto flags = static_cast<uint16_t>(dnskey_zone | (sep ? dnskey_sep : 0));
    for (;;) {
        auto key = DnssecKey::generate(algorithm, flags);
        if (!key) return key;
        const bool taken = std::any_of(keyring.infos.begin(), keyring.infos.end(),
                                       [&](const KeyInfo& info) { return info.tag == key->tag(); });
        if (!taken) return key;
    }
}

}  // namespace

uint32_t max_ttl_of(const Authority& authority, const ServedZone& zone) {
    const ZoneTable& table = authority.table();
    uint32_t most = std::max(hinfo_ttl, zone.soa_ttl);
    for (uint32_t index = zone.first_node; index < zone.last_node; ++index) {
        const Node& node = table.node(index);
        for (const StaticSet& set : table.sets(node)) most = std::max(most, set.ttl);
        if (!node.service.valid()) continue;
        // Whoever it falls back to, and so on round.
        const Model& model = authority.model();
        ServiceId service = node.service;
        for (size_t hops = 0; service.valid() && hops <= model.services.size(); ++hops) {
            most = std::max(most, static_cast<uint32_t>(model[service].ttl_max.count()));
            service = model[service].fallback_service;
        }
    }
    return most;
}

std::string key_name(const ZoneKeyring& keyring, size_t key) {
    const KeyInfo& info = keyring.infos[key];
    const std::string role = !info.sep ? "ZSK " : keyring.policy.combined ? "CSK " : "KSK ";
    return role + std::to_string(info.tag);
}

ZoneKeyrings load_keyrings(const std::filesystem::path& folder, const Authority& authority) {
    ZoneKeyrings keyrings;
    for (size_t i = 0; i < authority.zones().size(); ++i) {
        const ServedZone& zone = authority.zones()[i];
        const Dnssec& settings = authority.model().zones[i].dnssec;
        if (!settings.enabled) continue;
        ZoneKeyring keyring;
        keyring.apex = zone.apex;
        keyring.settings = settings;
        keyring.policy = policy_of(settings, max_ttl_of(authority, zone));
        auto loaded = KeyFolder(folder, zone.apex).load();
        if (!loaded) {
            keyring.trouble = loaded.error().message;
        } else {
            for (DatedKey& key : *loaded) {
                keyring.infos.push_back(info_of(key.key, key.times));
                keyring.keys.push_back(std::make_shared<const DnssecKey>(std::move(key.key)));
            }
        }
        keyrings.emplace(zone.name, std::move(keyring));
    }
    return keyrings;
}

bool has_due_work(const ZoneKeyring& keyring, int64_t now) {
    return keyring.trouble.empty() && !plan_keys(keyring.infos, keyring.policy, now).empty();
}

Result<KeyringUpdate> carry_out(const std::filesystem::path& folder, const ZoneKeyring& keyring,
                                const KeyChange& change) {
    const KeyFolder files(folder, keyring.apex);
    const auto ttl = static_cast<uint32_t>(keyring.policy.dnskey_ttl);
    KeyringUpdate update{keyring, {}};
    ZoneKeyring& next = update.keyring;
    for (const KeyChange::New& wanted : change.make) {
        auto key = make_key(next, wanted.algorithm, wanted.sep);
        if (!key) return tl::unexpected(key.error());
        if (auto saved = files.save(*key, wanted.times, ttl); !saved) return tl::unexpected(saved.error());
        next.infos.push_back(info_of(*key, wanted.times));
        next.keys.push_back(std::make_shared<const DnssecKey>(std::move(*key)));
        update.notes.push_back(key_name(next, next.keys.size() - 1) + " made");
    }
    for (const KeyChange::Retimed& retimed : change.retime) {
        // A plan made with a new key in mind may name it too.
        if (retimed.key >= next.keys.size()) continue;
        const KeyTimes before = next.infos[retimed.key].times;
        if (auto saved = files.save(*next.keys[retimed.key], retimed.times, ttl); !saved)
            return tl::unexpected(saved.error());
        next.infos[retimed.key].times = retimed.times;
        if (retimed.times.ds_seen && !before.ds_seen)
            update.notes.push_back("the parent has the DS of " + key_name(next, retimed.key));
        if (retimed.times.remove && !before.remove)
            update.notes.push_back(key_name(next, retimed.key) + " will be removed");
    }
    std::vector<size_t> forget = change.forget;
    std::sort(forget.rbegin(), forget.rend());
    for (const size_t key : forget) {
        if (auto gone = files.forget(next.infos[key].algorithm, next.infos[key].tag); !gone)
            return tl::unexpected(gone.error());
        next.keys.erase(next.keys.begin() + static_cast<std::ptrdiff_t>(key));
        next.infos.erase(next.infos.begin() + static_cast<std::ptrdiff_t>(key));
    }
    return update;
}

Result<KeyringUpdate> bring_up_to_date(const std::filesystem::path& folder, const ZoneKeyring& keyring,
                                       int64_t now) {
    KeyringUpdate total{keyring, {}};
    if (!keyring.trouble.empty()) return total;
    for (int step = 0; step < max_steps; ++step) {
        const KeyChange change = plan_keys(total.keyring.infos, total.keyring.policy, now);
        if (change.empty()) break;
        auto done = carry_out(folder, total.keyring, change);
        if (!done) return done;
        total.keyring = std::move(done->keyring);
        total.notes.insert(total.notes.end(), done->notes.begin(), done->notes.end());
    }
    return total;
}

std::shared_ptr<const ZoneSigning> make_signing(const Authority& authority, const ZoneKeyrings& keyrings,
                                                std::shared_ptr<SignatureCaches> caches, int64_t now) {
    if (keyrings.empty()) return nullptr;
    auto signing = std::make_shared<ZoneSigning>();
    signing->now = now;
    signing->caches = std::move(caches);
    for (const ServedZone& zone : authority.zones()) {
        const auto found = keyrings.find(zone.name);
        if (found == keyrings.end()) {
            signing->zones.push_back(nullptr);
            continue;
        }
        const ZoneKeyring& keyring = found->second;
        auto made = std::make_shared<SignedZone>();
        made->apex.assign(zone.apex.wire().begin(), zone.apex.wire().end());
        made->lifetime = std::max<int64_t>(2, whole_seconds(keyring.settings.signature_lifetime));
        made->refresh = std::min(made->lifetime - 1, whole_seconds(keyring.settings.signature_refresh));
        made->dnskey_ttl = static_cast<uint32_t>(keyring.policy.dnskey_ttl);
        made->trouble = keyring.trouble;
        const std::vector<KeyUse> uses = key_uses(keyring.infos, now);
        bool signs = false;
        for (size_t i = 0; i < uses.size(); ++i) {
            if (!uses[i].published && !uses[i].signs_zone) continue;
            signs = signs || uses[i].signs_zone;
            made->keys.push_back({keyring.keys[i], keyring.infos[i].times, uses[i]});
        }
        if (made->trouble.empty() && !signs) made->trouble = "no key is in use";
        make_apex_sets(*made);
        signing->zones.push_back(std::move(made));
    }
    return signing;
}

int64_t next_signing_event(const ZoneKeyrings& keyrings, int64_t now) {
    constexpr int64_t longest = 3600;
    int64_t next = now + longest;
    for (const auto& [name, keyring] : keyrings) {
        SignedZone zone;
        zone.lifetime = std::max<int64_t>(2, whole_seconds(keyring.settings.signature_lifetime));
        zone.refresh = std::min(zone.lifetime - 1, whole_seconds(keyring.settings.signature_refresh));
        next = std::min(next, now + signing_step(zone));
        if (const auto event = next_key_event(keyring.infos, keyring.policy, now))
            next = std::min(next, *event);
    }
    return next;
}

}  // namespace fairway::dns
