// SPDX-License-Identifier: Apache-2.0
#include "dns/dnssec_key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>

#include <cstring>
#include <utility>

#include "base/random.h"
#include "base/text.h"
#include "dns/dnssec_text.h"

namespace fairway::dns {
namespace {

template <auto Function>
struct Free {
    template <class T>
    void operator()(T* object) const noexcept {
        Function(object);
    }
};
using PKey = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using PKeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Free<BN_clear_free>>;
using Group = std::unique_ptr<EC_GROUP, Free<EC_GROUP_free>>;
using Point = std::unique_ptr<EC_POINT, Free<EC_POINT_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Free<OSSL_PARAM_free>>;

constexpr size_t secret_size = 32;
constexpr size_t coordinate_size = 32;
constexpr size_t max_der = 80;  // of a P-256 signature: at most 72
constexpr uint8_t uncompressed = 4;
constexpr size_t dnskey_header = 4;

/// `point` is uncompressed with its leading 4; without `secret` the key only verifies.
PKey make_p256(ByteSpan point, const BIGNUM* secret) {
    const ParamBuilder builder(OSSL_PARAM_BLD_new());
    if (!builder ||
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size()) != 1)
        return nullptr;
    if (secret != nullptr && OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, secret) != 1)
        return nullptr;
    const Params params(OSSL_PARAM_BLD_to_param(builder.get()));
    const PKeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
    EVP_PKEY* key = nullptr;
    if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, secret != nullptr ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                          params.get()) != 1)
        return nullptr;
    return PKey(key);
}

std::array<uint8_t, SHA256_DIGEST_LENGTH> sha256(ByteSpan data) {
    std::array<uint8_t, SHA256_DIGEST_LENGTH> digest{};
    SHA256(data.data(), data.size(), digest.data());
    return digest;
}

}  // namespace

std::string_view mnemonic(DnssecAlgorithm algorithm) noexcept {
    return algorithm == DnssecAlgorithm::ed25519 ? "ED25519" : "ECDSAP256SHA256";
}

std::optional<DnssecAlgorithm> parse_dnssec_algorithm(std::string_view text) noexcept {
    for (const auto algorithm : {DnssecAlgorithm::ecdsa_p256, DnssecAlgorithm::ed25519})
        if (ascii_lower(text) == ascii_lower(mnemonic(algorithm))) return algorithm;
    return std::nullopt;
}

uint16_t key_tag(ByteSpan dnskey) noexcept {
    uint32_t sum = 0;
    for (size_t i = 0; i < dnskey.size(); ++i) sum += i % 2 == 1 ? dnskey[i] : uint32_t{dnskey[i]} << 8;
    sum += sum >> 16 & 0xffff;
    return static_cast<uint16_t>(sum);
}

std::vector<uint8_t> ds_data(const Name& owner, ByteSpan dnskey, DsDigest digest) {
    const Name lowered = owner.lowered();
    std::vector<uint8_t> input(lowered.wire().begin(), lowered.wire().end());
    input.insert(input.end(), dnskey.begin(), dnskey.end());
    const uint16_t tag = key_tag(dnskey);
    std::vector<uint8_t> data{static_cast<uint8_t>(tag >> 8), static_cast<uint8_t>(tag),
                              dnskey.size() >= dnskey_header ? dnskey[3] : uint8_t{0},
                              static_cast<uint8_t>(digest)};
    std::array<uint8_t, SHA384_DIGEST_LENGTH> hash{};
    const bool is_long = digest == DsDigest::sha384;
    if (is_long)
        SHA384(input.data(), input.size(), hash.data());
    else
        SHA256(input.data(), input.size(), hash.data());
    data.insert(data.end(), hash.begin(),
                hash.begin() + (is_long ? SHA384_DIGEST_LENGTH : SHA256_DIGEST_LENGTH));
    return data;
}

