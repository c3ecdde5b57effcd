// SPDX-License-Identifier: Apache-2.0
// IKEv1: requests as the responder reads them, answers as the probe does.

#include <array>
#include <cstdlib>

#include "ipsec/ikev1.h"

using namespace fairway;
using namespace fairway::ipsec;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const ByteSpan input(data, size);
    const uint64_t cookie = Reader(input).u64();
    (void)read_v1_answer(input, cookie, v1_offer(V1Offer::legacy));
    (void)read_v1_answer(input, cookie, v1_offer(V1Offer::unacceptable));
    const auto request = decode_v1_request(input);
    if (!request) return 0;
    std::array<uint8_t, 65'536> buffer;
    for (size_t i = 0; i < request->transforms.size(); ++i) {
        const ByteSpan answer = encode_v1_acceptance(buffer, *request, 1, i);
        if (read_v1_answer(answer, request->cookie_initiator, request->transforms).kind !=
            V1AnswerKind::accepted) {
            std::abort();
        }
    }
    return 0;
}
