// SPDX-License-Identifier: Apache-2.0
// TLS as a server, over buffers: who gets in, who is turned away and how, and tickets.
#include <catch2/catch.hpp>

#include "net/tls_server.h"
#include "support/certificates.h"
#include "support/tls_client.h"

using namespace fairway;
using namespace fairway::net;
using namespace fairway::test;
using State = TlsServerSession::State;

namespace {

TlsTicketKeys::Secret secret(uint8_t value) {
    TlsTicketKeys::Secret made{};
    made.fill(value);
    return made;
}

Certificate certificate_for(const std::string& name, KeyKind kind = KeyKind::p256) {
    CertificateSpec spec;
    spec.name = name;
    spec.alternative_names = "DNS:" + name;
    spec.not_before = std::chrono::system_clock::now() - std::chrono::hours(24);
    spec.not_after = std::chrono::system_clock::now() + std::chrono::hours(24 * 30);
    spec.key = kind;
    return make_certificate(spec, nullptr);
}

struct Files {
    explicit Files(const Certificate& made = certificate_for("dns.example")) { put(made, made); }
    void put(const Certificate& certificate, const Certificate& key) {
        profile.cert_file = folder.write("cert.pem", certificate.pem());
        profile.key_file = folder.write("key.pem", key.key_pem());
        profile.alpn = {"dot"};
    }
    [[nodiscard]] std::shared_ptr<const TlsServerContext> open() const {
        auto opened = TlsServerContext::open(profile);
        REQUIRE(opened);
        return *opened;
    }
    [[nodiscard]] std::string complaint() const {
        const auto opened = TlsServerContext::open(profile);
        REQUIRE_FALSE(opened);
        std::string text = opened.error().message;
        for (size_t at = 0; (at = text.find(folder.path().string())) != std::string::npos;)
            text.erase(at, folder.path().string().size() + 1);
        return text;
    }

    TemporaryFolder folder;
    TlsServerProfile profile;
};

/// A server's session and what it has said.
struct Peer {
    Peer(std::shared_ptr<const TlsServerContext> context, const TlsTicketKeys& keys)
        : session(std::move(context), keys, output) {}

    void feed(ByteSpan bytes, size_t piece = SIZE_MAX) {
        std::vector<uint8_t> buffer(16 * 1024);
        while (!bytes.empty()) {
            const ByteSpan now = bytes.first(std::min(piece, bytes.size()));
            session.feed(now);
            while (const size_t count = session.read(buffer))
                received.insert(received.end(), buffer.begin(), buffer.begin() + static_cast<int>(count));
            bytes = bytes.subspan(now.size());
        }
    }
    /// Until nobody has anything to say.
    void talk(MemoryTlsClient& client, size_t piece = SIZE_MAX) {
        for (std::vector<uint8_t> said = client.take_output(); !said.empty() || !output.empty();
             said = client.take_output()) {
            feed(said, piece);
            client.feed(std::exchange(output, {}));
        }
    }

    std::vector<uint8_t> output;
    std::vector<uint8_t> received;
    TlsServerSession session;
};

std::vector<uint8_t> bytes_of(std::string_view text) {
    return {text.begin(), text.end()};
}

}  // namespace

TEST_CASE("a TLS server and a client exchange bytes in both versions, in pieces of any size") {
    const Files files;
    const auto context = files.open();
    const TlsTicketKeys keys(secret(1));
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        for (const size_t piece : {SIZE_MAX, size_t{1}, size_t{100}}) {
            INFO(version << " in pieces of " << piece);
            ClientSpec spec;
            spec.min_version = spec.max_version = version;
            spec.alpn = {"h2", "dot"};
            MemoryTlsClient client(spec);
            Peer peer(context, keys);
            peer.talk(client, piece);
            REQUIRE(client.established());
            REQUIRE(peer.session.state() == State::established);
            CHECK(SSL_version(client.ssl()) == version);
            CHECK(client.alpn() == "dot");
            CHECK(peer.session.alpn() == "dot");
            CHECK_FALSE(peer.session.is_resumed());
            CHECK(SSL_get_current_compression(client.ssl()) == nullptr);
            client.write(bytes_of("question"));
            peer.talk(client, piece);
            CHECK(peer.received == bytes_of("question"));
            const std::vector<uint8_t> answer(70'000, 7);
            peer.session.write(answer);
            peer.talk(client, piece);
            CHECK(client.received == answer);
            peer.session.close();
            peer.talk(client);
            CHECK(client.closed());
            // Whoever says goodbye may still be answered.
            client.write(bytes_of("never read"));
            client.close();
            peer.feed(client.take_output());
            CHECK(peer.session.state() == State::closed);
        }
    }
}

