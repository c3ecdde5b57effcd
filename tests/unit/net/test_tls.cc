// SPDX-License-Identifier: Apache-2.0
#include "net/tls.h"

#include <catch2/catch.hpp>

#include "net/certificate.h"
#include "support/certificates.h"
#include "support/tls_server.h"

using namespace fairway;
using namespace fairway::net;
using test::Certificate;
using test::CertificateSpec;
using test::MemoryTlsServer;
using test::ServerSpec;
using State = TlsSession::State;

namespace {

using days = std::chrono::days;

const WallTime now = std::chrono::sys_days(std::chrono::year(2030) / 6 / 15);

CertificateSpec valid(std::string alternative_names = "DNS:gw.example") {
    CertificateSpec spec;
    spec.alternative_names = std::move(alternative_names);
    spec.not_before = now - days(3);
    spec.not_after = now + days(87) + std::chrono::hours(5);
    return spec;
}

// One authority, an intermediate one, and the files that clients read.
struct Pki {
    Certificate root = test::make_authority("Fairway Root", now - days(100), now + days(1000));
    Certificate issuer = test::make_authority("Fairway Issuer", now - days(90), now + days(900), &root);
    test::TemporaryFolder folder;
    std::string ca_file = folder.write("ca.pem", root.pem());

    [[nodiscard]] Certificate leaf(const CertificateSpec& spec) const {
        return test::make_certificate(spec, &issuer);
    }
};

const Pki& pki() {
    static const Pki made;
    return made;
}

TlsProfile profile() {
    TlsProfile made;
    made.ca_file = pki().ca_file;
    return made;
}

std::shared_ptr<const TlsContext> context(const TlsProfile& wanted) {
    TlsContexts contexts;
    auto made = contexts.get(wanted);
    INFO((made ? std::string() : made.error().message));
    REQUIRE(made);
    return *made;
}

// Carries bytes both ways until neither side has more to say, `step` octets at a time.
void pump(TlsSession& client, MemoryTlsServer& server, size_t step = SIZE_MAX) {
    for (bool moved = true; moved;) {
        moved = false;
        if (const std::vector<uint8_t> bytes = client.take_output(); !bytes.empty()) {
            server.feed(bytes);
            moved = true;
        }
        const std::vector<uint8_t> bytes = server.take_output();
        for (ByteSpan rest = bytes; !rest.empty(); moved = true) {
            const size_t count = std::min(step, rest.size());
            client.feed(rest.first(count));
            rest = rest.subspan(count);
        }
    }
}

struct Outcome {
    State state;
    std::string failure;
    TlsFacts facts;
};

Outcome shake(const ServerSpec& server_spec, const TlsProfile& client, std::string_view peer = "gw.example",
              WallTime at = now) {
    MemoryTlsServer server(server_spec);
    TlsSession session(context(client), peer, at);
    session.start();
    pump(session, server);
    return {session.state(), session.failure(), session.facts()};
}

// What a client says to a server with this certificate, sent with its issuer.
Outcome meet(const CertificateSpec& spec, std::string_view peer = "gw.example",
             const TlsProfile& client = profile()) {
    const Certificate leaf = pki().leaf(spec);
    ServerSpec server;
    server.certificate = &leaf;
    server.intermediates = {&pki().issuer};
    return shake(server, client, peer);
}

TlsProfile reporting() {
    TlsProfile made = profile();
    made.verify = TlsVerify::report;
    return made;
}

}  // namespace

TEST_CASE("a good certificate makes an established session with its facts") {
    const Outcome outcome = meet(valid());
    CHECK(outcome.failure.empty());
    CHECK(outcome.state == State::established);
    CHECK(outcome.facts.version == "TLSv1.3");
    CHECK(outcome.facts.cipher == "TLS_AES_256_GCM_SHA384");
    CHECK(outcome.facts.alpn.empty());
    CHECK(outcome.facts.certificate_problem.empty());
    CHECK(outcome.facts.days_left(now) == 87);
    CHECK(outcome.facts.days_left(now + days(88)) == -1);
    CHECK_FALSE(outcome.facts.client_certificate_requested);
}

