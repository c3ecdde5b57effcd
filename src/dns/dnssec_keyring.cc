// SPDX-License-Identifier: Apache-2.0
#include "dns/dnssec_keyring.h"

#include <algorithm>

#include "dns/dnssec_text.h"

namespace fairway::dns {
namespace {

// Files of keys that are out of use are kept for a while, for whoever wonders.
constexpr int64_t memory = 30 * 86'400;

bool has_passed(const std::optional<int64_t>& at, int64_t now) noexcept {
    return at && *at <= now;
}

bool is_removed(const KeyInfo& key, int64_t now) noexcept {
    return has_passed(key.times.remove, now) && (!key.times.inactive || *key.times.inactive <= now);
}

/// Stays, as far as anyone has decided.
bool is_lasting(const KeyInfo& key) noexcept {
    return !key.times.remove;
}

/// How long until all caches have a DNSKEY set that is published now.
int64_t lead(const KeyPolicy& policy) noexcept {
    return policy.dnskey_ttl + policy.margin;
}

/// How long until no cache has a signature that is made no longer.
int64_t lag(const KeyPolicy& policy) noexcept {
    return policy.max_ttl + policy.margin;
}

int64_t start_of(const KeyInfo& key) noexcept {
    return std::max(key.times.publish.value_or(key.times.created),
                    key.times.activate.value_or(key.times.created));
}

/// The last to come of the lasting keys of a kind, or none.
std::optional<size_t> newest(const std::vector<KeyInfo>& keys, bool sep, DnssecAlgorithm algorithm) {
    std::optional<size_t> found;
    for (size_t i = 0; i < keys.size(); ++i) {
        const KeyInfo& key = keys[i];
        if (key.sep != sep || key.algorithm != algorithm || !is_lasting(key)) continue;
        if (!found || start_of(key) > start_of(keys[*found]) ||
            (start_of(key) == start_of(keys[*found]) && key.times.created > keys[*found].times.created))
            found = i;
    }
    return found;
}

/// Edits times and remembers which were changed.
class Editor {
  public:
    explicit Editor(const std::vector<KeyInfo>& keys) : before_(keys), after_(keys) {}

    KeyTimes& times(size_t key) { return after_[key].times; }
    [[nodiscard]] const std::vector<KeyInfo>& keys() const { return after_; }
    void finish(KeyChange& change) const {
        for (size_t i = 0; i < before_.size(); ++i)
            if (before_[i].times != after_[i].times) change.retime.push_back({i, after_[i].times});
    }

