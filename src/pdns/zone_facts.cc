// SPDX-License-Identifier: Apache-2.0
#include "pdns/zone_facts.h"

#include <algorithm>

#include "dns/signing.h"
#include "pdns/json_reader.h"
#include "pdns/reply.h"

namespace fairway::pdns {
namespace {

const dns::SignedZone* signing_of(const dns::Serving& serving, const dns::ServedZone& zone) {
    if (!serving.signing) return nullptr;
    return serving.signing->zone(static_cast<size_t>(&zone - serving.authority->zones().data()));
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

}  // namespace

std::vector<Metadatum> metadata_of(const dns::Serving& serving, const dns::ServedZone& zone) {
    std::vector<Metadatum> all;
    if (const dns::SignedZone* found = signing_of(serving, zone)) add_signing(*found, all);
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

}  // namespace fairway::pdns
