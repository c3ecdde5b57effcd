// SPDX-License-Identifier: Apache-2.0
#include "dns/signing.h"

#include <algorithm>
#include <array>

#include "dns/name.h"

namespace fairway::dns {
namespace {

constexpr int64_t backdate = 3600;
constexpr size_t max_signers = 8;  // keys that sign one set; two in a rollover

bool is_about_keys(RecordType type) noexcept {
    // RFC 7344 section 4.1: CDS and CDNSKEY are signed by what the parent can check.
    return type == RecordType::dnskey || type == RecordType::cds || type == RecordType::cdnskey;
}

}  // namespace

const ApexSet* SignedZone::apex_set(RecordType type) const noexcept {
    const auto found = std::find_if(apex_sets.begin(), apex_sets.end(),
                                    [type](const ApexSet& set) { return set.type == type; });
    return found == apex_sets.end() ? nullptr : &*found;
}

void make_apex_sets(SignedZone& zone) {
    ApexSet dnskey{RecordType::dnskey, zone.dnskey_ttl, {}};
    ApexSet cds{RecordType::cds, zone.dnskey_ttl, {}};
    ApexSet cdnskey{RecordType::cdnskey, zone.dnskey_ttl, {}};
    const auto apex = Name::from_wire(zone.apex);
    for (const ZoneKey& key : zone.keys) {
        const ByteSpan data = key.key->dnskey();
        if (key.use.published) dnskey.records.emplace_back(data.begin(), data.end());
        if (!key.use.announced || !apex) continue;
        cds.records.push_back(ds_data(*apex, data, DsDigest::sha256));
        cdnskey.records.emplace_back(data.begin(), data.end());
    }
    zone.apex_sets.clear();
    for (ApexSet* set : {&dnskey, &cds, &cdnskey})
        if (!set->records.empty()) zone.apex_sets.push_back(std::move(*set));
}

SignatureWindow signature_window(const SignedZone& zone, ByteSpan lowered_owner, RecordType type,
                                 int64_t now) noexcept {
    const int64_t period = std::max<int64_t>(1, zone.lifetime - zone.refresh);
    const uint64_t spread = hash_wire(lowered_owner) * 31 + static_cast<uint16_t>(type);
    const auto phase = static_cast<int64_t>(spread % static_cast<uint64_t>(period));
    const int64_t begin = (now + phase) / period * period - phase;
    return {begin - backdate, begin + zone.lifetime};
}

int64_t signing_step(const SignedZone& zone) noexcept {
    return std::clamp<int64_t>(std::min(zone.refresh, zone.lifetime - zone.refresh) / 16, 1, 3600);
}

std::span<const ByteSpan> RrsetSigner::sign(const ZoneSigning& signing, const SignedZone& zone,
                                            ByteSpan owner, RecordType type, uint32_t original_ttl,
                                            std::span<const ByteSpan> records, Recurrence recurrence) {
    std::array<uint8_t, Name::max_size> lowered;
    lower_wire(owner, lowered.data());
    const ByteSpan name = ByteSpan(lowered).first(owner.size());
    const SignatureWindow window = signature_window(zone, name, type, signing.now);
    SignatureFields fields;
    fields.covered = type;
    fields.labels = rrsig_labels(name);
    fields.original_ttl = original_ttl;
    fields.inception = static_cast<uint32_t>(window.inception);
    fields.expiration = static_cast<uint32_t>(window.expiration);
    fields.signer = zone.apex;

    const size_t size = rrsig_fixed_size + zone.apex.size() + DnssecSignature{}.size();
    data_.resize(size * max_signers);  // before spans point into it
    made_.clear();
    SignatureCache& cache =
        recurrence == Recurrence::lasting ? signing.caches->lasting : signing.caches->passing;
    for (const ZoneKey& key : zone.keys) {
        if (!(is_about_keys(type) ? key.use.signs_keys : key.use.signs_zone)) continue;
        if (made_.size() == max_signers) break;
        fields.algorithm = static_cast<uint8_t>(key.key->algorithm());
        fields.key_tag = key.key->tag();
        const ByteSpan data = form_.signed_data(fields, name, records);
        auto signature = cache.find(key.key->identity(), data);
        if (!signature) {
            signature = key.key->sign(data);
            if (!signature) return {};
            cache.insert(key.key->identity(), data, *signature);
        }
        const auto place = std::span(data_).subspan(made_.size() * size, size);
        Writer writer(place);
        write_rrsig_fields(writer, fields);
        writer.bytes(*signature);
        made_.push_back(place);
    }
    return made_;
}

}  // namespace fairway::dns
