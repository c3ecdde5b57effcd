// SPDX-License-Identifier: Apache-2.0
#pragma once
// The two files of a key as BIND and ldns write them, as text: `K<zone>+<algorithm>+<tag>.private` with the
// secret and the times, `.key` with the DNSKEY record. Reading is strict: what is not understood is an error,
// for a key that is read wrongly makes a zone bogus. No files are touched here (dnssec_key_folder.h).

#include <string>
#include <string_view>

#include "base/result.h"
#include "dns/dnssec_key.h"
#include "dns/dnssec_keyring.h"

namespace fairway::dns {

/// A key with its times.
struct DatedKey {
    DnssecKey key;
    KeyTimes times;
};

/// "Kexample.com.+013+12345", without an ending. Octets that do not belong into a file name are escaped.
[[nodiscard]] std::string key_file_stem(const Name& zone, DnssecAlgorithm algorithm, uint16_t tag);

/// "Private-key-format: v1.3" with times. Secret.
[[nodiscard]] std::string private_key_file(const DnssecKey& key, const KeyTimes& times);
/// Comments for people and the DNSKEY record.
[[nodiscard]] std::string public_key_file(const Name& zone, const DnssecKey& key, const KeyTimes& times,
                                          uint32_t ttl);

/// The inverse of both. An error says which file and line is wrong and why; it never quotes the secret.
/// Versions 1.2 (without times: published and active since ever) and 1.3 are read.
[[nodiscard]] Result<DatedKey> parse_key_files(const Name& zone, std::string_view private_text,
                                               std::string_view public_text);

}  // namespace fairway::dns
