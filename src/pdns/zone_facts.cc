// SPDX-License-Identifier: Apache-2.0
#include "pdns/zone_facts.h"

#include <algorithm>

#include "dns/dnssec_text.h"
#include "dns/signing.h"
#include "dns/tsig.h"
#include "pdns/json_reader.h"
#include "pdns/reply.h"

namespace fairway::pdns {
namespace {

const dns::SignedZone* signing_of(const dns::Serving& serving, const dns::ServedZone& zone) {
    if (!serving.signing) return nullptr;
    return serving.signing->zone(static_cast<size_t>(&zone - serving.authority->zones().data()));
}

const Zone* configured(const dns::Serving& serving, const dns::ServedZone& zone) {
    const std::vector<Zone>& zones = serving.authority->model().zones;
    const auto found =
        std::find_if(zones.begin(), zones.end(), [&](const Zone& each) { return each.name == zone.name; });
    return found == zones.end() ? nullptr : &*found;
}

void add_signing(const dns::SignedZone& zone, std::vector<Metadatum>& all) {
    all.push_back({"NSEC3PARAM", {"1 0 0 -"}});
    all.push_back({"NSEC3NARROW", {"1"}});
    // PowerDNS announces all of them or none.
    const auto signs_keys = [](const dns::ZoneKey& key) { return key.use.signs_keys; };
    const auto unannounced = [](const dns::ZoneKey& key) { return key.use.signs_keys && !key.use.announced; };
    if (std::none_of(zone.keys.begin(), zone.keys.end(), signs_keys) ||
        std::any_of(zone.keys.begin(), zone.keys.end(), unannounced))
        return;
    all.push_back({"PUBLISH-CDS", {"2"}});
    all.push_back({"PUBLISH-CDNSKEY", {"1"}});
}

void add_transfer(const ZoneTransfer& transfer, std::vector<Metadatum>& all) {
    std::vector<std::string> addresses, keys, told;
    for (const TransferRule& rule : transfer.allow) {
        if (rule.from && rule.key.empty()) addresses.push_back(rule.from->to_string());
        if (!rule.from && !rule.key.empty()) keys.push_back(rule.key);
    }
    for (const NotifyTarget& target : transfer.notify) told.push_back(target.address.to_string());
    if (!addresses.empty()) all.emplace_back("ALLOW-AXFR-FROM", std::move(addresses));
    if (!keys.empty()) all.emplace_back("TSIG-ALLOW-AXFR", std::move(keys));
    if (!told.empty()) all.emplace_back("ALSO-NOTIFY", std::move(told));
}

void append_tsig_fields(std::string& out, const dns::TsigKey& key) {
    out += R"("algorithm":")";
    out += dns::to_string(key.algorithm);
    out += R"(","content":)";
    append_json_string(out, dns::to_base64(key.secret));
    out += '}';
}

}  // namespace

std::vector<Metadatum> metadata_of(const dns::Serving& serving, const dns::ServedZone& zone) {
    std::vector<Metadatum> all;
    if (const dns::SignedZone* found = signing_of(serving, zone)) add_signing(*found, all);
    if (const Zone* found = configured(serving, zone)) add_transfer(found->transfer, all);
    return all;
}

bool is_signed(const dns::Serving& serving, const dns::ServedZone& zone) {
    return signing_of(serving, zone) != nullptr;
}

// The id is the key's tag, or the next number that is free: the same for as long as the key is there.
void append_keys(std::string& out, const dns::Serving& serving, const dns::ServedZone& zone) {
    const dns::SignedZone* found = signing_of(serving, zone);
    if (found == nullptr) return;
    std::vector<uint32_t> ids;
    for (const dns::ZoneKey& key : found->keys) {
        uint32_t id = uint32_t{key.key->tag()} + 1;
        while (std::find(ids.begin(), ids.end(), id) != ids.end()) ++id;
        ids.push_back(id);
        if (out.back() != '[') out += ',';
        out += R"({"id":)";
        append_number(out, id);
        out += R"(,"flags":)";
        append_number(out, key.key->flags());
        out += key.use.signs_zone || key.use.signs_keys ? R"(,"active":true)" : R"(,"active":false)";
        out += key.use.published ? R"(,"published":true)" : R"(,"published":false)";
        out += R"(,"content":)";
        append_json_string(out, key.key->private_text());
        out += '}';
    }
}

bool append_tsig_key(std::string& out, const dns::Serving& serving, std::string_view name) {
    const auto wanted = dns::Name::parse(name);
    if (!wanted) return false;
    const dns::TsigKey* key = dns::find_key(serving.settings->keys, *wanted);
    if (key == nullptr) return false;
    out += '{';
    append_tsig_fields(out, *key);
    return true;
}

void append_tsig_keys(std::string& out, const dns::Serving& serving) {
    for (const dns::TsigKey& key : serving.settings->keys) {
        if (out.back() != '[') out += ',';
        out += R"({"name":)";
        append_json_string(out, key.name.to_string());
        out += ',';
        append_tsig_fields(out, key);
    }
}

}  // namespace fairway::pdns
