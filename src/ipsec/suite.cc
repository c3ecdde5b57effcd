// SPDX-License-Identifier: Apache-2.0
#include "ipsec/suite.h"

#include <algorithm>
#include <array>

#include "ipsec/dh.h"

namespace fairway::ipsec {

namespace {

struct Word {
    std::string_view text;
    Transform transform;
};
const Word words[] = {
    {"aes128", encryption(Encryption::aes_cbc, 128)},
    {"aes192", encryption(Encryption::aes_cbc, 192)},
    {"aes256", encryption(Encryption::aes_cbc, 256)},
    {"aes128gcm16", encryption(Encryption::aes_gcm_16, 128)},
    {"aes192gcm16", encryption(Encryption::aes_gcm_16, 192)},
    {"aes256gcm16", encryption(Encryption::aes_gcm_16, 256)},
    {"chacha20poly1305", encryption(Encryption::chacha20_poly1305)},
    {"prfsha1", prf(Prf::hmac_sha1)},
    {"prfsha256", prf(Prf::hmac_sha2_256)},
    {"prfsha384", prf(Prf::hmac_sha2_384)},
    {"prfsha512", prf(Prf::hmac_sha2_512)},
    {"sha1", integrity(Integrity::hmac_sha1_96)},
    {"sha256", integrity(Integrity::hmac_sha2_256_128)},
    {"sha384", integrity(Integrity::hmac_sha2_384_192)},
    {"sha512", integrity(Integrity::hmac_sha2_512_256)},
    {"modp1024", key_exchange(DhGroup::modp_1024)},
    {"modp2048", key_exchange(DhGroup::modp_2048)},
    {"modp3072", key_exchange(DhGroup::modp_3072)},
    {"modp4096", key_exchange(DhGroup::modp_4096)},
    {"ecp256", key_exchange(DhGroup::p256)},
    {"ecp384", key_exchange(DhGroup::p384)},
    {"ecp521", key_exchange(DhGroup::p521)},
    {"x25519", key_exchange(DhGroup::x25519)},
    {"curve25519", key_exchange(DhGroup::x25519)},
};

bool is_aead(uint16_t encryption_id) noexcept {
    return encryption_id == static_cast<uint16_t>(Encryption::aes_gcm_16) ||
           encryption_id == static_cast<uint16_t>(Encryption::chacha20_poly1305);
}

bool contains(const Proposal& proposal, const Transform& transform) {
    return std::find(proposal.transforms.begin(), proposal.transforms.end(), transform) !=
           proposal.transforms.end();
}

bool has_type(const Proposal& proposal, TransformType type) {
    return std::any_of(proposal.transforms.begin(), proposal.transforms.end(),
                       [&](const Transform& t) { return t.type == type; });
}

const Transform* first_common(const Proposal& policy, const Proposal& offered, TransformType type,
                              uint16_t preferred_id) {
    const Transform* found = nullptr;
    for (const Transform& transform : policy.transforms) {
        if (transform.type != type || !contains(offered, transform)) continue;
        if (transform.id == preferred_id) return &transform;
        if (found == nullptr) found = &transform;
    }
    return found;
}

std::optional<Selection> match(const Proposal& policy, const Proposal& offered, DhGroup preferred_group) {
    if (offered.protocol != ProtocolId::ike || !offered.spi.empty()) return std::nullopt;
    // A transform type that we do not know would have to be chosen from: the proposal is not acceptable.
    for (const Transform& transform : offered.transforms) {
        switch (transform.type) {
            case TransformType::encryption:
            case TransformType::prf:
            case TransformType::integrity:
            case TransformType::key_exchange:
                break;
            default:
                return std::nullopt;
        }
    }
    const Transform* encr = first_common(policy, offered, TransformType::encryption, 0);
    const Transform* prf = first_common(policy, offered, TransformType::prf, 0);
    const Transform* dh =
        first_common(policy, offered, TransformType::key_exchange, static_cast<uint16_t>(preferred_group));
    if (encr == nullptr || prf == nullptr || dh == nullptr) return std::nullopt;
    Selection selection;
    selection.suite.encryption = Encryption{encr->id};
    selection.suite.key_length = encr->key_length;
    selection.suite.prf = Prf{prf->id};
    selection.suite.group = DhGroup{dh->id};
    selection.proposal.number = offered.number;
    selection.proposal.transforms = {*encr, *prf};
    if (is_aead(encr->id)) {
        // RFC 5282 8: none offered, or NONE among them. An answer mirrors what was offered.
        if (has_type(offered, TransformType::integrity)) {
            if (!contains(offered, integrity(Integrity::none))) return std::nullopt;
            selection.proposal.transforms.push_back(integrity(Integrity::none));
        }
    } else {
        const Transform* integ = first_common(policy, offered, TransformType::integrity, 0);
        if (integ == nullptr) return std::nullopt;
        selection.suite.integrity = Integrity{integ->id};
        selection.proposal.transforms.push_back(*integ);
    }
    selection.proposal.transforms.push_back(*dh);
    return selection;
}

Prf prf_of(Integrity integrity) noexcept {
    switch (integrity) {
        case Integrity::hmac_sha1_96:
            return Prf::hmac_sha1;
        case Integrity::hmac_sha2_384_192:
            return Prf::hmac_sha2_384;
        case Integrity::hmac_sha2_512_256:
            return Prf::hmac_sha2_512;
        case Integrity::none:
        case Integrity::hmac_sha2_256_128:
            break;
    }
    return Prf::hmac_sha2_256;
}

Proposal made_of(uint8_t number, std::initializer_list<std::vector<Transform>> parts) {
    Proposal proposal;
    proposal.number = number;
    for (const auto& part : parts) {
        proposal.transforms.insert(proposal.transforms.end(), part.begin(), part.end());
    }
    return proposal;
}

}  // namespace

std::optional<Selection> select_proposal(const std::vector<Proposal>& policy,
                                         const std::vector<Proposal>& offered, DhGroup preferred_group) {
    for (const Proposal& accepted : policy) {
        for (const Proposal& proposal : offered) {
            if (auto selection = match(accepted, proposal, preferred_group)) return selection;
        }
    }
    return std::nullopt;
}

std::vector<Proposal> default_offer(OfferScope scope) {
    const bool legacy = scope == OfferScope::legacy;
    std::vector<Transform> groups;
    for (const DhGroup group :
         {DhGroup::x25519, DhGroup::p256, DhGroup::p384, DhGroup::modp_2048, DhGroup::p521}) {
        groups.push_back(key_exchange(group));
    }
    if (legacy) groups.push_back(key_exchange(DhGroup::modp_1024));
    std::vector<Transform> prfs{prf(Prf::hmac_sha2_512), prf(Prf::hmac_sha2_384), prf(Prf::hmac_sha2_256)};
    std::vector<Transform> cbc_prfs{prf(Prf::hmac_sha2_256), prf(Prf::hmac_sha2_384), prf(Prf::hmac_sha2_512),
                                    prf(Prf::hmac_sha1)};
    std::vector<Transform> integrities{
        integrity(Integrity::hmac_sha2_256_128), integrity(Integrity::hmac_sha2_384_192),
        integrity(Integrity::hmac_sha2_512_256), integrity(Integrity::hmac_sha1_96)};
    if (!legacy) {
        cbc_prfs.pop_back();
        integrities.pop_back();
    }
    return {made_of(1, {{encryption(Encryption::aes_gcm_16, 256), encryption(Encryption::aes_gcm_16, 128)},
                        prfs,
                        groups}),
            made_of(2, {{encryption(Encryption::aes_cbc, 256), encryption(Encryption::aes_cbc, 128)},
                        cbc_prfs,
                        integrities,
                        groups})};
}

std::vector<Proposal> unacceptable_offer() {
    constexpr uint16_t private_use_cipher = 1024;
    return {made_of(1, {{encryption(Encryption{private_use_cipher}, 256)},
                        {prf(Prf::hmac_sha2_256)},
                        {integrity(Integrity::hmac_sha2_256_128)},
                        {key_exchange(DhGroup::x25519)}})};
}

std::vector<Proposal> default_policy() {
    std::vector<Transform> groups;
    for (const DhGroup group : {DhGroup::x25519, DhGroup::p256, DhGroup::p384, DhGroup::p521,
                                DhGroup::modp_2048, DhGroup::modp_3072, DhGroup::modp_4096}) {
        groups.push_back(key_exchange(group));
    }
    const std::vector<Transform> prfs{prf(Prf::hmac_sha2_256), prf(Prf::hmac_sha2_384),
                                      prf(Prf::hmac_sha2_512)};
    return {made_of(1, {{encryption(Encryption::aes_gcm_16, 256), encryption(Encryption::aes_gcm_16, 128),
                         encryption(Encryption::chacha20_poly1305)},
                        prfs,
                        groups}),
            made_of(2, {{encryption(Encryption::aes_cbc, 256), encryption(Encryption::aes_cbc, 128)},
                        prfs,
                        {integrity(Integrity::hmac_sha2_256_128), integrity(Integrity::hmac_sha2_384_192),
                         integrity(Integrity::hmac_sha2_512_256)},
                        groups})};
}

Result<Proposal> parse_proposal(std::string_view text) {
    Proposal proposal;
    std::string_view rest = text;
    while (true) {
        const size_t dash = rest.find('-');
        const std::string_view word = rest.substr(0, dash);
        const auto* found =
            std::find_if(std::begin(words), std::end(words), [&](const Word& w) { return w.text == word; });
        if (found == std::end(words)) {
            return fail("unknown algorithm \"" + std::string(word) + "\" in proposal \"" + std::string(text) +
                        "\"");
        }
        if (!contains(proposal, found->transform)) proposal.transforms.push_back(found->transform);
        if (dash == std::string_view::npos) break;
        rest.remove_prefix(dash + 1);
    }
    const std::string where = " in proposal \"" + std::string(text) + "\"";
    size_t aead = 0;
    size_t ciphers = 0;
    for (const Transform& transform : proposal.transforms) {
        if (transform.type != TransformType::encryption) continue;
        ++ciphers;
        if (is_aead(transform.id)) ++aead;
    }
    if (ciphers == 0) return fail("no encryption" + where);
    if (aead != 0 && aead != ciphers) return fail("AEAD and other ciphers mixed" + where);
    const bool has_integrity = has_type(proposal, TransformType::integrity);
    if (aead == 0 && !has_integrity) return fail("no integrity algorithm" + where);
    if (aead != 0 && has_integrity) return fail("an integrity algorithm beside AEAD" + where);
    if (!has_type(proposal, TransformType::prf)) {
        if (aead != 0) return fail("no PRF" + where);
        const std::vector<Transform> given = proposal.transforms;
        for (const Transform& transform : given) {
            if (transform.type != TransformType::integrity) continue;
            proposal.transforms.push_back(prf(prf_of(Integrity{transform.id})));
        }
    }
    if (!has_type(proposal, TransformType::key_exchange)) return fail("no key exchange group" + where);
    return proposal;
}

std::string to_string(const IkeSuite& suite) {
    const auto name = [](Encryption id) {
        switch (id) {
            case Encryption::des3:
                return "3DES";
            case Encryption::aes_cbc:
                return "AES-CBC";
            case Encryption::aes_gcm_16:
                return "AES-GCM";
            case Encryption::chacha20_poly1305:
                return "CHACHA20-POLY1305";
        }
        return "?";
    };
    const auto hash = [](Prf id) {
        switch (id) {
            case Prf::hmac_sha1:
                return "SHA1";
            case Prf::hmac_sha2_256:
                return "SHA2-256";
            case Prf::hmac_sha2_384:
                return "SHA2-384";
            case Prf::hmac_sha2_512:
                return "SHA2-512";
        }
        return "?";
    };
    std::string text = name(suite.encryption);
    if (suite.key_length != 0) text += "-" + std::to_string(suite.key_length);
    return text + "/PRF-" + hash(suite.prf) + "/" + to_string(suite.group);
}

}  // namespace fairway::ipsec
