// SPDX-License-Identifier: Apache-2.0
#pragma once
// A server of the world on loopback, with UDP, TCP and TLS.

#include <catch2/catch.hpp>
#include <memory>

#include "dns/server.h"
#include "unit/dns/tls_client.h"
#include "unit/dns/world.h"

namespace fairway::dns::test {

inline net::TlsTicketKeys::Secret ticket_secret(uint8_t value) {
    net::TlsTicketKeys::Secret secret{};
    secret.fill(value);
    return secret;
}

struct RunningDot {
    explicit RunningDot(ServerOptions options = {},
                        std::shared_ptr<const net::TlsServerContext> context = dot_context())
        : serving(std::make_shared<Serving>(make_world().serving())), tls(ticket_secret(1)) {
        const SocketAddress v4{IpAddress::v4(0x7f000001), 0};
        const SocketAddress v6{IpAddress::parse("::1").value(), 0};
        options.listen = {v4};
        options.tls_listen = {v4, v6};
        if (options.threads == 0) options.threads = 2;
        tls.context.publish(std::move(context));
        auto opened = Server::open(options, serving, nullptr, &tls);
        REQUIRE(opened);
        server = std::move(*opened);
        server->start();
    }
    [[nodiscard]] SocketAddress udp() const { return server->addresses().at(0); }
    [[nodiscard]] SocketAddress v4() const { return server->tls_addresses().at(0); }
    [[nodiscard]] SocketAddress v6() const { return server->tls_addresses().at(1); }
    [[nodiscard]] ServerStats stop() const {
        server->stop();
        return server->stats();
    }

    Published<Serving> serving;
    net::TlsServerSupply tls;
    std::unique_ptr<Server> server;
};

}  // namespace fairway::dns::test
