// SPDX-License-Identifier: Apache-2.0
#pragma once
// Questions as bytes, and answers as text that a test can compare whole. The reading is ldns's, not ours, so
// that a mistake in our codec cannot hide itself.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "dns/types.h"

namespace fairway::dns::test {

using Bytes = std::vector<uint8_t>;

struct Option {
    uint16_t code = 0;
    Bytes body;
};

struct Ask {
    std::string name{};  // presentation form
    RecordType type = RecordType::a;
    uint16_t klass = 1;
    uint16_t id = 0x1234;
    uint16_t flags = 0;
    bool edns = false;
    uint16_t udp_size = 1232;
    uint32_t edns_ttl = 0;  // extended rcode, version, flags
    std::vector<Option> options{};

    [[nodiscard]] Ask with(Option option) const {
        Ask copy = *this;
        copy.edns = true;
        copy.options.push_back(std::move(option));
        return copy;
    }
    [[nodiscard]] Ask with_edns(uint16_t size, uint32_t ttl = 0) const {
        Ask copy = *this;
        copy.edns = true;
        copy.udp_size = size;
        copy.edns_ttl = ttl;
        return copy;
    }
};

[[nodiscard]] Bytes to_bytes(const Ask& ask);
/// "0102ff" as octets.
[[nodiscard]] Bytes from_hex(std::string_view text);
[[nodiscard]] std::string to_hex(ByteSpan bytes);

/// RFC 7871 option with the address's octets as written.
[[nodiscard]] Option subnet(uint16_t family, uint8_t source, uint8_t scope, Bytes address);
/// "198.51.100.0", 24
[[nodiscard]] Option subnet(std::string_view address, uint8_t source);

/// One line for the header, then one for each question, record and EDNS fact:
///
///     4660 NOERROR qr aa rd
///     question vpn.gslb.test. IN A
///     answer vpn.gslb.test. 30 IN A 203.0.113.10
///     edns 1232 subnet=00011810c63364
///
/// "malformed: ..." when ldns or the sections' counts disagree with the bytes.
[[nodiscard]] std::string render(ByteSpan message);

}  // namespace fairway::dns::test
