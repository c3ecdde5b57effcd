// SPDX-License-Identifier: Apache-2.0
// Rollovers in virtual time, watched by resolvers whose caches hold anything that they may still hold: at
// every instant whatever DS, DNSKEY set and signed data they have must make a chain.
#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <set>

#include "dns/dnssec_keyring.h"

using namespace fairway;
using namespace fairway::dns;

namespace {

constexpr int64_t begin = 1'700'000'000;

/// A zone, its parent and their past.
struct Zone {
    KeyPolicy policy;
    std::vector<KeyInfo> keys;
    uint16_t next_tag = 1;
    int64_t now = begin;

    // One entry an instant at which anything changed.
    struct Moment {
        int64_t at;
        std::set<uint16_t> dnskeys;  // published
        std::set<uint16_t> signers;  // of the DNSKEY set
        std::set<uint16_t> data;     // signers of the zone's data
        std::set<uint16_t> cds;
        std::set<uint16_t> ds;  // at the parent
    };
    std::vector<Moment> past;
    std::set<uint16_t> ds;  // at the parent now
    bool parent_follows = false;
    int64_t parent_lag = 100;
    std::optional<int64_t> parent_acts;

    void apply(const KeyChange& change) {
        for (const KeyChange::New& made : change.make)
            keys.push_back({next_tag++, made.algorithm, made.sep, made.times});
        for (const KeyChange::Retimed& retimed : change.retime) keys.at(retimed.key).times = retimed.times;
        for (auto key = change.forget.rbegin(); key != change.forget.rend(); ++key)
            keys.erase(keys.begin() + static_cast<std::ptrdiff_t>(*key));
    }
    void settle() {
        for (int step = 0;; ++step) {
            REQUIRE(step < 10);
            const KeyChange change = plan_keys(keys, policy, now);
            if (change.empty()) break;
            apply(change);
        }
        note();
    }
    void note() {
        Moment moment{now, {}, {}, {}, {}, ds};
        const auto uses = key_uses(keys, now);
        for (size_t i = 0; i < keys.size(); ++i) {
            if (uses[i].published) moment.dnskeys.insert(keys[i].tag);
            if (uses[i].signs_keys) moment.signers.insert(keys[i].tag);
            if (uses[i].signs_zone) moment.data.insert(keys[i].tag);
            if (uses[i].announced) moment.cds.insert(keys[i].tag);
        }
        // The parent follows CDS once it has anything to go by, and the operator says so.
        if (parent_follows && !moment.cds.empty() && moment.cds != ds && !parent_acts)
            parent_acts = now + parent_lag;
        past.push_back(moment);
    }
    /// Lets time pass, with everything that happens by itself.
    void run_until(int64_t end) {
        while (now < end) {
            int64_t next = end;
            if (const auto event = next_key_event(keys, policy, now)) next = std::min(next, *event);
            if (parent_acts) next = std::min(next, std::max(now, *parent_acts));
            now = next;
            if (parent_acts && *parent_acts <= now) {
                parent_acts.reset();
                ds = past.back().cds;
                note();
                if (const auto seen = note_ds_seen(keys, policy, now)) apply(*seen);
            }
            settle();
        }
    }
    void roll(RollKind kind) {
        const auto change = roll_keys(keys, policy, kind, now);
        if (!change) FAIL(change.error().message);
        apply(*change);
        settle();
    }
    DnssecAlgorithm algorithm_of(uint16_t tag, const std::vector<KeyInfo>& all) const {
        for (const KeyInfo& key : all)
            if (key.tag == tag) return key.algorithm;
        FAIL("a key that never was");
        return {};
    }

