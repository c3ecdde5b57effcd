// SPDX-License-Identifier: Apache-2.0
// Zones that are served, and the keys of those that are signed.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/control.h"
#include "api/json.h"
#include "api/routes.h"
#include "base/duration.h"
#include "base/text.h"
#include "dns/authority.h"
#include "dns/dnssec_text.h"
#include "dns/serving.h"
#include "dns/signing_keys.h"

namespace fairway::api {
namespace {

int64_t unix_seconds(WallTime time) {
    return std::chrono::duration_cast<seconds>(time.time_since_epoch()).count();
}

std::string instant(int64_t unix_time) {
    return format_rfc3339(WallTime(seconds(unix_time)));
}

/// What the parent should do about a key's DS.
std::string_view ds_state(const dns::KeyTimes& times, int64_t now) {
    if (times.sync_delete && *times.sync_delete <= now) return "withdraw";
    if (times.ds_seen) return "published";
    if (!times.sync_publish || *times.sync_publish > now) return "wait";
    return "publish";
}

std::string ds_text(const dns::ZoneKeyring& keyring, size_t key, dns::DsDigest digest) {
    const std::vector<uint8_t> data = dns::ds_data(keyring.apex, keyring.keys[key]->dnskey(), digest);
    return keyring.apex.to_string() + " " + std::to_string(keyring.settings.parent_ds_ttl.count()) +
           " IN DS " + std::to_string(data[0] << 8 | data[1]) + " " + std::to_string(data[2]) + " " +
           std::to_string(data[3]) + " " + dns::to_hex(ByteSpan(data).subspan(4));
}

Json times_of(const dns::KeyTimes& times) {
    Json json = {{"created", instant(times.created)}};
    const auto add = [&](const char* name, const std::optional<int64_t>& at) {
        if (at) json[name] = instant(*at);
    };
    add("publish", times.publish);
    add("activate", times.activate);
    add("inactive", times.inactive);
    add("remove", times.remove);
    add("cds_publish", times.sync_publish);
    add("cds_withdraw", times.sync_delete);
    add("ds_seen", times.ds_seen);
    return json;
}

Json describe_key(const dns::ZoneKeyring& keyring, const std::vector<dns::KeyUse>& uses, size_t key,
                  int64_t now) {
    const dns::KeyInfo& info = keyring.infos[key];
    const std::string name = dns::key_name(keyring, key);
    Json json = {{"tag", info.tag},
                 {"role", ascii_lower(name.substr(0, name.find(' ')))},
                 {"algorithm", ascii_lower(dns::mnemonic(info.algorithm))},
                 {"state", dns::to_string(dns::key_state(info, uses[key], now))},
                 {"published", uses[key].published},
                 {"signs_keys", uses[key].signs_keys},
                 {"signs_zone", uses[key].signs_zone},
                 {"in_cds", uses[key].announced},
                 {"times", times_of(info.times)},
                 {"dnskey", keyring.keys[key]->dnskey_text()}};
    if (info.sep && (!info.times.remove || *info.times.remove > now)) {
        json["ds"] = {{"state", ds_state(info.times, now)},
                      {"sha256", ds_text(keyring, key, dns::DsDigest::sha256)},
                      {"sha384", ds_text(keyring, key, dns::DsDigest::sha384)}};
        if (ds_state(info.times, now) == "wait" && info.times.sync_publish)
            json["ds"]["not_before"] = instant(*info.times.sync_publish);
    }
    return json;
}

Json describe_zone(const dns::ServedZone& zone, const dns::ZoneKeyring* keyring, int64_t now) {
    Json json = {{"name", zone.name}, {"serial", zone.serial}, {"signed", keyring != nullptr}};
    if (keyring == nullptr) return json;
    if (!keyring->trouble.empty()) json["trouble"] = keyring->trouble;
    json["keys"] = Json::array();
    const std::vector<dns::KeyUse> uses = dns::key_uses(keyring->infos, now);
    for (size_t i = 0; i < keyring->keys.size(); ++i)
        json["keys"].push_back(describe_key(*keyring, uses, i, now));
    return json;
}

std::string named_zone(const Request& request) {
    std::string name = ascii_lower(request.target.segments[3]);
    if (name.size() > 1 && name.back() == '.') name.pop_back();
    return name;
}

/// The zone that is meant, or why there is none.
const dns::ServedZone* find_zone(const dns::Serving& serving, const std::string& name, std::string& why) {
    std::vector<std::string> known;
    for (const dns::ServedZone& zone : serving.authority->zones()) {
        if (zone.name == name) return &zone;
        known.push_back(zone.name);
    }
    const std::string near = nearest_name(name, known);
    why = "no zone \"" + name + "\"" + (near.empty() ? "" : " (did you mean \"" + near + "\"?)");
    return nullptr;
}

/// A change of keys: refused with the reason, or reported and kept for the audit trail.
void change_keys(
    const Request& request, Control& control, const Reply& reply, const std::string& action,
    const std::function<void(const std::string& zone,
                             std::function<void(Result<std::vector<std::string>>)> done)>& change) {
    std::string why;
    const std::string name = named_zone(request);
    if (find_zone(*control.serving(), name, why) == nullptr) return reply(no_such_target(why));
    if (control.keyring(name) == nullptr)
        return reply(problem(409, "not-signed", "the zone \"" + name + "\" is not signed (dnssec = true)"));
    change(name, [&control, reply, name, action,
                  actor = request.caller.name](const Result<std::vector<std::string>>& done) {
        if (!done) return reply(problem(409, "refused", done.error().message));
        control.store().record({0, control.now(), actor, action, name, {}, text_of(Json(*done))});
        Json json = document("zone-change");
        json["zone"] = name;
        json["done"] = *done;
        reply(ok(json));
    });
}

}  // namespace

Response get_zones(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {})) return *wrong;
    Json json = document("zones");
    json["zones"] = Json::array();
    const auto serving = control.serving();
    for (const dns::ServedZone& zone : serving->authority->zones())
        json["zones"].push_back(describe_zone(zone, control.keyring(zone.name), unix_seconds(control.now())));
    return ok(json);
}

