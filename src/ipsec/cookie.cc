// SPDX-License-Identifier: Apache-2.0
#include "ipsec/cookie.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "ipsec/secret.h"

namespace fairway::ipsec {

CookieJar::CookieJar(Entropy& entropy) : entropy_(entropy) {
    entropy_.fill(current_.key);
    entropy_.fill(previous_.key);
    previous_.version = 0xff;
}

void CookieJar::rotate(MonotonicTime now) {
    if (now < rotate_at_) return;
    // Unused for longer than two lifetimes: cookies of the current secret are too old as well.
    if (rotate_at_ != MonotonicTime{} && now >= rotate_at_ + lifetime) entropy_.fill(current_.key);
    previous_ = current_;
    entropy_.fill(current_.key);
    ++current_.version;
    rotate_at_ = now + lifetime;
}

CookieJar::Cookie CookieJar::hash(const Secret& secret, const IpAddress& peer, uint64_t spi_initiator,
                                  ByteSpan nonce) {
    std::array<uint8_t, 8 + 16 + 256> input;
    Writer writer(input);
    writer.u64(spi_initiator);
    writer.bytes(peer.bytes());
    writer.bytes(nonce.first(std::min<size_t>(nonce.size(), 256)));
    std::array<uint8_t, 32> mac;
    unsigned size = mac.size();
    HMAC(EVP_sha256(), secret.key.data(), static_cast<int>(secret.key.size()), writer.written().data(),
         writer.written().size(), mac.data(), &size);
    Cookie cookie;
    cookie[0] = secret.version;
    std::copy_n(mac.begin(), cookie_size - 1, cookie.begin() + 1);
    return cookie;
}

CookieJar::Cookie CookieJar::make(MonotonicTime now, const IpAddress& peer, uint64_t spi_initiator,
                                  ByteSpan nonce) {
    rotate(now);
    return hash(current_, peer, spi_initiator, nonce);
}

bool CookieJar::check(MonotonicTime now, const IpAddress& peer, uint64_t spi_initiator, ByteSpan nonce,
                      ByteSpan cookie) {
    rotate(now);
    if (cookie.size() != cookie_size) return false;
    const Secret& secret = cookie[0] == current_.version ? current_ : previous_;
    if (cookie[0] != secret.version) return false;
    return constant_time_equal(hash(secret, peer, spi_initiator, nonce), cookie);
}

}  // namespace fairway::ipsec