    /// Every combination that a cache can hold at any instant since `since`.
    void check_all_caches(int64_t since, const std::vector<KeyInfo>& ever) const {
        // What was true at any time from `at` - `ttl` to `at`.
        const auto held = [&](int64_t at, int64_t ttl, auto pick) {
            using Value = decltype(pick(past.front()));
            std::vector<Value> values;
            for (size_t i = 0; i < past.size(); ++i) {
                const int64_t until = i + 1 < past.size() ? past[i + 1].at : INT64_MAX;
                if (past[i].at > at || until < at - ttl) continue;
                const Value value = pick(past[i]);
                if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
            }
            return values;
        };
        for (const Moment& instant : past) {
            if (instant.at < since) continue;
            for (const int64_t at : {instant.at - 1, instant.at, instant.at + 1}) {
                const auto parents =
                    held(at, policy.parent_ds_ttl, [](const Moment& moment) { return moment.ds; });
                const auto key_sets = held(at, policy.dnskey_ttl, [](const Moment& moment) {
                    return std::make_pair(moment.dnskeys, moment.signers);
                });
                const auto data = held(at, policy.max_ttl, [](const Moment& moment) { return moment.data; });
                for (const auto& parent : parents)
                    for (const auto& [dnskeys, signers] : key_sets) {
                        if (parent.empty()) continue;  // not delegated securely: anything goes
                        const bool trusted = std::any_of(parent.begin(), parent.end(), [&](uint16_t tag) {
                            return dnskeys.contains(tag) && signers.contains(tag);
                        });
                        INFO("at " << at - begin);
                        CHECK(trusted);
                        for (const auto& signed_by : data) {
                            const bool good = std::any_of(
                                signed_by.begin(), signed_by.end(),
                                [&, &keys_ = dnskeys](uint16_t tag) { return keys_.contains(tag); });
                            CHECK(good);
                            // The strict reading of RFC 4035 section 2.2: every algorithm of the DNSKEY set.
                            for (const uint16_t tag : dnskeys) {
                                const bool covered =
                                    std::any_of(signed_by.begin(), signed_by.end(), [&](uint16_t signer) {
                                        return algorithm_of(signer, ever) == algorithm_of(tag, ever);
                                    });
                                CHECK(covered);
                            }
                        }
                    }
            }
        }
    }
};

KeyPolicy policy(bool combined) {
    KeyPolicy made;
    made.combined = combined;
    made.dnskey_ttl = 3600;
    made.parent_ds_ttl = 7200;
    made.max_ttl = 1800;
    made.margin = 60;
    return made;
}

/// Made, signed, and the parent has its DS; everything unsigned is out of all caches.
Zone established(const KeyPolicy& with) {
    Zone zone;
    zone.policy = with;
    zone.parent_follows = true;
    zone.settle();
    zone.run_until(begin + 50'000);
    REQUIRE(zone.ds.size() == 1);
    return zone;
}

const KeyInfo& key(const Zone& zone, uint16_t tag) {
    return *std::find_if(zone.keys.begin(), zone.keys.end(),
                         [tag](const KeyInfo& k) { return k.tag == tag; });
}

}  // namespace

TEST_CASE("A new zone gets its keys at once, and its DS is asked for when no cache has it unsigned",
          "[dnssec]") {
    for (const bool combined : {true, false}) {
        Zone zone;
        zone.policy = policy(combined);
        zone.settle();
        REQUIRE(zone.keys.size() == (combined ? 1 : 2));
        const auto uses = key_uses(zone.keys, begin);
        CHECK(uses[0] == KeyUse{true, true, combined, false});
        if (!combined) CHECK(uses[1] == KeyUse{true, false, true, false});
        CHECK(key_state(zone.keys[0], uses[0], begin) == KeyState::active);
        CHECK_FALSE(key_uses(zone.keys, begin + 3659)[0].announced);
        CHECK(key_uses(zone.keys, begin + 3660)[0].announced);
        const auto early = note_ds_seen(zone.keys, zone.policy, begin + 3659);
        REQUIRE_FALSE(early);
        CHECK_THAT(early.error().message, Catch::Contains("too early"));
        CHECK(note_ds_seen(zone.keys, zone.policy, begin + 3660));
    }
}

TEST_CASE("A ZSK is replaced by pre-publication, and every cache validates throughout", "[dnssec]") {
    Zone zone = established(policy(false));
    const int64_t start = zone.now;
    zone.roll(RollKind::zsk);
    CHECK_FALSE(roll_keys(zone.keys, zone.policy, RollKind::zsk, zone.now));
    std::vector<KeyInfo> ever = zone.keys;
    CHECK(zone.past.back().data == std::set<uint16_t>{2});
    CHECK(zone.past.back().dnskeys == std::set<uint16_t>{1, 2, 3});
    zone.run_until(start + 3660);
    CHECK(zone.past.back().data == std::set<uint16_t>{3});
    zone.run_until(start + 3660 + 1860);
    CHECK(zone.past.back().dnskeys == std::set<uint16_t>{1, 3});
    zone.run_until(start + 40 * 86'400);
    CHECK(zone.keys.size() == 2);
    CHECK(zone.past.back().ds == std::set<uint16_t>{1});
    zone.check_all_caches(start, ever);
}

TEST_CASE("A KSK or CSK is replaced when the parent has the new DS, and not before", "[dnssec]") {
    for (const bool combined : {true, false}) {
        Zone zone = established(policy(combined));
        const int64_t start = zone.now;
        const RollKind kind = combined ? RollKind::csk : RollKind::ksk;
        const uint16_t fresh = combined ? 2 : 3;
        zone.parent_follows = false;
        zone.roll(kind);
        std::vector<KeyInfo> ever = zone.keys;
        CHECK_FALSE(roll_keys(zone.keys, zone.policy, kind, zone.now));
        // Nobody tells us: both stay, for as long as it takes.
        zone.run_until(start + 90 * 86'400);
        CHECK(zone.past.back().dnskeys.contains(1));
        CHECK(zone.past.back().dnskeys.contains(fresh));
        CHECK(zone.past.back().signers == std::set<uint16_t>{1, fresh});
        CHECK(zone.past.back().cds == std::set<uint16_t>{fresh});
        if (combined) CHECK(zone.past.back().data == std::set<uint16_t>{fresh});
        // Then the parent follows CDS.
        zone.parent_follows = true;
        zone.note();
        const int64_t seen = zone.now + zone.parent_lag;
        zone.run_until(seen);
        CHECK(zone.ds == std::set<uint16_t>{fresh});
        CHECK(key(zone, 1).times.remove.value() == seen + 7200 + 60);
        zone.run_until(seen + 7200 + 60);
        CHECK_FALSE(zone.past.back().dnskeys.contains(1));
        zone.run_until(seen + 50 * 86'400);
        zone.check_all_caches(start, ever);
        CHECK_FALSE(note_ds_seen(zone.keys, zone.policy, zone.now));
    }
}

TEST_CASE("Another algorithm is rolled over to with signatures of both wherever a cache may want them",
          "[dnssec]") {
    for (const bool combined : {true, false}) {
        Zone zone = established(policy(combined));
        const int64_t start = zone.now;
        zone.policy.algorithm = DnssecAlgorithm::ed25519;
        zone.settle();
        std::vector<KeyInfo> ever = zone.keys;
        CHECK(zone.past.back().data.size() == 2);
        CHECK(zone.past.back().dnskeys.size() == (combined ? 1 : 2));
        zone.run_until(start + 20 * 86'400);
        REQUIRE(zone.past.back().data.size() == 1);
        CHECK(zone.algorithm_of(*zone.past.back().data.begin(), ever) == DnssecAlgorithm::ed25519);
        for (const uint16_t tag : zone.past.back().dnskeys)
            CHECK(zone.algorithm_of(tag, ever) == DnssecAlgorithm::ed25519);
        zone.check_all_caches(start, ever);
    }
}

TEST_CASE("A combined key is divided and joined again without a gap", "[dnssec]") {
    Zone zone = established(policy(true));
    const int64_t start = zone.now;
    zone.policy.combined = false;
    zone.settle();
    std::vector<KeyInfo> ever = zone.keys;
    CHECK(zone.past.back().data == std::set<uint16_t>{1});
    zone.run_until(start + 86'400);
    CHECK(zone.past.back().data == std::set<uint16_t>{2});
    zone.policy.combined = true;
    zone.settle();
    CHECK(zone.past.back().data == std::set<uint16_t>{1});
    zone.run_until(start + 3 * 86'400);
    CHECK(zone.past.back().dnskeys == std::set<uint16_t>{1});
    zone.check_all_caches(start, ever);
}

TEST_CASE("Schedules roll keys for years, also when the parent is slow, and every cache validates",
          "[dnssec]") {
    KeyPolicy with = policy(false);
    with.zsk_lifetime = 10 * 86'400;
    with.ksk_lifetime = 45 * 86'400;
    Zone zone = established(with);
    zone.parent_lag = 20 * 86'400;
    const int64_t start = zone.now;
    std::vector<KeyInfo> ever;
    const auto remember = [&] {
        for (const KeyInfo& each : zone.keys)
            if (std::none_of(ever.begin(), ever.end(), [&](const KeyInfo& k) { return k.tag == each.tag; }))
                ever.push_back(each);
    };
    for (int day = 0; day < 300; ++day) {
        zone.run_until(zone.now + 86'400);
        remember();
        CHECK(zone.keys.size() < 14);
    }
    const auto made = [&](bool sep) {
        return std::count_if(ever.begin(), ever.end(), [sep](const KeyInfo& k) { return k.sep == sep; });
    };
    CHECK(made(false) >= 28);
    CHECK(made(false) <= 34);
    CHECK(made(true) >= 4);
    CHECK(made(true) <= 8);
    zone.check_all_caches(start, ever);
}

TEST_CASE("A change that was carried out by half goes on", "[dnssec]") {
    Zone zone = established(policy(false));
    const int64_t start = zone.now;
    // The new key was written, the times of the old one were not.
    KeyChange change = roll_keys(zone.keys, zone.policy, RollKind::zsk, zone.now).value();
    REQUIRE(change.make.size() == 1);
    change.retime.clear();
    zone.apply(change);
    std::vector<KeyInfo> ever = zone.keys;
    zone.settle();
    CHECK(key(zone, 2).times.inactive.value() == start + 3660);
    zone.run_until(start + 3 * 86'400);
    CHECK(zone.past.back().dnskeys == std::set<uint16_t>{1, 3});
    zone.check_all_caches(start, ever);
}

TEST_CASE("Times written by hand that leave nobody to sign do not unsign the zone", "[dnssec]") {
    std::vector<KeyInfo> keys(1);
    keys[0].tag = 1;
    keys[0].sep = true;
    keys[0].times.created = begin;
    keys[0].times.publish = begin;
    CHECK(key_uses(keys, begin)[0] == KeyUse{true, true, true, false});
    keys[0].times.activate = begin;
    keys[0].times.inactive = begin + 5;
    CHECK(key_uses(keys, begin + 9)[0].signs_zone);
    keys[0].sep = false;
    CHECK(key_uses(keys, begin + 9)[0].signs_keys);
}