bool verify_signature(ByteSpan dnskey, ByteSpan data, ByteSpan signature) {
    if (dnskey.size() < dnskey_header || signature.size() != DnssecSignature{}.size()) return false;
    const ByteSpan public_key = dnskey.subspan(dnskey_header);
    const auto algorithm = static_cast<DnssecAlgorithm>(dnskey[3]);
    bool good = false;
    if (algorithm == DnssecAlgorithm::ed25519) {
        const PKey key(
            EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, public_key.data(), public_key.size()));
        const DigestContext context(EVP_MD_CTX_new());
        good = key && context &&
               EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
               EVP_DigestVerify(context.get(), signature.data(), signature.size(), data.data(),
                                data.size()) == 1;
    } else if (algorithm == DnssecAlgorithm::ecdsa_p256 && public_key.size() == 2 * coordinate_size) {
        std::array<uint8_t, 1 + 2 * coordinate_size> point{uncompressed};
        std::memcpy(point.data() + 1, public_key.data(), public_key.size());
        const PKey key = make_p256(point, nullptr);
        const EcdsaSignature pair(ECDSA_SIG_new());
        Number r(BN_bin2bn(signature.data(), coordinate_size, nullptr));
        Number s(BN_bin2bn(signature.data() + coordinate_size, coordinate_size, nullptr));
        if (key && pair && r && s && ECDSA_SIG_set0(pair.get(), r.get(), s.get()) == 1) {
            (void)r.release();
            (void)s.release();
            std::array<uint8_t, max_der> der{};
            uint8_t* end = der.data();
            const int size = i2d_ECDSA_SIG(pair.get(), &end);
            const auto digest = sha256(data);
            const PKeyContext context(EVP_PKEY_CTX_new(key.get(), nullptr));
            good = size > 0 && context && EVP_PKEY_verify_init(context.get()) == 1 &&
                   EVP_PKEY_verify(context.get(), der.data(), static_cast<size_t>(size), digest.data(),
                                   digest.size()) == 1;
        }
    }
    ERR_clear_error();
    return good;
}

class DnssecKey::Pair {
  public:
    explicit Pair(PKey key) : key_(std::move(key)) {}

    [[nodiscard]] EVP_PKEY* get() const noexcept { return key_.get(); }

  private:
    PKey key_;
};

DnssecKey::DnssecKey(DnssecAlgorithm algorithm, uint16_t flags, std::unique_ptr<Pair> pair,
                     ByteSpan public_key)
    : algorithm_(algorithm), flags_(flags), pair_(std::move(pair)) {
    dnskey_ = {static_cast<uint8_t>(flags >> 8), static_cast<uint8_t>(flags), 3,
               static_cast<uint8_t>(algorithm)};
    dnskey_.insert(dnskey_.end(), public_key.begin(), public_key.end());
    tag_ = key_tag(dnskey_);
    identity_ = stable_hash(as_text(dnskey_));
}

DnssecKey::~DnssecKey() = default;
DnssecKey::DnssecKey(DnssecKey&&) noexcept = default;
DnssecKey& DnssecKey::operator=(DnssecKey&&) noexcept = default;

