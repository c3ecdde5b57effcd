// SPDX-License-Identifier: Apache-2.0
// TSIG records of strangers: reading and judging any message is safe, nobody without the secret is believed,
// and what we sign ourselves over the same octets is.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "dns/message.h"
#include "dns/tsig.h"

using namespace fairway;
using namespace fairway::dns;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const TsigKey key = [] {
        TsigKey made;
        made.name = Name::parse("transfer.test").value();
        made.secret.assign(32, 0x5a);
        return made;
    }();
    constexpr uint64_t now = 1'700'000'000;
    const ByteSpan message(data, size);
    const auto at = find_tsig(message);
    Query query;
    if (parse_query(message, query) == QueryFault::none) require(at && *at == query.tsig_at);
    if (!at) return 0;
    if (*at != 0) {
        const auto record = read_tsig(message, *at);
        if (record) {
            const TsigError error = check_request(message, *record, &key, now);
            require(error == TsigError::badkey || error == TsigError::badsig || error == TsigError::formerr);
            require(check_response(message, *record, key, record->mac, now) != TsigError::none);
            // The answer to it can always be signed, or says why not.
            if (error != TsigError::formerr) {
                TsigSigner signer(*record, &key, error);
                std::vector<uint8_t> answer(header_size + signer.room());
                const size_t signed_size = signer.sign(answer, header_size, now);
                require(signed_size > header_size && signed_size <= answer.size());
                require(find_tsig(ByteSpan(answer).first(signed_size)) == header_size);
            }
        }
        return 0;
    }
    if (size > 60'000 || (size >= header_size && data[10] == 0xff && data[11] == 0xff)) return 0;
    TsigSigner signer(key);
    std::vector<uint8_t> ours(data, data + size);
    ours.resize(size + signer.room());
    ours.resize(signer.sign(ours, size, now));
    const auto again = find_tsig(ours);
    require(again && *again == size);
    const auto record = read_tsig(ours, size);
    require(record && check_request(ours, *record, &key, now) == TsigError::none);
    ours[2] = static_cast<uint8_t>(ours[2] ^ 1);
    require(check_request(ours, *record, &key, now) == TsigError::badsig);
    return 0;
}
