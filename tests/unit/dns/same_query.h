// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whether two readings of one message came out the same, to the octet and to the place in the message.

#include <algorithm>

#include "dns/message.h"

namespace fairway::dns::test {

inline bool same_span(ByteSpan a, ByteSpan b) {
    return a.size() == b.size() && (a.empty() || a.data() == b.data());
}

inline bool same_edns(const Edns& a, const Edns& b) {
    if (a.present != b.present) return false;
    if (!a.present) return !a.has_cookie && !b.has_cookie && !a.has_subnet && !b.has_subnet;
    if (a.version != b.version || a.dnssec_ok != b.dnssec_ok || a.udp_size != b.udp_size ||
        a.wants_nsid != b.wants_nsid || a.wants_keepalive != b.wants_keepalive ||
        a.wants_padding != b.wants_padding || a.has_cookie != b.has_cookie || a.has_subnet != b.has_subnet)
        return false;
    if (a.has_cookie && (a.client_cookie != b.client_cookie || !same_span(a.server_cookie, b.server_cookie)))
        return false;
    return !a.has_subnet || (a.subnet.family == b.subnet.family && a.subnet.source == b.subnet.source &&
                             same_span(a.subnet.address, b.subnet.address));
}

inline bool same_query(const Query& a, const Query& b) {
    if (a.tsig_at != b.tsig_at || a.has_question != b.has_question || a.is_plain != b.is_plain ||
        !same_edns(a.edns, b.edns))
        return false;
    if (a.has_question && (a.name.wire().size() != b.name.wire().size() ||
                           !std::equal(a.name.wire().begin(), a.name.wire().end(), b.name.wire().begin()) ||
                           a.type != b.type || a.klass != b.klass || !same_span(a.question, b.question)))
        return false;
    return a.id == b.id && a.flags == b.flags && a.opcode == b.opcode &&
           a.recursion_desired == b.recursion_desired;
}

}  // namespace fairway::dns::test