Result<DnssecKey> DnssecKey::generate(DnssecAlgorithm algorithm, uint16_t flags) {
    const PKey made(algorithm == DnssecAlgorithm::ed25519 ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                                                          : EVP_EC_gen("prime256v1"));
    std::array<uint8_t, secret_size> secret{};
    bool good = made != nullptr;
    if (good && algorithm == DnssecAlgorithm::ed25519) {
        size_t size = secret.size();
        good = EVP_PKEY_get_raw_private_key(made.get(), secret.data(), &size) == 1 && size == secret.size();
    } else if (good) {
        BIGNUM* number = nullptr;
        good = EVP_PKEY_get_bn_param(made.get(), OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1;
        const Number owned(number);
        good = good && BN_bn2binpad(number, secret.data(), static_cast<int>(secret.size())) ==
                           static_cast<int>(secret.size());
    }
    ERR_clear_error();
    if (!good) return fail("cannot make a " + std::string(mnemonic(algorithm)) + " key: OpenSSL failed");
    auto key = from_private(algorithm, flags, secret);
    OPENSSL_cleanse(secret.data(), secret.size());
    return key;
}

Result<DnssecKey> DnssecKey::from_private(DnssecAlgorithm algorithm, uint16_t flags, ByteSpan secret) {
    if (secret.size() != secret_size) return fail("the private key does not have 32 octets");
    if (algorithm == DnssecAlgorithm::ed25519) {
        PKey key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, secret.data(), secret.size()));
        std::array<uint8_t, 32> public_key{};
        size_t size = public_key.size();
        const bool good =
            key && EVP_PKEY_get_raw_public_key(key.get(), public_key.data(), &size) == 1 && size == 32;
        ERR_clear_error();
        if (!good) return fail("the private key is no Ed25519 key");
        return DnssecKey(algorithm, flags, std::make_unique<Pair>(std::move(key)), public_key);
    }
    const Group group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
    const Number number(BN_secure_new());
    std::array<uint8_t, 1 + 2 * coordinate_size> encoded{};
    bool good = group && number &&
                BN_bin2bn(secret.data(), static_cast<int>(secret.size()), number.get()) != nullptr &&
                !BN_is_zero(number.get()) && BN_cmp(number.get(), EC_GROUP_get0_order(group.get())) < 0;
    PKey key;
    if (good) {
        BN_set_flags(number.get(), BN_FLG_CONSTTIME);
        const Point point(EC_POINT_new(group.get()));
        good = point &&
               EC_POINT_mul(group.get(), point.get(), number.get(), nullptr, nullptr, nullptr) == 1 &&
               EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED, encoded.data(),
                                  encoded.size(), nullptr) == encoded.size();
        if (good) key = make_p256(encoded, number.get());
        good = good && key;
    }
    ERR_clear_error();
    if (!good) return fail("the private key is no P-256 key");
    return DnssecKey(algorithm, flags, std::make_unique<Pair>(std::move(key)), ByteSpan(encoded).subspan(1));
}

std::string DnssecKey::dnskey_text() const {
    return std::to_string(flags_) + " 3 " + std::to_string(static_cast<unsigned>(algorithm_)) + " " +
           to_base64(ByteSpan(dnskey_).subspan(dnskey_header));
}

std::optional<DnssecSignature> DnssecKey::sign(ByteSpan data) const noexcept {
    DnssecSignature signature{};
    bool good = false;
    if (algorithm_ == DnssecAlgorithm::ed25519) {
        const DigestContext context(EVP_MD_CTX_new());
        size_t size = signature.size();
        good = context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, pair_->get()) == 1 &&
               EVP_DigestSign(context.get(), signature.data(), &size, data.data(), data.size()) == 1 &&
               size == signature.size();
    } else {
        const auto digest = sha256(data);
        std::array<uint8_t, max_der> der{};
        size_t size = der.size();
        const PKeyContext context(EVP_PKEY_CTX_new(pair_->get(), nullptr));
        good = context && EVP_PKEY_sign_init(context.get()) == 1 &&
               EVP_PKEY_sign(context.get(), der.data(), &size, digest.data(), digest.size()) == 1;
        const uint8_t* at = der.data();
        const EcdsaSignature pair(good ? d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)) : nullptr);
        // RFC 6605 section 4: r and s, each of 32 octets.
        good = pair &&
               BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), signature.data(), coordinate_size) ==
                   coordinate_size &&
               BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), signature.data() + coordinate_size,
                            coordinate_size) == coordinate_size;
    }
    if (good) return signature;
    ERR_clear_error();
    return std::nullopt;
}

std::vector<uint8_t> DnssecKey::secret() const {
    std::vector<uint8_t> secret(secret_size);
    if (algorithm_ == DnssecAlgorithm::ed25519) {
        size_t size = secret.size();
        EVP_PKEY_get_raw_private_key(pair_->get(), secret.data(), &size);
        return secret;
    }
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(pair_->get(), OSSL_PKEY_PARAM_PRIV_KEY, &number);
    const Number owned(number);
    if (number != nullptr) BN_bn2binpad(number, secret.data(), static_cast<int>(secret.size()));
    return secret;
}

std::string DnssecKey::private_text() const {
    std::vector<uint8_t> octets = secret();
    std::string text =
        "Private-key-format: v1.2\nAlgorithm: " + std::to_string(static_cast<unsigned>(algorithm_)) + " (" +
        std::string(mnemonic(algorithm_)) + ")\nPrivateKey: " + to_base64(octets) + "\n";
    OPENSSL_cleanse(octets.data(), octets.size());
    return text;
}

}  // namespace fairway::dns
