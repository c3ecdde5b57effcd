// SPDX-License-Identifier: Apache-2.0
#include "ipsec/dh.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

#include <algorithm>
#include <cassert>

namespace fairway::ipsec {

namespace {

template <auto Function>
struct Free {
    template <class T>
    void operator()(T* object) const noexcept {
        Function(object);
    }
};
using Number = std::unique_ptr<BIGNUM, Free<BN_clear_free>>;
using NumberContext = std::unique_ptr<BN_CTX, Free<BN_CTX_free>>;
using Montgomery = std::unique_ptr<BN_MONT_CTX, Free<BN_MONT_CTX_free>>;
using Curve = std::unique_ptr<EC_GROUP, Free<EC_GROUP_free>>;
using Point = std::unique_ptr<EC_POINT, Free<EC_POINT_clear_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;

enum class Kind : uint8_t { modp, curve, x25519 };

struct GroupInfo {
    DhGroup group;
    Kind kind;
    uint16_t public_size;
    uint16_t private_size;  // octets drawn for the private key
    int curve;              // OpenSSL's name of the curve
};
// Private exponents of MODP groups have twice the group's strength in bits, the upper estimate of RFC 3526 8.
constexpr GroupInfo groups[] = {
    {DhGroup::modp_1024, Kind::modp, 128, 28, 0},
    {DhGroup::modp_2048, Kind::modp, 256, 40, 0},
    {DhGroup::modp_3072, Kind::modp, 384, 53, 0},
    {DhGroup::modp_4096, Kind::modp, 512, 60, 0},
    {DhGroup::p256, Kind::curve, 64, 32, NID_X9_62_prime256v1},
    {DhGroup::p384, Kind::curve, 96, 48, NID_secp384r1},
    {DhGroup::p521, Kind::curve, 132, 66, NID_secp521r1},
    {DhGroup::x25519, Kind::x25519, 32, 32, 0},
};

const GroupInfo* find(DhGroup group) noexcept {
    const auto* found = std::find_if(std::begin(groups), std::end(groups),
                                     [&](const GroupInfo& g) { return g.group == group; });
    return found == std::end(groups) ? nullptr : found;
}

const EC_GROUP* curve_of(const GroupInfo& info) {
    // Built once, read by any thread afterwards.
    static const Curve p256(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
    static const Curve p384(EC_GROUP_new_by_curve_name(NID_secp384r1));
    static const Curve p521(EC_GROUP_new_by_curve_name(NID_secp521r1));
    switch (info.group) {
        case DhGroup::p256:
            return p256.get();
        case DhGroup::p384:
            return p384.get();
        default:
            return p521.get();
    }
}

/// The modulus with its precomputed Montgomery form.
struct Modulus {
    Number p;
    Number p_minus_1;
    Montgomery mont;

    explicit Modulus(BIGNUM* prime) : p(prime), p_minus_1(BN_dup(prime)), mont(BN_MONT_CTX_new()) {
        const NumberContext context(BN_CTX_new());
        BN_sub_word(p_minus_1.get(), 1);
        [[maybe_unused]] const int done = BN_MONT_CTX_set(mont.get(), p.get(), context.get());
        assert(done == 1);
    }
};

const Modulus& modulus_of(const GroupInfo& info) {
    static const Modulus modp_1024(BN_get_rfc2409_prime_1024(nullptr));
    static const Modulus modp_2048(BN_get_rfc3526_prime_2048(nullptr));
    static const Modulus modp_3072(BN_get_rfc3526_prime_3072(nullptr));
    static const Modulus modp_4096(BN_get_rfc3526_prime_4096(nullptr));
    switch (info.group) {
        case DhGroup::modp_1024:
            return modp_1024;
        case DhGroup::modp_2048:
            return modp_2048;
        case DhGroup::modp_3072:
            return modp_3072;
        default:
            return modp_4096;
    }
}

Number to_number(ByteSpan bytes) {
    return Number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
}

bool modp_power(const Modulus& modulus, const BIGNUM* base, ByteSpan exponent, std::span<uint8_t> out) {
    const NumberContext context(BN_CTX_new());
    const Number power = to_number(exponent);
    const Number result(BN_new());
    BN_set_flags(power.get(), BN_FLG_CONSTTIME);
    return BN_mod_exp_mont_consttime(result.get(), base, power.get(), modulus.p.get(), context.get(),
                                     modulus.mont.get()) == 1 &&
           BN_bn2binpad(result.get(), out.data(), static_cast<int>(out.size())) >= 0;
}

/// On the wire a point is x and y without the leading 0x04.
Point to_point(const EC_GROUP* curve, ByteSpan value) {
    std::vector<uint8_t> encoded{4};
    encoded.insert(encoded.end(), value.begin(), value.end());
    Point point(EC_POINT_new(curve));
    if (EC_POINT_oct2point(curve, point.get(), encoded.data(), encoded.size(), nullptr) != 1) {
        ERR_clear_error();  // the caller's verdict is enough; a stale entry would confuse the next TLS call
        return nullptr;
    }
    return point;
}

/// private * point, or private * generator when there is no point; x and y, empty on failure.
SecretBytes curve_multiply(const GroupInfo& info, ByteSpan private_key, const EC_POINT* point) {
    const EC_GROUP* curve = curve_of(info);
    const NumberContext context(BN_CTX_secure_new());
    const Number scalar = to_number(private_key);
    BN_set_flags(scalar.get(), BN_FLG_CONSTTIME);
    const Point result(EC_POINT_new(curve));
    const int done = point == nullptr
                         ? EC_POINT_mul(curve, result.get(), scalar.get(), nullptr, nullptr, context.get())
                         : EC_POINT_mul(curve, result.get(), nullptr, point, scalar.get(), context.get());
    SecretBytes encoded(info.public_size + 1U);
    if (done != 1 ||
        EC_POINT_point2oct(curve, result.get(), POINT_CONVERSION_UNCOMPRESSED, encoded.writable().data(),
                           encoded.size(), context.get()) != encoded.size()) {
        ERR_clear_error();
        return {};
    }
    return SecretBytes(encoded.view().subspan(1));
}

Result<SecretBytes> x25519_derive(ByteSpan private_key, ByteSpan peer_value) {
    const Key mine(
        EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, private_key.data(), private_key.size()));
    const Key theirs(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, peer_value.data(), peer_value.size()));
    const KeyContext context(EVP_PKEY_CTX_new(mine.get(), nullptr));
    SecretBytes secret(32);
    size_t size = secret.size();
    if (EVP_PKEY_derive_init(context.get()) != 1 ||
        EVP_PKEY_derive_set_peer(context.get(), theirs.get()) != 1 ||
        EVP_PKEY_derive(context.get(), secret.writable().data(), &size) != 1) {
        ERR_clear_error();
        return fail("public value of low order");  // the outcome is zero: RFC 8031 2.3
    }
    return secret;
}

bool is_valid_private(const GroupInfo& info, ByteSpan key) {
    if (info.kind == Kind::x25519) return key.size() == 32;
    if (key.empty() || std::all_of(key.begin(), key.end(), [](uint8_t b) { return b == 0; })) return false;
    if (info.kind == Kind::modp) return key.size() <= info.public_size;
    const Number scalar = to_number(key);
    return BN_cmp(scalar.get(), EC_GROUP_get0_order(curve_of(info))) < 0;
}

}  // namespace

