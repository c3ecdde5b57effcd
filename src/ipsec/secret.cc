// SPDX-License-Identifier: Apache-2.0
#include "ipsec/secret.h"

#include <openssl/crypto.h>

#include <utility>

namespace fairway::ipsec {

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
        wipe();
        bytes_ = std::move(other.bytes_);
        other.bytes_.clear();
    }
    return *this;
}

void SecretBytes::wipe() noexcept {
    if (!bytes_.empty()) OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

bool constant_time_equal(ByteSpan a, ByteSpan b) noexcept {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace fairway::ipsec
