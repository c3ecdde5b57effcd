// SPDX-License-Identifier: Apache-2.0
// A hostile client of DNS over TLS, down to the framing behind it. The first octet chooses how: raw bytes in
// place of TLS, or a real client whose record boundaries, pieces and damage the input decides. Where nothing
// was damaged, the messages that come out are those that went in.

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "dns/tcp_framing.h"
#include "net/tls_server.h"
#include "support/certificates.h"
#include "support/tls_client.h"

using namespace fairway;
using namespace fairway::net;
using State = TlsServerSession::State;

namespace {

// Always the same, so that an input means the same on every machine. Nobody trusts it.
constexpr const char* key_pem = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgBaXloakorragX/XT
K8BONBa8qdCuCZXgpNpYDE2as7WhRANCAAQAftq3g85/SZiI1KBxNOWCFwqEkSJi
E9EE3FYArOCBGGghgh2mSqgK5jyOH4RBXmX5GzXP1yeiP5HGWxYaEvCR
-----END PRIVATE KEY-----
)";
constexpr const char* certificate_pem = R"(-----BEGIN CERTIFICATE-----
MIIBgzCCASmgAwIBAgIUeE4QgC/l//aSU5j+EvHsTfe2cbkwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLZG5zLmV4YW1wbGUwIBcNMjYxMTIwMTMwMDUwWhgPMjEyNjEw
MjcxMzAwNTBaMBYxFDASBgNVBAMMC2Rucy5leGFtcGxlMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEAH7at4POf0mYiNSgcTTlghcKhJEiYhPRBNxWAKzggRhoIYId
pkqoCuY8jh+EQV5l+Rs1z9cnoj+RxlsWGhLwkaNTMFEwHQYDVR0OBBYEFIQ/+Gvd
1FMnWjY8dYxFsZ7YUb0jMB8GA1UdIwQYMBaAFIQ/+Gvd1FMnWjY8dYxFsZ7YUb0j
MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgUvIW9SnL4w9c7RAX
IYhuEqScj2f/V33GKLiwz8S4aVYCIQDhBfYsqgvvek1vJHg/l72f0xnntvTXyB1q
4rQPdGY1uw==
-----END CERTIFICATE-----
)";

constexpr size_t max_message = 512;
using Messages = std::vector<std::vector<uint8_t>>;

struct World {
    std::shared_ptr<const TlsServerContext> context;
    TlsTicketKeys keys{TlsTicketKeys::Secret{}};

    World() {
        const test::TemporaryFolder folder;
        auto opened = TlsServerContext::open(
            {folder.write("cert.pem", certificate_pem), folder.write("key.pem", key_pem), {"dot"}});
        if (!opened) std::abort();
        context = *opened;
    }
};

/// The server's end as a connection uses it.
struct Server {
    explicit Server(const World& world) : session(world.context, world.keys, output) {}

    void feed(ByteSpan bytes) {
        session.feed(bytes);
        std::vector<uint8_t> plaintext(16 * 1024);
        while (const size_t count = session.read(plaintext)) framing.append(ByteSpan(plaintext).first(count));
        while (const auto message = framing.next()) {
            if (message->empty() || message->size() > max_message) std::abort();
            messages.emplace_back(message->begin(), message->end());
            // Every question has an answer twice its size, for what that is worth.
            session.write(*message);
            session.write(*message);
        }
        if (framing.buffered() > 2 + max_message && !framing.failed()) std::abort();
        // One feed of 16 kB cannot make it say more than this.
        if (output.size() > size_t{256} * 1024) std::abort();
    }

    std::vector<uint8_t> output;
    TlsServerSession session;
    dns::TcpFraming framing{max_message};
    Messages messages;
};

void feed_pieces(Server& server, ByteSpan bytes, size_t piece) {
    while (!bytes.empty()) {
        server.feed(bytes.first(std::min(piece, bytes.size())));
        bytes = bytes.subspan(std::min(piece, bytes.size()));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const World world;
    if (size == 0) return 0;
    Reader input({data, size});
    const uint8_t mode = input.u8();
    const size_t piece = size_t{1} + (mode >> 3) * size_t{37};
    Server server(world);
    if ((mode & 1) == 0) {
        feed_pieces(server, input.take(input.remaining()), piece);
    } else {
        test::ClientSpec spec;
        spec.max_version = (mode & 2) == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
        if ((mode & 4) != 0) spec.alpn = {"dot"};
        test::MemoryTlsClient client(spec);
        std::vector<uint8_t> stream;  // what the client said before anything was damaged
        bool is_damaged = false;
        const auto exchange = [&] {
            std::vector<uint8_t> bytes = client.take_output();
            feed_pieces(server, bytes, piece);
            client.feed(std::exchange(server.output, {}));
        };
        for (int flight = 0; flight < 3; ++flight) exchange();
        while (!input.at_end() && client.established()) {
            const uint8_t what = input.u8();
            switch (what % 8) {
                case 0: {  // damage in what is on its way
                    client.write(std::vector<uint8_t>(what, what));
                    std::vector<uint8_t> bytes = client.take_output();
                    if (!bytes.empty())
                        bytes[input.u8() % bytes.size()] ^= static_cast<uint8_t>(1 + what / 8);
                    is_damaged = true;
                    feed_pieces(server, bytes, piece);
                    break;
                }
                case 1:
                    if (SSL_version(client.ssl()) == TLS1_3_VERSION)
                        SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED);
                    break;
                case 2: {  // octets between the records
                    is_damaged = true;
                    const ByteSpan bytes = input.take(std::min<size_t>(what, input.remaining()));
                    feed_pieces(server, bytes, piece);
                    break;
                }
                case 3:
                    client.close();
                    break;
                default: {
                    const ByteSpan text = input.take(std::min<size_t>(input.u8(), input.remaining()));
                    if (SSL_get_shutdown(client.ssl()) != 0) break;
                    client.write(text);
                    if (!is_damaged) stream.insert(stream.end(), text.begin(), text.end());
                    exchange();
                }
            }
        }
        exchange();
        dns::TcpFraming reference(max_message);
        reference.append(stream);
        Messages expected;
        while (const auto message = reference.next()) expected.emplace_back(message->begin(), message->end());
        if (is_damaged ? server.messages.size() < expected.size() : server.messages != expected) std::abort();
    }
    server.session.close();
    const State state = server.session.state();
    if (state == State::failed) {
        const size_t before = server.messages.size();
        server.feed(std::vector<uint8_t>(64, 0x17));
        if (server.messages.size() != before) std::abort();
    }
    return 0;
}
