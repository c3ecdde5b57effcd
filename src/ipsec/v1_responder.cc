// SPDX-License-Identifier: Apache-2.0
#include "ipsec/v1_responder.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

namespace fairway::ipsec {

V1Responder::V1Responder(Entropy& entropy) : entropy_(entropy) {
    entropy_.fill(key_);
}

uint64_t V1Responder::cookie_for(uint64_t cookie_initiator, const SocketAddress& peer) const {
    std::array<uint8_t, 8 + 16 + 2> input;
    Writer writer(input);
    writer.u64(cookie_initiator);
    writer.bytes(peer.address.bytes());
    writer.u16(peer.port);
    std::array<uint8_t, 32> mac;
    unsigned size = mac.size();
    HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), writer.written().data(),
         writer.written().size(), mac.data(), &size);
    return Reader(mac).u64() | 1;  // never zero, which would mean "none"
}

ByteSpan V1Responder::on_message(ByteSpan message, const Path& path) {
    const auto request = decode_v1_request(message);
    if (!request) return {};
    if (mode_ == ResponderMode::garbage) {
        const std::span<uint8_t> noise = std::span(buffer_).first(120);
        entropy_.fill(noise);
        return noise;
    }
    const uint64_t cookie = cookie_for(request->cookie_initiator, path.peer);
    if (mode_ != ResponderMode::no_proposal) {
        const auto accepted = v1_offer(V1Offer::full);
        const auto chosen = std::find_if(
            request->transforms.begin(), request->transforms.end(), [&](const V1Transform& transform) {
                return std::find(accepted.begin(), accepted.end(), transform) != accepted.end();
            });
        if (chosen != request->transforms.end()) {
            return encode_v1_acceptance(buffer_, *request, cookie,
                                        static_cast<size_t>(chosen - request->transforms.begin()));
        }
    }
    return encode_v1_refusal(buffer_, request->cookie_initiator, cookie, static_cast<uint32_t>(cookie >> 32));
}

}  // namespace fairway::ipsec
