// SPDX-License-Identifier: Apache-2.0
// Differential: RRsets of any type, owner and data are signed by us and verified by ldns, which brings them
// into canonical form itself. The input is an owner name and records (type once, then length and data each).
#include <cstdlib>
#include <iterator>
#include <memory>
#include <vector>

#include "dns/dnssec_canonical.h"
#include "dns/dnssec_key.h"
#include "dns/name.h"

// Last, for it defines bool as a macro.
#include <ldns/ldns.h>
#undef bool
#undef true
#undef false

using namespace fairway;
using namespace fairway::dns;

namespace {

struct ListFree {
    void operator()(ldns_rr_list* list) const { ldns_rr_list_deep_free(list); }
};
struct RrFree {
    void operator()(ldns_rr* rr) const { ldns_rr_free(rr); }
};

ldns_rr* record(const Name& owner, uint16_t type, ByteSpan data) {
    std::vector<uint8_t> wire(owner.size() + 10 + data.size());
    Writer writer(wire);
    writer.bytes(owner.wire());
    writer.u16(type);
    writer.u16(1);
    writer.u32(300);
    writer.u16(static_cast<uint16_t>(data.size()));
    writer.bytes(data);
    ldns_rr* rr = nullptr;
    size_t position = 0;
    if (ldns_wire2rr(&rr, wire.data(), wire.size(), &position, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK)
        return nullptr;
    return rr;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const DnssecKey key =
        DnssecKey::from_private(DnssecAlgorithm::ed25519, 257, std::vector<uint8_t>(32, 7)).value();
    static const Name zone = Name();  // above every name
    Reader reader(ByteSpan(data, size));
    const Name owner = Name::read_uncompressed(reader);
    const uint16_t type = reader.u16();
    // ldns refuses to sign RRSIGs, and knows names in types that RFC 4034 does not list.
    static constexpr uint16_t types[] = {1,  2,  5,  6,  12, 15, 16, 17, 18,  21,   28,
                                         33, 35, 36, 39, 43, 52, 64, 65, 257, 65280};
    const uint16_t chosen = types[type % std::size(types)];
    std::vector<std::vector<uint8_t>> datas;
    while (reader.ok() && !reader.at_end() && datas.size() < 20) {
        const ByteSpan taken = reader.take(reader.u8());
        datas.emplace_back(taken.begin(), taken.end());
    }
    if (!reader.ok() || datas.empty()) return 0;
    const std::unique_ptr<ldns_rr_list, ListFree> list(ldns_rr_list_new());
    for (const auto& each : datas) {
        ldns_rr* rr = record(owner, chosen, each);
        if (rr == nullptr) return 0;  // not data of this type
        ldns_rr_list_push_rr(list.get(), rr);
    }
    const std::vector<ByteSpan> records(datas.begin(), datas.end());
    SignatureFields fields;
    fields.covered = static_cast<RecordType>(chosen);
    fields.algorithm = static_cast<uint8_t>(key.algorithm());
    fields.labels = rrsig_labels(owner.wire());
    fields.original_ttl = 300;
    fields.inception = 1'700'000'000;
    fields.expiration = 1'800'000'000;
    fields.key_tag = key.tag();
    fields.signer = zone.wire();
    CanonicalForm form;
    const ByteSpan input = form.signed_data(fields, owner.wire(), records);
    const auto signature = key.sign(input);
    if (!signature || !verify_signature(key.dnskey(), input, *signature)) std::abort();

    std::vector<uint8_t> rrsig_data(rrsig_fixed_size + zone.size() + signature->size());
    Writer writer(rrsig_data);
    write_rrsig_fields(writer, fields);
    writer.bytes(*signature);
    const std::unique_ptr<ldns_rr, RrFree> rrsig(record(owner, 46, rrsig_data));
    const std::unique_ptr<ldns_rr, RrFree> dnskey(record(zone, 48, key.dnskey()));
    if (!rrsig || !dnskey) std::abort();
    // ldns does not take equal records for one; such a set cannot come from a zone.
    for (size_t i = 0; i < datas.size(); ++i)
        for (size_t j = i + 1; j < datas.size(); ++j)
            if (ldns_rr_compare(ldns_rr_list_rr(list.get(), i), ldns_rr_list_rr(list.get(), j)) == 0)
                return 0;
    if (ldns_verify_rrsig_time(list.get(), rrsig.get(), dnskey.get(), 1'750'000'000) != LDNS_STATUS_OK)
        std::abort();
    return 0;
}
