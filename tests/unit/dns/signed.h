// SPDX-License-Identifier: Apache-2.0
#pragma once
// Signed messages for tests: made with one key, and told as one line.

#include <string>
#include <vector>

#include "dns/tsig.h"
#include "unit/dns/packet.h"

namespace fairway::dns::test {

/// transfer.test, hmac-sha256, the octets 0 to 31.
inline TsigKey test_key() {
    TsigKey key;
    key.name = Name::parse("transfer.test").value();
    for (uint8_t i = 0; i < 32; ++i) key.secret.push_back(i);
    return key;
}

/// `message` with a signature of its own; `mac` gets a copy of the MAC.
inline Bytes signed_bytes(Bytes message, const TsigKey& key, uint64_t unix_seconds, Bytes* mac = nullptr) {
    TsigSigner signer(key);
    const size_t size = message.size();
    message.resize(size + signer.room());
    message.resize(signer.sign(message, size, unix_seconds));
    if (mac != nullptr) mac->assign(signer.mac().begin(), signer.mac().end());
    return message;
}

/// Where what follows the key's name begins.
inline size_t find_tsig_start(ByteSpan message) {
    const size_t at = find_tsig(message).value();
    Reader reader(message);
    reader.skip(at);
    skip_name(reader);
    return reader.position();
}

/// "tsig NAME ALGORITHM time= fudge= id= error= other=", then whether its MAC is right; with a line feed in
/// front. "" when there is none.
inline std::string describe_tsig(ByteSpan message, const TsigKey& key, ByteSpan request_mac,
                                 uint64_t unix_seconds) {
    const auto at = find_tsig(message);
    if (!at) return "\nmalformed";
    if (*at == 0) return "";
    const auto record = read_tsig(message, *at);
    if (!record) return "\nmalformed tsig";
    std::string text = "\ntsig " + record->key.to_string() + " " + record->algorithm.to_string() +
                       " time=" + std::to_string(record->time_signed) +
                       " fudge=" + std::to_string(record->fudge) +
                       " id=" + std::to_string(record->original_id) +
                       " error=" + std::to_string(record->error) + " other=" + to_hex(record->other);
    if (record->mac.empty()) return text + " unsigned";
    const TsigError verdict = check_response(message, *record, key, request_mac, unix_seconds);
    return text + (static_cast<uint16_t>(verdict) == record->error ? " genuine" : " forged");
}

}  // namespace fairway::dns::test