TEST_CASE("plaintext goes both ways, cut anywhere") {
    const Certificate leaf = pki().leaf(valid());
    ServerSpec spec;
    spec.certificate = &leaf;
    spec.intermediates = {&pki().issuer};
    for (const size_t step : {size_t{1}, size_t{7}, size_t{1000}, SIZE_MAX}) {
        MemoryTlsServer server(spec);
        TlsSession session(context(profile()), "gw.example", now);
        session.start();
        pump(session, server, step);
        REQUIRE(session.state() == State::established);
        CHECK(server.server_name() == "gw.example");

        session.write(as_bytes("ping"));
        pump(session, server, step);
        CHECK(server.received == "ping");

        const std::string answer(40'000, 'x');
        server.write(answer);
        server.close();
        const std::vector<uint8_t> bytes = server.take_output();
        std::string got;
        std::array<uint8_t, 5000> buffer{};
        for (ByteSpan rest = bytes; !rest.empty();) {
            const size_t count = std::min(step, rest.size());
            session.feed(rest.first(count));
            rest = rest.subspan(count);
            while (const size_t n = session.read(buffer)) got += as_text({buffer.data(), n});
        }
        CHECK(got == answer);
        CHECK(session.state() == State::closed);
        CHECK_FALSE(session.truncated());
    }
}

TEST_CASE("a name is verified against the alternative names alone") {
    CHECK(meet(valid("DNS:a.example"), "b.example").failure == "certificate is for a.example, not b.example");
    CHECK(meet(valid("DNS:a.example,DNS:b.example,DNS:c.example,DNS:d.example,DNS:e.example"), "x.example")
              .failure == "certificate is for a.example, b.example, c.example and 2 more, not x.example");
    CHECK(meet(valid("")).failure ==
          "certificate names no host (no subject alternative name), wanted gw.example");
    CHECK(meet(valid(), "GW.example.").state == State::established);
    CHECK(meet(valid(), "").state == State::established);
}

TEST_CASE("a wildcard stands for one whole label") {
    CHECK(meet(valid("DNS:*.example.com"), "gw.example.com").state == State::established);
    CHECK(meet(valid("DNS:*.example.com"), "a.gw.example.com").failure ==
          "certificate is for *.example.com, not a.gw.example.com");
    CHECK(meet(valid("DNS:g*.example.com"), "gw.example.com").failure ==
          "certificate is for g*.example.com, not gw.example.com");
}

TEST_CASE("an address is verified against the addresses of the certificate and gets no SNI") {
    CHECK(meet(valid("IP:192.0.2.1"), "192.0.2.1").state == State::established);
    CHECK(meet(valid("IP:2001:db8::1"), "2001:db8::1").state == State::established);
    CHECK(meet(valid("IP:192.0.2.1"), "192.0.2.2").failure == "certificate is for 192.0.2.1, not 192.0.2.2");
    CHECK(meet(valid("DNS:gw.example,IP:2001:db8::1"), "192.0.2.2").failure ==
          "certificate is for gw.example, 2001:db8::1, not 192.0.2.2");

    const Certificate leaf = pki().leaf(valid("IP:192.0.2.1"));
    ServerSpec spec;
    spec.certificate = &leaf;
    spec.intermediates = {&pki().issuer};
    MemoryTlsServer server(spec);
    TlsSession session(context(profile()), "192.0.2.1", now);
    session.start();
    pump(session, server);
    CHECK(server.server_name().empty());
}

TEST_CASE("validity is judged at the time that was handed in") {
    CertificateSpec spec = valid();
    spec.not_after = now - days(3) - std::chrono::hours(1);
    spec.not_before = now - days(30);
    const Outcome expired = meet(spec);
    CHECK(expired.failure == "certificate expired 3 days ago");
    CHECK(expired.facts.days_left(now) == -4);
    spec.not_after = now - std::chrono::minutes(61);
    CHECK(meet(spec).failure == "certificate expired 1 hour ago");

    spec = valid();
    spec.not_before = now + days(20);
    CHECK(meet(spec).failure == "certificate is not valid until 2030-07-05 00:00:00 UTC");
}

TEST_CASE("an expired or missing intermediate certificate is told apart from the leaf's own troubles") {
    const Certificate old = test::make_authority("Old Issuer", now - days(90), now - days(2), &pki().root);
    const Certificate leaf = test::make_certificate(valid(), &old);
    ServerSpec server;
    server.certificate = &leaf;
    server.intermediates = {&old};
    CHECK(shake(server, profile()).failure == "issuing certificate \"Old Issuer\" expired 2 days ago");
    server.intermediates.clear();
    CHECK(shake(server, profile()).failure ==
          "certificate signed by an unknown authority \"Old Issuer\", and the peer sent no intermediate one");
}

TEST_CASE("self-signed certificates and unknown authorities are named") {
    const Certificate alone = test::make_certificate(valid(), nullptr);
    ServerSpec server;
    server.certificate = &alone;
    CHECK(shake(server, profile()).failure == "self-signed certificate");

    const Certificate stranger = test::make_authority("Stranger\n\x1b[31m", now - days(9), now + days(9));
    const Certificate leaf = test::make_certificate(valid(), &stranger);
    server.certificate = &leaf;
    server.intermediates = {&stranger};
    CHECK(shake(server, profile()).failure ==
          "certificate signed by an unknown authority \"Stranger\\n\\x1b[31m\"");
}

TEST_CASE("a self-signed certificate or an intermediate one can be trusted by naming it") {
    const Certificate alone = test::make_certificate(valid(), nullptr);
    ServerSpec server;
    server.certificate = &alone;
    TlsProfile client = profile();
    client.ca_file = pki().folder.write("alone.pem", alone.pem());
    CHECK(shake(server, client).state == State::established);

    const Certificate leaf = pki().leaf(valid());
    server.certificate = &leaf;
    client.ca_file = pki().folder.write("issuer.pem", pki().issuer.pem());
    CHECK(shake(server, client).state == State::established);
}

TEST_CASE("weak keys, weak signatures and wrong purposes are refused") {
    CertificateSpec spec = valid();
    spec.key = test::KeyKind::rsa1024;
    CHECK(meet(spec).failure == "certificate has a key that is too weak");
    spec = valid();
    spec.digest = EVP_sha1();
    CHECK(meet(spec).failure == "certificate has a signature that is too weak (MD5 or SHA-1)");
    spec = valid();
    spec.extended_key_usage = "clientAuth";
    CHECK(meet(spec).failure == "certificate is not meant for servers");

    // A leaf that plays authority.
    spec = valid("DNS:other.example");
    spec.name = "other.example";
    const Certificate leaf = pki().leaf(spec);
    const Certificate forged = test::make_certificate(valid(), &leaf);
    ServerSpec server;
    server.certificate = &forged;
    server.intermediates = {&leaf, &pki().issuer};
    CHECK(shake(server, profile()).failure == "issuing certificate \"other.example\" is not an authority's");
}

TEST_CASE("old protocol versions allow no weaker certificates") {
    TlsProfile client = profile();
    client.min_version = TlsVersion::v1_0;
    CertificateSpec spec = valid();
    spec.key = test::KeyKind::rsa1024;
    CHECK(meet(spec, "gw.example", client).failure == "certificate has a key that is too weak");
}

TEST_CASE("with verification off the session goes on and the facts are still told") {
    CertificateSpec spec = valid("DNS:a.example");
    const Outcome outcome = meet(spec, "b.example", reporting());
    CHECK(outcome.state == State::established);
    CHECK(outcome.facts.certificate_problem == "certificate is for a.example, not b.example");
    CHECK(outcome.facts.days_left(now) == 87);
}

TEST_CASE("a pinned key must match, of the leaf or of the verified chain") {
    const Certificate leaf = pki().leaf(valid());
    const Certificate other = pki().leaf(valid());
    ServerSpec server;
    server.certificate = &leaf;
    server.intermediates = {&pki().issuer};
    TlsProfile client = profile();
    for (const Certificate* right : {&leaf, &pki().issuer, &pki().root}) {
        client.pin_sha256 = right->pin();
        CHECK(shake(server, client).state == State::established);
    }
    client.pin_sha256 = other.pin();
    CHECK(shake(server, client).failure == "key pin does not match");

    // Without verification a chain proves nothing, so only the leaf's own key counts.
    client.verify = TlsVerify::report;
    client.pin_sha256 = leaf.pin();
    CHECK(shake(server, client).state == State::established);
    CHECK(shake(server, client, "wrong.example").state == State::established);
    client.pin_sha256 = pki().issuer.pin();
    CHECK(shake(server, client, "wrong.example").failure == "key pin does not match");
}

TEST_CASE("versions below the minimum are named") {
    const Certificate leaf = pki().leaf(valid());
    ServerSpec server;
    server.certificate = &leaf;
    server.intermediates = {&pki().issuer};
    server.max_version = TLS1_1_VERSION;
    CHECK(shake(server, profile()).failure ==
          "peer does not speak TLS 1.2 or newer (protocol version alert)");
    TlsProfile client = profile();
    client.min_version = TlsVersion::v1_0;
    const Outcome old = shake(server, client);
    CHECK(old.failure.empty());
    CHECK(old.facts.version == "TLSv1.1");
    server.max_version = TLS1_2_VERSION;
    client.min_version = TlsVersion::v1_3;
    CHECK(shake(server, client).failure == "peer does not speak TLS 1.3 (protocol version alert)");
}

TEST_CASE("a server that answers with an older version than asked for is quoted") {
    TlsSession session(context(profile()), "gw.example", now);
    session.start();
    // ServerHello, TLS 1.1, AES128-SHA, as a server would send it that has never heard of TLS 1.3.
    std::vector<uint8_t> hello{0x16, 0x03, 0x02, 0x00, 0x2a, 0x02, 0x00, 0x00, 0x26, 0x03, 0x02};
    hello.insert(hello.end(), 32, 0x55);
    hello.insert(hello.end(), {0x00, 0x00, 0x2f, 0x00});
    session.feed(hello);
    CHECK(session.state() == State::failed);
    CHECK(session.failure() == "peer speaks TLS 1.1, at least 1.2 is required");
    CHECK(session.has_output());  // the alert that tells the peer why
}

TEST_CASE("ALPN must be accepted where it is asked for") {
    const Certificate leaf = pki().leaf(valid());
    ServerSpec server;
    server.certificate = &leaf;
    server.intermediates = {&pki().issuer};
    server.alpn = "http/1.1";
    TlsProfile client = profile();
    client.alpn = {"h2", "http/1.1"};
    const Outcome outcome = shake(server, client);
    CHECK(outcome.failure.empty());
    CHECK(outcome.facts.alpn == "http/1.1");
    client.alpn = {"h2"};
    CHECK(shake(server, client).failure == "ALPN h2 not accepted");
    server.alpn.clear();
    CHECK(shake(server, client).failure == "ALPN h2 not accepted");
}

TEST_CASE("a client certificate is shown where one is asked for") {
    CertificateSpec spec = valid("DNS:prober.example");
    spec.extended_key_usage = "clientAuth";
    const Certificate mine = pki().leaf(spec);
    const Certificate leaf = pki().leaf(valid());
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        ServerSpec server_spec;
        server_spec.certificate = &leaf;
        server_spec.intermediates = {&pki().issuer};
        server_spec.client_authority = &pki().root;
        server_spec.max_version = version;
        TlsProfile client = profile();
        const auto outcome_of = [&](bool& accepted) {
            MemoryTlsServer server(server_spec);
            TlsSession session(context(client), "gw.example", now);
            session.start();
            pump(session, server);
            std::array<uint8_t, 16> buffer{};
            (void)session.read(buffer);
            accepted = server.established() && session.state() == State::established;
            CHECK(session.facts().client_certificate_requested);
            return session.failure();
        };
        bool accepted = false;
        CHECK(outcome_of(accepted) == (version == TLS1_3_VERSION
                                           ? "peer requires a client certificate (certificate required alert)"
                                           : "peer requires a client certificate (handshake failure alert)"));
        CHECK_FALSE(accepted);

        client.cert_file = pki().folder.write("client.pem", mine.pem() + pki().issuer.pem());
        client.key_file = pki().folder.write("client.key", mine.key_pem());
        CHECK(outcome_of(accepted).empty());
        CHECK(accepted);

        const Certificate foreign = test::make_certificate(spec, nullptr);
        client.cert_file = pki().folder.write("foreign.pem", foreign.pem());
        client.key_file = pki().folder.write("foreign.key", foreign.key_pem());
        CHECK(outcome_of(accepted) == "peer refuses the client certificate (unknown authority alert)");
        CHECK_FALSE(accepted);
    }
}

