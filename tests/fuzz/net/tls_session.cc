// SPDX-License-Identifier: Apache-2.0
// A hostile TLS server. The first octet chooses how: raw bytes instead of TLS, or a real server whose output
// is damaged on the way (in TLS 1.2, whose handshake is in the clear, down into its certificates).

#include <cstdlib>

#include "net/tls.h"
#include "support/certificates.h"
#include "support/tls_server.h"

using namespace fairway;
using namespace fairway::net;
using State = TlsSession::State;

namespace {

const WallTime now = std::chrono::sys_days(std::chrono::year(2030) / 6 / 15);

struct World {
    test::Certificate root =
        test::make_authority("Root", now - std::chrono::days(9), now + std::chrono::days(9));
    test::Certificate leaf;
    test::TemporaryFolder folder;
    std::shared_ptr<const TlsContext> context;

    World() {
        test::CertificateSpec spec;
        spec.not_before = now - std::chrono::days(9);
        spec.not_after = now + std::chrono::days(9);
        leaf = test::make_certificate(spec, &root);
        TlsProfile profile;
        profile.ca_file = folder.write("ca.pem", root.pem());
        profile.alpn = {"http/1.1"};
        TlsContexts contexts;
        auto made = contexts.get(profile);
        if (!made) std::abort();
        context = *made;
    }
};

void check(const TlsSession& session) {
    if ((session.state() == State::failed) == session.failure().empty()) std::abort();
    if (session.failure().size() > 1000 || session.facts().certificate_problem.size() > 1000) std::abort();
}

void drain(TlsSession& session) {
    std::array<uint8_t, 512> buffer{};
    while (session.read(buffer) > 0) {
    }
    check(session);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const World world;
    if (size == 0) return 0;
    Reader input({data, size});
    const uint8_t mode = input.u8();
    TlsSession session(world.context, "gw.example", now);
    session.start();
    const size_t step = size_t{1} + (mode >> 2) * size_t{16};
    if ((mode & 1) == 0) {
        while (!input.at_end()) {
            session.feed(input.take(std::min(step, input.remaining())));
            drain(session);
        }
    } else {
        test::ServerSpec spec;
        spec.certificate = &world.leaf;
        spec.max_version = (mode & 2) == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
        spec.alpn = "http/1.1";
        test::MemoryTlsServer server(spec);
        for (int flight = 0; flight < 6; ++flight) {
            server.feed(session.take_output());
            if (server.established()) server.write("hello");
            std::vector<uint8_t> bytes = server.take_output();
            // Each two octets of input: how far on, and what to change there.
            for (size_t at = 0; !input.at_end() && at < bytes.size();) {
                at += size_t{4} * input.u8();
                const uint8_t change = input.u8();
                if (change == 0) break;  // the rest of this flight is left alone
                if (at < bytes.size()) bytes[at++] ^= change;
            }
            for (size_t at = 0; at < bytes.size(); at += step)
                session.feed(ByteSpan(bytes).subspan(at, std::min(step, bytes.size() - at)));
            drain(session);
        }
    }
    session.close();
    session.feed_end();
    drain(session);
    if (session.state() == State::handshaking || session.state() == State::established) std::abort();
    (void)session.take_output();
    return 0;
}