Response get_zone(const Request& request, Control& control) {
    if (auto wrong = unexpected_arguments(request, {})) return *wrong;
    const auto serving = control.serving();
    std::string why;
    const dns::ServedZone* zone = find_zone(*serving, named_zone(request), why);
    if (zone == nullptr) return no_such_target(why);
    Json json = document("zone");
    json.update(describe_zone(*zone, control.keyring(zone->name), unix_seconds(control.now())));
    return ok(json);
}

void post_zone_roll(const Request& request, Control& control, Reply reply) {
    if (auto wrong = unexpected_arguments(request, {})) return reply(*wrong);
    BodyReader body(request.body);
    const std::string text = body.text("key");
    if (auto read = body.finish(); !read) return reply(bad_request(read.error().message));
    if (text != "zsk" && text != "ksk" && text != "csk")
        return reply(bad_request("\"key\" is none of \"zsk\", \"ksk\", \"csk\""));
    const dns::RollKind kind = text == "zsk"   ? dns::RollKind::zsk
                               : text == "ksk" ? dns::RollKind::ksk
                                               : dns::RollKind::csk;
    change_keys(request, control, reply, "zone.roll",
                [&](const std::string& zone, std::function<void(Result<std::vector<std::string>>)> done) {
                    control.roll_keys(zone, kind, request.caller.name, std::move(done));
                });
}

void post_zone_ds_seen(const Request& request, Control& control, Reply reply) {
    if (auto wrong = unexpected_arguments(request, {})) return reply(*wrong);
    change_keys(request, control, reply, "zone.ds-seen",
                [&](const std::string& zone, std::function<void(Result<std::vector<std::string>>)> done) {
                    control.note_ds_seen(zone, request.caller.name, std::move(done));
                });
}

}  // namespace fairway::api
