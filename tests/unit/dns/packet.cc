// SPDX-License-Identifier: Apache-2.0
#include "unit/dns/packet.h"

#include <ldns/ldns.h>

#include <algorithm>
#include <memory>

#include "base/ip.h"
#include "dns/name.h"

namespace fairway::dns::test {
namespace {

struct FreePacket {
    void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};

void put16(Bytes& out, uint16_t value) {
    out.push_back(static_cast<uint8_t>(value >> 8));
    out.push_back(static_cast<uint8_t>(value));
}

std::string lines_of(std::string_view section, const ldns_rr_list* list, bool questions) {
    std::string text;
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); ++i) {
        const ldns_rr* record = ldns_rr_list_rr(list, i);
        char* raw = ldns_rr2str_fmt(ldns_output_format_nocomments, record);
        std::string line = raw;
        LDNS_FREE(raw);
        while (!line.empty() && (line.back() == '\n' || line.back() == '\t' || line.back() == ' '))
            line.pop_back();
        std::replace(line.begin(), line.end(), '\t', ' ');
        if (questions)
            line.erase(
                std::unique(line.begin(), line.end(), [](char a, char b) { return a == ' ' && b == ' '; }),
                line.end());
        text += "\n" + std::string(section) + " " + line;
    }
    return text;
}

std::string option_name(uint16_t code) {
    switch (code) {
        case 3:
            return "nsid";
        case 8:
            return "subnet";
        case 10:
            return "cookie";
        case 11:
            return "keepalive";
        case 12:
            return "padding";
        case 15:
            return "error";
        default:
            return "option" + std::to_string(code);
    }
}

// The bytes of the OPT's options, found without ldns, which hides some of them: the last record is ours to be
// the OPT.
std::string edns_line(const ldns_pkt* packet) {
    std::string text = "\nedns " + std::to_string(ldns_pkt_edns_udp_size(packet));
    if (ldns_pkt_edns_version(packet) != 0)
        text += " version=" + std::to_string(ldns_pkt_edns_version(packet));
    if (ldns_pkt_edns_do(packet)) text += " do";
    if ((ldns_pkt_edns_z(packet) & 0x7fff) != 0) text += " z=" + std::to_string(ldns_pkt_edns_z(packet));
    const ldns_rdf* data = ldns_pkt_edns_data(packet);
    if (data == nullptr) return text;
    Reader reader(ByteSpan(ldns_rdf_data(data), ldns_rdf_size(data)));
    while (!reader.at_end()) {
        const uint16_t code = reader.u16();
        const ByteSpan body = reader.take(reader.u16());
        if (!reader.ok()) return text + " malformed";
        text += " " + option_name(code) + "=";
        if (code == 3)
            text += as_text(body);
        else if (code == 15)
            text += std::to_string(body[0] * 256 + body[1]) + ":" + std::string(as_text(body.subspan(2)));
        else
            text += to_hex(body);
    }
    return text;
}

}  // namespace

Bytes to_bytes(const Ask& ask) {
    Bytes out;
    put16(out, ask.id);
    put16(out, ask.flags);
    put16(out, 1);
    put16(out, 0);
    put16(out, 0);
    put16(out, ask.edns ? 1 : 0);
    const Name name = Name::parse(ask.name).value();
    out.insert(out.end(), name.wire().begin(), name.wire().end());
    put16(out, static_cast<uint16_t>(ask.type));
    put16(out, ask.klass);
    if (!ask.edns) return out;
    Bytes options;
    for (const Option& option : ask.options) {
        put16(options, option.code);
        put16(options, static_cast<uint16_t>(option.body.size()));
        options.insert(options.end(), option.body.begin(), option.body.end());
    }
    out.push_back(0);
    put16(out, 41);
    put16(out, ask.udp_size);
    put16(out, static_cast<uint16_t>(ask.edns_ttl >> 16));
    put16(out, static_cast<uint16_t>(ask.edns_ttl));
    put16(out, static_cast<uint16_t>(options.size()));
    out.insert(out.end(), options.begin(), options.end());
    return out;
}

Bytes from_hex(std::string_view text) {
    Bytes out;
    const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
    std::string digits;
    for (const char c : text)
        if (c != ' ') digits += c;
    for (size_t i = 0; i + 1 < digits.size(); i += 2)
        out.push_back(static_cast<uint8_t>(digit(digits[i]) * 16 + digit(digits[i + 1])));
    return out;
}

std::string to_hex(ByteSpan bytes) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const uint8_t byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

Option subnet(uint16_t family, uint8_t source, uint8_t scope, Bytes address) {
    Option option{8, {}};
    put16(option.body, family);
    option.body.push_back(source);
    option.body.push_back(scope);
    option.body.insert(option.body.end(), address.begin(), address.end());
    return option;
}

Option subnet(std::string_view address, uint8_t source) {
    const IpAddress parsed = IpAddress::parse(address).value();
    const ByteSpan bytes = parsed.bytes().first((source + 7U) / 8U);
    return subnet(parsed.is_v4() ? 1 : 2, source, 0, {bytes.begin(), bytes.end()});
}

std::string render(ByteSpan message) {
    ldns_pkt* raw = nullptr;
    const ldns_status status = ldns_wire2pkt(&raw, message.data(), message.size());
    if (status != LDNS_STATUS_OK) return std::string("malformed: ") + ldns_get_errorstr_by_id(status);
    const std::unique_ptr<ldns_pkt, FreePacket> packet(raw);
    const unsigned rcode = ldns_pkt_get_rcode(raw) | static_cast<unsigned>(ldns_pkt_edns_extended_rcode(raw))
                                                         << 4;
    std::string text = std::to_string(ldns_pkt_id(raw)) + " " + to_string(static_cast<Rcode>(rcode));
    if (ldns_pkt_get_opcode(raw) != 0) text += " opcode=" + std::to_string(ldns_pkt_get_opcode(raw));
    if (ldns_pkt_qr(raw)) text += " qr";
    if (ldns_pkt_aa(raw)) text += " aa";
    if (ldns_pkt_tc(raw)) text += " tc";
    if (ldns_pkt_rd(raw)) text += " rd";
    if (ldns_pkt_ra(raw)) text += " ra";
    if (ldns_pkt_ad(raw)) text += " ad";
    if (ldns_pkt_cd(raw)) text += " cd";
    if ((message[3] & 0x40) != 0) text += " z";
    text += lines_of("question", ldns_pkt_question(raw), true);
    text += lines_of("answer", ldns_pkt_answer(raw), false);
    text += lines_of("authority", ldns_pkt_authority(raw), false);
    text += lines_of("additional", ldns_pkt_additional(raw), false);
    if (ldns_pkt_edns(raw)) text += edns_line(raw);
    return text;
}

}  // namespace fairway::dns::test
