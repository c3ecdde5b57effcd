// SPDX-License-Identifier: Apache-2.0
// The options of an OPT record: whatever is taken is within what RFC 6891, 7871 and 7873 allow, and what is
// echoed of it is what came, padded or not.
#include <array>
#include <cstdlib>

#include "dns/edns.h"
#include "dns/message.h"

using namespace fairway;
using namespace fairway::dns;

namespace {

void require(bool good) {
    if (!good) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Reader input(ByteSpan(data, size));
    const uint16_t udp_size = input.u16();
    const uint32_t ttl = input.u32();
    const ByteSpan options = input.rest();
    if (!input.ok() || options.size() > 4000) return 0;

    Edns edns;
    if (parse_edns(udp_size, ttl, options, edns) != EdnsFault::none) return 0;
    require(edns.present && edns.version == 0);
    EdnsResponse response;
    response.udp_size = udp_size;
    response.dnssec_ok = edns.dnssec_ok;
    if (edns.has_subnet) {
        const unsigned bits = edns.subnet.family == 1 ? 32 : edns.subnet.family == 2 ? 128 : 0;
        require(edns.subnet.family <= 2 && edns.subnet.source <= bits);
        require(edns.subnet.address.size() == (edns.subnet.source + 7U) / 8U);
        const auto prefix = edns.subnet.prefix();
        require(prefix.has_value() == (edns.subnet.family != 0));
        if (prefix) require(prefix->length() == edns.subnet.source);
        response.subnet = &edns.subnet;
    }
    if (edns.has_cookie) {
        const size_t server = edns.server_cookie.size();
        require(server == 0 || (server >= 8 && server <= 32));
        response.has_cookie = true;
        response.client_cookie = edns.client_cookie;
    }
    if (edns.wants_padding) response.padding = static_cast<uint16_t>(size % 97);
    if (edns.wants_nsid) response.nsid = "fuzz";

    // What is written is one OPT of the size that was told, which reads as it was meant.
    std::array<uint8_t, 600> out{};
    Writer writer(out);
    response.write(writer, Rcode::noerror);
    require(writer.ok() && writer.position() == response.size());
    Reader written(ByteSpan(out).first(writer.position()));
    require(written.u8() == 0 && written.u16() == static_cast<uint16_t>(RecordType::opt));
    const uint16_t again_size = written.u16();
    const uint32_t again_ttl = written.u32();
    require(written.u16() == written.remaining());
    Edns again;
    require(parse_edns(again_size, again_ttl, written.rest(), again) == EdnsFault::none);
    require(again.udp_size == udp_size && again.dnssec_ok == edns.dnssec_ok);
    require(again.has_subnet == edns.has_subnet && again.has_cookie == edns.has_cookie);
    require(again.wants_padding == edns.wants_padding && again.wants_nsid == edns.wants_nsid);
    if (edns.has_subnet) require(again.subnet.prefix() == edns.subnet.prefix());
    if (edns.has_cookie) require(again.client_cookie == edns.client_cookie);
    return 0;
}