TEST_CASE("what is not TLS is quoted, escaped and cut") {
    const auto said = [](std::string_view words) {
        TlsSession session(context(profile()), "gw.example", now);
        session.start();
        session.feed(as_bytes(words));
        CHECK(session.state() == State::failed);
        return session.failure();
    };
    CHECK(said("SSH-2.0-OpenSSH_9.2\r\n") == "not TLS: the peer sent \"SSH-2.0-OpenSSH_9.2\\r\\n\"");
    CHECK(said("HTTP/1.1 400 Bad Request\r\nServer: x") ==
          "not TLS: the peer sent \"HTTP/1.1 400 Bad Request...\"");
    CHECK(said(std::string_view("\x16\x00\x01", 3)) == "not TLS: the peer sent \"\\x16\\x00\\x01\"");
}

TEST_CASE("the end of the stream is told apart by when it comes") {
    TlsSession silent(context(profile()), "gw.example", now);
    silent.start();
    silent.feed_end();
    CHECK(silent.failure() == "connection closed by the peer without an answer to the handshake");

    const Certificate leaf = pki().leaf(valid());
    ServerSpec spec;
    spec.certificate = &leaf;
    spec.intermediates = {&pki().issuer};
    MemoryTlsServer server(spec);
    TlsSession cut(context(profile()), "gw.example", now);
    cut.start();
    server.feed(cut.take_output());
    cut.feed(ByteSpan(server.take_output()).first(300));
    cut.feed_end();
    CHECK(cut.failure() == "connection closed during the handshake");

    MemoryTlsServer abrupt(spec);
    TlsSession session(context(profile()), "gw.example", now);
    session.start();
    pump(session, abrupt);
    session.feed_end();
    std::array<uint8_t, 16> buffer{};
    CHECK(session.read(buffer) == 0);
    CHECK(session.state() == State::closed);
    CHECK(session.truncated());
}

