// SPDX-License-Identifier: Apache-2.0
// The two files of a key, with a NUL between them. What is read is written and read again as the same.
#include <cstdlib>
#include <string_view>

#include "dns/dnssec_key_file.h"

using namespace fairway;
using namespace fairway::dns;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const size_t split = text.find('\0');
    const std::string_view closed = text.substr(0, split);
    const std::string_view open =
        split == std::string_view::npos ? std::string_view() : text.substr(split + 1);
    const Name zone = Name::parse("example.com").value();
    const auto key = parse_key_files(zone, closed, open);
    if (!key) {
        if (key.error().message.empty()) std::abort();
        return 0;
    }
    const auto again = parse_key_files(zone, private_key_file(key->key, key->times),
                                       public_key_file(zone, key->key, key->times, 3600));
    if (!again || again->times != key->times || again->key.dnskey_text() != key->key.dnskey_text())
        std::abort();
    return 0;
}
