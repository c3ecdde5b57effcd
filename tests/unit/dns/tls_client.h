// SPDX-License-Identifier: Apache-2.0
#pragma once
// DNS over TLS as a client speaks it, over a blocking socket; and certificates for the servers it asks.

#include <catch2/catch.hpp>

#include "net/tls_server.h"
#include "support/certificates.h"
#include "support/tls_client.h"
#include "unit/dns/wire_client.h"

namespace fairway::dns::test {

inline fairway::test::Certificate dns_certificate(const std::string& name) {
    fairway::test::CertificateSpec spec;
    spec.name = name;
    spec.alternative_names = "DNS:" + name;
    spec.not_before = std::chrono::system_clock::now() - std::chrono::hours(24);
    spec.not_after = std::chrono::system_clock::now() + std::chrono::hours(24 * 30);
    return fairway::test::make_certificate(spec, nullptr);
}

inline std::shared_ptr<const net::TlsServerContext> dot_context(const std::string& name = "dns.example") {
    const fairway::test::TemporaryFolder folder;
    const fairway::test::Certificate made = dns_certificate(name);
    auto opened = net::TlsServerContext::open(
        {folder.write("cert.pem", made.pem()), folder.write("key.pem", made.key_pem()), {"dot"}});
    REQUIRE(opened);
    return *opened;
}

inline fairway::test::ClientSpec dot_client(SSL_SESSION* session = nullptr) {
    fairway::test::ClientSpec spec;
    spec.alpn = {"dot"};
    spec.session = session;
    return spec;
}

class DotClient {
  public:
    explicit DotClient(const SocketAddress& server, const fairway::test::ClientSpec& spec = dot_client(),
                       std::optional<IpAddress> from = std::nullopt)
        : fd(connect_to(server, SOCK_STREAM, from)), tls(spec) {}

    /// false: the server ended it, or did not answer in time.
    bool shake_hands() {
        while (!tls.established() && pump()) {
        }
        say();
        return tls.established();
    }
    /// The next message; empty when the connection ended or nothing comes.
    Bytes receive() {
        const auto size = [this] { return size_t{2} + (tls.received[0] << 8 | tls.received[1]); };
        while (tls.received.size() < 2 || tls.received.size() < size())
            if (!pump()) return {};
        const auto end = tls.received.begin() + static_cast<std::ptrdiff_t>(size());
        const Bytes message(tls.received.begin() + 2, end);
        tls.received.erase(tls.received.begin(), end);
        return message;
    }
    void ask(ByteSpan message) {
        tls.write(framed(message));
        say();
    }
    /// Whether the server ends the connection, with TLS's goodbye.
    bool is_closed() {
        while (pump()) {
        }
        return tls.closed();
    }
    /// Sends what there is to say.
    void say() { send_all(fd.get(), tls.take_output()); }
    /// One round of it; false when the server has closed or nothing comes.
    bool pump() {
        say();
        if (!readable(fd.get())) return false;
        Bytes bytes(16 * 1024);
        const ssize_t count = recv(fd.get(), bytes.data(), bytes.size(), 0);
        if (count <= 0) return false;
        bytes.resize(static_cast<size_t>(count));
        tls.feed(bytes);
        return true;
    }

    UniqueFd fd;
    fairway::test::MemoryTlsClient tls;
};

inline Bytes ask_tls(const SocketAddress& server, ByteSpan message) {
    DotClient client(server);
    if (!client.shake_hands()) return {};
    client.ask(message);
    return client.receive();
}

}  // namespace fairway::dns::test