bool is_supported(DhGroup group) noexcept {
    return find(group) != nullptr;
}

size_t public_value_size(DhGroup group) noexcept {
    const GroupInfo* info = find(group);
    return info == nullptr ? 0 : info->public_size;
}

Result<void> check_public_value(DhGroup group, ByteSpan value) {
    const GroupInfo* info = find(group);
    if (info == nullptr) return fail(to_string(group) + " is not supported");
    if (value.size() != info->public_size) return fail("public value of a wrong length");
    if (info->kind == Kind::modp) {
        const Number number = to_number(value);
        if (BN_is_zero(number.get()) || BN_is_one(number.get()) ||
            BN_cmp(number.get(), modulus_of(*info).p_minus_1.get()) >= 0) {
            return fail("public value out of range");
        }
    } else if (info->kind == Kind::curve && to_point(curve_of(*info), value) == nullptr) {
        return fail("public value is not a point of the curve");
    }
    return {};
}

Result<KeyExchange> KeyExchange::generate(DhGroup group, Entropy& entropy) {
    const GroupInfo* info = find(group);
    if (info == nullptr) return fail(to_string(group) + " is not supported");
    SecretBytes key(info->private_size);
    do {
        entropy.fill(key.writable());
        if (group == DhGroup::p521) key.writable()[0] &= 1;  // 521 bits, so that most draws are in range
    } while (!is_valid_private(*info, key.view()));
    KeyExchange exchange(group, std::move(key));
    if (!exchange.compute_public()) return fail("cannot compute a public value of " + to_string(group));
    return exchange;
}

Result<KeyExchange> KeyExchange::from_private(DhGroup group, ByteSpan private_key) {
    const GroupInfo* info = find(group);
    if (info == nullptr) return fail(to_string(group) + " is not supported");
    if (!is_valid_private(*info, private_key)) return fail("private key out of range");
    KeyExchange exchange(group, SecretBytes(private_key));
    if (!exchange.compute_public()) return fail("cannot compute a public value of " + to_string(group));
    return exchange;
}

bool KeyExchange::compute_public() {
    const GroupInfo& info = *find(group_);
    public_.resize(info.public_size);
    switch (info.kind) {
        case Kind::modp: {
            const Number generator(BN_new());
            BN_set_word(generator.get(), 2);
            return modp_power(modulus_of(info), generator.get(), private_.view(), public_);
        }
        case Kind::curve: {
            const SecretBytes point = curve_multiply(info, private_.view(), nullptr);
            if (point.size() != public_.size()) return false;
            std::copy(point.view().begin(), point.view().end(), public_.begin());
            return true;
        }
        case Kind::x25519: {
            const Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, private_.view().data(),
                                                       private_.size()));
            size_t size = public_.size();
            return key != nullptr && EVP_PKEY_get_raw_public_key(key.get(), public_.data(), &size) == 1;
        }
    }
    return false;
}

Result<SecretBytes> KeyExchange::shared_secret(ByteSpan peer_value) const {
    if (auto valid = check_public_value(group_, peer_value); !valid) {
        return tl::unexpected<Error>(valid.error());
    }
    const GroupInfo& info = *find(group_);
    switch (info.kind) {
        case Kind::modp: {
            SecretBytes secret(info.public_size);
            if (!modp_power(modulus_of(info), to_number(peer_value).get(), private_.view(),
                            secret.writable())) {
                break;
            }
            return secret;
        }
        case Kind::curve: {
            const Point point = to_point(curve_of(info), peer_value);
            const SecretBytes product = curve_multiply(info, private_.view(), point.get());
            if (product.empty()) break;
            return SecretBytes(product.view().first(product.size() / 2));
        }
        case Kind::x25519:
            return x25519_derive(private_.view(), peer_value);
    }
    return fail("cannot compute a shared secret of " + to_string(group_));
}

}  // namespace fairway::ipsec