TEST_CASE("a peer that never stops talking is cut off") {
    SECTION("in the handshake, with a message larger than any chain") {
        TlsSession session(context(profile()), "gw.example", now);
        session.start();
        std::vector<uint8_t> record(5 + 16384, 0);
        record[0] = 0x16;
        record[1] = record[2] = 3;
        record[3] = 0x40;
        record[5] = 2;  // a ServerHello of 16 MB
        record[6] = record[7] = record[8] = 0xff;
        session.feed(record);
        CHECK(session.failure() == "peer sends a handshake message that is too large");
    }
    SECTION("in the handshake, with a chain longer than is allowed") {
        const Certificate leaf = pki().leaf(valid());
        ServerSpec spec;
        spec.certificate = &leaf;
        std::vector<Certificate> chain;
        std::string names = "DNS:a.example";
        for (int i = 0; i < 400; ++i) names += ",DNS:host-" + std::to_string(i) + ".many-names.example";
        CertificateSpec big = valid(names);
        for (int i = 0; i < 8; ++i) chain.push_back(test::make_certificate(big, nullptr));
        for (const Certificate& certificate : chain) spec.intermediates.push_back(&certificate);
        CHECK(shake(spec, profile()).failure == "peer sends a handshake message that is too large");
    }
    SECTION("after the handshake, with session tickets without end") {
        const Certificate leaf = pki().leaf(valid());
        ServerSpec spec;
        spec.certificate = &leaf;
        spec.intermediates = {&pki().issuer};
        MemoryTlsServer server(spec);
        TlsSession session(context(profile()), "gw.example", now);
        session.start();
        pump(session, server);
        std::array<uint8_t, 64> buffer{};
        size_t fed = 0;
        while (session.state() == State::established && fed < 10'000'000) {
            SSL_new_session_ticket(server.ssl());
            server.feed({});
            server.write("");
            SSL_do_handshake(server.ssl());
            const std::vector<uint8_t> bytes = server.take_output();
            REQUIRE(!bytes.empty());
            fed += bytes.size();
            session.feed(bytes);
            CHECK(session.read(buffer) == 0);
        }
        CHECK(session.failure() == "peer sends more than 256 kB without content");
        CHECK(fed < 300'000);
    }
}

TEST_CASE("renegotiation is refused and the session goes on") {
    const Certificate leaf = pki().leaf(valid());
    ServerSpec spec;
    spec.certificate = &leaf;
    spec.intermediates = {&pki().issuer};
    spec.max_version = TLS1_2_VERSION;
    MemoryTlsServer server(spec);
    TlsSession session(context(profile()), "gw.example", now);
    session.start();
    pump(session, server);
    REQUIRE(session.state() == State::established);
    SSL_renegotiate(server.ssl());
    SSL_do_handshake(server.ssl());
    server.write("still here");
    session.feed(server.take_output());
    std::array<uint8_t, 64> buffer{};
    const size_t count = session.read(buffer);
    CHECK(as_text({buffer.data(), count}) == "still here");
    CHECK(session.has_output());  // the no_renegotiation warning
}

TEST_CASE("contexts and authorities are shared, and broken profiles are named") {
    TlsContexts contexts;
    const auto first = contexts.get(profile());
    REQUIRE(first);
    CHECK(*contexts.get(profile()) == *first);
    CHECK(*contexts.get(reporting()) != *first);

    const auto complaint = [&](const TlsProfile& wrong) {
        const auto made = contexts.get(wrong);
        REQUIRE_FALSE(made);
        return made.error().message;
    };
    TlsProfile wrong = profile();
    wrong.ca_file = pki().folder.path().string() + "/none.pem";
    CHECK(complaint(wrong) ==
          "cannot read certificate authorities from " + wrong.ca_file + ": no such file or directory");
    wrong.ca_file = pki().folder.write("empty.pem", "not PEM\n");
    CHECK(complaint(wrong).starts_with("cannot read certificate authorities from " + wrong.ca_file));
    wrong = profile();
    wrong.pin_sha256 = "AAAA";
    CHECK(complaint(wrong) == "key pin \"AAAA\" is not 32 octets in base64");
    wrong.pin_sha256 = std::string(43, '!') + "=";
    CHECK(complaint(wrong) == "key pin \"" + wrong.pin_sha256 + "\" is not 32 octets in base64");
    wrong = profile();
    wrong.cert_file = pki().ca_file;
    CHECK(complaint(wrong) == "a client certificate needs both its certificate file and its key file");
    wrong.key_file = pki().folder.write("other.key", test::make_certificate(valid(), nullptr).key_pem());
    CHECK(complaint(wrong).starts_with("cannot use the client key of " + wrong.key_file));
    wrong = profile();
    wrong.alpn = {""};
    CHECK(complaint(wrong) == "ALPN protocol \"\" has no usable length");
}

TEST_CASE("names that cannot be asked for fail before anything is sent") {
    TlsSession session(context(profile()), std::string(300, 'a'), now);
    session.start();
    CHECK(session.state() == State::failed);
    CHECK(session.failure() == "\"" + std::string(60, 'a') + "...\" cannot be a server name");
    CHECK_FALSE(session.has_output());
}

TEST_CASE("versions read and print as the configuration writes them") {
    CHECK(parse_tls_version("1.0") == TlsVersion::v1_0);
    CHECK(parse_tls_version("1.3") == TlsVersion::v1_3);
    CHECK_FALSE(parse_tls_version("1.4"));
    CHECK_FALSE(parse_tls_version(""));
    CHECK(to_string(TlsVersion::v1_1) == "TLS 1.1");
    CHECK(rough_duration(seconds(59)) == "59 seconds");
    CHECK(rough_duration(seconds(60)) == "1 minute");
    CHECK(rough_duration(seconds(86'400 * 2 - 1)) == "1 day");
}
