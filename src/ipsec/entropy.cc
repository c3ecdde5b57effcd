// SPDX-License-Identifier: Apache-2.0
#include "ipsec/entropy.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <cstdlib>
#include <cstring>

namespace fairway::ipsec {

namespace {
void system_random(std::span<uint8_t> bytes) {
    // Going on with predictable nonces and keys would be worse than stopping.
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) std::abort();
}
}  // namespace

uint64_t Entropy::spi() {
    uint64_t value = 0;
    while (value == 0) fill({reinterpret_cast<uint8_t*>(&value), sizeof value});
    return value;
}

SystemEntropy::~SystemEntropy() {
    OPENSSL_cleanse(block_.data(), block_.size());
}

void SystemEntropy::fill(std::span<uint8_t> bytes) {
    if (bytes.empty()) return;
    if (bytes.size() > block_.size()) {
        system_random(bytes);
        return;
    }
    if (bytes.size() > block_.size() - used_) {
        system_random(block_);
        used_ = 0;
    }
    std::memcpy(bytes.data(), block_.data() + used_, bytes.size());
    OPENSSL_cleanse(block_.data() + used_, bytes.size());
    used_ += bytes.size();
}

}  // namespace fairway::ipsec