TEST_CASE("a TLS server answers after the client's goodbye") {
    const Files files;
    const TlsTicketKeys keys(secret(1));
    MemoryTlsClient client;
    Peer peer(files.open(), keys);
    peer.talk(client);
    client.write(bytes_of("question"));
    client.close();
    peer.feed(client.take_output());
    CHECK(peer.received == bytes_of("question"));
    CHECK(peer.session.state() == State::closed);
    peer.session.write(bytes_of("answer"));
    peer.session.close();
    peer.talk(client);
    CHECK(client.received == bytes_of("answer"));
    CHECK(client.closed());
}

TEST_CASE("a client that offers no protocol is welcome, one that offers only others is not") {
    const Files files;
    const TlsTicketKeys keys(secret(1));
    MemoryTlsClient plain;
    Peer peer(files.open(), keys);
    peer.talk(plain);
    CHECK(plain.established());
    CHECK(peer.session.alpn().empty());

    ClientSpec spec;
    spec.alpn = {"h2", "http/1.1"};
    MemoryTlsClient browser(spec);
    Peer other(files.open(), keys);
    other.talk(browser);
    CHECK(other.session.state() == State::failed);
    CHECK(browser.failure == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
}

TEST_CASE("TLS before 1.2 is refused with an alert") {
    const Files files;
    const TlsTicketKeys keys(secret(1));
    ClientSpec spec;
    spec.min_version = TLS1_VERSION;
    spec.max_version = TLS1_1_VERSION;
    MemoryTlsClient client(spec);
    Peer peer(files.open(), keys);
    peer.talk(client);
    CHECK(peer.session.state() == State::failed);
    CHECK(client.failure == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
}

TEST_CASE("what is not TLS fails at once") {
    const Files files;
    const auto context = files.open();
    const TlsTicketKeys keys(secret(1));
    for (const std::string_view junk :
         {std::string_view("GET / HTTP/1.1\r\n\r\n"), std::string_view("\x00\x1d\x12\x34\x01\x00", 6),
          std::string_view("\x16\x03\x01\xff\xff\x01", 6)}) {
        Peer peer(context, keys);
        peer.feed(bytes_of(junk));
        CHECK(peer.session.state() == State::failed);
        peer.feed(bytes_of("more"));
        CHECK(peer.received.empty());
        peer.session.write(bytes_of("nothing comes of this"));
        peer.session.close();
    }
}

TEST_CASE("a ticket resumes a session on any thread and under a new certificate, until its key is gone") {
    Files files;
    const auto context = files.open();
    TlsTicketKeys keys(secret(1));
    uint8_t next = 2;
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        INFO(version);
        ClientSpec spec;
        spec.min_version = spec.max_version = version;
        MemoryTlsClient first(spec);
        Peer peer(context, keys);
        peer.talk(first);
        REQUIRE(first.tickets.size() == 1);
        CHECK(SSL_SESSION_get_max_early_data(first.tickets[0].get()) == 0);

        const auto resume = [&](SSL_SESSION* ticket, const TlsTicketKeys& with,
                                const std::shared_ptr<const TlsServerContext>& under) {
            ClientSpec again = spec;
            again.session = ticket;
            auto client = std::make_unique<MemoryTlsClient>(again);
            Peer server(under, with);
            server.talk(*client);
            CHECK(client->established());
            CHECK(server.session.is_resumed() == client->resumed());
            return client;
        };
        files.put(certificate_for("new.example"), certificate_for("other.example"));
        const Certificate renewed = certificate_for("new.example");
        files.put(renewed, renewed);
        CHECK(resume(first.tickets[0].get(), keys, files.open())->resumed());
        CHECK_FALSE(resume(first.tickets[0].get(), TlsTicketKeys(secret(99)), context)->resumed());

        // An old key opens the ticket, and the client gets one of the new key.
        keys.rotate(secret(next++));
        const auto second = resume(first.tickets[0].get(), keys, context);
        CHECK(second->resumed());
        // In TLS 1.2 the library tells of no new ticket in a resumed session, but has it.
        const SessionPtr renewed_ticket(SSL_get1_session(second->ssl()));
        SSL_SESSION* newest = version == TLS1_2_VERSION ? renewed_ticket.get() : second->tickets.at(0).get();
        keys.rotate(secret(next++));
        CHECK_FALSE(resume(first.tickets[0].get(), keys, context)->resumed());
        CHECK(resume(newest, keys, context)->resumed());
    }
}

TEST_CASE("a damaged ticket means a full handshake") {
    const Files files;
    const auto context = files.open();
    const TlsTicketKeys keys(secret(1));
    ClientSpec spec;
    spec.max_version = TLS1_2_VERSION;
    MemoryTlsClient first(spec);
    Peer peer(context, keys);
    peer.talk(first);
    REQUIRE(first.tickets.size() == 1);
    // In the clear in a ClientHello of TLS 1.2: its last octets are those of the ticket's seal.
    const unsigned char* ticket = nullptr;
    size_t size = 0;
    SSL_SESSION_get0_ticket(first.tickets[0].get(), &ticket, &size);
    spec.session = first.tickets[0].get();
    MemoryTlsClient second(spec);
    std::vector<uint8_t> hello = second.take_output();
    const auto at = std::search(hello.begin(), hello.end(), ticket, ticket + size);
    REQUIRE(at != hello.end());
    at[static_cast<std::ptrdiff_t>(size) - 1] ^= 1;
    Peer other(context, keys);
    other.feed(hello);
    CHECK(other.session.state() == State::handshaking);
    CHECK_FALSE(other.session.is_resumed());
    CHECK_FALSE(other.output.empty());
}

TEST_CASE("a peer that sends records without end and no content is cut off") {
    const Files files;
    const TlsTicketKeys keys(secret(1));
    MemoryTlsClient client;
    Peer peer(files.open(), keys);
    peer.talk(client);
    size_t sent = 0;
    while (peer.session.state() == State::established && sent < 1'000'000) {
        SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(client.ssl());
        const std::vector<uint8_t> said = client.take_output();
        REQUIRE_FALSE(said.empty());
        sent += said.size();
        peer.feed(said);
        client.feed(std::exchange(peer.output, {}));
    }
    CHECK(peer.session.state() == State::failed);
    CHECK(sent < 70'000);

    // So is one whose handshake never ends.
    Peer trickled(files.open(), keys);
    std::vector<uint8_t> record{0x16, 0x03, 0x01, 0x00, 0x01, 0x01};
    for (sent = 0; trickled.session.state() == State::handshaking && sent < 1'000'000; sent += record.size())
        trickled.feed(record);
    CHECK(trickled.session.state() == State::failed);
    CHECK(sent < 150'000);
}

TEST_CASE("a client cannot renegotiate, and its session goes on") {
    const Files files;
    const TlsTicketKeys keys(secret(1));
    ClientSpec spec;
    spec.max_version = TLS1_2_VERSION;
    MemoryTlsClient client(spec);
    Peer peer(files.open(), keys);
    peer.talk(client);
    REQUIRE(peer.session.state() == State::established);
    REQUIRE(SSL_renegotiate(client.ssl()) == 1);
    SSL_do_handshake(client.ssl());
    peer.feed(client.take_output());
    CHECK(peer.session.state() == State::established);
    // A warning, not a second ServerHello.
    CHECK(peer.output.size() < 64);
}

TEST_CASE("certificate files that cannot be used are told by their names") {
    const Certificate good = certificate_for("dns.example");
    Files files(good);
    CHECK(files.open()->hosts() == "dns.example");
    CHECK(files.open()->not_after() > std::chrono::system_clock::now() + std::chrono::hours(24 * 29));
    files.put(good, certificate_for("dns.example"));
    CHECK(files.complaint() == "the key of key.pem does not belong to the certificate of cert.pem");
    files.put(good, certificate_for("dns.example", KeyKind::rsa2048));
    CHECK(files.complaint() == "the key of key.pem does not belong to the certificate of cert.pem");
    files.folder.write("key.pem", "");
    CHECK(files.complaint() == "cannot use the key of key.pem: unsupported");
    files.profile.key_file = files.folder.path() / "none.pem";
    CHECK(files.complaint() == "cannot use the key of none.pem: no such file or directory");
    files.profile.cert_file = files.folder.path() / "nothing.pem";
    CHECK(files.complaint() == "cannot use the certificate of nothing.pem: no such file or directory");
    files.profile.cert_file = files.folder.write("cert.pem", "no certificate");
    CHECK(files.complaint() == "cannot use the certificate of cert.pem: no start line");
    const Certificate weak = certificate_for("dns.example", KeyKind::rsa1024);
    files.put(weak, weak);
    CHECK(files.complaint() == "cannot use the certificate of cert.pem: ee key too small");
}

TEST_CASE("a context knows when its files are others") {
    const Certificate good = certificate_for("dns.example");
    Files files(good);
    const auto context = files.open();
    CHECK_FALSE(context->changed());
    files.folder.write("cert.pem", good.pem());
    CHECK(context->changed());
    const auto again = files.open();
    CHECK_FALSE(again->changed());
    std::filesystem::remove(files.profile.key_file);
    CHECK(again->changed());
}