  private:
    const std::vector<KeyInfo>& before_;
    std::vector<KeyInfo> after_;
};

KeyTimes new_zsk(const KeyPolicy& policy, int64_t now) {
    KeyTimes times;
    times.created = times.publish.emplace(now);
    times.activate = now + lead(policy);
    return times;
}

KeyTimes new_sep(const KeyPolicy& policy, int64_t now) {
    KeyTimes times;
    times.created = times.publish.emplace(now);
    // A CSK's signatures over data can be checked only by who has seen it; a KSK's come with it.
    times.activate = policy.combined ? now + lead(policy) : now;
    times.sync_publish = now + lead(policy);
    return times;
}

/// Gives way to a key that takes over the zone's data at `at`.
void hand_over(KeyTimes& times, int64_t at, const KeyPolicy& policy) {
    times.inactive = std::min(times.inactive.value_or(at), at);
    times.remove = *times.inactive + lag(policy);
}

/// Signatures of an algorithm are there for as long as any cache has a DNSKEY of it (RFC 4035 section 2.2).
void retire_algorithm(KeyTimes& times, int64_t remove, const KeyPolicy& policy) {
    times.remove = remove;
    times.inactive = remove + lead(policy);
}

/// Everything that the times of newer keys mean for older ones.
void settle(Editor& editor, const KeyPolicy& policy, int64_t now) {
    for (size_t i = 0; i < editor.keys().size(); ++i) {
        const KeyInfo key = editor.keys()[i];
        if (!is_lasting(key)) continue;
        const auto successor = newest(editor.keys(), key.sep, key.algorithm);
        // The DS of a key of another algorithm is replaced, not added to.
        const auto heir = newest(editor.keys(), true, policy.algorithm);
        if (key.sep && key.algorithm != policy.algorithm && heir) {
            const auto& from = editor.keys()[*heir].times.sync_publish;
            KeyTimes& times = editor.times(i);
            if (from && (!times.sync_delete || *times.sync_delete > *from)) times.sync_delete = from;
        }
        if (!successor || *successor == i) continue;
        const KeyTimes next = editor.keys()[*successor].times;
        if (!key.sep) {
            hand_over(editor.times(i), next.activate.value_or(now), policy);
            continue;
        }
        // It stays in the DNSKEY set until the parent has let go of it; its part in CDS and in the zone's
        // data ends with the successor's beginning.
        KeyTimes& times = editor.times(i);
        if (next.sync_publish && (!times.sync_delete || *times.sync_delete > *next.sync_publish))
            times.sync_delete = next.sync_publish;
        if (policy.combined && !times.inactive && next.activate) times.inactive = next.activate;
    }
}

/// A ZSK that is no longer wanted, or the first beside a CSK.
void divide(Editor& editor, KeyChange& change, const KeyPolicy& policy, int64_t now) {
    const auto zsk = newest(editor.keys(), false, policy.algorithm);
    const auto sep = newest(editor.keys(), true, policy.algorithm);
    if (!sep) return;
    if (!policy.combined) {
        if (!zsk) change.make.push_back({false, policy.algorithm, new_zsk(policy, now)});
        return;
    }
    if (!zsk) return;
    // Caches must know the SEP key before data signed by it comes.
    const KeyTimes& heir = editor.keys()[*sep].times;
    const int64_t known = std::max(now, heir.publish.value_or(now) + lead(policy));
    for (size_t i = 0; i < editor.keys().size(); ++i)
        if (!editor.keys()[i].sep && editor.keys()[i].algorithm == policy.algorithm &&
            is_lasting(editor.keys()[i]))
            hand_over(editor.times(i), known, policy);
}

void begin(KeyChange& change, const KeyPolicy& policy, int64_t now) {
    KeyTimes sep;
    sep.created = sep.publish.emplace(now);
    sep.activate = now;
    // A zone that was unsigned so far is cached as such: with a DS those records would be called forged.
    sep.sync_publish = now + std::max(policy.dnskey_ttl, policy.max_ttl) + policy.margin;
    change.make.push_back({true, policy.algorithm, sep});
    if (policy.combined) return;
    KeyTimes zsk;
    zsk.created = zsk.publish.emplace(now);
    zsk.activate = now;
    change.make.push_back({false, policy.algorithm, zsk});
}

void begin_algorithm(KeyChange& change, const KeyPolicy& policy, int64_t now) {
    KeyTimes zsk;
    zsk.created = zsk.activate.emplace(now);
    zsk.publish = now + lag(policy);
    KeyTimes sep = zsk;
    sep.sync_publish = *sep.publish + lead(policy);
    change.make.push_back({true, policy.algorithm, sep});
    if (!policy.combined) change.make.push_back({false, policy.algorithm, zsk});
}

/// When the newest key of a kind is due to be replaced.
std::optional<int64_t> due(const std::vector<KeyInfo>& keys, const KeyPolicy& policy, bool sep) {
    const int64_t lifetime = sep ? policy.ksk_lifetime : policy.zsk_lifetime;
    if (lifetime <= 0 || (!sep && policy.combined)) return std::nullopt;
    const auto key = newest(keys, sep, policy.algorithm);
    if (!key) return std::nullopt;
    // A key that the parent was not told of yet is not replaced: the operator would never catch up.
    if (sep && !keys[*key].times.ds_seen) return std::nullopt;
    return start_of(keys[*key]) + std::max<int64_t>(lifetime - lead(policy), 0);
}

}  // namespace

std::string_view to_string(KeyState state) noexcept {
    switch (state) {
        case KeyState::waiting:
            return "waiting";
        case KeyState::ready:
            return "ready";
        case KeyState::active:
            return "active";
        case KeyState::retired:
            return "retired";
        case KeyState::removed:
            return "removed";
    }
    return "?";
}

std::vector<KeyUse> key_uses(const std::vector<KeyInfo>& keys, int64_t now) {
    std::vector<KeyUse> uses(keys.size());
    const auto is_active = [&](const KeyInfo& key) {
        return has_passed(key.times.activate, now) && !has_passed(key.times.inactive, now);
    };
    for (size_t i = 0; i < keys.size(); ++i) {
        const KeyInfo& key = keys[i];
        KeyUse& use = uses[i];
        use.published = has_passed(key.times.publish, now) && !has_passed(key.times.remove, now);
        use.signs_keys = use.published && key.sep;
        use.announced = use.published && key.sep && has_passed(key.times.sync_publish, now) &&
                        !has_passed(key.times.sync_delete, now);
        if (!is_active(key)) continue;
        use.signs_zone = !key.sep || std::none_of(keys.begin(), keys.end(), [&](const KeyInfo& other) {
            return !other.sep && other.algorithm == key.algorithm && is_active(other);
        });
    }
    // Times that somebody wrote by hand may leave a gap; a published key that signs nothing is worse than
    // any.
    for (size_t i = 0; i < keys.size(); ++i) {
        if (!uses[i].published) continue;
        const auto is_signer = [&](size_t other) {
            return keys[other].algorithm == keys[i].algorithm && uses[other].signs_zone;
        };
        bool covered = false;
        bool better = false;
        for (size_t other = 0; other < keys.size(); ++other) {
            covered = covered || is_signer(other);
            better = better || (uses[other].published && keys[other].sep && !keys[i].sep &&
                                keys[other].algorithm == keys[i].algorithm);
        }
        if (!covered && !better) uses[i].signs_zone = true;
    }
    if (std::none_of(uses.begin(), uses.end(), [](const KeyUse& use) { return use.signs_keys; }))
        for (KeyUse& use : uses) use.signs_keys = use.published;
    return uses;
}

KeyState key_state(const KeyInfo& key, const KeyUse& use, int64_t now) noexcept {
    if (use.signs_zone ||
        (use.signs_keys && !has_passed(key.times.inactive, now) && has_passed(key.times.activate, now)))
        return KeyState::active;
    if (use.published) return has_passed(key.times.inactive, now) ? KeyState::retired : KeyState::ready;
    return has_passed(key.times.remove, now) ? KeyState::removed : KeyState::waiting;
}

KeyChange plan_keys(const std::vector<KeyInfo>& keys, const KeyPolicy& policy, int64_t now) {
    KeyChange change;
    Editor editor(keys);
    for (size_t i = 0; i < keys.size(); ++i)
        if (is_removed(keys[i], now) && *keys[i].times.remove + memory <= now) change.forget.push_back(i);

    const bool has_sep =
        std::any_of(keys.begin(), keys.end(), [](const KeyInfo& key) { return key.sep && is_lasting(key); });
    if (!has_sep) {
        begin(change, policy, now);
        return change;
    }
    if (!newest(keys, true, policy.algorithm)) {
        begin_algorithm(change, policy, now);
        return change;
    }
    divide(editor, change, policy, now);
    settle(editor, policy, now);
    editor.finish(change);
    if (!change.empty()) return change;

    for (const bool sep : {false, true}) {
        const auto at = due(keys, policy, sep);
        if (!at || *at > now) continue;
        const RollKind kind = !sep ? RollKind::zsk : policy.combined ? RollKind::csk : RollKind::ksk;
        if (auto roll = roll_keys(keys, policy, kind, now)) return *roll;
    }
    return change;
}

Result<KeyChange> roll_keys(const std::vector<KeyInfo>& keys, const KeyPolicy& policy, RollKind kind,
                            int64_t now) {
    if (kind == RollKind::zsk && policy.combined)
        return fail("the zone has one combined key (CSK) and no ZSK: roll the CSK");
    if (kind == RollKind::ksk && policy.combined)
        return fail("the zone has one combined key (CSK) and no KSK: roll the CSK");
    if (kind == RollKind::csk && !policy.combined)
        return fail("the zone has a KSK and a ZSK, and no combined key (CSK)");
    const bool sep = kind != RollKind::zsk;
    size_t lasting = 0;
    bool coming = false;
    for (const KeyInfo& key : keys) {
        if (key.sep != sep || !is_lasting(key)) continue;
        ++lasting;
        coming = coming || start_of(key) > now;
    }
    if (lasting == 0) return fail("the zone has no such key yet");
    if (sep && lasting > 1)
        return fail(
            "a rollover is under way: it goes on when the parent has the new DS (fairway zone ds-seen)");
    if (lasting > 1 || coming) return fail("a rollover is under way: the next key is not in use yet");

    KeyChange change;
    change.make.push_back({sep, policy.algorithm, sep ? new_sep(policy, now) : new_zsk(policy, now)});
    // What that means for the old ones, as plan_keys() would find out.
    std::vector<KeyInfo> with_new = keys;
    with_new.push_back({0, policy.algorithm, sep, change.make.front().times});
    Editor editor(with_new);
    settle(editor, policy, now);
    editor.finish(change);
    return change;
}

Result<KeyChange> note_ds_seen(const std::vector<KeyInfo>& keys, const KeyPolicy& policy, int64_t now) {
    std::optional<size_t> waiting;
    std::optional<int64_t> too_early;
    for (size_t i = 0; i < keys.size(); ++i) {
        const KeyInfo& key = keys[i];
        if (!key.sep || !is_lasting(key) || key.times.ds_seen || !key.times.sync_publish) continue;
        if (*key.times.sync_publish > now) {
            too_early = key.times.sync_publish;
            continue;
        }
        if (!waiting || *key.times.sync_publish > *keys[*waiting].times.sync_publish) waiting = i;
    }
    if (!waiting)
        return too_early ? fail("too early: caches may not have the new DNSKEY before " +
                                to_time_text(*too_early) + " (UTC); do not give the parent its DS yet")
                         : fail("no key waits for the parent");
    KeyChange change;
    Editor editor(keys);
    editor.times(*waiting).ds_seen = now;
    const DnssecAlgorithm algorithm = keys[*waiting].algorithm;
    const int64_t forgotten = now + policy.parent_ds_ttl + policy.margin;  // the old DS, by all caches
    const auto is_older = [&](const KeyInfo& key) {
        return key.times.sync_publish.value_or(0) < *keys[*waiting].times.sync_publish;
    };
    for (size_t i = 0; i < keys.size(); ++i) {
        if (i == *waiting || !keys[i].sep || !is_lasting(keys[i]) || !is_older(keys[i])) continue;
        KeyTimes& times = editor.times(i);
        times.sync_delete = std::min(times.sync_delete.value_or(now), now);
        if (keys[i].algorithm != algorithm) {
            retire_algorithm(times, forgotten, policy);
            continue;
        }
        times.remove = times.inactive ? std::max(forgotten, *times.inactive + lag(policy)) : forgotten;
        if (!times.inactive) times.inactive = times.remove;
    }
    for (size_t i = 0; i < keys.size(); ++i)
        if (!keys[i].sep && is_lasting(keys[i]) && keys[i].algorithm != algorithm &&
            !newest(editor.keys(), true, keys[i].algorithm))
            retire_algorithm(editor.times(i), forgotten, policy);
    editor.finish(change);
    return change;
}

std::optional<int64_t> next_key_event(const std::vector<KeyInfo>& keys, const KeyPolicy& policy,
                                      int64_t now) {
    std::optional<int64_t> next;
    const auto consider = [&](const std::optional<int64_t>& at) {
        if (at && *at > now && (!next || *at < *next)) next = at;
    };
    for (const KeyInfo& key : keys) {
        const KeyTimes& times = key.times;
        for (const auto& at : {times.publish, times.activate, times.inactive, times.remove,
                               times.sync_publish, times.sync_delete})
            consider(at);
        if (times.remove) consider(std::max(*times.remove, times.inactive.value_or(0)) + memory);
    }
    for (const bool sep : {false, true}) consider(due(keys, policy, sep));
    return next;
}

}  // namespace fairway::dns
